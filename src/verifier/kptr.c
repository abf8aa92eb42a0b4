/*
 * Kptrs in maps. One that owns its object is only exchanged as a whole; what a load finds there may be gone the
 * next moment, unless the object outlives read-side sections and the program is in one. One that does not
 * own is a number with a type.
 */
#include "verifier/kptr.h"

#include <errno.h>
#include <string.h>

#include "core/btf.h"
#include "core/kbtf.h"
#include "verifier/btf_walk.h"
#include "verifier/object.h"
#include "verifier/references.h"
#include "verifier/section.h"
#include "verifier/step.h"

/* Structs of the kernel that are freed after a grace period. */
static const char *const rcu_types[] = {
	"prog_test_ref_kfunc", "cgroup", "bpf_cpumask", "task_struct", "bpf_crypto_ctx"};

static const struct btf_obj *owner_btf(const struct vf_reg *reg)
{
	if (reg->kind == VF_BTF)
		return reg->btf;
	return reg->map->btf ? container_of(reg->map->btf, struct core_btf, obj)->btf : NULL;
}

/* The kernel's type of the same name and kind, where there is one; user pointers are the program's. */
static void find_target(struct vf_env *env, const struct vf_reg *reg, const struct btf_field *field,
	struct vf_kptr *ret_kptr)
{
	const struct btf_obj *btf = owner_btf(reg), *kernel = NULL;
	const char *name = btf_type_name(btf, field->type_id);
	u32 kind = btf_type_kind(btf_type_at(btf, field->type_id)), id = 0;

	*ret_kptr = (struct vf_kptr){.field = field, .btf = btf, .btf_id = field->type_id};
	if (field->kind == BTF_FIELD_UPTR || core_kbtf_get(env->params->inst, &kernel) ||
		btf_find(kernel, name, kind, &id))
		return;
	ret_kptr->btf = kernel;
	ret_kptr->btf_id = id;
	ret_kptr->of_kernel = true;
}

static bool outlives_sections(const struct vf_kptr *kptr)
{
	const char *name = btf_type_name(kptr->btf, kptr->btf_id);

	if (kptr->field->kind == BTF_FIELD_KPTR_PERCPU)
		return true;
	if (kptr->field->kind != BTF_FIELD_KPTR_REF)
		return false;
	if (!kptr->of_kernel)
		return true;
	for (u32 i = 0; i < ARRAY_SIZE(rcu_types); i++) {
		if (!strcmp(name, rcu_types[i]))
			return true;
	}
	return false;
}

/* ---- loads and stores ----------------------------------------------------------------------------- */

static int load_user(struct vf_env *env, const struct vf_kptr *kptr, struct vf_reg *value)
{
	u32 size = 0;

	if (btf_size(kptr->btf, kptr->btf_id, NULL, &size))
		return vf_complain(env, VF_C_KPTR_NONE, kptr->field->off);
	vf_reg_pointer(value, VF_MEM);
	value->mem_size = size;
	value->may_be_null = true;
	value->id = ++env->id_gen;
	return 0;
}

static void load(struct vf_env *env, const struct vf_kptr *kptr, struct vf_reg *value)
{
	const struct btf_fields *fields;

	vf_reg_pointer(value, VF_BTF);
	value->btf = kptr->btf;
	value->btf_id = kptr->btf_id;
	value->may_be_null = true;
	value->id = ++env->id_gen;
	value->flags = VF_UNTRUSTED;
	if (!outlives_sections(kptr) || !vf_in_rcu(env))
		return;
	value->flags = VF_RCU;
	if (kptr->field->kind == BTF_FIELD_KPTR_PERCPU)
		value->flags |= VF_PERCPU;
	else if (!kptr->of_kernel)
		value->flags |= VF_ALLOC;
	fields = kptr->of_kernel ? NULL : btf_struct_fields(kptr->btf, kptr->btf_id);
	if (fields && fields->mask & BTF_FIELD_GRAPH_NODE)
		value->flags |= VF_NON_OWN;
}

static int complain_type(struct vf_env *env, const struct vf_kptr *kptr, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const char *want = btf_type_name(kptr->btf, kptr->btf_id);
	bool is_weak = kptr->field->kind == BTF_FIELD_KPTR_UNREF;

	return vf_complain(env, VF_C_KPTR_TYPE, regno, vf_kind_str(reg),
		reg->kind == VF_BTF ? btf_type_name(reg->btf, reg->btf_id) : "", want,
		is_weak ? " or untrusted_ptr_" : "", is_weak ? want : "");
}

/* The register may be put into the kptr. */
static int check_type(struct vf_env *env, const struct vf_kptr *kptr, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	bool is_weak = kptr->field->kind == BTF_FIELD_KPTR_UNREF;
	u16 fine = VF_ALLOC;

	if (reg->kind == VF_BTF && reg->btf != env->params->btf) {
		fine = VF_TRUSTED | VF_RCU | (is_weak ? VF_UNTRUSTED : 0);
	} else if (kptr->field->kind == BTF_FIELD_KPTR_PERCPU) {
		fine |= VF_PERCPU;
	}
	if (reg->kind != VF_BTF || reg->flags & ~fine)
		return complain_type(env, kptr, regno);
	if (vf_reg_fixed(env, regno))
		return -EACCES;
	if (!vf_btf_is_within(reg->btf, reg->btf_id, reg->off, kptr->btf, kptr->btf_id, !is_weak))
		return complain_type(env, kptr, regno);
	return 0;
}

static int check_place(
	struct vf_env *env, const struct vf_access *acc, const struct btf_field *field)
{
	const struct vf_reg *reg = &vf_regs(env)[acc->regno];
	const char *name = btf_field_name(field->kind);
	u64 off = acc->off + reg->num.var_off.value;

	if (!tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_KPTR_VARIABLE, name);
	if (field->off != off)
		return vf_complain(env, VF_C_KPTR_ALIGN, name, field->off, (unsigned long long)off);
	if (acc->size != sizeof(u64))
		return vf_complain(env, VF_C_KPTR_SIZE, name);
	if (BPF_MODE(vf_insn(env)->code) != BPF_MEM)
		return vf_complain(env, VF_C_KPTR_MODE);
	return 0;
}

static int store(struct vf_env *env, const struct vf_access *acc, const struct vf_kptr *kptr)
{
	int err;

	if (kptr->field->kind == BTF_FIELD_UPTR)
		return vf_complain(env, VF_C_KPTR_STORE_USER);
	if (kptr->field->kind != BTF_FIELD_KPTR_UNREF)
		return vf_complain(env, VF_C_KPTR_STORE);
	if (acc->value < 0)
		return vf_insn(env)->imm ? vf_complain(env, VF_C_KPTR_IMM, kptr->field->off) : 0;
	if (vf_is_null(&vf_regs(env)[acc->value]))
		return 0;
	err = check_type(env, kptr, acc->value);
	return err == -EINVAL ? -EACCES : err;
}

int vf_kptr_access(struct vf_env *env, const struct vf_access *acc, const struct btf_field *field)
{
	const struct vf_reg *reg = &vf_regs(env)[acc->regno];
	struct vf_kptr kptr;
	int err = check_place(env, acc, field);

	if (err)
		return err;
	find_target(env, reg, field, &kptr);
	if (acc->is_write)
		return store(env, acc, &kptr);
	if (acc->value < 0)
		return 0;
	if (field->kind == BTF_FIELD_UPTR)
		return load_user(env, &kptr, &vf_regs(env)[acc->value]);
	load(env, &kptr, &vf_regs(env)[acc->value]);
	return 0;
}

/* ---- bpf_kptr_xchg -------------------------------------------------------------------------------- */

int vf_kptr_dest(struct vf_env *env, struct vf_call *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const struct btf_fields *fields = vf_fields_of(reg);
	const struct btf_field *field = NULL;
	struct vf_kptr kptr;
	u32 off = reg->off + reg->num.var_off.value;

	if (reg->kind == VF_MAP_VALUE && !reg->map->btf)
		return vf_complain(env, VF_C_KPTR_BTF, reg->map->name);
	if (!tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_FIELD_CONST, regno, "kptr");
	if (!fields || !(fields->mask & BTF_FIELD_KPTR))
		return vf_complain(env, VF_C_KPTR_LACKS, regno);
	for (u32 i = 0; i < fields->cnt; i++) {
		if (fields->items[i].kind & BTF_FIELD_KPTR && fields->items[i].off == off)
			field = &fields->items[i];
	}
	if (!field)
		return vf_complain(env, VF_C_KPTR_NONE, off);
	if (field->kind == BTF_FIELD_KPTR_UNREF)
		return vf_complain(env, VF_C_KPTR_WEAK, off);
	if (reg->kind == VF_MAP_VALUE)
		call->map = reg->map;
	find_target(env, reg, field, &kptr);
	call->kptr = field;
	call->kptr_btf = kptr.btf;
	call->kptr_id = kptr.btf_id;
	return 0;
}

static struct vf_kptr kptr_of(const struct vf_env *env, const struct vf_call *call)
{
	return (struct vf_kptr){.field = call->kptr,
		.btf = call->kptr_btf,
		.btf_id = call->kptr_id,
		.of_kernel = call->kptr_btf != env->params->btf};
}

int vf_kptr_source(struct vf_env *env, const struct vf_call *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const struct vf_kptr kptr = kptr_of(env, call);
	int err;

	if (vf_is_null(reg))
		return 0;
	if (reg->may_be_null)
		return vf_complain(env, VF_C_BTF_NULL, regno);
	err = check_type(env, &kptr, regno);
	return err == -EINVAL ? -EACCES : err;
}

int vf_kptr_result(struct vf_env *env, const struct vf_call *call)
{
	const struct vf_kptr kptr = kptr_of(env, call);
	struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];

	vf_reg_pointer(r0, VF_BTF);
	r0->btf = kptr.btf;
	r0->btf_id = kptr.btf_id;
	r0->may_be_null = true;
	if (!kptr.of_kernel)
		r0->flags = VF_ALLOC | (kptr.field->kind == BTF_FIELD_KPTR_PERCPU ? VF_PERCPU : 0);
	return 0;
}

struct give {
	u32 ref_id;
	bool in_rcu;
};

static void give_one(struct vf_reg *reg, void *arg)
{
	const struct give *give = arg;

	if (reg->ref_id != give->ref_id)
		return;
	if (give->in_rcu && reg->flags & VF_ALLOC && reg->flags & VF_PERCPU) {
		reg->ref_id = 0;
		reg->flags &= ~VF_ALLOC;
		reg->flags |= VF_RCU;
		return;
	}
	vf_reg_invalidate(reg);
}

int vf_kptr_give(struct vf_env *env, u32 ref_id)
{
	struct give give = {.ref_id = ref_id, .in_rcu = vf_in_rcu(env)};
	int err = vf_ref_forget(env, env->cur, ref_id);

	if (!err)
		vf_each_reg(env->cur, give_one, &give);
	return err;
}
