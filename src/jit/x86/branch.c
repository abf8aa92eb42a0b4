/*
 * Comparisons that begin before their jump: what is tested is a part of a register (a mask, its lower half) or
 * lies in memory, and the register in between is dead behind the jump. And a jump over a jump.
 *
 * A value that was zero-extended is less than 2^32 and not negative: comparing it with a constant that is not
 * negative either is the same signed and unsigned, in 64 bits and in fewer.
 */
#include "isa/isa.h"
#include "jit/x86/x86.h"

static bool is_wide(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_ALU64;
}

/* A jump that depends on reg and a constant, and behind which reg is dead. */
static bool jumps_on(const struct jit *jit, u32 idx, const struct bpf_insn *jump, u8 reg)
{
	const u8 class = BPF_CLASS(jump->code);

	return (class == BPF_JMP || class == BPF_JMP32) && x86_cc_of(jump->code) &&
	       BPF_SRC(jump->code) == BPF_K && jump->dst_reg == reg && jump->off &&
	       !x86_is_live(jit, idx, reg);
}

static void emit_jump(struct jit *jit, u32 idx, u8 cc)
{
	jit_add_fixup(jit, x86_jcc(&jit->out, cc), idx + 1 + (u32)jit->code->insns[idx].off,
		JIT_FIX_JUMP);
}

static u8 unsigned_cc(u8 cc)
{
	switch (cc) {
	case X86_G: return X86_A;
	case X86_GE: return X86_AE;
	case X86_L: return X86_B;
	case X86_LE: return X86_BE;
	default: return cc;
	}
}

/* r2 &= imm; if r2 == 0: src is tested in its place */
static u32 and_jump(struct jit *jit, u32 idx, u32 n, enum x86_reg src)
{
	const struct bpf_insn *and = n ? x86_next(jit, idx, n) : &jit->code->insns[idx];
	const struct bpf_insn *jump = x86_next(jit, idx, n + 1);

	if (!and || !jump || !x86_is_alu(and, BPF_AND | BPF_K) || jump->imm ||
		!jumps_on(jit, idx + n + 1, jump, and->dst_reg))
		return 0;
	if (BPF_OP(jump->code) != BPF_JEQ && BPF_OP(jump->code) != BPF_JNE)
		return 0;
	/* the jump looks at all of what the and left */
	if (BPF_CLASS(jump->code) == BPF_JMP32 && is_wide(and) && and->imm < 0)
		return 0;
	if (n && is_wide(and) && !is_wide(&jit->code->insns[idx]))
		return 0;
	x86_test_ri(&jit->out, is_wide(and), src, and->imm);
	emit_jump(jit, idx + n + 1, x86_cc_of(jump->code));
	return n + 2;
}

/* r2 <<= 32; r2 >>= 32; if r2 == imm: the lower half of src is compared */
static u32 half_jump(struct jit *jit, u32 idx, u32 n, enum x86_reg src)
{
	const struct bpf_insn *left = n ? x86_next(jit, idx, n) : &jit->code->insns[idx];
	const struct bpf_insn *right = x86_next(jit, idx, n + 1), *jump = x86_next(jit, idx, n + 2);
	u8 cc;

	if (!left || !right || !jump || left->code != (BPF_ALU64 | BPF_LSH | BPF_K) ||
		right->code != (BPF_ALU64 | BPF_RSH | BPF_K) || left->imm != 32 ||
		right->imm != 32 || right->dst_reg != left->dst_reg)
		return 0;
	if (!jumps_on(jit, idx + n + 2, jump, left->dst_reg))
		return 0;
	cc = x86_cc_of(jump->code);
	if (BPF_CLASS(jump->code) == BPF_JMP) {
		if (jump->imm < 0)
			return 0;
		cc = unsigned_cc(cc);
	}
	if (BPF_OP(jump->code) == BPF_JSET)
		x86_test_ri(&jit->out, false, src, jump->imm);
	else if (!jump->imm)
		x86_test_rr(&jit->out, false, src, src);
	else
		x86_alu_ri(&jit->out, X86_CMP, false, src, jump->imm);
	emit_jump(jit, idx + n + 2, cc);
	return n + 3;
}

/* r2 = [m]; if r2 == imm: memory is compared */
static u32 load_jump(struct jit *jit, u32 idx)
{
	const struct bpf_insn *load = &jit->code->insns[idx], *jump = x86_next(jit, idx, 1);
	const struct x86_mem mem = {.base = x86_reg_of(load->src_reg), .disp = load->off};
	u32 len = isa_access_len(load);
	bool is_narrow;
	u8 cc;

	if (!jump || BPF_MODE(load->code) != BPF_MEM ||
		!jumps_on(jit, idx + 1, jump, load->dst_reg))
		return 0;
	cc = x86_cc_of(jump->code);
	is_narrow = BPF_CLASS(jump->code) == BPF_JMP32;
	if (is_narrow && len == 8)
		len = 4; /* its lower half comes first */
	if (len < (is_narrow ? 4 : 8)) {
		if (jump->imm < 0 || (len < 4 && jump->imm >> len * 8))
			return 0;
		cc = unsigned_cc(cc);
	}
	if (BPF_OP(jump->code) == BPF_JSET)
		x86_test_mi(&jit->out, len, mem, jump->imm);
	else
		x86_alu_mi(&jit->out, X86_CMP, len, mem, jump->imm);
	emit_jump(jit, idx + 1, cc);
	return 2;
}

/*
 * if r1 == r2 goto a; goto b, the end of a loop: the jump that is taken each time is the first one. That is b
 * where a comes next, and where a lies behind; of two loops the inner one, whose beginning is nearer.
 */
static u32 jump_over(struct jit *jit, u32 idx)
{
	const struct bpf_insn *cond = &jit->code->insns[idx], *jump = x86_next(jit, idx, 1);
	const u8 cc = x86_cc_of(cond->code);
	s64 off;

	if (!jump || !cc || !cond->off ||
		(jump->code != (BPF_JMP | BPF_JA) && jump->code != (BPF_JMP32 | BPF_JA)))
		return 0;
	off = isa_jump_off(jump);
	if (cond->off != 1 && (off >= 0 || (cond->off < 0 && off + 1 <= cond->off)))
		return 0;
	x86_compare(jit, cond);
	jit_add_fixup(jit, x86_jcc(&jit->out, cc ^ 1), idx + 2 + (u32)off, JIT_FIX_JUMP);
	if (cond->off != 1)
		jit_add_fixup(jit, x86_jmp(&jit->out), idx + 1 + (u32)(s32)cond->off, JIT_FIX_JUMP);
	return 2;
}

u32 x86_fuse_jump(struct jit *jit, u32 idx)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];
	const enum x86_reg dst = x86_reg_of(insn->dst_reg), src = x86_reg_of(insn->src_reg);
	const struct bpf_insn *next;
	u32 len;

	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX: return load_jump(jit, idx);
	case BPF_JMP:
	case BPF_JMP32: return jump_over(jit, idx);
	}
	switch (insn->code & ~7) {
	case BPF_AND | BPF_K: return and_jump(jit, idx, 0, dst);
	case BPF_LSH | BPF_K: return half_jump(jit, idx, 0, dst);
	case BPF_MOV | BPF_X:
		next = x86_next(jit, idx, 1);
		if (insn->off || !next || next->dst_reg != insn->dst_reg)
			return 0;
		len = and_jump(jit, idx, 1, src);
		return len ? len : half_jump(jit, idx, 1, src);
	default: return 0;
	}
}
