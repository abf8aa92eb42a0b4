/*
 * The JIT's door: a rewritten, verified program in, machine code out. The machine is chosen at build
 * time by the file that defines `jit_target` (x86/, arm64/); on other machines jit_compile says -ENOSYS
 * and programs are interpreted.
 *
 * Code is never writable and executable in one mapping: it is written through one mapping of a memfd and
 * run through another.
 */
#ifndef JIT_JIT_H
#define JIT_JIT_H

#include "core/prog.h"

/* Compiles code. helpers is the instance's registry: calls of ids outside of it or without a function are
 * -EINVAL. ret_image owns its memory until jit_free. -ENOSYS: no JIT for this machine; -ENOMEM; -EINVAL: an
 * instruction the JIT does not know; -EACCES: the host forbids executable memory. Thread-safe. */
int jit_compile(const struct prog_code *code, const struct hlp_proto *const *helpers,
	u32 helper_cnt, struct prog_image *ret_image);
/* The same one instruction at a time and for any processor of this kind: what tests compare with. */
int jit_compile_plain(const struct prog_code *code, const struct hlp_proto *const *helpers,
	u32 helper_cnt, struct prog_image *ret_image);
/* Takes an image that was never filled too. */
void jit_free(struct prog_image *image);

#endif
