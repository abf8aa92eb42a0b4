/*
 * The context in a program's BTF: the struct of its type's name, what it wraps in the kernel, and, where an
 * argument says by its tag that it is the context, a few types that come as near as C can say.
 * Source: btf_is_prog_ctx_type and btf_validate_prog_ctx_type of Linux 6.18.
 */
#include "verifier/ctx_type.h"

#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "verifier/env.h"

#define REGS_TYPEDEF "bpf_user_pt_regs_t"

/* The first typedef on the way is that of the saved registers. */
static bool is_regs_typedef(const struct btf_obj *btf, u32 id)
{
	const struct btf_type *t = btf_type_at(btf, id);

	while (btf_type_is_modifier(t) && !btf_type_is(t, BTF_KIND_TYPEDEF)) {
		id = t->type;
		t = btf_type_at(btf, id);
	}
	return btf_type_is(t, BTF_KIND_TYPEDEF) && !strcmp(btf_type_name(btf, id), REGS_TYPEDEF);
}

bool vf_ctx_is_type(const struct vf_env *env, const struct btf_obj *btf, u32 pointee)
{
	bool is_kprobe = env->type->type == BPF_PROG_TYPE_KPROBE;
	const char *name, *ctx = env->type->ctx_name;
	u32 id;

	if (is_kprobe && is_regs_typedef(btf, pointee))
		return true;
	id = btf_skip_modifiers(btf, pointee);
	name = btf_type_name(btf, id);
	if (!btf_type_is_struct(btf_type_at(btf, id)) || !*name || !*ctx)
		return false;
	/* the kernel's own struct behind the program's view */
	if (!strcmp(ctx, "__sk_buff") && !strcmp(name, "sk_buff"))
		return true;
	if (!strcmp(ctx, "xdp_md") && !strcmp(name, "xdp_buff"))
		return true;
	return !strcmp(name, ctx) || (is_kprobe && !strcmp(name, "pt_regs"));
}

/* What a tagged argument of tracing programs may point to besides. */
static bool is_tracing_ctx(
	const struct vf_env *env, const struct btf_type *t, const char *name, bool is_u64)
{
	bool is_struct = btf_type_is(t, BTF_KIND_STRUCT);

	switch (env->params->expected_attach_type) {
	case BPF_TRACE_RAW_TP:
		return is_u64 || (is_struct && !strcmp(name, "bpf_raw_tracepoint_args"));
	case BPF_TRACE_ITER: return is_struct && !strncmp(name, "bpf_iter__", strlen("bpf_iter__"));
	case BPF_TRACE_FENTRY:
	case BPF_TRACE_FEXIT:
	case BPF_MODIFY_RETURN: return is_u64;
	default: return false;
	}
}

static bool is_other_ctx(const struct vf_env *env, const struct btf_type *t, const char *name)
{
	bool is_u64 = btf_type_is(t, BTF_KIND_INT) && t->size == sizeof(u64);

	switch (env->type->type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_PERF_EVENT:
		return btf_type_is(t, BTF_KIND_STRUCT) && !strcmp(name, "pt_regs");
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
	case BPF_PROG_TYPE_LSM:
	case BPF_PROG_TYPE_STRUCT_OPS: return is_u64;
	case BPF_PROG_TYPE_TRACING: return is_tracing_ctx(env, t, name, is_u64);
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_SYSCALL:
	case BPF_PROG_TYPE_EXT: return true;
	default: return false;
	}
}

int vf_ctx_check_type(struct vf_env *env, u32 pointee, u32 arg_no)
{
	const struct btf_obj *btf = env->params->btf;
	const char *name, *ctx = env->type->ctx_name;
	const struct btf_type *t;
	u32 id;

	if ((env->type->type == BPF_PROG_TYPE_KPROBE ||
		    env->type->type == BPF_PROG_TYPE_PERF_EVENT) &&
		is_regs_typedef(btf, pointee))
		return 0;
	id = btf_skip_modifiers(btf, pointee);
	if (!id)
		return 0;
	t = btf_type_at(btf, id);
	name = btf_type_name(btf, id);
	if (!*name)
		return vf_complain(env, VF_C_GLOBAL_CTX_NAME, arg_no);
	if (is_other_ctx(env, t, name))
		return 0;
	if (env->type->type == BPF_PROG_TYPE_KPROBE)
		ctx = "pt_regs";
	if (!*ctx || !strncmp(ctx, "__u", strlen("__u")))
		return vf_complain(env, VF_C_GLOBAL_CTX_VOID, arg_no);
	if (btf_type_is(t, BTF_KIND_STRUCT) && !strcmp(name, ctx))
		return 0;
	return vf_complain(env, VF_C_GLOBAL_CTX_TYPE, arg_no, ctx);
}
