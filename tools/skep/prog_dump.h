/*
 * What both dumps of a program share: its info, its types, its source lines, and how they are shown.
 */
#ifndef SKEP_PROG_DUMP_H
#define SKEP_PROG_DUMP_H

#include <bpf/libbpf.h>

#include "info.h"
#include "symbols.h"
#include "tool.h"

struct code {
	struct tool *t;
	struct info_prog prog;
	struct btf *btf;	      /* NULL without */
	struct bpf_prog_linfo *lines; /* NULL without */
	struct symbols symbols;
	bool opcodes, linum;
	const char *file; /* write the bytes there instead */
};

/* One source line: "; text" in text, the fields of the current object in JSON. */
void code_print_line(const struct code *c, const struct bpf_line_info *line);
/* The signature of function `idx`; "" when BTF has none. Lives until buf is done. */
struct buf;
const char *code_signature(const struct code *c, u32 idx, struct buf *buf);

/* prog dump jited */
int code_dump_jited(struct code *c);

#endif
