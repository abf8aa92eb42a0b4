/*
 * The end of the program or of a global function: what R0 may hold.
 */
#include <errno.h>
#include <inttypes.h>

#include "verifier/precision.h"
#include "verifier/step.h"

static struct ctx_ret range_of(const struct vf_env *env)
{
	const struct prog_type *type = env->type;
	u32 attach_type = env->params->expected_attach_type;

	for (u32 i = 0; i < type->ret_cnt && attach_type < 64; i++) {
		if (type->rets[i].attach_types & 1ull << attach_type)
			return type->rets[i];
	}
	return (struct ctx_ret){.min = type->ret_min, .max = type->ret_max};
}

static int complain_range(struct vf_env *env, const struct vf_reg *r0, struct ctx_ret range)
{
	struct buf text = BUF_INIT;
	int err;

	if (r0->num.smin > INT64_MIN)
		buf_printf(&text, " smin=%" PRId64, r0->num.smin);
	if (r0->num.smax < INT64_MAX)
		buf_printf(&text, " smax=%" PRId64, r0->num.smax);
	if (!text.len)
		buf_str(&text, " unknown scalar value");
	err = vf_complain(env, VF_C_EXIT_RANGE, buf_text(&text), range.min, range.max);
	buf_done(&text);
	return err;
}

int vf_exit_check(struct vf_env *env)
{
	const struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];
	struct ctx_ret range = range_of(env);
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
	if (r0->num.smin < range.min || r0->num.smax > range.max)
		return complain_range(env, r0, range);
	return 0;
}
