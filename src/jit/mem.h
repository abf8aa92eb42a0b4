/*
 * Executable memory that is never writable. An arena is a few memfds, each mapped once, for running; code is
 * written to them through their descriptors, so there is no mapping that could write to it.
 * Many programs share a mapping: making one for each took longer than compiling it.
 */
#ifndef JIT_MEM_H
#define JIT_MEM_H

#include "base/types.h"
#include "jit/jit.h"

struct jit_chunk;

/* A stretch of an arena. */
struct jit_mem {
	struct jit_arena *arena;
	struct jit_chunk *chunk;
	const u8 *code; /* readable and executable */
	size_t len;	/* bytes, whole granules */
	bool is_own;	/* nothing else is in the arena, which goes with it */
};

/* Takes len bytes, within reach of 32-bit distances from near_addr if there is room in the address space.
 * arena NULL: one of its own. -ENOMEM; -EACCES: the host forbids executable memory. Thread-safe, as the two
 * below. */
int jit_mem_reserve(
	struct jit_arena *arena, size_t len, const void *near_addr, struct jit_mem *ret_mem);
/* Puts len bytes of code at the start of what was reserved and gives back the rest. -ENOMEM; mem stays
 * reserved then. */
int jit_mem_fill(struct jit_mem *mem, const void *code, size_t len);
void jit_mem_free(struct jit_mem *mem);

#endif
