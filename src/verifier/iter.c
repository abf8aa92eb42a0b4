/*
 * Iterators on the stack. The contract of next(): after finitely many elements it gives NULL, and then
 * always. So two paths are followed: one on which it gave NULL, which must come to an end by itself, and one
 * on which it gave an element; that one may end when it comes to a next() in a state that an earlier round
 * allowed (prune.c). The depth counts elements; it only keeps rounds that look alike from being taken
 * for an endless loop.
 *
 * Invariant: all slots of an iterator are VF_BYTE_ITER; only the first one (the lowest address, the
 * highest number) has the reference that stands for it. A slot that is overwritten leaves the reference
 * behind, which then nothing can give back.
 */
#include "verifier/iter.h"

#include <errno.h>
#include <string.h>

#include "verifier/explore.h"
#include "verifier/live_stack.h"
#include "verifier/prune.h"
#include "verifier/references.h"
#include "verifier/section.h"
#include "verifier/slot.h"
#include "verifier/step.h"

#define PREFIX "bpf_iter_"

/* The struct of the iterator, by its name. */
static int find_type(const struct vf_kfunc *fn, u32 arg_no, u32 *ret_id)
{
	const struct btf_type *t;
	u32 id;

	if (arg_no >= fn->proto.arg_cnt)
		return -EINVAL;
	t = btf_type_at(fn->btf, btf_skip_modifiers(fn->btf, fn->proto.args[arg_no].type));
	if (!btf_type_is(t, BTF_KIND_PTR))
		return -EINVAL;
	id = btf_skip_modifiers(fn->btf, t->type);
	if (!btf_type_is_struct(btf_type_at(fn->btf, id)) ||
		strncmp(btf_type_name(fn->btf, id), PREFIX, strlen(PREFIX)) != 0)
		return -EINVAL;
	*ret_id = id;
	return 0;
}

static const char *short_name(const struct btf_obj *btf, u32 id)
{
	return btf_type_name(btf, id) + strlen(PREFIX);
}

static struct vf_frame *frame_of(struct vf_env *env, u32 regno)
{
	return env->cur->frames[vf_regs(env)[regno].frame];
}

static bool may_begin(struct vf_env *env, u32 regno, u32 cnt)
{
	const struct vf_frame *frame = frame_of(env, regno);
	u32 slot = 0;
	int err = vf_slot_find(env, &vf_regs(env)[regno], "iter", cnt, &slot);

	/* beyond the used part of the stack there is nothing yet */
	if (err)
		return err == -ERANGE;
	for (u32 i = 0; i < cnt; i++) {
		if (vf_slot_has_any(&frame->slots[slot - i], VF_BYTE_ITER))
			return false;
	}
	return true;
}

static int begin(struct vf_env *env, struct vf_kcall *call, u32 regno, u32 btf_id, u32 cnt)
{
	struct vf_frame *frame = frame_of(env, regno);
	u32 slot = 0, id = 0;
	int err;

	if (!may_begin(env, regno, cnt))
		return vf_complain(
			env, VF_C_ITER_NEW, short_name(call->fn->btf, btf_id), regno - 1);
	err = vf_slot_store(env, regno, cnt);
	if (!err)
		err = vf_slot_find(env, &vf_regs(env)[regno], "iter", cnt, &slot);
	if (!err)
		err = vf_ref_acquire(env, &id);
	if (err)
		return err;
	for (u32 i = 0; i < cnt; i++) {
		struct vf_slot *at = &frame->slots[slot - i];

		vf_reg_pointer(&at->spill, VF_STACK);
		if (call->fn->flags & KF_RCU_PROTECTED)
			at->spill.flags = vf_in_rcu(env) ? VF_RCU : VF_UNTRUSTED;
		at->spill.ref_id = i ? 0 : id;
		at->spill.btf = call->fn->btf;
		at->spill.btf_id = btf_id;
		at->spill.iter_state = VF_ITER_ACTIVE;
		vf_slot_fill(at, VF_BYTE_ITER);
		vf_live_write(env, frame->no, slot - i);
		vf_log_touch_slot(env, slot - i);
	}
	return 0;
}

static int check_there(
	struct vf_env *env, struct vf_kcall *call, u32 regno, u32 btf_id, u32 cnt, u32 *ret_slot)
{
	const struct vf_frame *frame = frame_of(env, regno);

	if (vf_slot_find(env, &vf_regs(env)[regno], "iter", cnt, ret_slot))
		return -EINVAL;
	for (u32 i = 0; i < cnt; i++) {
		const struct vf_slot *at = &frame->slots[*ret_slot - i];
		const struct vf_reg *is = &at->spill;

		if (vf_slot_is_all(at, VF_BYTE_ITER) && is->flags & VF_UNTRUSTED)
			return -EPROTO;
		if (!vf_slot_is_all(at, VF_BYTE_ITER) || !is->ref_id != (i != 0) ||
			is->btf != call->fn->btf || is->btf_id != btf_id)
			return -EINVAL;
	}
	return 0;
}

static int end(struct vf_env *env, struct vf_frame *frame, u32 slot, u32 cnt)
{
	int err = vf_ref_release(env, frame->slots[slot].spill.ref_id);

	if (err)
		return err;
	for (u32 i = 0; i < cnt; i++) {
		vf_reg_clear(&frame->slots[slot - i].spill);
		vf_slot_fill(&frame->slots[slot - i], VF_BYTE_INVALID);
		vf_live_write(env, frame->no, slot - i);
		vf_log_touch_slot(env, slot - i);
	}
	return 0;
}

static int use(struct vf_env *env, struct vf_kcall *call, u32 regno, u32 btf_id, u32 cnt)
{
	struct vf_frame *frame = frame_of(env, regno);
	u32 slot = 0;
	int err = check_there(env, call, regno, btf_id, cnt, &slot);

	if (err == -EPROTO)
		return vf_complain(env, VF_C_ITER_RCU, call->fn->name);
	if (err)
		return vf_complain(
			env, VF_C_ITER_INIT, short_name(call->fn->btf, btf_id), regno - 1);
	for (u32 i = 0; i < cnt; i++) {
		vf_live_read(env, frame->no, slot - i);
		vf_log_touch_slot(env, slot - i);
	}
	call->iter_frame = frame->no;
	call->iter_slot = slot;
	call->ref_id = frame->slots[slot].spill.ref_id;
	return call->fn->flags & KF_ITER_DESTROY ? end(env, frame, slot, cnt) : 0;
}

int vf_iter_arg(struct vf_env *env, struct vf_kcall *call, u32 regno)
{
	u32 btf_id = 0, cnt;

	if (vf_regs(env)[regno].kind != VF_STACK)
		return vf_complain(env, VF_C_ITER_STACK, regno - 1);
	if (find_type(call->fn, regno - 1, &btf_id))
		return vf_complain(env, VF_C_ITER_TYPE, regno - 1);
	cnt = btf_type_at(call->fn->btf, btf_id)->size / VF_SLOT_LEN;
	if (call->fn->flags & KF_ITER_NEW)
		return begin(env, call, regno, btf_id, cnt);
	return use(env, call, regno, btf_id, cnt);
}

static struct vf_reg *iter_at(const struct vf_state *st, const struct vf_kcall *call)
{
	return &st->frames[call->iter_frame]->slots[call->iter_slot].spill;
}

const struct vf_reg *vf_iter_of(const struct vf_state *st, const struct vf_kcall *call)
{
	return iter_at(st, call);
}

int vf_iter_next(struct vf_env *env, const struct vf_kcall *call)
{
	const struct vf_state *last;
	struct vf_state *inside = NULL;
	int err;

	if (iter_at(env->cur, call)->iter_state == VF_ITER_ACTIVE) {
		last = vf_prune_last_round(env, env->cur->parent);
		err = vf_explore_push(env, env->insn_idx + 1, env->insn_idx, &inside);
		if (err)
			return err;
		iter_at(inside, call)->off++;
		if (last)
			vf_widen(last, inside);
		vf_reg_not_null(&vf_top(inside)->regs[BPF_REG_0]);
	}
	iter_at(env->cur, call)->iter_state = VF_ITER_DRAINED;
	vf_reg_known(&vf_regs(env)[BPF_REG_0], 0);
	return 0;
}

bool vf_iter_is_active(const struct vf_state *st)
{
	const struct vf_reg *r1 = &vf_top(st)->regs[BPF_REG_1];
	const struct vf_frame *frame;
	s64 off = (s64)r1->off + (s64)r1->num.var_off.value;

	if (r1->kind != VF_STACK || off >= 0)
		return false;
	frame = st->frames[r1->frame];
	if (vf_slot_of(off) >= frame->slot_cnt)
		return false;
	return vf_slot_is_all(&frame->slots[vf_slot_of(off)], VF_BYTE_ITER) &&
	       frame->slots[vf_slot_of(off)].spill.iter_state == VF_ITER_ACTIVE;
}

bool vf_iter_depths_differ(const struct vf_state *old, const struct vf_state *cur)
{
	for (u32 f = 0; f <= old->top; f++) {
		const struct vf_frame *was = old->frames[f], *is = cur->frames[f];

		for (u32 s = 0; s < MIN(was->slot_cnt, is->slot_cnt); s++) {
			if (was->slots[s].byte[0] == VF_BYTE_ITER &&
				was->slots[s].spill.iter_state == VF_ITER_ACTIVE &&
				was->slots[s].spill.off != is->slots[s].spill.off)
				return true;
		}
	}
	return false;
}

const char *vf_iter_state_str(u8 state)
{
	return state == VF_ITER_ACTIVE	  ? "active"
	       : state == VF_ITER_DRAINED ? "drained"
					  : "<invalid>";
}
