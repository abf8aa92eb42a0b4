/*
 * Objects of the kernel, known by their BTF: what a load of a member yields, and how far a pointer found
 * there may be trusted. Rules of check_ptr_to_btf_access() of Linux 6.18.
 *
 *   trusted	lives as long as the program runs (arguments of tracepoints, acquired objects)
 *   rcu	lives as long as the program does not leave its read-side section
 *   untrusted	may be anything: it can be read through, with loads that survive a bad address, no more
 *   (none)	as untrusted, but helpers take it, for old programs
 *
 * A member is as trusted as its struct only if the kernel says so: in structs named TYPE__safe_trusted and
 * the like, whose members repeat those of TYPE.
 *
 * Loads are rewritten so that a bad address reads as 0 (BPF_PROBE_MEM).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "btf/btf.h"
#include "verifier/access.h"
#include "verifier/btf_walk.h"
#include "verifier/object.h"
#include "verifier/step.h"
#include "verifier/target.h"

enum { SAFE_NAME_MAX = 64 };

static const char *struct_name(const struct vf_reg *reg)
{
	return btf_type_name(reg->btf, reg->btf_id);
}

/* Whether struct TYPE<suffix> repeats that member: same name, pointer to the same struct. */
static bool is_listed(const struct vf_reg *reg, const struct vf_walk *to, const char *suffix)
{
	const struct btf_obj *btf = reg->btf;
	const struct btf_type *t = btf_type_at(btf, reg->btf_id);
	char name[SAFE_NAME_MAX];
	u32 id;

	if (snprintf(name, sizeof(name), "%s%s", struct_name(reg), suffix) >= (int)sizeof(name) ||
		btf_find(btf, name, btf_type_kind(t), &id))
		return false;
	t = btf_type_at(btf, id);
	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		struct btf_field_ref member = btf_member_at(btf, t, i);
		const struct btf_type *type = btf_type_at(btf, member.type_id);

		if (btf_type_is(type, BTF_KIND_PTR) && !strcmp(member.name, to->field) &&
			btf_skip_modifiers(btf, type->type) == to->id)
			return true;
	}
	return false;
}

bool vf_btf_is_trusted(const struct vf_reg *reg)
{
	const u16 trusted = VF_TRUSTED | VF_ALLOC;

	return reg->ref_id || (reg->flags & trusted && !(reg->flags & ~trusted));
}

/* Linux: is_rcu_reg */
static bool is_rcu(const struct vf_reg *reg)
{
	return reg->flags & VF_RCU;
}

static bool in_rcu(const struct vf_state *st)
{
	return st->rcu_cnt || st->lock_cnt || !st->may_sleep;
}

/* What is known of the pointer at a member of a trusted struct. */
static void inherit(struct vf_env *env, const struct vf_reg *reg, const struct vf_walk *to,
	u16 *flags, bool *may_be_null)
{
	/* that a union gave it away stays */
	const u16 trust = VF_TRUSTED | VF_RCU | VF_ALLOC;
	bool is_listed_null;

	if (is_listed(reg, to, "__safe_trusted")) {
		*flags |= VF_TRUSTED;
		return;
	}
	if (is_listed(reg, to, "__safe_trusted_or_null")) {
		*flags |= VF_TRUSTED;
		*may_be_null = true;
		return;
	}
	if (!in_rcu(env->cur) || reg->may_be_null) {
		*flags = VF_UNTRUSTED;
		return;
	}
	is_listed_null = is_listed(reg, to, "__safe_rcu_or_null");
	if (is_listed(reg, to, "__safe_rcu")) {
		*flags |= VF_RCU;
	} else if (*flags & VF_RCU || is_listed_null) {
		*flags |= VF_RCU;
		*may_be_null = true;
		if (is_listed_null)
			*flags &= ~VF_UNTRUSTED;
	} else if (!(*flags & (VF_PERCPU | VF_USER))) {
		*flags &= ~trust;
	}
}

static void load_pointer(struct vf_env *env, const struct vf_reg *reg, const struct vf_walk *to,
	struct vf_reg *ret_value)
{
	u16 flags = to->flags;
	bool may_be_null = false;

	if (reg->flags & VF_UNTRUSTED)
		flags = VF_UNTRUSTED;
	else if (vf_btf_is_trusted(reg) || is_rcu(reg))
		inherit(env, reg, to, &flags, &may_be_null);
	else
		flags &= ~(VF_TRUSTED | VF_RCU | VF_ALLOC);
	vf_reg_pointer(ret_value, VF_BTF);
	ret_value->btf = reg->btf;
	ret_value->btf_id = to->id;
	ret_value->flags = flags;
	ret_value->may_be_null = may_be_null;
	if (may_be_null)
		ret_value->id = ++env->id_gen;
}

/* What a load of that member leaves in the register. */
void vf_btf_load(struct vf_env *env, const struct vf_reg *reg, const struct vf_walk *to,
	struct vf_reg *ret_value)
{
	struct vf_reg value;

	switch (to->kind) {
	case VF_WALK_STRUCT_PTR: load_pointer(env, reg, to, &value); break;
	case VF_WALK_OTHER_PTR:
		vf_reg_pointer(&value, VF_MEM);
		value.is_rdonly = true;
		value.flags = VF_UNTRUSTED;
		break;
	default: vf_reg_unknown(&value); break;
	}
	*ret_value = value;
}

static int check_place(struct vf_env *env, const struct vf_access *acc, const struct vf_reg *reg)
{
	const char *name = struct_name(reg);

	if (!env->params->is_gpl && !(reg->flags & VF_ALLOC))
		return vf_complain(env, VF_C_BTF_GPL, name);
	if (acc->off < 0)
		return vf_complain(env, VF_C_BTF_NEGATIVE, acc->regno, name, acc->off);
	if (!tnum_equals_const(reg->num.var_off, 0))
		return vf_complain(
			env, VF_C_BTF_VARIABLE, acc->regno, name, acc->off, vf_tnum_str(reg));
	if (reg->flags & VF_USER)
		return vf_complain(env, VF_C_BTF_USER, acc->regno, name, acc->off);
	if (reg->flags & VF_PERCPU)
		return vf_complain(env, VF_C_BTF_PERCPU, acc->regno, name, acc->off);
	return 0;
}

/* Connections that are being set up, in programs that see packets first: their mark may be set. */
static bool may_write_conn(const struct vf_env *env, const struct vf_reg *reg)
{
	const char *name = struct_name(reg);

	if (env->type->type != BPF_PROG_TYPE_XDP && env->type->type != BPF_PROG_TYPE_SCHED_CLS)
		return false;
	return !strcmp(name, "nf_conn") || !strcmp(name, "nf_conn___init");
}

static int write_conn(struct vf_env *env, const struct vf_access *acc, const struct vf_reg *reg)
{
	const struct btf_type *t;
	u32 id, off, size;

	if (btf_find(reg->btf, "nf_conn", BTF_KIND_STRUCT, &id))
		return vf_complain(env, VF_C_BTF_READ_ONLY);
	t = btf_type_at(reg->btf, id);
	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		struct btf_field_ref member = btf_member_at(reg->btf, t, i);

		off = member.bit_off / 8;
		if (strcmp(member.name, "mark") != 0 || off != (u32)acc->off ||
			btf_size(reg->btf, member.type_id, NULL, &size))
			continue;
		if (acc->size > size)
			return vf_complain(env, VF_C_CONN_BEYOND, acc->off, acc->size, off + size);
		return 0;
	}
	return vf_complain(env, VF_C_CONN_OFF, acc->off);
}

static int check_write(struct vf_env *env, const struct vf_access *acc, const struct vf_reg *reg)
{
	if (!(reg->flags & VF_UNTRUSTED) && env->target.ops)
		return vf_struct_ops_write(env, reg->btf_id, acc->off, acc->size);
	if (!(reg->flags & VF_UNTRUSTED) && may_write_conn(env, reg))
		return write_conn(env, acc, reg);
	return vf_complain(env, VF_C_BTF_READ_ONLY);
}

int vf_btf_access(struct vf_env *env, const struct vf_access *acc)
{
	const struct vf_reg reg = vf_regs(env)[acc->regno];
	struct vf_walk to;
	int err = check_place(env, acc, &reg);

	if (err)
		return err;
	if (reg.flags & VF_ALLOC && !(acc->is_write && reg.flags & VF_UNTRUSTED))
		return vf_object_access(env, acc);
	if (acc->is_write)
		return check_write(env, acc, &reg);
	err = vf_btf_walk(env, reg.btf, reg.btf_id, acc->off, acc->size, true, &to);
	if (!err && acc->value >= 0)
		vf_btf_load(env, &reg, &to, &vf_regs(env)[acc->value]);
	return err;
}
