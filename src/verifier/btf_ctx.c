/*
 * Contexts typed by BTF: eight bytes for each argument of the function, tracepoint, hook or operation that
 * the program stands for. The rules are those of btf_ctx_access() of Linux 6.18.
 */
#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "verifier/access.h"
#include "verifier/btf_walk.h"
#include "verifier/step.h"
#include "verifier/target.h"

enum { WORD = 8 };

/* The argument at off of the context, counted as programs see them; one more than there are: the result;
 * more: none. */
static u32 arg_at(const struct vf_env *env, s32 off)
{
	const struct vf_target *target = &env->target;
	struct btf_proto proto;
	u32 end = 0, size;

	if (!target->proto_id || btf_proto_of(target->btf, target->proto_id, &proto))
		return off / WORD;
	for (u32 i = target->skip; i < proto.arg_cnt; i++) {
		if (btf_size(target->btf, proto.args[i].type, NULL, &size))
			size = WORD;
		end += ROUND_UP(size, WORD);
		if (off < (s32)end)
			return i - target->skip;
	}
	if (!proto.ret_id || btf_size(target->btf, proto.ret_id, NULL, &size))
		size = 0;
	end += ROUND_UP(size, WORD);
	return proto.arg_cnt - target->skip + (off >= (s32)end);
}

static int no_arg(struct vf_env *env, u32 no)
{
	vf_note(env, "func '%s' doesn't have %u-th argument\n", env->target.name, no + 1);
	return -EACCES;
}

/* The type of what follows the arguments; only programs that run after the function see it. */
static int result_type(struct vf_env *env, const struct btf_proto *proto, u32 no, u32 *ret_id)
{
	const struct btf_obj *btf = env->target.btf;
	const struct btf_type *t;

	if (!env->target.has_ret)
		return no_arg(env, no);
	if (env->params->expected_attach_type == BPF_MODIFY_RETURN) {
		t = btf_type_at(btf, btf_skip_modifiers(btf, proto->ret_id));
		if (!btf_type_is_small_int(t)) {
			vf_note(env, "ret type %s not allowed for fmod_ret\n",
				btf_kind_name(btf_type_kind(t)));
			return -EACCES;
		}
	}
	*ret_id = proto->ret_id;
	return 0;
}

static void load_result(struct vf_env *env, struct vf_reg *value)
{
	s32 min, max;

	vf_reg_unknown(value);
	if (vf_target_returns(env, &min, &max)) {
		/* 32 bits of it are known to be in these bounds; Linux takes all 64 to be */
		value->num = vf_scalar_between(min, max);
	}
}

static bool is_nullable(const struct vf_env *env, const struct btf_param *arg)
{
	static const char suffix[] = "__nullable";
	const char *name = btf_str(env->target.btf, arg->name_off);
	size_t len = strlen(name);

	return len >= strlen(suffix) && !strcmp(name + len - strlen(suffix), suffix);
}

static int load_struct(struct vf_env *env, u32 no, const struct btf_param *arg,
	const struct btf_type *pointer, struct vf_reg *value)
{
	const struct vf_target_arg *known = &env->target.args[MIN(no, VF_TARGET_ARG_MAX - 1u)];
	const struct btf_obj *btf = env->target.btf;
	const struct btf_type *t;
	u32 id = btf_skip_modifiers(btf, pointer->type);

	t = btf_type_at(btf, id);
	if (!btf_type_is_struct(t)) {
		vf_note(env, "func '%s' arg%u type %s is not a struct\n", env->target.name, no,
			btf_kind_name(btf_type_kind(t)));
		return -EACCES;
	}
	vf_note(env, "func '%s' arg%u has btf_id %u type %s '%s'\n", env->target.name, no, id,
		btf_kind_name(btf_type_kind(t)), btf_type_name(btf, id));
	if (known->may_be_error) {
		vf_note(env, "marking pointer arg%u as scalar as it may encode error", no);
		vf_reg_unknown(value);
		return 0;
	}
	vf_reg_pointer(value, VF_BTF);
	value->btf = btf;
	value->btf_id = vf_struct_ops_promote(env, id);
	value->flags = known->is_known ? known->flags : env->target.is_trusted ? VF_TRUSTED : 0;
	value->flags |= vf_btf_tag_flags(btf, pointer) & (VF_USER | VF_PERCPU);
	value->may_be_null = known->may_be_null || (!known->is_known && is_nullable(env, arg));
	if (value->may_be_null)
		value->id = ++env->id_gen;
	return 0;
}

static int load_pointer(struct vf_env *env, const struct vf_access *acc, u32 no,
	const struct btf_param *arg, const struct btf_type *pointer, struct vf_reg *value)
{
	const struct vf_target_arg *known = &env->target.args[MIN(no, VF_TARGET_ARG_MAX - 1u)];
	const struct btf_obj *btf = env->target.btf;
	u32 id = btf_skip_modifiers(btf, pointer->type);

	if (acc->size != WORD) {
		vf_note(env, "func '%s' size %u must be 8\n", env->target.name, acc->size);
		return -EACCES;
	}
	if (known->buf) {
		vf_reg_pointer(value, VF_BUF);
		value->may_be_null = true;
		value->is_rdonly = known->buf == VF_ARG_BUF_RDONLY;
		value->id = ++env->id_gen;
		return 0;
	}
	/* pointers to nothing and to numbers are numbers themselves */
	if (!id || btf_type_is(btf_type_at(btf, id), BTF_KIND_INT)) {
		vf_reg_unknown(value);
		return 0;
	}
	return load_struct(env, no, arg, pointer, value);
}

static int load_arg(struct vf_env *env, const struct vf_access *acc, struct vf_reg *value)
{
	const struct btf_obj *btf = env->target.btf;
	const struct btf_type *t;
	struct btf_proto proto;
	u32 no = arg_at(env, acc->off), cnt, id;
	const struct btf_param none = {0}, *arg = &none;
	bool is_result;

	if (!env->target.proto_id || btf_proto_of(btf, env->target.proto_id, &proto)) {
		vf_reg_unknown(value);
		return 0;
	}
	cnt = proto.arg_cnt - env->target.skip;
	if (no > cnt)
		return no_arg(env, no);
	is_result = no == cnt;
	if (is_result) {
		int err = result_type(env, &proto, no, &id);

		if (err)
			return err;
	} else {
		arg = &proto.args[no + env->target.skip];
		id = arg->type;
	}
	t = btf_type_at(btf, btf_skip_modifiers(btf, id));
	if (btf_type_is_small_int(t) || btf_type_is_enum(t) || btf_type_is(t, BTF_KIND_STRUCT)) {
		if (is_result)
			load_result(env, value);
		else
			vf_reg_unknown(value);
		return 0;
	}
	if (!btf_type_is(t, BTF_KIND_PTR)) {
		vf_note(env, "func '%s' arg%u '%s' has type %s. Only pointer access is allowed\n",
			env->target.name, no, btf_str(btf, t->name_off),
			btf_kind_name(btf_type_kind(t)));
		return -EACCES;
	}
	return load_pointer(env, acc, no, arg, t, value);
}

int vf_btf_ctx_access(struct vf_env *env, const struct vf_access *acc)
{
	struct vf_reg value;
	int err;

	if (acc->off < 0 || acc->off >= VF_TARGET_ARG_MAX * WORD || acc->is_write ||
		acc->off % acc->size)
		return vf_complain(env, VF_C_CTX_ACCESS, acc->off, acc->size);
	if (acc->off % WORD) {
		vf_note(env, "func '%s' offset %d is not multiple of 8\n", env->target.name,
			acc->off);
		return vf_complain(env, VF_C_CTX_ACCESS, acc->off, acc->size);
	}
	err = load_arg(env, acc, &value);
	if (err || (acc->is_signed && value.kind != VF_SCALAR))
		return vf_complain(env, VF_C_CTX_ACCESS, acc->off, acc->size);
	if (acc->value >= 0)
		vf_regs(env)[acc->value] = value;
	return 0;
}
