/*
 * Checked code on x86: what guard.c and check.c share.
 */
#ifndef JIT_X86_CHECK_H
#define JIT_X86_CHECK_H

#include "jit/checked.h"
#include "jit/x86/x86.h"

/* r9 counts the instructions left; at calls of C it waits in run->check.left. */
#define LEFT R9

/* guard.c */
/* is_start: a function begins. */
void x86_forget_facts(struct jit *jit, bool is_start);
/* What holds behind the instruction; map: the one in R1, if it is a call and the map is the program's. */
void x86_follow(struct jit *jit, u32 idx, const struct map *map);
/* May the program touch len bytes at reg + off for certain? */
bool x86_is_known(const struct jit *jit, u8 reg, s64 off, u32 len, bool is_write);
/* Before an instruction that accesses memory. */
void x86_guard(struct jit *jit, u32 idx);
bool x86_add_site(struct jit *jit, struct jit_site site, u32 *ret_num);
/* The map in reg, or in R1, if it is known and the program's. */
const struct map *x86_known_map_in(const struct jit *jit, u32 reg);
const struct map *x86_known_map(const struct jit *jit);
/* Before a call: may the helper touch len bytes at reg? */
void x86_ask(struct jit *jit, u32 idx, u8 reg, u32 len, bool is_write);
/* Ends the run here. */
void x86_fault(struct jit *jit, enum run_fault_kind kind, u32 idx);
void x86_jump_fault(struct jit *jit, enum x86_cc cc, enum run_fault_kind kind, u32 idx);

#endif
