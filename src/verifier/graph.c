/*
 * Lists and trees of allocated objects. A root lies beside a spin lock in a map value or an object, and is
 * only used under that lock. What is inserted belongs to the collection: pointers to it stay good, without a
 * reference, until the lock goes (non-owning references). What comes out belongs to the program again.
 */
#include <errno.h>

#include "core/btf.h"
#include "verifier/object.h"
#include "verifier/references.h"
#include "verifier/step.h"

static const struct btf_field *find_field(
	const struct btf_fields *fields, u64 off, enum btf_field_kind kind)
{
	for (u32 i = 0; fields && i < fields->cnt; i++) {
		if (fields->items[i].kind == kind && fields->items[i].off == off)
			return &fields->items[i];
	}
	return NULL;
}

static const struct btf_obj *btf_of(const struct vf_reg *reg)
{
	if (reg->kind == VF_BTF)
		return reg->btf;
	return reg->map->btf ? container_of(reg->map->btf, struct core_btf, obj)->btf : NULL;
}

/* The lock of the value or object that reg points into is held. */
static bool is_locked(struct vf_env *env, const struct vf_reg *reg)
{
	const struct vf_state *st = env->cur;
	const void *ptr = reg->kind == VF_BTF ? (const void *)reg->btf : (const void *)reg->map;

	if (!st->lock_cnt)
		return false;
	for (u32 i = 0; i < st->ref_cnt; i++) {
		if (st->refs[i].kind & (VF_REF_LOCK | VF_REF_RES_LOCK | VF_REF_RES_LOCK_IRQ) &&
			st->refs[i].id == reg->id && st->refs[i].ptr == ptr)
			return true;
	}
	vf_note(env, "held lock and object are not in the same allocation\n");
	return false;
}

int vf_graph_root_arg(
	struct vf_env *env, struct vf_kcall *call, u32 regno, enum btf_field_kind kind)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	bool is_object = vf_is_object(reg);
	const char *name = btf_field_name(kind);
	const struct btf_fields *fields;
	const struct btf_field *root, *lock;
	u32 off;

	if (!is_object && (reg->kind != VF_MAP_VALUE || reg->may_be_null))
		return vf_complain(env, VF_C_ROOT_KIND, regno - 1);
	if (is_object && !reg->ref_id)
		return vf_complain(env, VF_C_OBJ_REF);
	if (!tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_FIELD_CONST, regno, name);
	fields = vf_fields_of(reg);
	off = reg->off + reg->num.var_off.value;
	root = find_field(fields, off, kind);
	if (!root)
		return vf_complain(env, VF_C_FIELD_NONE, name, off);
	if (!is_locked(env, reg)) {
		lock = btf_fields_at(fields, BTF_FIELD_SPIN_LOCK);
		return vf_complain(env, VF_C_ROOT_LOCK, lock ? (int)lock->off : -1, name);
	}
	call->root = root;
	call->root_btf = btf_of(reg);
	return 0;
}

static int check_owner(
	struct vf_env *env, const struct vf_kcall *call, u32 regno, enum btf_field_kind kind)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	bool is_insert = kind == BTF_FIELD_LIST_NODE || call->fn->no == VF_KF_bpf_rbtree_add_impl;

	if (is_insert) {
		if (!vf_is_object(reg))
			return vf_complain(env, VF_C_OBJ_KIND, regno - 1);
		return reg->ref_id ? 0 : vf_complain(env, VF_C_OBJ_REF);
	}
	if (!(reg->kind == VF_BTF && reg->flags & VF_ALLOC && reg->flags & VF_NON_OWN) &&
		!reg->ref_id)
		return vf_complain(env, VF_C_NODE_OWNER, call->fn->name);
	if (vf_graph_in_less(env))
		return vf_complain(env, VF_C_NODE_IN_CALLBACK, call->fn->name);
	return 0;
}

int vf_graph_node_arg(
	struct vf_env *env, struct vf_kcall *call, u32 regno, enum btf_field_kind kind)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const char *name = btf_field_name(kind), *want;
	const struct btf_field *root = call->root;
	u32 off;
	int err = check_owner(env, call, regno, kind);

	if (err)
		return err;
	if (!tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_FIELD_CONST, regno, name);
	off = reg->off + reg->num.var_off.value;
	if (!find_field(vf_fields_of(reg), off, kind))
		return vf_complain(env, VF_C_FIELD_NONE, name, off);
	want = btf_type_name(call->root_btf, root->type_id);
	if (reg->btf != call->root_btf || reg->btf_id != root->type_id)
		return vf_complain(env, VF_C_NODE_TYPE, btf_field_name(root->kind), name,
			root->node_off, want, off, btf_type_name(reg->btf, reg->btf_id));
	call->arg_btf = reg->btf;
	call->arg_btf_id = reg->btf_id;
	if (off != root->node_off)
		return vf_complain(env, VF_C_NODE_OFF, off, name, root->node_off, want);
	return 0;
}

int vf_graph_lend(struct vf_env *env, struct vf_reg *reg)
{
	const struct btf_fields *fields = vf_fields_of(reg);

	if (!env->cur->lock_cnt)
		return vf_complain(env, VF_C_LEND_UNLOCKED);
	reg->flags |= VF_NON_OWN;
	if (fields && fields->mask & BTF_FIELD_REFCOUNT)
		reg->flags |= VF_RCU;
	return 0;
}

struct lend {
	struct vf_env *env;
	u32 ref_id;
};

static void lend_one(struct vf_reg *reg, void *arg)
{
	const struct lend *lend = arg;

	if (reg->ref_id != lend->ref_id)
		return;
	reg->ref_id = 0;
	vf_graph_lend(lend->env, reg);
}

int vf_graph_insert(struct vf_env *env, const struct vf_kcall *call)
{
	struct lend lend = {.env = env, .ref_id = vf_regs(env)[BPF_REG_2].ref_id};
	int err;

	vf_each_reg(env->cur, lend_one, &lend);
	err = vf_ref_forget(env, env->cur, lend.ref_id);
	if (err == -EINVAL)
		return vf_complain(env, VF_C_KFUNC_REF, call->fn->name, call->fn->func_id);
	return err;
}

void vf_graph_node(const struct vf_kcall *call, struct vf_reg *r0)
{
	vf_reg_pointer(r0, VF_BTF);
	r0->flags = VF_ALLOC;
	r0->btf = call->root_btf;
	r0->btf_id = call->root->type_id;
	r0->off = call->root->node_off;
}

bool vf_graph_in_less(const struct vf_env *env)
{
	const struct vf_frame *frame = vf_top(env->cur);
	const struct vf_kfunc *fn;

	if (!frame->is_callback || frame->callsite < 0)
		return false;
	fn = vf_kfunc_of(env, &env->insns[frame->callsite]);
	return fn && fn->no == VF_KF_bpf_rbtree_add_impl;
}

int vf_graph_less_args(struct vf_env *env, const struct vf_frame *caller, struct vf_frame *callee)
{
	const struct vf_reg *tree = &caller->regs[BPF_REG_1];
	const struct vf_kcall call = {
		.root = find_field(
			vf_fields_of(tree), tree->off + tree->num.var_off.value, BTF_FIELD_RB_ROOT),
		.root_btf = btf_of(tree),
	};
	int err = 0;

	for (u32 r = BPF_REG_1; r <= BPF_REG_2 && !err; r++) {
		vf_graph_node(&call, &callee->regs[r]);
		err = vf_graph_lend(env, &callee->regs[r]);
	}
	return err;
}

bool vf_graph_may_lock(const struct vf_kfunc *fn)
{
	switch (fn->no) {
	case VF_KF_bpf_list_push_front_impl:
	case VF_KF_bpf_list_push_back_impl:
	case VF_KF_bpf_list_pop_front:
	case VF_KF_bpf_list_pop_back:
	case VF_KF_bpf_list_front:
	case VF_KF_bpf_list_back:
	case VF_KF_bpf_rbtree_add_impl:
	case VF_KF_bpf_rbtree_remove:
	case VF_KF_bpf_rbtree_first:
	case VF_KF_bpf_rbtree_root:
	case VF_KF_bpf_rbtree_left:
	case VF_KF_bpf_rbtree_right:
	case VF_KF_bpf_refcount_acquire_impl:
	case VF_KF_bpf_iter_num_new:
	case VF_KF_bpf_iter_num_next:
	case VF_KF_bpf_iter_num_destroy:
	case VF_KF_bpf_res_spin_lock:
	case VF_KF_bpf_res_spin_unlock:
	case VF_KF_bpf_res_spin_lock_irqsave:
	case VF_KF_bpf_res_spin_unlock_irqrestore: return true;
	default: return false;
	}
}
