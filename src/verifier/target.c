/*
 * Finding what a program attaches to. The rules are those of bpf_check_attach_target(), bpf_lsm_verify_prog()
 * and bpf_iter_prog_supported() of Linux 6.18; what Linux knows of single functions is in hooks.def.
 *
 * Whether a function has an address, or a tracepoint is compiled in, BTF cannot say: what it names is taken
 * to be there.
 */
#include "verifier/target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "btf/btf.h"
#include "verifier/env.h"
#include "verifier/static.h"

#define TRACE_PREFIX "btf_trace_"
#define ITER_PREFIX  "bpf_iter_"
#define LSM_PREFIX   "bpf_lsm_"

enum { ERRNO_MAX = 4095, PARAM_SIZE_MAX = 16, NAME_MAX_LEN = 128 };
enum { SLEEP = 1, OFF = 2, LOOSE = 4, BOOL = 8 };
enum { TRUST, PLAIN, BUF, RDONLY_BUF };
enum { NULLABLE, ERROR };

struct hook {
	const char *name;
	u8 arg, bits;
};

static const struct hook lsm_hooks[] = {
#define LSM(hook, flags) {.name = hook, .bits = (flags)},
#define ITER(target, no, flags)
#define RAW_TP(tracepoint, no, flags)
#define FMOD(function)
#define SLEEPY(prefix)
#define NO_TRACE(function)
#define NO_RETURN(function)
#include "verifier/hooks.def"
};

static const struct hook iter_args[] = {
#define LSM(hook, flags)
#define ITER(target, no, flags) {.name = target, .arg = (no), .bits = (flags)},
#define RAW_TP(tracepoint, no, flags)
#define FMOD(function)
#define SLEEPY(prefix)
#define NO_TRACE(function)
#define NO_RETURN(function)
#include "verifier/hooks.def"
};

static const struct hook raw_tp_args[] = {
#define LSM(hook, flags)
#define ITER(target, no, flags)
#define RAW_TP(tracepoint, no, flags) {.name = tracepoint, .arg = (no), .bits = (flags)},
#define FMOD(function)
#define SLEEPY(prefix)
#define NO_TRACE(function)
#define NO_RETURN(function)
#include "verifier/hooks.def"
};

enum { IS_FMOD = 1, IS_SLEEPY = 2, IS_NO_TRACE = 4, IS_NO_RETURN = 8 };

static const struct hook functions[] = {
#define LSM(hook, flags)
#define ITER(target, no, flags)
#define RAW_TP(tracepoint, no, flags)
#define FMOD(function)	    {.name = function, .bits = IS_FMOD},
#define SLEEPY(prefix)	    {.name = prefix, .bits = IS_SLEEPY},
#define NO_TRACE(function)  {.name = function, .bits = IS_NO_TRACE},
#define NO_RETURN(function) {.name = function, .bits = IS_NO_RETURN},
#include "verifier/hooks.def"
};

static u32 lsm_bits(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(lsm_hooks); i++)
		if (!strcmp(lsm_hooks[i].name, name))
			return lsm_hooks[i].bits;
	return 0;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static bool is_function(const char *name, u32 bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		const struct hook *row = &functions[i];

		if (row->bits == bit &&
			(bit == IS_SLEEPY ? has_prefix(name, row->name) : !strcmp(name, row->name)))
			return true;
	}
	return false;
}

/* ---- kinds of targets --------------------------------------------------------------------------- */

/* btf_trace_NAME is a typedef of a pointer to a function whose first argument programs do not see. */
static int find_raw_tp(struct vf_env *env, const struct btf_type *t)
{
	struct vf_target *target = &env->target;
	struct btf_proto proto;

	if (!btf_type_is(t, BTF_KIND_TYPEDEF))
		return vf_complain(env, VF_C_TARGET_TYPEDEF, target->type_id);
	if (!has_prefix(target->name, TRACE_PREFIX))
		return vf_complain(env, VF_C_TARGET_NAME, target->type_id, target->name);
	if (btf_proto_of(target->btf, t->type, &proto))
		return vf_complain(env, VF_C_TARGET_PROTO, target->name);
	target->proto_id = proto.proto_id;
	target->skip = 1;
	target->name += strlen(TRACE_PREFIX);
	target->is_trusted = true;
	for (size_t i = 0; i < ARRAY_SIZE(raw_tp_args); i++) {
		struct vf_target_arg *arg = &target->args[raw_tp_args[i].arg];

		if (strcmp(raw_tp_args[i].name, target->name))
			continue;
		arg->may_be_null |= raw_tp_args[i].bits == NULLABLE;
		arg->may_be_error |= raw_tp_args[i].bits == ERROR;
	}
	return 0;
}

static bool is_iter(const struct vf_target *target)
{
	char name[NAME_MAX_LEN];
	u32 id;

	if (!has_prefix(target->name, ITER_PREFIX))
		return false;
	snprintf(name, sizeof(name), "bpf_iter__%s", target->name + strlen(ITER_PREFIX));
	return !btf_find(target->btf, name, BTF_KIND_STRUCT, &id);
}

static int find_iter(struct vf_env *env)
{
	struct vf_target *target = &env->target;

	if (!is_iter(target))
		return vf_complain(env, VF_C_TARGET_ITER, target->name);
	target->is_trusted = true;
	for (size_t i = 0; i < ARRAY_SIZE(iter_args); i++) {
		struct vf_target_arg *arg = &target->args[iter_args[i].arg];
		u8 bits = iter_args[i].bits;

		if (strcmp(iter_args[i].name, target->name + strlen(ITER_PREFIX)))
			continue;
		arg->is_known = true;
		arg->may_be_null = true;
		arg->flags = bits == TRUST ? VF_TRUSTED : 0;
		arg->buf = bits == BUF		? VF_ARG_BUF
			   : bits == RDONLY_BUF ? VF_ARG_BUF_RDONLY
						: VF_ARG_NO_BUF;
	}
	return 0;
}

static int find_lsm(struct vf_env *env)
{
	struct vf_target *target = &env->target;
	const char *hook = target->name + strlen(LSM_PREFIX);
	u32 bits;

	if (!env->params->is_gpl)
		return vf_complain(env, VF_C_LSM_GPL);
	if (!has_prefix(target->name, LSM_PREFIX))
		return vf_complain(env, VF_C_TARGET_NAME, target->type_id, target->name);
	bits = lsm_bits(hook);
	if (bits & OFF)
		return vf_complain(env, VF_C_LSM_DISABLED, target->type_id, target->name);
	target->is_trusted = !(bits & LOOSE);
	target->is_bool = bits & BOOL;
	return 0;
}

/* ---- functions ---------------------------------------------------------------------------------- */

static int complain_param(struct vf_env *env, u32 no, const struct btf_type *t)
{
	return vf_complain(
		env, VF_C_TARGET_ARG, env->target.name, no, btf_kind_name(btf_type_kind(t)));
}

/* Arguments that a trampoline can save: of known size, at most two words. */
static int check_params(struct vf_env *env, const struct btf_proto *proto)
{
	const struct btf_obj *btf = env->target.btf;
	const char *name = env->target.name;
	const struct btf_type *t = btf_type_at(btf, btf_skip_modifiers(btf, proto->ret_id));
	u32 cnt = proto->arg_cnt + proto->is_variadic, size;

	if (cnt > VF_TARGET_ARG_MAX)
		return vf_complain(env, VF_C_TARGET_ARGS, name, cnt);
	if (proto->ret_id &&
		(btf_size(btf, proto->ret_id, NULL, &size) || btf_type_is(t, BTF_KIND_STRUCT)))
		return vf_complain(env, VF_C_TARGET_RETURN, name, btf_kind_name(btf_type_kind(t)));
	for (u32 i = 0; i < proto->arg_cnt; i++) {
		u32 id = btf_skip_modifiers(btf, proto->args[i].type);

		if (!id)
			return vf_complain(env, VF_C_TARGET_VOID, name);
		if (btf_size(btf, id, NULL, &size) || size > PARAM_SIZE_MAX)
			return complain_param(env, i, btf_type_at(btf, id));
	}
	return proto->is_variadic ? vf_complain(env, VF_C_TARGET_VARARGS, name) : 0;
}

bool vf_target_may_sleep(const struct vf_env *env)
{
	const char *name = env->target.name;

	if (env->type->type == BPF_PROG_TYPE_LSM)
		return has_prefix(name, LSM_PREFIX) && lsm_bits(name + strlen(LSM_PREFIX)) & SLEEP;
	return env->type->type == BPF_PROG_TYPE_TRACING && is_function(name, IS_SLEEPY);
}

static bool is_modifiable(const char *name)
{
	return has_prefix(name, "security_") || is_function(name, IS_FMOD) ||
	       is_function(name, IS_SLEEPY);
}

static int check_function(struct vf_env *env)
{
	u32 attach = env->params->expected_attach_type;
	const char *name = env->target.name;

	if (env->params->flags & BPF_F_SLEEPABLE) {
		if (!vf_target_may_sleep(env))
			return vf_complain(env, VF_C_TARGET_SLEEP, name);
	} else if (attach == BPF_MODIFY_RETURN && !is_modifiable(name)) {
		return vf_complain(env, VF_C_TARGET_MODIFY, name);
	}
	if (env->type->type == BPF_PROG_TYPE_LSM)
		return find_lsm(env);
	if (is_function(name, IS_NO_TRACE))
		return vf_complain(env, VF_C_TARGET_DENIED, name);
	if ((attach == BPF_TRACE_FEXIT || attach == BPF_MODIFY_RETURN) &&
		is_function(name, IS_NO_RETURN))
		return vf_complain(env, VF_C_TARGET_NORETURN, name);
	return 0;
}

static int find_function(struct vf_env *env, const struct btf_type *t)
{
	struct vf_target *target = &env->target;
	u32 attach = env->params->expected_attach_type;
	struct btf_proto proto;
	int err;

	if (!btf_type_is(t, BTF_KIND_FUNC))
		return vf_complain(env, VF_C_TARGET_FUNC, target->type_id);
	if (btf_proto_of(target->btf, target->type_id, &proto))
		return vf_complain(env, VF_C_TARGET_PROTO, target->name);
	target->proto_id = proto.proto_id;
	err = check_params(env, &proto);
	if (err)
		return err;
	if (attach == BPF_TRACE_ITER)
		return find_iter(env);
	target->has_ret = attach != BPF_TRACE_FENTRY;
	return check_function(env);
}

/* ---- the pass ----------------------------------------------------------------------------------- */

static int find(struct vf_env *env)
{
	const struct vf_params *params = env->params;
	struct vf_target *target = &env->target;
	const struct btf_type *t;

	if (!params->attach_btf_id)
		return vf_complain(env, VF_C_TARGET_NONE);
	if (!params->attach_btf)
		return vf_complain(env, VF_C_TARGET_BTF);
	target->btf = params->attach_btf;
	target->type_id = params->attach_btf_id;
	t = btf_type_at(target->btf, target->type_id);
	if (!t)
		return vf_complain(env, VF_C_TARGET_ID, target->type_id);
	target->name = btf_type_name(target->btf, target->type_id);
	if (!*target->name)
		return vf_complain(env, VF_C_TARGET_NAMELESS, target->type_id);
	if (env->type->type == BPF_PROG_TYPE_TRACING &&
		params->expected_attach_type == BPF_TRACE_RAW_TP)
		return find_raw_tp(env, t);
	return find_function(env, t);
}

int vf_target_find(struct vf_env *env)
{
	switch (env->type->type) {
	case BPF_PROG_TYPE_STRUCT_OPS: return vf_struct_ops_find(env);
	case BPF_PROG_TYPE_TRACING:
	case BPF_PROG_TYPE_LSM: return find(env);
	default: return 0;
	}
}

bool vf_target_is_void(const struct vf_env *env)
{
	const struct vf_target *target = &env->target;

	return target->proto_id && !btf_type_at(target->btf, target->proto_id)->type;
}

bool vf_target_returns(const struct vf_env *env, s32 *ret_min, s32 *ret_max)
{
	if (env->type->type != BPF_PROG_TYPE_LSM || vf_target_is_void(env) ||
		env->params->expected_attach_type == BPF_LSM_CGROUP)
		return false;
	*ret_min = env->target.is_bool ? 0 : -ERRNO_MAX;
	*ret_max = env->target.is_bool ? 1 : 0;
	return true;
}
