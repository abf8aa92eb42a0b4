/*
 * The end of the program or of a global function: what R0 may hold.
 */
#include <errno.h>
#include <inttypes.h>

#include "btf/btf.h"
#include "verifier/precision.h"
#include "verifier/references.h"
#include "verifier/step.h"

/* What the target's type leaves to return; false: anything. */
static bool range_of_target(const struct vf_env *env, struct ctx_ret *ret_range)
{
	const struct vf_target *target = &env->target;
	const struct btf_type *t;

	if (env->type->type == BPF_PROG_TYPE_LSM &&
		env->params->expected_attach_type == BPF_LSM_CGROUP) {
		*ret_range = (struct ctx_ret){.min = vf_target_is_void(env), .max = 1};
		return true;
	}
	if (env->type->type == BPF_PROG_TYPE_STRUCT_OPS && target->proto_id) {
		/* a pointer to an object can only be NULL */
		t = btf_type_at(target->btf, target->proto_id);
		t = btf_type_at(target->btf, btf_skip_modifiers(target->btf, t->type));
		*ret_range = (struct ctx_ret){0};
		return btf_type_is(t, BTF_KIND_PTR);
	}
	return vf_target_returns(env, &ret_range->min, &ret_range->max);
}

/* false: any number and any pointer */
static bool range_of(const struct vf_env *env, struct ctx_ret *ret_range)
{
	const struct prog_type *type = env->type;
	u32 attach_type = env->params->expected_attach_type;

	if (type->ctx_model == CTX_BY_BTF && type->type != BPF_PROG_TYPE_TRACING)
		return range_of_target(env, ret_range);
	for (u32 i = 0; i < type->ret_cnt && attach_type < 64; i++) {
		if (type->rets[i].attach_types & 1ull << attach_type) {
			*ret_range = type->rets[i];
			return true;
		}
	}
	*ret_range = (struct ctx_ret){.min = type->ret_min, .max = type->ret_max};
	return !type->ret_any;
}

/* A hook or an operation that returns nothing leaves R0 as it is. */
static bool returns_nothing(const struct vf_env *env)
{
	return env->type->ctx_model == CTX_BY_BTF && env->type->type != BPF_PROG_TYPE_TRACING &&
	       env->params->expected_attach_type != BPF_LSM_CGROUP && vf_target_is_void(env);
}

static bool is_within(const struct vf_env *env, const struct vf_reg *r0, struct ctx_ret range)
{
	/* hooks return an int */
	if (env->type->type == BPF_PROG_TYPE_LSM &&
		env->params->expected_attach_type != BPF_LSM_CGROUP)
		return r0->num.s32min >= range.min && r0->num.s32max <= range.max;
	return r0->num.smin >= range.min && r0->num.smax <= range.max;
}

int vf_complain_range(struct vf_env *env, u32 regno, s32 min, s32 max, const char *when)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	struct buf text = BUF_INIT;
	int err;

	if (reg->num.smin > INT64_MIN)
		buf_printf(&text, " smin=%" PRId64, reg->num.smin);
	if (reg->num.smax < INT64_MAX)
		buf_printf(&text, " smax=%" PRId64, reg->num.smax);
	if (!text.len)
		buf_str(&text, " unknown scalar value");
	err = vf_complain(env, VF_C_EXIT_RANGE, when, regno, buf_text(&text), min, max);
	buf_done(&text);
	return err;
}

int vf_exit_check(struct vf_env *env, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const struct vf_frame *frame = env->cur->frames[0];
	const char *when = "At program exit";
	bool is_function = frame->sub && !frame->is_exception;
	struct ctx_ret range;
	int err;

	if (!is_function && returns_nothing(env))
		return 0;
	err = vf_reg_read(env, regno);
	if (err)
		return err;
	if (frame->is_async) {
		when = "At async callback return";
		range = (struct ctx_ret){.min = frame->cb_min, .max = frame->cb_max};
	} else if (is_function) {
		if (!vf_is_scalar(reg))
			return vf_complain(env, VF_C_EXIT_SUB, regno, vf_kind_str(reg));
		return 0;
	} else if (!range_of(env, &range)) {
		return 0;
	}
	if (!vf_is_scalar(reg))
		return vf_complain(env, VF_C_EXIT_KIND, when, regno, vf_kind_str(reg));
	err = vf_mark_precise(env, regno);
	if (err)
		return err;
	if (frame->is_async ? reg->num.smin < range.min || reg->num.smax > range.max
			    : !is_within(env, reg, range))
		return vf_complain_range(env, regno, range.min, range.max, when);
	return 0;
}

int vf_throw_check(struct vf_env *env)
{
	/* without a function for it, the cookie is what the program returns */
	int err = env->exception_sub ? 0 : vf_exit_check(env, BPF_REG_1);

	return err ? err : vf_ref_check_leaks(env, true, true, "bpf_throw");
}
