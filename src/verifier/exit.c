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

int vf_complain_range(
	struct vf_env *env, const struct vf_reg *r0, s32 min, s32 max, const char *when)
{
	struct buf text = BUF_INIT;
	int err;

	if (r0->num.smin > INT64_MIN)
		buf_printf(&text, " smin=%" PRId64, r0->num.smin);
	if (r0->num.smax < INT64_MAX)
		buf_printf(&text, " smax=%" PRId64, r0->num.smax);
	if (!text.len)
		buf_str(&text, " unknown scalar value");
	err = vf_complain(env, VF_C_EXIT_RANGE, when, buf_text(&text), min, max);
	buf_done(&text);
	return err;
}

int vf_exit_check(struct vf_env *env)
{
	const struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];
	const struct vf_frame *frame = vf_top(env->cur);
	struct ctx_ret range = range_of(env);
	const char *when = "At program exit";
	int err = vf_reg_read(env, BPF_REG_0);

	if (err)
		return err;
	if (frame->is_async) {
		when = "At async callback return";
		range = (struct ctx_ret){.min = frame->cb_min, .max = frame->cb_max};
	} else if (frame->sub) {
		if (!vf_is_scalar(r0))
			return vf_complain(env, VF_C_EXIT_SUB, vf_kind_str(r0));
		return 0;
	} else if (env->type->ret_any) {
		return 0;
	}
	if (!vf_is_scalar(r0))
		return vf_complain(env, VF_C_EXIT_KIND, when, vf_kind_str(r0));
	err = vf_mark_precise(env, BPF_REG_0);
	if (err)
		return err;
	if (r0->num.smin < range.min || r0->num.smax > range.max)
		return vf_complain_range(env, r0, range.min, range.max, when);
	return 0;
}
