/*
 * The arguments of a global function as its BTF declares them: numbers, the context, or memory of the
 * pointed-to type's size. Whoever calls it must pass these; its body may rely on them.
 */
#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "verifier/env.h"
#include "verifier/static.h"

enum { TAG_CTX = 1, TAG_NONNULL = 2, TAG_NULLABLE = 4 };

static int read_tags(struct vf_env *env, u32 func_id, u32 arg_no, u32 *ret_tags)
{
	const struct btf_obj *btf = env->params->btf;
	u32 id = 0;

	*ret_tags = 0;
	while (!btf_find_decl_tag(btf, func_id, arg_no, "arg:", id, &id)) {
		const char *tag = btf_type_name(btf, id) + strlen("arg:");

		if (!strcmp(tag, "ctx"))
			*ret_tags |= TAG_CTX;
		else if (!strcmp(tag, "nonnull"))
			*ret_tags |= TAG_NONNULL;
		else if (!strcmp(tag, "nullable"))
			*ret_tags |= TAG_NULLABLE;
		else
			return vf_complain(env, VF_C_UNSUPPORTED_ARG_TAG, tag);
	}
	return 0;
}

/* A struct of the context's name; for kprobes the context is known by a typedef, too. */
static bool is_ctx(const struct vf_env *env, u32 type_id)
{
	const struct btf_obj *btf = env->params->btf;
	bool is_kprobe = env->type->type == BPF_PROG_TYPE_KPROBE;
	const struct btf_type *t = btf_type_at(btf, type_id);
	const char *name;

	while (btf_type_is_modifier(t)) {
		if (is_kprobe && btf_type_is(t, BTF_KIND_TYPEDEF) &&
			!strcmp(btf_type_name(btf, type_id), "bpf_user_pt_regs_t"))
			return true;
		type_id = t->type;
		t = btf_type_at(btf, type_id);
	}
	name = btf_type_name(btf, type_id);
	if (!btf_type_is_struct(t) || !*name)
		return false;
	if (!strcmp(env->type->ctx_name, "__sk_buff") && !strcmp(name, "sk_buff"))
		return true;
	if (!strcmp(env->type->ctx_name, "xdp_md") && !strcmp(name, "xdp_buff"))
		return true;
	return !strcmp(name, env->type->ctx_name) || (is_kprobe && !strcmp(name, "pt_regs"));
}

/* What a type's programs may also call their context when they say so with the tag. */
static bool is_other_ctx(const struct vf_env *env, const struct btf_type *t, const char *name)
{
	switch (env->type->type) {
	case BPF_PROG_TYPE_TRACEPOINT: return true;
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_PERF_EVENT: return btf_type_is_struct(t) && !strcmp(name, "pt_regs");
	case BPF_PROG_TYPE_RAW_TRACEPOINT: return btf_type_is(t, BTF_KIND_INT) && t->size == 8;
	default: return false;
	}
}

static bool is_regs_typedef(const struct vf_env *env, u32 type_id)
{
	const struct btf_obj *btf = env->params->btf;
	const struct btf_type *t = btf_type_at(btf, type_id);

	if (env->type->type != BPF_PROG_TYPE_KPROBE && env->type->type != BPF_PROG_TYPE_PERF_EVENT)
		return false;
	while (btf_type_is_modifier(t) && !btf_type_is(t, BTF_KIND_TYPEDEF)) {
		type_id = t->type;
		t = btf_type_at(btf, type_id);
	}
	return btf_type_is(t, BTF_KIND_TYPEDEF) &&
	       !strcmp(btf_type_name(btf, type_id), "bpf_user_pt_regs_t");
}

/* The tag alone does not make a context: the pointer must be void's or the context's. */
static int check_tagged_ctx(struct vf_env *env, u32 pointee, u32 arg_no)
{
	const struct btf_obj *btf = env->params->btf;
	const struct btf_type *t;
	const char *name;

	if (is_regs_typedef(env, pointee))
		return 0;
	pointee = btf_skip_modifiers(btf, pointee);
	if (!pointee)
		return 0;
	t = btf_type_at(btf, pointee);
	name = btf_type_name(btf, pointee);
	if (!*name)
		return vf_complain(env, VF_C_GLOBAL_CTX_NAME, arg_no);
	if (is_other_ctx(env, t, name) ||
		(btf_type_is_struct(t) && !strcmp(name, env->type->ctx_name)))
		return 0;
	return vf_complain(env, VF_C_GLOBAL_CTX_TYPE, arg_no,
		env->type->type == BPF_PROG_TYPE_KPROBE ? "pt_regs" : env->type->ctx_name);
}

static int read_pointer(
	struct vf_env *env, u32 pointee, u32 arg_no, u32 tags, struct vf_arg *ret_arg)
{
	const struct btf_obj *btf = env->params->btf;
	int err;

	if (tags & TAG_CTX || is_ctx(env, pointee)) {
		if (tags & ~TAG_CTX)
			return vf_complain(env, VF_C_GLOBAL_TAGS, arg_no);
		ret_arg->kind = VF_ARG_CTX;
		return tags & TAG_CTX ? check_tagged_ctx(env, pointee, arg_no) : 0;
	}
	if (tags & TAG_NULLABLE)
		return vf_complain(env, VF_C_GLOBAL_TAGS, arg_no);
	pointee = btf_skip_modifiers(btf, pointee);
	ret_arg->kind = VF_ARG_MEM;
	ret_arg->may_be_null = !(tags & TAG_NONNULL);
	err = btf_size(btf, pointee, NULL, &ret_arg->mem_size);
	if (err)
		return vf_complain(env, VF_C_GLOBAL_ARG_SIZE, arg_no,
			btf_kind_name(btf_type_kind(btf_type_at(btf, pointee))),
			btf_type_name(btf, pointee), err);
	return 0;
}

static int read_arg(struct vf_env *env, const struct vf_sub *sub, u32 func_id, u32 arg_no,
	u32 type_id, struct vf_arg *ret_arg)
{
	const struct btf_obj *btf = env->params->btf;
	const struct btf_type *t;
	u32 tags;
	int err = read_tags(env, func_id, arg_no, &tags);

	if (err)
		return err;
	t = btf_type_at(btf, btf_skip_modifiers(btf, type_id));
	if (btf_type_is(t, BTF_KIND_PTR))
		return read_pointer(env, t->type, arg_no, tags, ret_arg);
	if (tags)
		return vf_complain(env, VF_C_GLOBAL_TAG_NOT_POINTER, arg_no);
	if (!btf_type_is(t, BTF_KIND_INT) && !btf_type_is_enum(t))
		return vf_complain(env, VF_C_GLOBAL_ARG_TYPE, arg_no,
			btf_kind_name(btf_type_kind(t)), sub->name);
	ret_arg->kind = VF_ARG_SCALAR;
	return 0;
}

int vf_btf_args(struct vf_env *env, u32 sub_no)
{
	struct vf_sub *sub = &env->subs[sub_no];
	const struct btf_obj *btf = env->params->btf;
	const struct btf_type *ret;
	struct btf_proto proto;
	u32 func_id, arg_cnt;
	int err;

	if (sub->has_args)
		return 0;
	if (!btf || sub_no >= env->func_info_cnt)
		return vf_complain(env, VF_C_GLOBAL_TYPE, sub->name);
	func_id = env->func_info[sub_no].type_id;
	if (btf_proto_of(btf, func_id, &proto))
		return vf_complain(env, VF_C_GLOBAL_TYPE, sub->name);
	arg_cnt = proto.arg_cnt + proto.is_variadic;
	if (arg_cnt > VF_ARG_CNT)
		return vf_complain(env, VF_C_GLOBAL_ARG_CNT, sub->name, arg_cnt, VF_ARG_CNT);
	ret = btf_type_at(btf, btf_skip_modifiers(btf, proto.ret_id));
	if (!btf_type_is(ret, BTF_KIND_INT) && !btf_type_is_enum(ret))
		return vf_complain(env, VF_C_GLOBAL_RETURN, sub->name);
	for (u32 i = 0; i < arg_cnt; i++) {
		err = read_arg(env, sub, func_id, i, proto.args[i].type, &sub->args[i]);
		if (err)
			return err;
	}
	sub->arg_cnt = arg_cnt;
	sub->has_args = true;
	return 0;
}
