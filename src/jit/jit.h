/*
 * The JIT's door: a rewritten, verified program in, machine code out. The machine is chosen at build
 * time by the file that defines `jit_target` (x86/, arm64/); on other machines jit_compile says -ENOSYS
 * and programs are interpreted.
 *
 * Code lies in an arena, memory that many programs share and that no mapping can write to (mem.c).
 */
#ifndef JIT_JIT_H
#define JIT_JIT_H

#include "core/prog.h"

struct jit_arena;

struct jit_dump;

/* Takes memory with the first program; an instance has one. dump_folder: where perf is told of the code that lies
 * in it (jit/dump.h), NULL: nowhere. -ENOMEM, or what making that file gave. */
int jit_arena_new(const char *dump_folder, struct jit_arena **ret_arena);
/* NULL: nobody is told. */
struct jit_dump *jit_arena_dump(const struct jit_arena *arena);
/* All images of it must have been freed. Takes NULL. */
void jit_arena_free(struct jit_arena *arena);

/* Compiles code for inst, whose helpers and kfuncs it calls and whose arena it lies in; calls of what is not
 * there are -EINVAL. inst NULL: no helpers, and memory of its own, as without an arena. ret_image owns its memory
 * until jit_free, for as long as which code must stay where it is. -ENOSYS: no JIT for this machine; -ENOMEM; -EINVAL: an instruction the JIT does not know;
 * -EACCES: the host forbids executable memory. Thread-safe. */
int jit_compile(
	const struct prog_code *code, const struct skep *inst, struct prog_image *ret_image);
/* The same one instruction at a time and for any processor of this kind: what tests compare with. */
int jit_compile_plain(
	const struct prog_code *code, const struct skep *inst, struct prog_image *ret_image);
/* Checked code, for a program that need not be verified: it touches the program's stack, run->regions and values of
 * the program's maps and nothing else, and ends after run->budget instructions or little more. The image's entry sets
 * run->fault, and its result is 0 then. prog must stay where it is for as long as the image; its maps may only become
 * more. Stores of a straight piece of code may be missing before a fault in it. -ENOSYS: no checked JIT for this
 * machine; -EINVAL: jumps or calls out of the program, writes R10, or has an instruction the JIT does not know. */
int jit_compile_checked(
	const struct prog *prog, const struct skep *inst, struct prog_image *ret_image);
/* Takes an image that was never filled too. */
void jit_free(struct prog_image *image);

#endif
