/*
 * The end of the program or of a global function: what R0 may hold.
 */
#include <errno.h>
#include <inttypes.h>

#include "verifier/precision.h"
#include "verifier/step.h"

static int complain_range(struct vf_env *env, const struct vf_reg *r0)
{
	struct buf text = BUF_INIT;
	int err;

	if (r0->num.smin > INT64_MIN)
		buf_printf(&text, " smin=%" PRId64, r0->num.smin);
	if (r0->num.smax < INT64_MAX)
		buf_printf(&text, " smax=%" PRId64, r0->num.smax);
	if (!text.len)
		buf_str(&text, " unknown scalar value");
	err = vf_complain(
		env, VF_C_EXIT_RANGE, buf_text(&text), env->type->ret_min, env->type->ret_max);
	buf_done(&text);
	return err;
}

int vf_exit_check(struct vf_env *env)
{
	const struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];
	int err = vf_reg_read(env, BPF_REG_0);

	if (err)
		return err;
	if (vf_top(env->cur)->sub) {
		if (!vf_is_scalar(r0))
			return vf_complain(env, VF_C_EXIT_SUB, vf_kind_str(r0));
		return 0;
	}
	if (env->type->ret_any)
		return 0;
	if (!vf_is_scalar(r0))
		return vf_complain(env, VF_C_EXIT_KIND, vf_kind_str(r0));
	err = vf_mark_precise(env, BPF_REG_0);
	if (err)
		return err;
	if (r0->num.smin < env->type->ret_min || r0->num.smax > env->type->ret_max)
		return complain_range(env, r0);
	return 0;
}
