/*
 * Arithmetic on pointers: a constant moves the fixed offset, an unknown number goes into the variable
 * part; only adding and subtracting keep it a pointer. A packet pointer that moved by an unknown amount
 * is a new base, with a new id, of which nothing is known to be readable.
 *
 * Invariant: both parts of an offset stay within +-VF_VAR_OFF_MAX, so that their sums never overflow.
 */
#include <errno.h>

#include "verifier/env.h"
#include "verifier/step.h"

static int check_part(struct vf_env *env, const struct vf_reg *reg, const struct vf_reg *ptr)
{
	s64 smin = reg->num.smin, value = reg->num.var_off.value;

	if (tnum_is_const(reg->num.var_off) &&
		(value >= VF_VAR_OFF_MAX || value <= -VF_VAR_OFF_MAX))
		return vf_complain(env, VF_C_PTR_CONST, vf_kind_str(ptr), (long long)value);
	if (reg->off >= VF_VAR_OFF_MAX || reg->off <= -VF_VAR_OFF_MAX)
		return vf_complain(env, VF_C_PTR_OFF, vf_kind_str(ptr), reg->off);
	if (smin == INT64_MIN)
		return vf_complain(env, VF_C_PTR_UNBOUNDED, vf_kind_str(ptr));
	if (smin >= VF_VAR_OFF_MAX || smin <= -VF_VAR_OFF_MAX)
		return vf_complain(env, VF_C_PTR_OUT, (long long)smin, vf_kind_str(ptr));
	return 0;
}

/* Bounds that a dead branch left contradictory. */
static bool is_absurd(const struct vf_reg *off)
{
	const struct vf_scalar *num = &off->num;

	if (tnum_is_const(num->var_off) && (num->smin != num->smax || num->umin != num->umax))
		return true;
	return num->smin > num->smax || num->umin > num->umax;
}

static int check_kind(struct vf_env *env, const struct bpf_insn *insn, const struct vf_reg *ptr,
	const struct vf_reg *off)
{
	if (ptr->may_be_null)
		return vf_complain(env, VF_C_PTR_MATH_NULL, insn->dst_reg, vf_kind_str(ptr));
	if (vf_kind_bits(ptr->kind) & KIND_ADD)
		return 0;
	if (ptr->kind == VF_MAP_PTR && BPF_OP(insn->code) == BPF_ADD &&
		tnum_equals_const(off->num.var_off, 0))
		return 0;
	if (ptr->kind == VF_FLOW_KEYS && tnum_is_const(off->num.var_off))
		return 0;
	return vf_complain(env, VF_C_PTR_MATH, insn->dst_reg, vf_kind_str(ptr));
}

static int check_op(
	struct vf_env *env, const struct bpf_insn *insn, const struct vf_reg *ptr, bool off_in_dst)
{
	switch (BPF_OP(insn->code)) {
	case BPF_ADD: return 0;
	case BPF_SUB:
		if (off_in_dst)
			return vf_complain(env, VF_C_PTR_FROM_SCALAR, insn->dst_reg);
		if (ptr->kind == VF_STACK)
			return vf_complain(env, VF_C_PTR_SUB_STACK, insn->dst_reg);
		return 0;
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		return vf_complain(env, VF_C_PTR_BITWISE, insn->dst_reg, vf_alu_symbol(insn->code));
	default: return vf_complain(env, VF_C_PTR_OP, insn->dst_reg, vf_alu_symbol(insn->code));
	}
}

static bool fits_off(s64 off)
{
	return off == (s32)off;
}

/* Moves ptr by off; both are values, checked. */
static struct vf_reg move_pointer(
	struct vf_env *env, struct vf_reg ptr, const struct vf_reg *off, bool is_sub)
{
	s64 add = is_sub ? -off->num.smin : off->num.smin;

	vf_scalar_forget_range(&ptr.num, 32);
	if (tnum_is_const(off->num.var_off) && fits_off(ptr.off + add)) {
		ptr.off += add;
		vf_scalar_sync(&ptr.num);
		return ptr;
	}
	if (is_sub)
		vf_scalar_ptr_sub(&ptr.num, &off->num);
	else
		vf_scalar_ptr_add(&ptr.num, &off->num);
	if (vf_is_packet(&ptr)) {
		ptr.id = ++env->id_gen;
		if (!is_sub || off->num.smin < 0)
			ptr.range = 0;
	}
	vf_scalar_sync(&ptr.num);
	return ptr;
}

int vf_pointer_math(struct vf_env *env, const struct bpf_insn *insn, const struct vf_reg *ptr,
	const struct vf_reg *off)
{
	struct vf_reg *dst = &vf_regs(env)[insn->dst_reg], result;
	int err;

	if (is_absurd(off)) {
		vf_reg_unknown(dst);
		return 0;
	}
	if (BPF_CLASS(insn->code) != BPF_ALU64) {
		if (BPF_OP(insn->code) != BPF_SUB)
			return vf_complain(env, VF_C_PTR_32, insn->dst_reg);
		vf_reg_unknown(dst);
		return 0;
	}
	/* loads through it survive any address, so that where it points need not be known */
	if (ptr->kind == VF_MEM && ptr->flags & VF_UNTRUSTED && !ptr->may_be_null) {
		*dst = *ptr;
		return 0;
	}
	err = check_kind(env, insn, ptr, off);
	if (!err)
		err = check_part(env, off, ptr);
	if (!err)
		err = check_part(env, ptr, ptr);
	if (!err)
		err = check_op(env, insn, ptr, off == dst);
	if (err)
		return err;
	result = move_pointer(env, *ptr, off, BPF_OP(insn->code) == BPF_SUB);
	err = check_part(env, &result, &result);
	if (err)
		return err;
	*dst = result;
	return 0;
}
