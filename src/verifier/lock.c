/*
 * Locks: which one is meant is told by the map or type that it lies in and by the id of the pointer, which
 * every look-up makes anew; so pointers to what may be locked keep their id after the null check. Locks are
 * given back in the reverse order. What a list or tree lent goes with its lock.
 */
#include "verifier/lock.h"

#include <errno.h>

#include "btf/btf.h"
#include "btf/fields.h"
#include "core/map.h"
#include "verifier/object.h"
#include "verifier/references.h"
#include "verifier/step.h"

static const struct btf_fields *fields_of(const struct vf_reg *reg)
{
	if (reg->kind == VF_MAP_VALUE)
		return reg->map->fields;
	if (reg->kind == VF_BTF && reg->flags & VF_ALLOC)
		return btf_struct_fields(reg->btf, reg->btf_id);
	return NULL;
}

bool vf_reg_has_lock(const struct vf_reg *reg)
{
	const struct btf_fields *fields = fields_of(reg);

	return fields && fields->mask & (BTF_FIELD_SPIN_LOCK | BTF_FIELD_RES_SPIN_LOCK);
}

int vf_map_field(struct vf_env *env, u32 regno, u32 kind, const char *name)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const struct map *map = reg->kind == VF_MAP_VALUE ? reg->map : NULL;
	const struct btf_field *field;
	s64 off = reg->off + (s64)reg->num.var_off.value;

	if (!tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_FIELD_VARIABLE, regno, name);
	if (map && !map->btf)
		return vf_complain(env, VF_C_FIELD_BTF, map->name, name);
	field = btf_fields_at(fields_of(reg), kind);
	if (!field)
		return vf_complain(env, VF_C_FIELD_LACKS, map ? "map" : "local",
			map ? map->name : "kptr", name);
	if (field->off != off)
		return vf_complain(env, VF_C_FIELD_OFF, (long long)off, name, (int)field->off);
	return 0;
}

static int find(const struct vf_state *st, u32 kinds, u32 id, const void *ptr)
{
	for (u32 i = 0; i < st->ref_cnt; i++) {
		const struct vf_ref *ref = &st->refs[i];

		if (ref->kind & kinds && ref->id == id && ref->ptr == ptr)
			return i;
	}
	return -1;
}

static int take(struct vf_env *env, u32 kind, u32 id, const void *ptr)
{
	struct vf_state *st = env->cur;
	int err;

	if (kind == VF_REF_LOCK && find(st, VF_REF_LOCK, id, ptr) >= 0)
		return vf_complain(env, VF_C_LOCK_TWICE);
	if (kind != VF_REF_LOCK && find(st, VF_REF_RES_LOCK | VF_REF_RES_LOCK_IRQ, id, ptr) >= 0)
		return vf_complain(env, VF_C_LOCK_DEADLOCK);
	err = vf_ref_push(env, kind, id, ptr);
	if (err)
		return err;
	st->lock_cnt++;
	st->lock_id = id;
	st->lock_ptr = ptr;
	return 0;
}

static void forget_lent(struct vf_reg *reg, void *arg)
{
	if (reg->flags & VF_NON_OWN)
		vf_reg_invalidate(reg);
}

/* The lock taken last before entry `at`. */
static void note_last(struct vf_state *st, u32 at)
{
	st->lock_id = 0;
	st->lock_ptr = NULL;
	for (u32 i = 0; i < at; i++) {
		if (st->refs[i].kind & (VF_REF_LOCK | VF_REF_RES_LOCK | VF_REF_RES_LOCK_IRQ)) {
			st->lock_id = st->refs[i].id;
			st->lock_ptr = st->refs[i].ptr;
		}
	}
}

static int give_back(struct vf_env *env, u32 kind, u32 id, const void *ptr, const char *name)
{
	struct vf_state *st = env->cur;
	int at, err;

	if (!st->lock_cnt)
		return vf_complain(env, VF_C_UNLOCK_NONE, name);
	at = find(st, kind, id, ptr);
	if (at < 0)
		return vf_complain(env, VF_C_UNLOCK_OTHER, name);
	if (st->lock_id != id || st->lock_ptr != ptr)
		return vf_complain(env, VF_C_UNLOCK_ORDER, name);
	note_last(st, at);
	err = vf_ref_remove(env, st, at);
	if (err)
		return err;
	st->lock_cnt--;
	vf_each_reg(st, forget_lent, NULL);
	return 0;
}

int vf_lock(struct vf_env *env, u32 regno, u32 flags)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	bool is_res = flags & VF_LOCK_RES;
	const char *name = is_res ? "bpf_res_spin" : "bpf_spin";
	const void *ptr = reg->kind == VF_MAP_VALUE ? (const void *)reg->map : reg->btf;
	u32 kind = !is_res		 ? VF_REF_LOCK
		   : flags & VF_LOCK_IRQ ? VF_REF_RES_LOCK_IRQ
					 : VF_REF_RES_LOCK;
	int err = vf_map_field(env, regno, is_res ? BTF_FIELD_RES_SPIN_LOCK : BTF_FIELD_SPIN_LOCK,
		is_res ? "bpf_res_spin_lock" : "bpf_spin_lock");

	if (err)
		return err;
	if (flags & VF_LOCK_TAKE)
		return take(env, kind, reg->id, ptr);
	return give_back(env, kind, reg->id, ptr, name);
}

int vf_lock_check_call(struct vf_env *env, const struct bpf_insn *insn)
{
	const struct vf_kfunc *fn = vf_kfunc_of(env, insn);
	bool is_helper = !insn->src_reg;

	if (!env->cur->lock_cnt || (fn && vf_graph_may_lock(fn)))
		return 0;
	if (is_helper && (insn->imm == BPF_FUNC_spin_unlock || insn->imm == BPF_FUNC_kptr_xchg))
		return 0;
	return vf_complain(env, VF_C_LOCKED_CALL);
}
