/*
 * Arithmetic: operands in order, then the transfer of the abstract scalar (scalar.h) or the rules for
 * pointers (pointer.c).
 */
#include <errno.h>

#include "verifier/env.h"
#include "verifier/explore.h"
#include "verifier/precision.h"
#include "verifier/step.h"

static bool is_wide(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_ALU64;
}

static bool has_src(const struct bpf_insn *insn)
{
	return BPF_SRC(insn->code) == BPF_X;
}

static int swap_bytes(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_reg *dst = &vf_regs(env)[insn->dst_reg];
	int err = vf_reg_read(env, insn->dst_reg);

	if (err || (err = vf_reg_write(env, insn->dst_reg)))
		return err;
	if (!vf_is_scalar(dst)) {
		vf_reg_unknown(dst);
		return 0;
	}
	/* to little-endian is how registers are already: only the width changes */
	if (is_wide(insn) || BPF_SRC(insn->code) == BPF_TO_BE)
		vf_scalar_swap(&dst->num, insn->imm);
	else if (insn->imm == 64)
		return 0;
	else
		vf_scalar_truncate(&dst->num, insn->imm);
	dst->id = 0;
	dst->off = 0;
	return vf_reg_sanity(env, dst);
}

static int negate(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_reg *dst = &vf_regs(env)[insn->dst_reg];
	int err = vf_reg_read(env, insn->dst_reg);

	if (err || (err = vf_reg_write(env, insn->dst_reg)))
		return err;
	if (!vf_is_scalar(dst)) {
		vf_reg_unknown(dst);
		return 0;
	}
	vf_scalar_alu(&dst->num, BPF_NEG, NULL, is_wide(insn) ? 64 : 32);
	dst->id = 0;
	dst->off = 0;
	return vf_reg_sanity(env, dst);
}

static int move_constant(struct vf_env *env, const struct bpf_insn *insn)
{
	int err = vf_reg_write(env, insn->dst_reg);

	if (err)
		return err;
	vf_reg_known(
		&vf_regs(env)[insn->dst_reg], is_wide(insn) ? (u64)(s64)insn->imm : (u32)insn->imm);
	return 0;
}

/* A scalar's low part, sign- or zero-extended; keeps the link to src if the number is the same. */
static void move_part(
	struct vf_env *env, struct vf_reg *dst, struct vf_reg *src, u32 from, bool wide)
{
	bool is_same;

	if (from)
		is_same = src->num.umax < 1ull << (from - 1);
	else
		is_same = vf_reg_width(src) <= 32;
	if (is_same)
		vf_reg_link(env, src);
	*dst = *src;
	if (!is_same) {
		dst->id = 0;
		dst->off = 0;
	}
	if (from)
		vf_scalar_sext(&dst->num, from, wide ? 64 : 32);
	else
		vf_scalar_truncate(&dst->num, 32);
}

/* Between an arena's addresses as user space has them, which are numbers, and as a program uses them. */
static int cast(struct vf_env *env, const struct bpf_insn *insn, struct vf_reg *dst)
{
	if (!env->arena)
		return vf_complain(env, VF_C_CAST_ARENA);
	if (insn->imm == 1)
		vf_reg_pointer(dst, VF_ARENA);
	else
		vf_reg_unknown(dst);
	return 0;
}

static int move(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_reg *dst = &vf_regs(env)[insn->dst_reg], *src = &vf_regs(env)[insn->src_reg];
	int err = vf_reg_read(env, insn->src_reg);

	if (err || (err = vf_reg_write(env, insn->dst_reg)))
		return err;
	if (is_wide(insn) && insn->off == BPF_ADDR_SPACE_CAST)
		return cast(env, insn, dst);
	if (is_wide(insn) && !insn->off) {
		vf_reg_link(env, src);
		*dst = *src;
		return 0;
	}
	if (vf_is_scalar(src))
		move_part(env, dst, src, insn->off, is_wide(insn));
	else
		vf_reg_unknown(dst);
	if (!is_wide(insn))
		vf_scalar_truncate(&dst->num, 32);
	return 0;
}

/* What the instruction adds to dst, if that is a constant of 32 bits. */
static bool is_added(const struct bpf_insn *insn, const struct vf_scalar *src, s32 *ret_add)
{
	u8 op = BPF_OP(insn->code);
	u64 value;
	s64 add;

	if (op != BPF_ADD && op != BPF_SUB)
		return false;
	if (has_src(insn) && insn->src_reg == insn->dst_reg)
		return false;
	if (!vf_scalar_is_const(src, is_wide(insn) ? 64 : 32, &value))
		return false;
	add = is_wide(insn) ? (s64)value : (s32)value;
	if (add != (s32)add || (op == BPF_SUB && add == INT32_MIN))
		return false;
	*ret_add = op == BPF_SUB ? -add : add;
	return true;
}

/*
 * Notes that dst is now its former number plus a constant, or forgets the link. A 32-bit sum says nothing
 * of the number it came from unless that had no more bits.
 */
static void keep_link(struct vf_reg *dst, const struct bpf_insn *insn, const struct vf_scalar *src,
	bool was_narrow)
{
	s32 add;

	if (!dst->id || dst->id & VF_ID_DELTA || !is_added(insn, src, &add) ||
		(!is_wide(insn) && !was_narrow)) {
		dst->id = 0;
		dst->off = 0;
		return;
	}
	dst->id |= is_wide(insn) ? VF_ID_DELTA64 : VF_ID_DELTA32;
	dst->off = add;
}

/*
 * A number that is 0 or -1 (what an arithmetic shift leaves of a sign) and is used as a mask: each of the
 * two is followed on its own, which keeps the other operand exact. The pending one runs the instruction
 * again.
 */
static int fork_mask(struct vf_env *env, const struct bpf_insn *insn, struct vf_reg *dst)
{
	bool is_whole = dst->num.smin == -1 && dst->num.smax == 0;
	bool is_low = dst->num.s32min == -1 && dst->num.s32max == 0;
	struct vf_state *other = NULL;
	struct vf_reg *zero;
	int err;

	if (!is_whole && !is_low)
		return 0;
	err = vf_explore_push(env, env->insn_idx, env->insn_idx, &other);
	if (err)
		return err;
	zero = &vf_top(other)->regs[insn->dst_reg];
	if (is_whole) {
		vf_reg_known(zero, 0);
		vf_reg_known(dst, -1);
		return 0;
	}
	zero->num.var_off = tnum_const_subreg(zero->num.var_off, 0);
	vf_scalar_set_range(&zero->num, vf_range_const(0, 32), 32);
	dst->num.var_off = tnum_const_subreg(dst->num.var_off, -1);
	vf_scalar_set_range(&dst->num, vf_range_const(UINT32_MAX, 32), 32);
	return 0;
}

static int combine_scalars(
	struct vf_env *env, const struct bpf_insn *insn, const struct vf_reg *src)
{
	struct vf_reg *dst = &vf_regs(env)[insn->dst_reg];
	struct vf_scalar num = src->num;
	bool was_narrow = vf_reg_width(dst) <= 32;
	u8 op = BPF_OP(insn->code);
	int err;

	if ((op == BPF_AND || op == BPF_OR) && tnum_is_const(num.var_off)) {
		err = fork_mask(env, insn, dst);
		if (err)
			return err;
	}

	vf_scalar_alu(&dst->num, op, &num, is_wide(insn) ? 64 : 32);
	keep_link(dst, insn, &num, was_narrow);
	return vf_reg_sanity(env, dst);
}

static int combine(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_reg *regs = vf_regs(env), *dst = &regs[insn->dst_reg];
	struct vf_reg constant, *src = &regs[insn->src_reg];
	int err;

	/* whatever comes out, its low 32 bits are an offset into the arena's window */
	if (dst->kind == VF_ARENA || (has_src(insn) && src->kind == VF_ARENA)) {
		if (dst->kind != VF_ARENA)
			*dst = *src;
		return 0;
	}
	if (!has_src(insn)) {
		vf_reg_known(&constant, (s64)insn->imm);
		if (!vf_is_scalar(dst))
			return vf_pointer_math(env, insn, dst, &constant);
		return combine_scalars(env, insn, &constant);
	}
	if (!vf_is_scalar(src) && !vf_is_scalar(dst)) {
		if (BPF_OP(insn->code) != BPF_SUB)
			return vf_complain(
				env, VF_C_PTR_PTR, insn->dst_reg, vf_alu_symbol(insn->code));
		vf_reg_unknown(dst);
		return 0;
	}
	if (!vf_is_scalar(src)) {
		err = vf_mark_precise(env, insn->dst_reg);
		return err ? err : vf_pointer_math(env, insn, src, dst);
	}
	if (!vf_is_scalar(dst)) {
		err = vf_mark_precise(env, insn->src_reg);
		return err ? err : vf_pointer_math(env, insn, dst, src);
	}
	if (dst->is_precise) {
		err = vf_mark_precise(env, insn->src_reg);
		if (err)
			return err;
	}
	return combine_scalars(env, insn, src);
}

static int check_constant(struct vf_env *env, const struct bpf_insn *insn)
{
	int bits = is_wide(insn) ? 64 : 32;

	switch (BPF_OP(insn->code)) {
	case BPF_DIV:
	case BPF_MOD: return insn->imm ? 0 : vf_complain(env, VF_C_DIV_ZERO);
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH:
		if (insn->imm < 0 || insn->imm >= bits)
			return vf_complain(env, VF_C_SHIFT, insn->imm);
		return 0;
	}
	return 0;
}

int vf_alu(struct vf_env *env, const struct bpf_insn *insn)
{
	int err = 0;

	switch (BPF_OP(insn->code)) {
	case BPF_END: return swap_bytes(env, insn);
	case BPF_NEG: return negate(env, insn);
	case BPF_MOV: return has_src(insn) ? move(env, insn) : move_constant(env, insn);
	}
	if (has_src(insn))
		err = vf_reg_read(env, insn->src_reg);
	if (!err)
		err = vf_reg_read(env, insn->dst_reg);
	if (!err && !has_src(insn))
		err = check_constant(env, insn);
	if (!err)
		err = vf_reg_write(env, insn->dst_reg);
	return err ? err : combine(env, insn);
}

const char *vf_alu_symbol(u8 code)
{
	static const char *const symbols[16] = {
		[BPF_ADD >> 4] = "+=",
		[BPF_SUB >> 4] = "-=",
		[BPF_MUL >> 4] = "*=",
		[BPF_DIV >> 4] = "/=",
		[BPF_OR >> 4] = "|=",
		[BPF_AND >> 4] = "&=",
		[BPF_LSH >> 4] = "<<=",
		[BPF_RSH >> 4] = ">>=",
		[BPF_NEG >> 4] = "neg",
		[BPF_MOD >> 4] = "%=",
		[BPF_XOR >> 4] = "^=",
		[BPF_MOV >> 4] = "=",
		[BPF_ARSH >> 4] = "s>>=",
		[BPF_END >> 4] = "endian",
	};
	return symbols[BPF_OP(code) >> 4];
}
