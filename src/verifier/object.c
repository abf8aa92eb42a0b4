/*
 * Objects that programs allocate: their types are structs of the program's own BTF. An owning pointer holds a
 * reference and must be dropped, or given to a list, a tree or a map.
 */
#include "verifier/object.h"

#include <errno.h>

#include "verifier/btf_walk.h"
#include "verifier/step.h"

enum { PERCPU_SIZE_MAX = 512 };

bool vf_is_object(const struct vf_reg *reg)
{
	return reg->kind == VF_BTF && reg->flags == VF_ALLOC && !reg->may_be_null;
}

const struct btf_fields *vf_fields_of(const struct vf_reg *reg)
{
	if (reg->kind == VF_MAP_VALUE)
		return reg->map->fields;
	if (reg->kind == VF_BTF && reg->flags & VF_ALLOC)
		return btf_struct_fields(reg->btf, reg->btf_id);
	return NULL;
}

static int check_fields(struct vf_env *env, const struct vf_reg *reg, const struct vf_access *acc)
{
	const struct btf_fields *fields = vf_fields_of(reg);

	for (u32 i = 0; fields && i < fields->cnt; i++) {
		const struct btf_field *field = &fields->items[i];

		if (acc->off < (s64)field->off + field->size &&
			field->off < acc->off + (s64)acc->size)
			return vf_complain(env, VF_C_BTF_FIELD, btf_field_name(field->kind));
	}
	return 0;
}

int vf_object_access(struct vf_env *env, const struct vf_access *acc)
{
	const struct vf_reg *reg = &vf_regs(env)[acc->regno];
	struct vf_walk to;
	int err;

	if (!(reg->flags & (VF_NON_OWN | VF_RCU | VF_UNTRUSTED)) && !reg->ref_id)
		return vf_complain(env, VF_C_OBJ_UNOWNED);
	err = check_fields(env, reg, acc);
	if (!err)
		err = vf_btf_walk(env, reg->btf, reg->btf_id, acc->off, acc->size, true, &to);
	if (err || acc->is_write || acc->value < 0)
		return err;
	/* pointers of the program's own are numbers once they have been stored */
	vf_reg_unknown(&vf_regs(env)[acc->value]);
	return 0;
}

int vf_object_arg(struct vf_env *env, struct vf_kcall *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (vf_is_object(reg)) {
		if (call->fn->no != VF_KF_bpf_obj_drop_impl)
			return vf_complain(env, VF_C_OBJ_DROP, regno - 1, "bpf_obj_drop_impl");
	} else if (reg->kind == VF_BTF && reg->flags == (VF_ALLOC | VF_PERCPU) &&
		   !reg->may_be_null) {
		if (call->fn->no != VF_KF_bpf_percpu_obj_drop_impl)
			return vf_complain(
				env, VF_C_OBJ_DROP, regno - 1, "bpf_percpu_obj_drop_impl");
	} else {
		return vf_complain(env, VF_C_OBJ_KIND, regno - 1);
	}
	if (!reg->ref_id)
		return vf_complain(env, VF_C_OBJ_REF);
	call->arg_btf = reg->btf;
	call->arg_btf_id = reg->btf_id;
	return 0;
}

int vf_refcount_arg(struct vf_env *env, struct vf_kcall *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const struct btf_fields *fields = vf_fields_of(reg);

	if (reg->kind != VF_BTF || !(reg->flags & VF_ALLOC))
		return vf_complain(env, VF_C_OBJ_REFCOUNT_KIND, regno - 1);
	if (!fields || !(fields->mask & BTF_FIELD_REFCOUNT))
		return vf_complain(env, VF_C_OBJ_REFCOUNT, regno - 1);
	call->is_owning = !(reg->flags & VF_NON_OWN);
	call->arg_btf = reg->btf;
	call->arg_btf_id = reg->btf_id;
	return 0;
}

static int check_percpu(struct vf_env *env, const struct btf_obj *btf, u32 id)
{
	const struct btf_type *t = btf_type_at(btf, id);

	if (t->size > PERCPU_SIZE_MAX)
		return vf_complain(env, VF_C_OBJ_PERCPU_SIZE, t->size, PERCPU_SIZE_MAX);
	if (!vf_is_scalar_struct(env, btf, id))
		return vf_complain(env, VF_C_OBJ_PERCPU_SCALAR);
	return btf_struct_fields(btf, id) ? vf_complain(env, VF_C_OBJ_PERCPU_FIELDS) : 0;
}

int vf_object_new(struct vf_env *env, struct vf_kcall *call, struct vf_reg *r0)
{
	const struct btf_obj *btf = env->params->btf;
	bool is_percpu = call->fn->no == VF_KF_bpf_percpu_obj_new_impl;
	u32 id = call->constant;
	int err;

	if (call->fn->no == VF_KF_bpf_refcount_acquire_impl) {
		btf = call->arg_btf;
		id = call->arg_btf_id;
	} else {
		if (call->constant > UINT32_MAX)
			return vf_complain(env, VF_C_OBJ_TYPE_RANGE);
		if (!btf)
			return vf_complain(env, VF_C_OBJ_NO_BTF);
		if (!btf_type_at(btf, id) || !btf_type_is(btf_type_at(btf, id), BTF_KIND_STRUCT))
			return vf_complain(env, VF_C_OBJ_TYPE);
		err = is_percpu ? check_percpu(env, btf, id) : 0;
		if (err)
			return err;
	}
	vf_reg_pointer(r0, VF_BTF);
	r0->flags = VF_ALLOC | (is_percpu ? VF_PERCPU : 0);
	r0->btf = btf;
	r0->btf_id = id;
	return 0;
}
