/*
 * One instruction in the kernel's notation, the text of verifier logs and of `prog dump xlated`.
 * It prints any eight bytes: a verifier shows an instruction before it complains about it. So the row
 * is found loosely - by opcode and key, else the first row of the opcode; only an atomic without an
 * operation has no text.
 * Source: the output of Linux 6.18 (tests/unit/isa/kernel.c compares the two).
 */
#include "isa/text.h"

int isa_disasm(struct buf *out, const struct bpf_insn *insn, const struct isa_names *names)
{
	const bool is_atomic = BPF_CLASS(insn->code) == BPF_STX &&
			       BPF_MODE(insn->code) == BPF_ATOMIC;
	const struct isa_op *op = isa_find(insn);

	if (!op && !is_atomic)
		op = isa_find_code(insn->code);
	if (!op) {
		buf_printf(out, "BUG_%02x", insn->code);
		return out->err;
	}
	buf_printf(out, "(%02x) ", insn->code);
	isa_text_print(out, op, ISA_KERNEL_NOTATION, insn, names);
	return out->err;
}

int isa_disasm_text(struct buf *out, const struct bpf_insn *insn)
{
	const struct isa_op *op = isa_decode(insn);

	if (op)
		isa_text_print(out, op, ISA_TEXT_NOTATION, insn, NULL);
	else
		buf_printf(out, ".insn 0x%02x", insn->code);
	return out->err;
}
