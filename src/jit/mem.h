/*
 * Executable memory without a moment in which it is writable too: one memfd, mapped once for writing
 * while code is made and then once for running.
 */
#ifndef JIT_MEM_H
#define JIT_MEM_H

#include "base/types.h"

struct jit_mem {
	u8 *code;   /* readable and executable */
	size_t len; /* bytes mapped, whole pages */
};

/* Copies len bytes of code into executable memory. -ENOMEM; -EACCES: the host forbids it. */
int jit_mem_new(const void *code, size_t len, struct jit_mem *ret_mem);
void jit_mem_free(struct jit_mem *mem);

#endif
