/*
 * What one instruction does to the state, by kind of instruction. Each function checks first and then
 * changes env->cur; 0 or the errno of its complaint.
 */
#ifndef VERIFIER_STEP_H
#define VERIFIER_STEP_H

#include "base/types.h"
#include "verifier/env.h"

/* step.c: the instruction at env->insn_idx. *ret_next: what to do then. */
enum vf_next {
	VF_NEXT_INSN, /* go on at env->insn_idx, which is set */
	VF_NEXT_DONE, /* the path ended well */
};
int vf_step(struct vf_env *env, bool *ret_print_state, enum vf_next *ret_next);

/* reg.c: the register may be read; may be written. Both note it for the log. */
int vf_reg_read(struct vf_env *env, u32 regno);
int vf_reg_write(struct vf_env *env, u32 regno);
/* A pointer in its original form, as contexts and maps must be passed. */
int vf_reg_unmoved(struct vf_env *env, u32 regno);
/* A pointer at a known place that is not before the object. */
int vf_reg_fixed(struct vf_env *env, u32 regno);
/* A copy of a scalar is about to be made: gives it an id, so that what is learnt of one is of both. */
void vf_reg_link(struct vf_env *env, struct vf_reg *reg);
/* R0-R5 after a call */
void vf_regs_clobber(struct vf_env *env);
/* A range without members: forgets it as Linux does, or complains if the loader asked for that. */
int vf_reg_sanity(struct vf_env *env, struct vf_reg *reg);

/* alu.c */
int vf_alu(struct vf_env *env, const struct bpf_insn *insn);
/* "+=", "-=", … of an ALU opcode */
const char *vf_alu_symbol(u8 code);
/* pointer.c: R dst (+|-)= the number off, applied to pointer ptr; either may be in dst */
int vf_pointer_math(struct vf_env *env, const struct bpf_insn *insn, const struct vf_reg *ptr,
	const struct vf_reg *off);

/* jump.c: a conditional jump; forks the path unless the outcome is known */
int vf_jump(struct vf_env *env, const struct bpf_insn *insn);
/* packet.c: what a comparison of two packet pointers tells; false if it is none */
bool vf_packet_compare(struct vf_env *env, const struct bpf_insn *insn, struct vf_state *fall,
	struct vf_state *taken);
/* The outcome of comparing a packet pointer known to be at the end: 1, 0 or -1. */
int vf_packet_branch(const struct vf_reg *dst, const struct vf_reg *src, u8 op);
/* All packet pointers go stale. */
void vf_packet_forget(struct vf_env *env);

/* linked.c: scalars known to be equal up to a constant */
enum { VF_LINKED_MAX = 6 };
struct vf_linked {
	u32 cnt;
	struct {
		u8 frame, is_reg, at; /* at: register or slot */
	} items[VF_LINKED_MAX];
};
void vf_linked_collect(struct vf_env *env, u32 id, struct vf_linked *set);
u64 vf_linked_pack(const struct vf_linked *set);
struct vf_linked vf_linked_unpack(u64 packed);
void vf_linked_sync(struct vf_state *st, const struct vf_reg *known, const struct vf_linked *set);

/* call.c: helpers; call_sub.c: functions of the program; exit.c */
int vf_call_helper(struct vf_env *env, const struct bpf_insn *insn);
int vf_call_sub(struct vf_env *env, const struct bpf_insn *insn);
int vf_return_sub(struct vf_env *env);
/* The program, or a function that is verified on its own, ends with register regno as its result. */
int vf_exit_check(struct vf_env *env, u32 regno);
/* bpf_throw(R1): may it end here? If so the path does. */
int vf_throw_check(struct vf_env *env);
/* Register regno is not in min..max `when` something ends: "At program exit". */
int vf_complain_range(struct vf_env *env, u32 regno, s32 min, s32 max, const char *when);
/* tail_call.c: the place in the array before the call, what follows it after */
int vf_tail_call_key(struct vf_env *env, const struct map *map);
int vf_tail_call(struct vf_env *env);
/* widen.c: another round of a loop that old is an earlier round of */
void vf_widen(const struct vf_state *old, struct vf_state *cur);
/* ksym.c: the address of a variable of the kernel */
int vf_ksym_load(struct vf_env *env, struct vf_reg *ret_reg);
/* may_goto.c */
bool vf_is_may_goto(const struct bpf_insn *insn);
int vf_may_goto(struct vf_env *env, const struct bpf_insn *insn);
/* ld_abs.c */
int vf_ld_abs(struct vf_env *env, const struct bpf_insn *insn);

#endif
