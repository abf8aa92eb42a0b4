/*
 * A call of a kernel function: may this program call it here, do the arguments fit, what does it do to the
 * state, what does it return. In Linux's order (check_kfunc_call of 6.18).
 */
#include <errno.h>
#include <string.h>

#include "verifier/callback.h"
#include "verifier/dynptr.h"
#include "verifier/explore.h"
#include "verifier/iter.h"
#include "verifier/kfunc.h"
#include "verifier/lock.h"
#include "verifier/object.h"
#include "verifier/references.h"
#include "verifier/section.h"
#include "verifier/step.h"

enum { MAX_ERRNO = 4095 };

static int check_allowed(struct vf_env *env, const struct vf_kfunc *fn)
{
	if (!fn->is_allowed)
		return vf_complain(env, VF_C_KFUNC_NOT_ALLOWED, fn->name);
	if (fn->no == VF_KF___bpf_trap)
		return vf_complain(env, VF_C_KFUNC_TRAP);
	if (fn->flags & KF_SLEEPABLE && !env->cur->may_sleep)
		return vf_complain(env, VF_C_KFUNC_SLEEPS, fn->name);
	return 0;
}

static bool is_res_lock(const struct vf_kfunc *fn)
{
	return fn->no == VF_KF_bpf_res_spin_lock || fn->no == VF_KF_bpf_res_spin_lock_irqsave;
}

static bool is_insert(const struct vf_kfunc *fn)
{
	return fn->no == VF_KF_bpf_list_push_front_impl ||
	       fn->no == VF_KF_bpf_list_push_back_impl || fn->no == VF_KF_bpf_rbtree_add_impl;
}

static int release(struct vf_env *env, struct vf_kcall *call)
{
	int err = 0;

	if (call->release_regno)
		err = vf_ref_release(env, vf_regs(env)[call->release_regno].ref_id);
	if (err == -EINVAL)
		return vf_complain(env, VF_C_KFUNC_REF, call->fn->name, call->fn->func_id);
	return err || !is_insert(call->fn) ? err : vf_graph_insert(env, call);
}

/* ---- results -------------------------------------------------------------------------------------- */

static int slice(struct vf_env *env, const struct vf_kcall *call, struct vf_reg *r0)
{
	vf_reg_pointer(r0, VF_MEM);
	r0->mem_size = call->constant;
	r0->flags = vf_dynptr_is_packet(call->dynptr.type) ? VF_PACKET_SLICE : 0;
	r0->dynptr_id = call->dynptr.id;
	/* a view of a reservation ends with it */
	r0->ref_id = call->dynptr.ref_id;
	if (call->fn->no == VF_KF_bpf_dynptr_slice)
		r0->is_rdonly = true;
	else if (!env->type->can_write_packet)
		return vf_complain(env, VF_C_SLICE_RDWR);
	return 0;
}

static int cast_rdonly(struct vf_env *env, const struct vf_kcall *call, struct vf_reg *r0)
{
	const struct btf_type *t = btf_type_at(call->fn->btf, call->constant);

	if (!t || call->constant > UINT32_MAX)
		return vf_complain(env, VF_C_CAST_ID, (long long)call->constant);
	if (btf_type_is_struct(t)) {
		vf_reg_pointer(r0, VF_BTF);
		r0->btf = call->fn->btf;
		r0->btf_id = call->constant;
	} else if (!call->constant) {
		vf_reg_pointer(r0, VF_MEM);
		r0->is_rdonly = true;
	} else {
		return vf_complain(env, VF_C_CAST_STRUCT);
	}
	r0->flags = VF_UNTRUSTED;
	return 0;
}

static bool is_struct(const struct btf_obj *btf, u32 id, const char *name)
{
	return btf_type_is(btf_type_at(btf, id), BTF_KIND_STRUCT) &&
	       !strcmp(btf_type_name(btf, id), name);
}

static bool is_node(const struct btf_obj *btf, u32 id)
{
	return is_struct(btf, id, "bpf_list_node") || is_struct(btf, id, "bpf_rb_node");
}

/* Functions whose result BTF does not tell. 1: it was none of these. */
static int special_result(struct vf_env *env, struct vf_kcall *call, u32 type_id, struct vf_reg *r0)
{
	switch (call->fn->no) {
	case VF_KF_bpf_obj_new_impl:
	case VF_KF_bpf_percpu_obj_new_impl:
	case VF_KF_bpf_refcount_acquire_impl: return vf_object_new(env, call, r0);
	case VF_KF_bpf_cast_to_kern_ctx:
		vf_reg_pointer(r0, VF_BTF);
		r0->flags = VF_TRUSTED;
		r0->btf = call->fn->btf;
		r0->btf_id = call->ret_btf_id;
		return 0;
	case VF_KF_bpf_rdonly_cast: return cast_rdonly(env, call, r0);
	case VF_KF_bpf_dynptr_slice:
	case VF_KF_bpf_dynptr_slice_rdwr: return slice(env, call, r0);
	default: break;
	}
	if (!is_node(call->fn->btf, type_id))
		return 1;
	vf_graph_node(call, r0);
	return 0;
}

static int memory_result(struct vf_env *env, struct vf_kcall *call, u32 type_id, struct vf_reg *r0)
{
	const struct btf_obj *btf = call->fn->btf;
	u32 size;

	if (call->fn->no == VF_KF_bpf_session_cookie)
		call->r0_size = sizeof(u64);
	if (!call->r0_size && !btf_size(btf, type_id, NULL, &size)) {
		call->r0_size = size;
		call->r0_rdonly = true;
	}
	if (!call->r0_size)
		return vf_complain(env, VF_C_KFUNC_RET_POINTER, call->fn->name,
			vf_btf_word(btf_type_at(btf, type_id)), btf_type_name(btf, type_id));
	vf_reg_pointer(r0, VF_MEM);
	r0->mem_size = call->r0_size;
	r0->is_rdonly = call->r0_rdonly;
	r0->ref_id = call->ref_id;
	return 0;
}

static void struct_result(
	struct vf_env *env, const struct vf_kcall *call, u32 type_id, struct vf_reg *r0)
{
	vf_reg_pointer(r0, VF_BTF);
	r0->btf = call->fn->btf;
	r0->btf_id = type_id;
	if (call->fn->no == VF_KF_bpf_get_kmem_cache)
		r0->flags |= VF_UNTRUSTED;
	if (call->fn->flags & KF_ITER_NEXT)
		r0->flags |= vf_iter_of(env->cur, call)->flags & VF_RCU ? VF_RCU : VF_TRUSTED;
}

static bool may_return_null(const struct vf_kcall *call)
{
	if (call->fn->no == VF_KF_bpf_refcount_acquire_impl && call->is_owning)
		return false;
	return call->fn->flags & KF_RET_NULL;
}

static int pointer_result(struct vf_env *env, struct vf_kcall *call, u32 type_id)
{
	const struct btf_obj *btf = call->fn->btf;
	struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];
	int err = special_result(env, call, type_id, r0);

	if (err < 0)
		return err;
	if (err && !type_id)
		vf_reg_unknown(r0);
	else if (err && !btf_type_is_struct(btf_type_at(btf, type_id)))
		err = memory_result(env, call, type_id, r0);
	else if (err)
		struct_result(env, call, type_id, r0);
	if (err < 0)
		return err;
	if (may_return_null(call)) {
		r0->may_be_null = true;
		r0->id = ++env->id_gen;
	}
	if (call->fn->flags & KF_ACQUIRE) {
		err = vf_ref_acquire(env, &r0->ref_id);
		if (err)
			return err;
		if (may_return_null(call))
			r0->id = r0->ref_id;
	} else if (is_node(btf, type_id)) {
		err = vf_graph_lend(env, r0);
		if (err)
			return err;
	}
	if (!r0->id && vf_reg_has_lock(r0))
		r0->id = ++env->id_gen;
	return 0;
}

static int set_result(struct vf_env *env, struct vf_kcall *call)
{
	const struct btf_obj *btf = call->fn->btf;
	u32 ret_id = btf_skip_modifiers(btf, call->fn->proto.ret_id);
	const struct btf_type *t = btf_type_at(btf, ret_id);
	struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];

	if (btf_type_is(t, BTF_KIND_INT) || btf_type_is_enum(t)) {
		vf_reg_unknown(r0);
		if (is_res_lock(call->fn))
			vf_reg_known(r0, 0);
		return 0;
	}
	if (btf_type_is(t, BTF_KIND_PTR))
		return pointer_result(env, call, btf_skip_modifiers(btf, t->type));
	return 0;
}

/* The lock may notice a deadlock: a path on which it was not taken, with the errno in R0. */
static int fork_failed(struct vf_env *env)
{
	struct vf_state *failed = NULL;
	struct vf_range range = vf_range_unbounded(32);
	struct vf_reg *regs;
	int err = vf_explore_push(env, env->insn_idx + 1, env->insn_idx, &failed);

	if (err)
		return err;
	regs = vf_top(failed)->regs;
	for (u32 r = BPF_REG_0; r <= BPF_REG_5; r++)
		vf_reg_clear(&regs[r]);
	vf_reg_unknown(&regs[BPF_REG_0]);
	range.smin = -MAX_ERRNO;
	range.smax = -1;
	vf_scalar_set_range(&regs[BPF_REG_0].num, vf_range_deduce(range, 32), 32);
	vf_scalar_sync(&regs[BPF_REG_0].num);
	return 0;
}

/* The function that the program gave may be called: that is followed, too. */
static int call_back(struct vf_env *env, const struct vf_kcall *call)
{
	const struct vf_callback *cb = vf_callback_of_kfunc(call->fn);
	int err = cb ? vf_callback_push(env, call->sub, cb) : 0;

	if (!err || err == -ENOMEM)
		return err;
	vf_note(env, "kfunc %s#%u failed callback verification\n", call->fn->name,
		call->fn->func_id);
	return err;
}

int vf_call_kfunc(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_kcall call = {.fn = vf_kfunc_of(env, insn)};
	int err;

	/* a function that this kernel lacks: refused only if the call is not dead (rewrite.c) */
	if (!call.fn)
		return 0;
	err = check_allowed(env, call.fn);
	if (!err && is_res_lock(call.fn))
		err = fork_failed(env);
	if (!err)
		err = vf_kfunc_args(env, &call);
	if (!err)
		err = call_back(env, &call);
	if (!err)
		err = vf_section_call(env, call.fn);
	if (!err && call.fn->flags & KF_RCU_PROTECTED && !vf_in_rcu(env))
		return vf_complain(env, VF_C_KFUNC_RCU, call.fn->name);
	if (!err)
		err = release(env, &call);
	if (!err && call.fn->no == VF_KF_bpf_throw)
		return vf_throw_check(env);
	if (err)
		return err;
	vf_regs_clobber(env);
	err = set_result(env, &call);
	if (err)
		return err;
	if (call.fn->no == VF_KF_bpf_xdp_pull_data)
		vf_packet_forget(env);
	return call.fn->flags & KF_ITER_NEXT ? vf_iter_next(env, &call) : 0;
}
