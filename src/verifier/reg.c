/*
 * Registers as operands: what may be read, what may be written, what becomes of them.
 */
#include "verifier/env.h"
#include "verifier/step.h"

#include <errno.h>

int vf_reg_read(struct vf_env *env, u32 regno)
{
	if (regno >= VF_REG_CNT)
		return vf_complain(env, VF_C_REG_NO, regno);
	vf_log_touch_reg(env, regno);
	if (vf_regs(env)[regno].kind == VF_NOT_INIT)
		return vf_complain(env, VF_C_REG_UNINIT, regno);
	return 0;
}

int vf_reg_write(struct vf_env *env, u32 regno)
{
	if (regno >= VF_REG_CNT)
		return vf_complain(env, VF_C_REG_NO, regno);
	vf_log_touch_reg(env, regno);
	if (regno == VF_FP)
		return vf_complain(env, VF_C_FP_WRITE);
	return 0;
}

int vf_reg_fixed(struct vf_env *env, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (reg->off < 0)
		return vf_complain(env, VF_C_PTR_NEGATIVE, vf_kind_str(reg), regno, reg->off);
	if (!tnum_equals_const(reg->num.var_off, 0))
		return vf_complain(env, VF_C_PTR_VARIABLE, vf_kind_str(reg), vf_tnum_str(reg));
	return 0;
}

int vf_reg_unmoved(struct vf_env *env, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (reg->off < 0)
		return vf_complain(env, VF_C_PTR_NEGATIVE, vf_kind_str(reg), regno, reg->off);
	if (reg->off)
		return vf_complain(env, VF_C_PTR_MODIFIED, vf_kind_str(reg), regno, reg->off);
	if (!tnum_equals_const(reg->num.var_off, 0))
		return vf_complain(env, VF_C_PTR_VARIABLE, vf_kind_str(reg), vf_tnum_str(reg));
	return 0;
}

void vf_reg_link(struct vf_env *env, struct vf_reg *reg)
{
	if (!vf_is_scalar(reg))
		return;
	if (reg->id & VF_ID_DELTA) {
		reg->id = 0;
		reg->off = 0;
	}
	if (!reg->id && !tnum_is_const(reg->num.var_off))
		reg->id = ++env->id_gen;
}

void vf_regs_clobber(struct vf_env *env)
{
	for (u32 r = BPF_REG_0; r <= BPF_REG_5; r++) {
		vf_reg_clear(&vf_regs(env)[r]);
		vf_log_touch_reg(env, r);
	}
}

int vf_reg_sanity(struct vf_env *env, struct vf_reg *reg)
{
	if (!vf_is_scalar(reg) || vf_scalar_is_sane(&reg->num))
		return 0;
	if (env->params->flags & BPF_F_TEST_REG_INVARIANTS)
		return vf_complain(env, VF_C_REG_INVARIANT);
	vf_scalar_forget_range(&reg->num, 64);
	vf_scalar_forget_range(&reg->num, 32);
	return 0;
}
