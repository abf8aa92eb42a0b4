/*
 * Division. The machine's own needs rax and rdx and faults on 0 and on the one signed overflow; BPF has
 * x / 0 = 0, x % 0 = x, and INT_MIN / -1 wraps. By a constant it is a multiplication where BMI2 is there.
 *
 * Source: Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994), figure 4.1;
 * for 32-bit dividends Lemire, Kaser, Kurz, "Faster Remainder by Direct Computation" (2019), theorem 1.
 */
#include "isa/isa.h"
#include "jit/x86/x86.h"

struct div {
	bool w, is_mod, is_signed;
	bool can_be_zero, can_be_minus_one;
	enum x86_reg dst;
};

/* Divisor in TMP; rax and rdx are kept in TMP2 and TMP3 where something still reads them. */
static void machine_divide(struct jit *jit, const struct div *div, u32 idx)
{
	struct buf *out = &jit->out;
	const enum x86_reg result = div->is_mod ? RDX : RAX, dst = div->dst;
	const bool keeps_rax = dst != RAX && x86_is_live(jit, idx, BPF_REG_0);
	const bool keeps_rdx = dst != RDX && x86_is_live(jit, idx, BPF_REG_3);
	u32 to_zero = 0, to_minus = 0, to_end = 0, to_end_minus = 0;

	if (div->can_be_zero) {
		x86_test_rr(out, div->w, TMP, TMP);
		to_zero = x86_jcc8(out, X86_E);
	}
	if (div->can_be_minus_one) {
		x86_alu_ri(out, X86_CMP, div->w, TMP, -1);
		to_minus = x86_jcc8(out, X86_E);
	}
	if (keeps_rax)
		x86_mov_rr(out, true, TMP2, RAX);
	if (keeps_rdx)
		x86_mov_rr(out, true, TMP3, RDX);
	if (dst != RAX)
		x86_mov_rr(out, div->w, RAX, dst);
	if (div->is_signed)
		x86_cqo(out, div->w);
	else
		x86_alu_rr(out, X86_XOR, false, RDX, RDX);
	x86_unary(out, div->is_signed ? X86_IDIV : X86_DIV, div->w, TMP);
	if (dst != result)
		x86_mov_rr(out, div->w, dst, result);
	if (keeps_rax)
		x86_mov_rr(out, true, RAX, TMP2);
	if (keeps_rdx)
		x86_mov_rr(out, true, RDX, TMP3);
	if (div->can_be_minus_one) {
		to_end_minus = x86_jmp8(out);
		x86_here8(out, to_minus);
		if (div->is_mod)
			x86_alu_rr(out, X86_XOR, false, dst, dst);
		else
			x86_unary(out, X86_NEG, div->w, dst);
	}
	if (div->can_be_zero) {
		if (!div->is_mod || !div->w)
			to_end = x86_jmp8(out);
		x86_here8(out, to_zero);
		if (!div->is_mod)
			x86_alu_rr(out, X86_XOR, false, dst, dst);
		else if (!div->w)
			x86_mov_rr(out, false, dst, dst);
		if (to_end)
			x86_here8(out, to_end);
	}
	if (to_end_minus)
		x86_here8(out, to_end_minus);
}

/* TMP = TMP / d for a d >= 3 that is no power of two. TMP3 and rdx are lost. */
static void quotient(struct buf *out, bool w, u64 d)
{
	u32 bits = 64 - (u32)__builtin_clzll(d - 1); /* 2^(bits - 1) < d < 2^bits */
	unsigned __int128 scaled;

	if (!w) {
		x86_mov_ri(out, RDX, UINT64_MAX / d + 1);
		x86_mulx(out, true, TMP, TMP, TMP);
		return;
	}
	scaled = (unsigned __int128)((bits == 64 ? 0 : 1ULL << bits) - d) << 64;
	x86_mov_ri(out, RDX, (u64)(scaled / d) + 1);
	x86_mulx(out, true, TMP3, TMP3, TMP);
	x86_alu_rr(out, X86_SUB, true, TMP, TMP3);
	x86_shift_ri(out, X86_SHR, true, TMP, 1);
	x86_alu_rr(out, X86_ADD, true, TMP, TMP3);
	if (bits > 1)
		x86_shift_ri(out, X86_SHR, true, TMP, bits - 1);
}

static void multiply_divide(struct jit *jit, const struct div *div, s32 imm, u32 idx)
{
	struct buf *out = &jit->out;
	const u64 d = div->w ? (u64)(s64)imm : (u32)imm;
	const bool keeps_rdx = div->dst != RDX && x86_is_live(jit, idx, BPF_REG_3);

	x86_mov_rr(out, div->w, TMP, div->dst);
	if (div->dst == RDX)
		x86_mov_rr(out, div->w, TMP2, RDX); /* the dividend */
	else if (keeps_rdx)
		x86_mov_rr(out, true, TMP2, RDX);
	quotient(out, div->w, d);
	if (keeps_rdx)
		x86_mov_rr(out, true, RDX, TMP2);
	if (!div->is_mod) {
		x86_mov_rr(out, div->w, div->dst, TMP);
		return;
	}
	x86_imul_rri(out, div->w, TMP, TMP, imm);
	if (div->dst == RDX)
		x86_mov_rr(out, div->w, RDX, TMP2);
	x86_alu_rr(out, X86_SUB, div->w, div->dst, TMP);
}

/* Divisors 1, 2, 4, ... */
static void shift_divide(struct jit *jit, const struct div *div, u64 d)
{
	struct buf *out = &jit->out;
	const u32 bits = (u32)__builtin_ctzll(d);

	if (!div->is_mod) {
		x86_shift_ri(out, X86_SHR, div->w, div->dst, bits);
	} else if (d - 1 <= INT32_MAX) {
		x86_alu_ri(out, X86_AND, false, div->dst, (s32)(d - 1));
	} else if (d - 1 <= UINT32_MAX) {
		x86_mov_ri(out, TMP, d - 1);
		x86_alu_rr(out, X86_AND, div->w, div->dst, TMP);
	} else {
		x86_mov_ri(out, TMP, d - 1);
		x86_alu_rr(out, X86_AND, true, div->dst, TMP);
	}
}

void x86_divide(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	struct div div = {.w = BPF_CLASS(insn->code) == BPF_ALU64,
		.is_mod = BPF_OP(insn->code) == BPF_MOD,
		.is_signed = insn->off == 1,
		.dst = x86_reg_of(insn->dst_reg)};
	const bool is_const = BPF_SRC(insn->code) == BPF_K;
	const u64 d = div.w ? (u64)(s64)insn->imm : (u32)insn->imm;

	if (is_const && insn->imm && !div.is_signed && !(d & (d - 1))) {
		shift_divide(jit, &div, d);
		return;
	}
	if (is_const && insn->imm && !div.is_signed && jit->features & X86_BMI2) {
		multiply_divide(jit, &div, insn->imm, idx);
		return;
	}
	div.can_be_zero = !is_const || !insn->imm;
	div.can_be_minus_one = div.is_signed && (!is_const || insn->imm == -1);
	if (is_const)
		x86_mov_ri(&jit->out, TMP, d);
	else
		x86_mov_rr(&jit->out, true, TMP, x86_reg_of(insn->src_reg));
	machine_divide(jit, &div, idx);
}
