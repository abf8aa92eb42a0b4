/*
 * Objects of the kernel as arguments and results of helpers: the struct must be the one that the prototype
 * names, or begin with it, and trusted enough.
 */
#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "core/kbtf.h"
#include "verifier/access.h"
#include "verifier/btf_walk.h"
#include "verifier/call_arg.h"

static const char *helper_name(const struct vf_call *call)
{
	return isa_helper_name(call->hlp->id);
}

/* The struct that the prototype names, in the kernel's BTF. */
static int find_struct(struct vf_env *env, const struct vf_call *call, const char *name,
	const struct btf_obj **ret_btf, u32 *ret_id)
{
	if (!name || core_kbtf_get(env->params->inst, ret_btf) ||
		btf_find(*ret_btf, name, BTF_KIND_STRUCT, ret_id))
		return vf_complain(env, VF_C_HELPER_STRUCT, helper_name(call), call->hlp->id,
			name ? name : "");
	return 0;
}

static const char *expected(const struct vf_call *call, u32 arg_no, u32 arg)
{
	if (call->hlp->arg_btf[arg_no])
		return call->hlp->arg_btf[arg_no];
	return HLP_KIND(arg) == HLP_BTF_ID_SOCK_COMMON ? "sock_common" : NULL;
}

int vf_call_btf_arg(struct vf_env *env, const struct vf_call *call, u32 arg_no, u32 arg)
{
	u32 regno = BPF_REG_1 + arg_no, id;
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const char *name = expected(call, arg_no, arg);
	const struct btf_obj *btf;
	bool is_strict = arg & HLP_OBJ_RELEASE && call->hlp->id != BPF_FUNC_sk_release;
	int err;

	if (HLP_KIND(arg) == HLP_MEM || HLP_KIND(arg) == HLP_MAP_KEY ||
		HLP_KIND(arg) == HLP_MAP_VALUE) {
		if (arg & HLP_RDONLY || HLP_KIND(arg) == HLP_MAP_KEY)
			return 0;
		return vf_complain(
			env, VF_C_BTF_WRITTEN, helper_name(call), regno, vf_kind_str(reg));
	}
	if (HLP_KIND(arg) != HLP_BTF_ID && HLP_KIND(arg) != HLP_BTF_ID_SOCK_COMMON)
		return 0;
	if (reg->may_be_null && (!(arg & HLP_MAYBE_NULL) || arg & HLP_OBJ_RELEASE))
		return vf_complain(env, VF_C_BTF_NULL, regno);
	err = find_struct(env, call, name, &btf, &id);
	if (err)
		return err;
	if (vf_btf_is_within(reg->btf, reg->btf_id, reg->off, btf, id, is_strict))
		return 0;
	return vf_complain(env, VF_C_BTF_TYPE, regno, btf_type_name(reg->btf, reg->btf_id), name);
}

int vf_call_btf_mem(struct vf_env *env, u32 regno, u32 size)
{
	const struct vf_access acc = {
		.regno = regno,
		.off = vf_regs(env)[regno].off,
		.size = size,
		.value = VF_NO_REG,
	};

	return vf_btf_access(env, &acc);
}

/* What a per-CPU pointer points to is what the helper returns of one CPU. */
void vf_call_percpu_arg(struct vf_env *env, struct vf_call *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	call->ret_btf = reg->btf;
	call->ret_btf_id = reg->btf_id;
	call->is_local = reg->flags & VF_RCU;
}

static int set_percpu(struct vf_env *env, const struct vf_call *call, struct vf_reg *r0)
{
	u32 id = btf_skip_modifiers(call->ret_btf, call->ret_btf_id), size;

	if (call->is_local || btf_type_is_struct(btf_type_at(call->ret_btf, id))) {
		vf_reg_pointer(r0, VF_BTF);
		r0->btf = call->ret_btf;
		r0->btf_id = call->is_local ? call->ret_btf_id : id;
		r0->flags = call->is_local ? VF_ALLOC | VF_RCU : 0;
	} else {
		if (btf_size(call->ret_btf, id, NULL, &size))
			return vf_complain(
				env, VF_C_KSYM_SIZE, btf_type_name(call->ret_btf, id), -EINVAL);
		vf_reg_pointer(r0, VF_MEM);
		r0->mem_size = size;
		r0->is_rdonly = call->hlp->ret & HLP_RDONLY;
	}
	return 0;
}

int vf_call_btf_result(struct vf_env *env, const struct vf_call *call)
{
	struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];
	const struct btf_obj *btf;
	u32 id;
	int err;

	if (HLP_KIND(call->hlp->ret) == HLP_RET_MEM_OR_BTF_ID) {
		err = set_percpu(env, call, r0);
	} else {
		err = find_struct(env, call, call->hlp->ret_btf, &btf, &id);
		if (err)
			return err;
		vf_reg_pointer(r0, VF_BTF);
		r0->btf = btf;
		r0->btf_id = id;
		r0->flags = call->hlp->ret & HLP_TRUSTED ? VF_TRUSTED : 0;
	}
	if (!err)
		r0->may_be_null = call->hlp->ret & HLP_MAYBE_NULL;
	return err;
}
