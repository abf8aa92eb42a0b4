/*
 * Executable memory without a moment in which it is writable too: one memfd, mapped once for writing
 * while code is made and then once for running.
 */
#ifndef JIT_MEM_H
#define JIT_MEM_H

#include "base/types.h"

struct jit_mem {
	u8 *code;   /* readable and executable once filled */
	size_t len; /* bytes mapped, whole pages */
};

/* Takes len bytes of address space, within reach of 32-bit distances from near_addr if there is room.
 * -ENOMEM. */
int jit_mem_reserve(size_t len, const void *near_addr, struct jit_mem *ret_mem);
/* Puts len bytes of code at the start of what was reserved and gives back the rest. -ENOMEM; -EACCES: the
 * host forbids executable memory; mem stays reserved then. */
int jit_mem_fill(struct jit_mem *mem, const void *code, size_t len);
void jit_mem_free(struct jit_mem *mem);

#endif
