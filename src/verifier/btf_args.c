/*
 * The arguments of a global function as its BTF declares them: numbers, the context, objects of the kernel,
 * or memory of the pointed-to type's size; declaration tags "arg:…" say more. Whoever calls it must pass
 * these; its body may rely on them.
 */
#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "core/kbtf.h"
#include "verifier/ctx_type.h"
#include "verifier/env.h"
#include "verifier/static.h"

enum {
	TAG_CTX = 1,
	TAG_NONNULL = 2,
	TAG_NULLABLE = 4,
	TAG_TRUSTED = 8,
	TAG_UNTRUSTED = 16,
	TAG_ARENA = 32,
};

static int read_tags(struct vf_env *env, u32 func_id, u32 arg_no, u32 *ret_tags)
{
	static const struct {
		const char *word;
		u32 bit;
	} known[] = {{"ctx", TAG_CTX}, {"nonnull", TAG_NONNULL}, {"nullable", TAG_NULLABLE},
		{"trusted", TAG_TRUSTED}, {"untrusted", TAG_UNTRUSTED}, {"arena", TAG_ARENA}};
	const struct btf_obj *btf = env->params->btf;
	u32 id = 0, tags = 0;

	while (!btf_find_decl_tag(btf, func_id, arg_no, "arg:", id, &id)) {
		const char *tag = btf_type_name(btf, id) + strlen("arg:");
		u32 bit = 0;

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			if (!strcmp(known[i].word, tag))
				bit = known[i].bit;
		if (!bit)
			return vf_complain(env, VF_C_GLOBAL_TAG_UNKNOWN, arg_no);
		tags |= bit;
	}
	*ret_tags = tags;
	return 0;
}

/* The name without what follows "___", where programs keep variants of one struct apart. */
static size_t essential_len(const char *name)
{
	const char *end = strstr(name, "___");

	return end && end > name ? (size_t)(end - name) : strlen(name);
}

/* The kernel's one type of the same kind and name. */
static int find_kernel_type(struct vf_env *env, u32 arg_no, u32 id, u32 *ret_id)
{
	const struct btf_obj *btf = env->params->btf, *kernel;
	const char *name = btf_type_name(btf, id), *why = "has no matches";
	u32 kind = btf_type_kind(btf_type_at(btf, id)), cnt = 0, found = 0;
	size_t len = essential_len(name);

	if (core_kbtf_get(env->params->inst, &kernel))
		return vf_complain(env, VF_C_KSYM_BTF);
	for (u32 k = 1; k < btf_type_cnt(kernel) && *name; k++) {
		const char *other = btf_type_name(kernel, k);

		if (btf_type_kind(btf_type_at(kernel, k)) != kind || essential_len(other) != len ||
			strncmp(other, name, len))
			continue;
		found = k;
		cnt++;
	}
	if (cnt > 1)
		why = "is ambiguous";
	if (cnt != 1)
		return vf_complain_err(env, cnt ? -ESRCH : -ENOENT, VF_C_GLOBAL_MATCH, arg_no,
			btf_kind_name(kind), name, why);
	*ret_id = found;
	return 0;
}

static int read_trusted(
	struct vf_env *env, u32 pointee, u32 arg_no, u32 tags, struct vf_arg *ret_arg)
{
	if (tags & TAG_NONNULL)
		return vf_complain(env, VF_C_GLOBAL_TAGS, arg_no);
	ret_arg->kind = VF_ARG_BTF;
	ret_arg->flags = VF_TRUSTED;
	ret_arg->may_be_null = tags & TAG_NULLABLE;
	return find_kernel_type(
		env, arg_no, btf_skip_modifiers(env->params->btf, pointee), &ret_arg->btf_id);
}

/* Linux's btf_type_is_primitive */
static bool is_primitive(const struct btf_type *t)
{
	return (btf_type_is(t, BTF_KIND_INT) && btf_type_is_regular_int(t)) || btf_type_is_enum(t);
}

static int read_untrusted(
	struct vf_env *env, u32 pointee, u32 arg_no, u32 tags, struct vf_arg *ret_arg)
{
	const struct btf_obj *btf = env->params->btf, *kernel;
	u32 id = btf_skip_modifiers(btf, pointee);
	const struct btf_type *t;
	int err;

	if (tags & ~TAG_UNTRUSTED)
		return vf_complain(env, VF_C_GLOBAL_TAG_ALONE, arg_no, "untrusted");
	ret_arg->flags = VF_UNTRUSTED;
	if (!id || is_primitive(btf_type_at(btf, id))) {
		ret_arg->kind = VF_ARG_MEM;
		return 0;
	}
	ret_arg->kind = VF_ARG_BTF;
	err = find_kernel_type(env, arg_no, id, &ret_arg->btf_id);
	if (!err)
		err = core_kbtf_get(env->params->inst, &kernel);
	if (err)
		return err;
	t = btf_type_at(kernel, ret_arg->btf_id);
	if (!btf_type_is_struct(t))
		return vf_complain(env, VF_C_GLOBAL_UNTRUSTED, arg_no,
			btf_kind_name(btf_type_kind(t)), btf_type_name(kernel, ret_arg->btf_id));
	return 0;
}

static bool is_dynptr(const struct btf_obj *btf, u32 pointee)
{
	u32 id = btf_skip_modifiers(btf, pointee);

	return btf_type_is(btf_type_at(btf, id), BTF_KIND_STRUCT) &&
	       !strcmp(btf_type_name(btf, id), "bpf_dynptr");
}

/* Memory of the size of what the pointer points to. */
static int read_memory(
	struct vf_env *env, u32 pointee, u32 arg_no, u32 tags, struct vf_arg *ret_arg)
{
	const struct btf_obj *btf = env->params->btf;
	int err;

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

static int read_pointer(
	struct vf_env *env, u32 pointee, u32 arg_no, u32 tags, struct vf_arg *ret_arg)
{
	if (tags & TAG_CTX || vf_ctx_is_type(env, env->params->btf, pointee)) {
		if (tags & ~TAG_CTX)
			return vf_complain(env, VF_C_GLOBAL_TAGS, arg_no);
		ret_arg->kind = VF_ARG_CTX;
		return tags & TAG_CTX ? vf_ctx_check_type(env, pointee, arg_no) : 0;
	}
	if (is_dynptr(env->params->btf, pointee)) {
		if (tags)
			return vf_complain(env, VF_C_GLOBAL_TAGS, arg_no);
		ret_arg->kind = VF_ARG_DYNPTR;
		return 0;
	}
	if (tags & TAG_TRUSTED)
		return read_trusted(env, pointee, arg_no, tags, ret_arg);
	if (tags & TAG_UNTRUSTED)
		return read_untrusted(env, pointee, arg_no, tags, ret_arg);
	if (tags & TAG_ARENA) {
		if (tags & ~TAG_ARENA)
			return vf_complain(env, VF_C_GLOBAL_TAG_ALONE, arg_no, "arena");
		ret_arg->kind = VF_ARG_ARENA;
		return 0;
	}
	return read_memory(env, pointee, arg_no, tags, ret_arg);
}

static int read_arg(struct vf_env *env, const struct vf_sub *sub, u32 func_id, u32 arg_no,
	u32 type_id, struct vf_arg *ret_arg)
{
	const struct btf_obj *btf = env->params->btf;
	const struct btf_type *t;
	u32 tags = 0;
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
