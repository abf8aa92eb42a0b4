/*
 * RCU, preemption and interrupts. A pointer that RCU protects is worth nothing after the section: it may be
 * looked through, but nobody takes it. Interrupt flags live in one slot of the stack; they must be restored in
 * the reverse order of saving.
 */
#include "verifier/section.h"

#include <errno.h>

#include "verifier/live_stack.h"
#include "verifier/object.h"
#include "verifier/references.h"
#include "verifier/slot.h"
#include "verifier/step.h"

bool vf_in_rcu(const struct vf_env *env)
{
	const struct vf_state *st = env->cur;

	return st->rcu_cnt || st->lock_cnt || !st->may_sleep;
}

static void distrust(struct vf_reg *reg)
{
	if (!(reg->flags & VF_RCU))
		return;
	reg->flags &= ~VF_RCU;
	reg->flags |= VF_UNTRUSTED;
	reg->may_be_null = false;
}

/* Registers, spills and iterators: those over RCU-protected lists end with the section too. */
static void leave_rcu(struct vf_state *st)
{
	for (u32 f = 0; f <= st->top; f++) {
		struct vf_frame *frame = st->frames[f];

		for (u32 r = 0; r < VF_REG_CNT; r++)
			distrust(&frame->regs[r]);
		for (u32 s = 0; s < frame->slot_cnt; s++) {
			u8 byte = frame->slots[s].byte[VF_SLOT_LEN - 1];

			if (byte == VF_BYTE_SPILL || byte == VF_BYTE_ITER)
				distrust(&frame->slots[s].spill);
		}
	}
}

static int call_rcu(struct vf_env *env, const struct vf_kfunc *fn)
{
	struct vf_state *st = env->cur;
	bool locks = fn->no == VF_KF_bpf_rcu_read_lock,
	     unlocks = fn->no == VF_KF_bpf_rcu_read_unlock;

	if (st->rcu_cnt && (locks || unlocks) && vf_graph_in_less(env))
		return vf_complain(env, VF_C_RCU_IN_LESS);
	if (!st->rcu_cnt) {
		if (unlocks)
			return vf_complain(env, VF_C_RCU_UNMATCHED, fn->name);
		st->rcu_cnt = locks;
		return 0;
	}
	if (locks)
		return vf_complain(env, VF_C_RCU_NESTED, fn->name);
	if (unlocks) {
		leave_rcu(st);
		st->rcu_cnt = 0;
		return 0;
	}
	if (fn->flags & KF_SLEEPABLE)
		return vf_complain(env, VF_C_KFUNC_SLEEPS_IN, fn->name, "rcu_read_lock");
	return 0;
}

static int call_preempt(struct vf_env *env, const struct vf_kfunc *fn)
{
	struct vf_state *st = env->cur;

	if (fn->no == VF_KF_bpf_preempt_disable) {
		st->preempt_cnt++;
		return 0;
	}
	if (fn->no == VF_KF_bpf_preempt_enable) {
		if (!st->preempt_cnt)
			return vf_complain(env, VF_C_PREEMPT_UNMATCHED, fn->name);
		st->preempt_cnt--;
		return 0;
	}
	if (st->preempt_cnt && fn->flags & KF_SLEEPABLE)
		return vf_complain(env, VF_C_KFUNC_SLEEPS_IN, fn->name, "non-preemptible");
	return 0;
}

int vf_section_call(struct vf_env *env, const struct vf_kfunc *fn)
{
	int err = call_rcu(env, fn);

	if (!err)
		err = call_preempt(env, fn);
	if (err)
		return err;
	if (env->cur->irq_id && fn->flags & KF_SLEEPABLE)
		return vf_complain(env, VF_C_KFUNC_SLEEPS_IN, fn->name, "IRQ-disabled");
	return 0;
}

/* ---- interrupt flags ------------------------------------------------------------------------------ */

static int save_flags(struct vf_env *env, u32 regno, enum vf_irq_class class)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	struct vf_frame *frame = env->cur->frames[reg->frame];
	struct vf_slot *at;
	u32 slot = 0, id;
	int err = vf_slot_find(env, reg, "irq flag", 1, &slot);

	if ((err && err != -ERANGE) || (!err && vf_slot_has_any(&frame->slots[slot], VF_BYTE_IRQ)))
		return vf_complain(env, VF_C_IRQ_UNINIT, regno - 1);
	err = vf_slot_store(env, regno, 1);
	if (!err)
		err = vf_slot_find(env, reg, "irq flag", 1, &slot);
	id = ++env->id_gen;
	if (!err)
		err = vf_ref_push(env, VF_REF_IRQ, id, NULL);
	if (err)
		return err;
	env->cur->irq_id = id;
	at = &frame->slots[slot];
	vf_reg_pointer(&at->spill, VF_STACK);
	at->spill.ref_id = id;
	at->spill.irq_class = class;
	vf_slot_fill(at, VF_BYTE_IRQ);
	vf_live_write(env, frame->no, slot);
	return 0;
}

/* The entry of the flags saved last, and the id of those saved before them. */
static int find_last(const struct vf_state *st, u32 *ret_before)
{
	int at = -1;

	*ret_before = 0;
	for (u32 i = 0; i < st->ref_cnt; i++) {
		if (st->refs[i].kind != VF_REF_IRQ)
			continue;
		if (at >= 0)
			*ret_before = st->refs[at].id;
		at = i;
	}
	return at;
}

static const char *class_word(u8 class)
{
	return class == VF_IRQ_NATIVE ? "native" : "lock";
}

static int restore_flags(struct vf_env *env, u32 regno, enum vf_irq_class class)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	struct vf_state *st = env->cur;
	struct vf_frame *frame = st->frames[reg->frame];
	struct vf_slot *at;
	u32 slot = 0, before;
	int last, err = vf_slot_find(env, reg, "irq flag", 1, &slot);

	if (err || !vf_slot_is_all(&frame->slots[slot], VF_BYTE_IRQ))
		return vf_complain(env, VF_C_IRQ_INIT, regno - 1);
	at = &frame->slots[slot];
	vf_live_read(env, frame->no, slot);
	if (at->spill.irq_class != class)
		return vf_complain(
			env, VF_C_IRQ_CLASS, class_word(at->spill.irq_class), class_word(class));
	last = find_last(st, &before);
	if (last < 0 || st->refs[last].id != at->spill.ref_id)
		return vf_complain(
			env, VF_C_IRQ_ORDER, st->irq_id, last < 0 ? 0 : st->refs[last].insn_idx);
	err = vf_ref_remove(env, st, last);
	if (err)
		return err;
	st->irq_id = before;
	vf_reg_clear(&at->spill);
	vf_slot_fill(at, VF_BYTE_INVALID);
	vf_live_write(env, frame->no, slot);
	vf_log_touch_slot(env, slot);
	return 0;
}

int vf_irq_arg(struct vf_env *env, const struct vf_kcall *call, u32 regno)
{
	if (vf_regs(env)[regno].kind != VF_STACK)
		return vf_complain(env, VF_C_IRQ_STACK, regno - 1);
	switch (call->fn->no) {
	case VF_KF_bpf_local_irq_save: return save_flags(env, regno, VF_IRQ_NATIVE);
	case VF_KF_bpf_local_irq_restore: return restore_flags(env, regno, VF_IRQ_NATIVE);
	case VF_KF_bpf_res_spin_lock_irqsave: return save_flags(env, regno, VF_IRQ_LOCK);
	case VF_KF_bpf_res_spin_unlock_irqrestore: return restore_flags(env, regno, VF_IRQ_LOCK);
	default: return vf_complain(env, VF_C_UNSUPPORTED_KFUNC, call->fn->name);
	}
}
