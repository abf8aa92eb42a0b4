/*
 * Instructions as text, both ways, from the patterns of insn.def's FORM rows. Private to layer isa.
 */
#ifndef ISA_TEXT_H
#define ISA_TEXT_H

#include "isa/isa.h"

enum isa_notation {
	ISA_KERNEL_NOTATION, /* r1 += 5 */
	ISA_TEXT_NOTATION,   /* add %r1, 5 */
};

/* Where a parse stands, and the label it met instead of a number (label_len 0: none). */
struct isa_parse {
	const char *at;
	const char *label;
	u32 label_len;
	u8 seen; /* ISA_DST, ISA_SRC: registers that were named */
};

void isa_parse_space(struct isa_parse *parse);
/* [A-Za-z_][A-Za-z0-9_.]*: its length, 0 if there is none. */
u32 isa_parse_word(const struct isa_parse *parse);

/*
 * Parses one instruction of row op up to the end of the line or a comment. On success fills insn[0]
 * (insn[1] too for ld_imm64; its slot must exist), moves parse and returns true.
 */
bool isa_text_parse(const struct isa_op *op, enum isa_notation notation, struct isa_parse *parse,
	struct bpf_insn *insn);

/* Adds insn as row op, which may be one that only shares its opcode. */
void isa_text_print(struct buf *out, const struct isa_op *op, enum isa_notation notation,
	const struct bpf_insn *insn, const struct isa_names *names);

#endif
