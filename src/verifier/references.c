/*
 * References: whoever acquires an object gets an id that stands in the state until it is released. All
 * registers with the id die with it. A path may not end while one is left; a state with one is covered
 * only by a state with one acquired in the same order (equal.c).
 *
 * Invariant: refs are in the order in which they were taken; lock_cnt, lock_id, lock_ptr and irq_id of a
 * state describe the entries of these kinds, the id and ptr being those of the last one.
 */
#include "verifier/references.h"

#include <errno.h>
#include <string.h>

void vf_reg_invalidate(struct vf_reg *reg)
{
	vf_reg_unknown(reg);
}

static int resize(struct vf_env *env, struct vf_state *st, u32 cnt)
{
	size_t old_len = st->ref_cnt * sizeof(*st->refs), len = cnt * sizeof(*st->refs);
	struct vf_ref *refs = cnt ? vf_alloc(env, len) : NULL;

	if (cnt && !refs)
		return -ENOMEM;
	if (refs && old_len)
		memcpy(refs, st->refs, MIN(len, old_len));
	vf_free(env, st->refs, old_len);
	st->refs = refs;
	st->ref_cnt = cnt;
	return 0;
}

int vf_ref_push(struct vf_env *env, enum vf_ref_kind kind, u32 id, const void *ptr)
{
	struct vf_state *st = env->cur;

	if (resize(env, st, st->ref_cnt + 1))
		return -ENOMEM;
	st->refs[st->ref_cnt - 1] = (struct vf_ref){
		.kind = kind, .id = id, .insn_idx = env->insn_idx, .ptr = ptr};
	return 0;
}

int vf_ref_acquire(struct vf_env *env, u32 *ret_id)
{
	u32 id = env->id_gen + 1;
	int err = vf_ref_push(env, VF_REF_PTR, id, NULL);

	if (err)
		return err;
	env->id_gen = id;
	*ret_id = id;
	return 0;
}

int vf_ref_remove(struct vf_env *env, struct vf_state *st, u32 at)
{
	memmove(&st->refs[at], &st->refs[at + 1], (st->ref_cnt - at - 1) * sizeof(*st->refs));
	return resize(env, st, st->ref_cnt - 1);
}

static int find(const struct vf_state *st, u32 id)
{
	for (u32 i = 0; i < st->ref_cnt; i++) {
		if (st->refs[i].kind == VF_REF_PTR && st->refs[i].id == id)
			return i;
	}
	return -1;
}

bool vf_ref_holds(const struct vf_state *st, u32 id)
{
	return find(st, id) >= 0;
}

int vf_ref_forget(struct vf_env *env, struct vf_state *st, u32 id)
{
	int at = find(st, id);

	return at < 0 ? -EINVAL : vf_ref_remove(env, st, at);
}

static void kill_one(struct vf_reg *reg, void *arg)
{
	if (reg->ref_id == *(const u32 *)arg)
		vf_reg_invalidate(reg);
}

int vf_ref_release(struct vf_env *env, u32 id)
{
	int err = vf_ref_forget(env, env->cur, id);

	if (!err)
		vf_each_reg(env->cur, kill_one, &id);
	return err;
}

static int check_pointers(struct vf_env *env, bool is_throw, const char *what)
{
	const struct vf_state *st = env->cur;
	const struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];
	/* a struct_ops program may give the kernel what it returns; what that must be is checked later */
	bool may_return = env->type->type == BPF_PROG_TYPE_STRUCT_OPS && !is_throw;
	bool is_leak = false;

	if (st->top && !is_throw)
		return 0;
	for (u32 i = 0; i < st->ref_cnt; i++) {
		const struct vf_ref *ref = &st->refs[i];

		if (ref->kind != VF_REF_PTR || (may_return && r0->ref_id == ref->id))
			continue;
		vf_note(env, "Unreleased reference id=%u alloc_insn=%u\n", ref->id, ref->insn_idx);
		is_leak = true;
	}
	return is_leak ? vf_complain(env, VF_C_REF_LEAK, what) : 0;
}

int vf_ref_check_leaks(struct vf_env *env, bool is_throw, bool check_sections, const char *what)
{
	const struct vf_state *st = env->cur;
	int err;

	if (check_sections && st->lock_cnt)
		return vf_complain(env, VF_C_IN_SECTION, what, "bpf_spin_lock");
	err = check_pointers(env, is_throw, what);
	if (err || !check_sections)
		return err;
	if (st->irq_id)
		return vf_complain(env, VF_C_IN_SECTION, what, "bpf_local_irq_save");
	if (st->rcu_cnt)
		return vf_complain(env, VF_C_IN_SECTION, what, "bpf_rcu_read_lock");
	if (st->preempt_cnt)
		return vf_complain(env, VF_C_IN_SECTION, what, "bpf_preempt_disable");
	return 0;
}

bool vf_in_atomic(const struct vf_state *st)
{
	return st->lock_cnt || st->irq_id || st->rcu_cnt || st->preempt_cnt || !st->may_sleep;
}
