/*
 * Which kernel function a call names: imm is the id of its FUNC in the kernel's BTF. Everything that
 * BTF does not say (who may call it, Linux's KF_* flags) is a row of kfuncs.def, found by name. A
 * function without a row is one that Linux lets no program call.
 *
 * Every call is looked at before anything else, as in Linux, where the order of complaints follows
 * from that. Whether the engine can run the function is no question of verification: vf_kfunc_engine_no.
 */
#include "verifier/kfunc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/kbtf.h"

/* Linux's hooks: kinds of programs that functions are registered for. */
enum hook {
	HOOK_NONE,
	HOOK_XDP,
	HOOK_TC,
	HOOK_ACT,
	HOOK_STRUCT_OPS,
	HOOK_TRACING,
	HOOK_SYSCALL,
	HOOK_CGROUP,
	HOOK_SK_SKB,
	HOOK_SOCKET_FILTER,
	HOOK_LWT,
	HOOK_NETFILTER,
	HOOK_KPROBE,
};

#define ON(hook) (1u << HOOK_##hook)

/* The hooks column of kfuncs.def. */
enum {
	HOOKS_NONE = 0,
	HOOKS_COMMON = ~0,
	HOOKS_GENERIC = ON(TRACING) | ON(TC) | ON(XDP) | ON(STRUCT_OPS) | ON(SYSCALL) | ON(CGROUP),
	HOOKS_CPUMASK = ON(TRACING) | ON(STRUCT_OPS) | ON(SYSCALL),
	HOOKS_CRYPTO = ON(TC) | ON(ACT) | ON(XDP),
	HOOKS_CT = ON(XDP) | ON(TC),
	HOOKS_SKB = ON(TC) | ON(ACT) | ON(SK_SKB) | ON(SOCKET_FILTER) | ON(CGROUP) | ON(LWT) |
		    ON(NETFILTER) | ON(TRACING),
	HOOKS_TEST = ON(TC) | ON(TRACING) | ON(SYSCALL),
	HOOKS_XDP = ON(XDP),
	HOOKS_TC = ON(TC),
	HOOKS_CGROUP = ON(CGROUP),
	HOOKS_TRACING = ON(TRACING),
	HOOKS_SYSCALL = ON(SYSCALL),
	HOOKS_STRUCT_OPS = ON(STRUCT_OPS),
	/* what one kind of the hook's programs only may call: see is_filtered */
	HOOKS_LSM = ON(TRACING) | 1 << 29,
	HOOKS_ITER = ON(TRACING) | 1 << 30,
	HOOKS_SESSION = ON(KPROBE) | 1 << 28,
};

enum {
	ONLY_LSM = 1 << 29,
	ONLY_ITER = 1 << 30,
	ONLY_SESSION = 1 << 28,
};

struct row {
	const char *name;
	u32 hooks, flags;
};

static const struct row rows[VF_KF_CNT] = {
	[VF_KF_NONE] = {.name = ""},
#define KFUNC(NAME, HOOKS, FLAGS)                                                                  \
	[VF_KF_##NAME] = {.name = #NAME, .hooks = (u32)HOOKS_##HOOKS, .flags = FLAGS},
#include "verifier/kfuncs.def"
};

static enum hook hook_of(u32 prog_type)
{
	switch (prog_type) {
	case BPF_PROG_TYPE_XDP: return HOOK_XDP;
	case BPF_PROG_TYPE_SCHED_CLS: return HOOK_TC;
	case BPF_PROG_TYPE_SCHED_ACT: return HOOK_ACT;
	case BPF_PROG_TYPE_STRUCT_OPS: return HOOK_STRUCT_OPS;
	case BPF_PROG_TYPE_TRACING:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_LSM: return HOOK_TRACING;
	case BPF_PROG_TYPE_SYSCALL: return HOOK_SYSCALL;
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_CGROUP_SOCK:
	case BPF_PROG_TYPE_CGROUP_DEVICE:
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
	case BPF_PROG_TYPE_CGROUP_SOCKOPT:
	case BPF_PROG_TYPE_CGROUP_SYSCTL:
	case BPF_PROG_TYPE_SOCK_OPS: return HOOK_CGROUP;
	case BPF_PROG_TYPE_SK_SKB: return HOOK_SK_SKB;
	case BPF_PROG_TYPE_SOCKET_FILTER: return HOOK_SOCKET_FILTER;
	case BPF_PROG_TYPE_LWT_OUT:
	case BPF_PROG_TYPE_LWT_IN:
	case BPF_PROG_TYPE_LWT_XMIT:
	case BPF_PROG_TYPE_LWT_SEG6LOCAL: return HOOK_LWT;
	case BPF_PROG_TYPE_NETFILTER: return HOOK_NETFILTER;
	case BPF_PROG_TYPE_KPROBE: return HOOK_KPROBE;
	default: return HOOK_NONE;
	}
}

static bool is_allowed(const struct vf_env *env, const struct row *row)
{
	u32 type = env->type->type, attach = env->params->expected_attach_type;

	if (row->hooks == (u32)HOOKS_COMMON)
		return true;
	if (row->hooks & ONLY_LSM && type != BPF_PROG_TYPE_LSM)
		return false;
	if (row->hooks & ONLY_ITER && attach != BPF_TRACE_ITER)
		return false;
	if (row->hooks & ONLY_SESSION && attach != BPF_TRACE_KPROBE_SESSION &&
		attach != BPF_TRACE_UPROBE_SESSION)
		return false;
	return hook_of(type) && row->hooks & 1u << hook_of(type);
}

static int compare_name(const void *name, const void *row)
{
	return strcmp(name, ((const struct row *)row)->name);
}

static const struct row *find_row(const char *name)
{
	const struct row *row = bsearch(name, rows + 1, VF_KF_CNT - 1, sizeof(*rows), compare_name);

	return row ? row : &rows[VF_KF_NONE];
}

static struct vf_kfunc *find(const struct vf_env *env, u32 func_id)
{
	for (u32 i = 0; i < env->kfunc_cnt; i++) {
		if (env->kfuncs[i].func_id == func_id)
			return &env->kfuncs[i];
	}
	return NULL;
}

/* Once for a program, with its first call. */
static int check_first(struct vf_env *env, const struct btf_obj **ret_btf)
{
	int err = core_kbtf_get(env->params->inst, ret_btf);

	if (err == -ENOMEM)
		return err;
	if (err)
		return vf_complain(
			env, VF_C_UNSUPPORTED_KFUNC_BTF, core_kbtf_path(env->params->inst));
	if (!env->params->is_gpl)
		return vf_complain(env, VF_C_KFUNC_GPL);
	return 0;
}

static int check_types(
	struct vf_env *env, const struct btf_obj *btf, u32 func_id, struct btf_proto *ret_proto)
{
	const struct btf_type *func = btf_type_at(btf, func_id);

	if (!func || !btf_type_is(func, BTF_KIND_FUNC))
		return vf_complain(env, VF_C_KFUNC_ID, func_id);
	return btf_proto_of(btf, func_id, ret_proto) ? vf_complain(env, VF_C_KFUNC_ID, func_id) : 0;
}

int vf_kfunc_add(struct vf_env *env, const struct bpf_insn *insn)
{
	const struct btf_obj *btf = NULL;
	const struct row *row;
	struct btf_proto proto;
	int err = check_first(env, &btf);

	if (err)
		return err;
	/* what is never reached may stay: the call of a function that this kernel lacks */
	if (!insn->imm && !insn->off)
		return 0;
	if (insn->off < 0)
		return vf_complain(env, VF_C_KFUNC_OFF);
	if (insn->off)
		return vf_complain(env, VF_C_UNSUPPORTED_KFUNC_MODULE, insn->off);
	if (find(env, insn->imm))
		return 0;
	if (env->kfunc_cnt == VF_KFUNC_MAX)
		return vf_complain(env, VF_C_KFUNC_TOO_MANY);
	err = check_types(env, btf, insn->imm, &proto);
	if (err)
		return err;
	if (!env->kfuncs) {
		env->kfuncs = vf_alloc(env, VF_KFUNC_MAX * sizeof(*env->kfuncs));
		if (!env->kfuncs)
			return -ENOMEM;
	}
	row = find_row(btf_type_name(btf, insn->imm));
	env->kfuncs[env->kfunc_cnt++] = (struct vf_kfunc){
		.no = row - rows,
		.func_id = insn->imm,
		.flags = row->flags,
		.is_allowed = is_allowed(env, row),
		.btf = btf,
		.name = btf_type_name(btf, insn->imm),
		.proto = proto,
	};
	return 0;
}

const struct vf_kfunc *vf_kfunc_of(const struct vf_env *env, const struct bpf_insn *insn)
{
	if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg != BPF_PSEUDO_KFUNC_CALL)
		return NULL;
	return find(env, insn->imm);
}

bool vf_is_throw(const struct vf_env *env, const struct bpf_insn *insn)
{
	const struct vf_kfunc *fn = vf_kfunc_of(env, insn);

	return fn && fn->no == VF_KF_bpf_throw;
}

bool vf_is_iter_next(const struct vf_env *env, const struct bpf_insn *insn)
{
	const struct vf_kfunc *fn = vf_kfunc_of(env, insn);

	return fn && fn->is_allowed && fn->flags & KF_ITER_NEXT;
}

int vf_kfunc_engine_no(const struct vf_env *env, const struct vf_kfunc *fn)
{
	const struct skep *inst = env->params->inst;

	for (u32 i = 0; i < inst->kfunc_cnt; i++) {
		if (inst->kfuncs[i] &&
			(inst->kfuncs[i]->proto.fn || inst->kfuncs[i]->kind != KFUNC_CALL) &&
			!strcmp(inst->kfuncs[i]->proto.name, fn->name))
			return i;
	}
	return -1;
}

void vf_kfunc_done(struct vf_env *env)
{
	vf_free(env, env->kfuncs, VF_KFUNC_MAX * sizeof(*env->kfuncs));
}

bool vf_param_has_suffix(
	const struct btf_obj *btf, const struct btf_param *param, const char *suffix)
{
	const char *name = btf_str(btf, param->name_off);
	size_t len = name ? strlen(name) : 0, tail = strlen(suffix);

	return len > tail && !strcmp(name + len - tail, suffix);
}
