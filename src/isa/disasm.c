/*
 * One instruction in the kernel's notation, the text of verifier logs and of `prog dump xlated`.
 * It prints any eight bytes: a verifier shows an instruction before it complains about it. The row is
 * found loosely - by opcode and key, else the first row of the opcode - and printed by its form.
 * Source: the output of Linux 6.18 (tests/unit/isa/disasm_kernel.c compares the two).
 */
#include "isa/isa.h"

/* w0-w10 name the low halves, which 32-bit operations use */
static char reg_letter(u8 code)
{
	const u8 class = BPF_CLASS(code);

	return class == BPF_ALU || class == BPF_JMP32 ? 'w' : 'r';
}

static void print_alu(struct buf *out, const struct isa_op *op, const struct bpf_insn *insn)
{
	const char c = reg_letter(insn->code);
	const bool is_sx = op->form == ISA_FORM_MOV_X && op->key_val;

	switch (op->form) {
	case ISA_FORM_NEG:
		buf_printf(out, "%c%d = -%c%d", c, insn->dst_reg, c, insn->dst_reg);
		break;
	case ISA_FORM_END:
		buf_printf(out, "r%d = %s%d r%d", insn->dst_reg, op->sym, insn->imm, insn->dst_reg);
		break;
	case ISA_FORM_CAST:
		buf_printf(out, "r%d = addr_space_cast(r%d, %u, %u)", insn->dst_reg, insn->src_reg,
			(u32)insn->imm >> 16, (u32)insn->imm & 0xffff);
		break;
	case ISA_FORM_PERCPU:
		buf_printf(out, "r%d = &(void __percpu *)(r%d)", insn->dst_reg, insn->src_reg);
		break;
	case ISA_FORM_ALU_X:
	case ISA_FORM_MOV_X:
		buf_printf(out, "%c%d %s %s%c%d", c, insn->dst_reg, is_sx ? "=" : op->sym,
			is_sx ? op->sym : "", c, insn->src_reg);
		break;
	default: buf_printf(out, "%c%d %s %d", c, insn->dst_reg, op->sym, insn->imm); break;
	}
}

/* "atomic_fetch_add" for "lock fetch add32": the word after the last space, without the width */
static void print_atomic_word(struct buf *out, const char *name)
{
	const char *word = name;

	for (const char *c = name; *c; c++)
		if (*c == ' ')
			word = c + 1;
	for (; *word >= 'a' && *word <= 'z'; word++)
		buf_add(out, word, 1);
}

/* The operator of a plain atomic, by the ALU operation its imm names */
static const char *atomic_operator(const struct bpf_insn *insn)
{
	return isa_find_code(BPF_ALU64 | BPF_OP(insn->imm) | BPF_X)->sym;
}

static void print_atomic(struct buf *out, const struct isa_op *op, const struct bpf_insn *insn)
{
	const char *width = BPF_SIZE(insn->code) == BPF_DW ? "64" : "";

	switch (op->form) {
	case ISA_FORM_ATOMIC:
		buf_printf(out, "lock *(%s *)(r%d %+d) %s r%d", op->sym, insn->dst_reg, insn->off,
			atomic_operator(insn), insn->src_reg);
		break;
	case ISA_FORM_FETCH:
		buf_printf(out, "r%d = atomic%s_fetch_", insn->src_reg, width);
		print_atomic_word(out, op->name);
		buf_printf(out, "((%s *)(r%d %+d), r%d)", op->sym, insn->dst_reg, insn->off,
			insn->src_reg);
		break;
	case ISA_FORM_XCHG:
		buf_printf(out, "r%d = atomic%s_xchg((%s *)(r%d %+d), r%d)", insn->src_reg, width,
			op->sym, insn->dst_reg, insn->off, insn->src_reg);
		break;
	case ISA_FORM_CMPXCHG:
		buf_printf(out, "r0 = atomic%s_cmpxchg((%s *)(r%d %+d), r0, r%d)", width, op->sym,
			insn->dst_reg, insn->off, insn->src_reg);
		break;
	case ISA_FORM_LOAD_ACQ:
		buf_printf(out, "r%d = load_acquire((%s *)(r%d %+d))", insn->dst_reg, op->sym,
			insn->src_reg, insn->off);
		break;
	default:
		buf_printf(out, "store_release((%s *)(r%d %+d), r%d)", op->sym, insn->dst_reg,
			insn->off, insn->src_reg);
		break;
	}
}

static void print_mem(struct buf *out, const struct isa_op *op, const struct bpf_insn *insn)
{
	switch (op->form) {
	case ISA_FORM_LDX:
		buf_printf(out, "r%d = *(%s *)(r%d %+d)", insn->dst_reg, op->sym, insn->src_reg,
			insn->off);
		break;
	case ISA_FORM_ST:
		buf_printf(
			out, "*(%s *)(r%d %+d) = %d", op->sym, insn->dst_reg, insn->off, insn->imm);
		break;
	case ISA_FORM_STX:
		buf_printf(out, "*(%s *)(r%d %+d) = r%d", op->sym, insn->dst_reg, insn->off,
			insn->src_reg);
		break;
	case ISA_FORM_LD_ABS: buf_printf(out, "r0 = *(%s *)skb[%d]", op->sym, insn->imm); break;
	case ISA_FORM_LD_IND:
		buf_printf(out, "r0 = *(%s *)skb[r%d + %d]", op->sym, insn->src_reg, insn->imm);
		break;
	default: buf_str(out, op->sym); break;
	}
}

static bool holds_address(u8 pseudo)
{
	return pseudo && pseudo != BPF_PSEUDO_FUNC && pseudo <= BPF_PSEUDO_MAP_IDX_VALUE;
}

static void print_lddw(struct buf *out, const struct bpf_insn *insn, const struct isa_names *names)
{
	const bool is_hidden = names && names->hide_addresses && holds_address(insn->src_reg);
	const u64 imm = is_hidden ? 0 : isa_imm64(insn);

	buf_printf(out, "r%d = ", insn->dst_reg);
	if (!names || !names->imm || !names->imm(names->arg, insn, imm, out))
		buf_printf(out, "0x%llx", (unsigned long long)imm);
}

static void print_call(struct buf *out, const struct bpf_insn *insn, const struct isa_names *names)
{
	const bool is_local = insn->src_reg == BPF_PSEUDO_CALL;
	const char *helper = insn->src_reg ? NULL : isa_helper_name(insn->imm);

	buf_str(out, is_local ? "call pc" : "call ");
	if (insn->src_reg == 0 && insn->imm == 0)
		helper = "bpf_unspec";
	if (helper)
		buf_str(out, helper);
	else if (!names || !names->call || !names->call(names->arg, insn, out)) {
		if (is_local)
			buf_printf(out, "%+d", insn->imm);
		else
			buf_str(out, insn->src_reg == BPF_PSEUDO_KFUNC_CALL ? "kernel-function"
									    : "unknown");
	}
	if (!is_local)
		buf_printf(out, "#%d", insn->imm);
}

static void print_jump(struct buf *out, const struct isa_op *op, const struct bpf_insn *insn)
{
	const char c = reg_letter(insn->code);

	switch (op->form) {
	case ISA_FORM_JA:
	case ISA_FORM_JA32:
	case ISA_FORM_MAY_GOTO: buf_printf(out, "%s pc%+d", op->sym, isa_jump_off(insn)); break;
	case ISA_FORM_EXIT: buf_str(out, op->sym); break;
	case ISA_FORM_CALLX: buf_printf(out, "%s r%d", op->sym, insn->dst_reg); break;
	case ISA_FORM_JMP_X:
		buf_printf(out, "if %c%d %s %c%d goto pc%+d", c, insn->dst_reg, op->sym, c,
			insn->src_reg, insn->off);
		break;
	default:
		buf_printf(out, "if %c%d %s 0x%x goto pc%+d", c, insn->dst_reg, op->sym,
			(u32)insn->imm, insn->off);
		break;
	}
}

int isa_disasm(struct buf *out, const struct bpf_insn *insn, const struct isa_names *names)
{
	const struct isa_op *op = isa_find(insn);
	const u8 class = BPF_CLASS(insn->code);
	const bool is_atomic = class == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC;

	if (!op && !is_atomic)
		op = isa_find_code(insn->code);
	if (!op) {
		buf_printf(out, "BUG_%02x", insn->code);
		return out->err;
	}
	buf_printf(out, "(%02x) ", insn->code);
	if (class == BPF_ALU || class == BPF_ALU64)
		print_alu(out, op, insn);
	else if (is_atomic)
		print_atomic(out, op, insn);
	else if (isa_is_lddw(insn))
		print_lddw(out, insn, names);
	else if (class != BPF_JMP && class != BPF_JMP32)
		print_mem(out, op, insn);
	else if (op->form == ISA_FORM_CALL || op->form == ISA_FORM_CALL_KFUNC)
		print_call(out, insn, names);
	else
		print_jump(out, op, insn);
	return out->err;
}
