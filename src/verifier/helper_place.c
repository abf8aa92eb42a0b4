/*
 * Helpers that not the type of a program allows, but the very place in the kernel where it runs: the
 * operation, the iterator, the hook, the function. The rows of helpers/helpers.def say only that the place
 * decides (asks_hook), or nothing at all.
 * Source: bpf_tcp_ca_get_func_proto, bpf_iter_get_func_proto, the functions *_allowed of Linux 6.18.
 */
#include <errno.h>
#include <string.h>

#include "verifier/call_arg.h"
#include "verifier/target.h"

static bool is_sockopt(u32 id)
{
	return id == BPF_FUNC_setsockopt || id == BPF_FUNC_getsockopt;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* TCP's operations have helpers of their own, but for options of a socket whose operations end; other
 * structs have what every program has, as netfilter's. */
static const struct hlp_proto *for_ops(const struct vf_env *env, const struct hlp_proto *first)
{
	const struct vf_target *target = &env->target;

	if (strcmp(target->ops, "tcp_congestion_ops"))
		return hlp_for(first, BPF_PROG_TYPE_NETFILTER, 0);
	if (is_sockopt(first->id) && !strcmp(target->name, "release"))
		return NULL;
	return hlp_for(first, BPF_PROG_TYPE_STRUCT_OPS, 0);
}

const struct hlp_proto *vf_helper_here(const struct vf_env *env, const struct hlp_proto *first)
{
	const struct vf_target *target = &env->target;
	u32 attach = env->params->expected_attach_type;
	const struct hlp_proto *hlp;

	if (!first)
		return NULL;
	if (env->type->type == BPF_PROG_TYPE_STRUCT_OPS)
		return for_ops(env, first);
	hlp = hlp_for(first, env->type->type, attach);
	if (hlp || env->type->type != BPF_PROG_TYPE_TRACING || attach != BPF_TRACE_ITER)
		return hlp;
	/* iterators of sockets that can be locked */
	if (is_sockopt(first->id) &&
		(!strcmp(target->name, "bpf_iter_tcp") || !strcmp(target->name, "bpf_iter_unix")))
		return hlp_for(first, BPF_PROG_TYPE_STRUCT_OPS, 0);
	return NULL;
}

static bool may_print_path(const struct vf_env *env)
{
	static const char *const functions[] = {
		"security_file_permission",
		"security_inode_getattr",
		"security_file_open",
		"security_path_truncate",
		"vfs_truncate",
		"vfs_fallocate",
		"dentry_open",
		"vfs_getattr",
		"filp_close",
	};

	if (env->type->type == BPF_PROG_TYPE_LSM)
		return vf_target_may_sleep(env);
	if (env->type->type != BPF_PROG_TYPE_TRACING)
		return false;
	if (env->params->expected_attach_type == BPF_TRACE_ITER)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strcmp(env->target.name, functions[i]))
			return true;
	return false;
}

/* The storage of sockets is not traced with itself. */
static bool may_store(const struct vf_env *env)
{
	if (env->type->type != BPF_PROG_TYPE_TRACING)
		return false;
	switch (env->params->expected_attach_type) {
	case BPF_TRACE_ITER:
	case BPF_TRACE_RAW_TP: return true;
	case BPF_TRACE_FENTRY:
	case BPF_TRACE_FEXIT: return !has_prefix(env->target.name, "bpf_sk_storage");
	default: return false;
	}
}

bool vf_helper_is_allowed(const struct vf_env *env, u32 id)
{
	switch (id) {
	case BPF_FUNC_d_path: return may_print_path(env);
	case BPF_FUNC_sk_storage_get:
	case BPF_FUNC_sk_storage_delete: return may_store(env);
	case BPF_FUNC_ima_inode_hash:
	case BPF_FUNC_ima_file_hash: return vf_target_may_sleep(env);
	default: return false;
	}
}

/* Where a function was called from is known where a trampoline or a probe was put there. */
int vf_helper_func_ip(struct vf_env *env)
{
	u32 type = env->type->type;

	if (type == BPF_PROG_TYPE_KPROBE)
		return 0;
	if (type == BPF_PROG_TYPE_LSM && env->params->expected_attach_type == BPF_LSM_MAC)
		return 0;
	if (type != BPF_PROG_TYPE_TRACING)
		return vf_complain(env, VF_C_FUNC_IP_TYPE, type);
	switch (env->params->expected_attach_type) {
	case BPF_TRACE_FENTRY:
	case BPF_TRACE_FEXIT:
	case BPF_MODIFY_RETURN: return 0;
	default: return vf_complain(env, VF_C_FUNC_IP);
	}
}
