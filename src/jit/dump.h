/*
 * What other programs are told of compiled code: a file in perf's jitdump format, which has the name, the code and
 * the source lines of each function.
 *
 *	perf record -k 1 …; perf inject --jit -i perf.data -o perf.jit.data; perf report -i perf.jit.data
 *
 * Source: jitdump-specification.txt of Linux's tools/perf.
 */
#ifndef JIT_DUMP_H
#define JIT_DUMP_H

#include "base/types.h"

struct jit_dump;

struct jit_line {
	const u8 *code; /* where the code of the line begins */
	u32 line;
	const char *file;
};

struct jit_symbol {
	const char *name;
	const u8 *code;
	u32 len;		      /* bytes */
	const struct jit_line *lines; /* by rising code */
	u32 line_cnt;
};

/* Makes the file jit-PID.dump in folder. -ENOMEM, -EINVAL: no such processor; or what making or mapping it gave. */
int jit_dump_open(const char *folder, struct jit_dump **ret_dump);
/* Takes NULL. */
void jit_dump_close(struct jit_dump *dump);
/* -ENOMEM, or what writing gave. Thread-safe. */
int jit_dump_add(struct jit_dump *dump, const struct jit_symbol *symbol);

#endif
