/*
 * Dynptrs on the stack. A dynptr takes two slots; the one with the higher number is the first. Views of its
 * memory (slices) carry its id and go with it. A dynptr that stands for a reservation in a ring buffer holds a
 * reference, which all copies share: when one is given back all are gone.
 *
 * Invariant: VF_BYTE_DYNPTR fills both slots of a dynptr or none of either.
 */
#include "verifier/dynptr.h"

#include <errno.h>

#include "verifier/env.h"
#include "verifier/live_stack.h"
#include "verifier/references.h"
#include "verifier/slot.h"

enum { SLOT_CNT = 2 };

const char *vf_dynptr_type_str(u8 type)
{
	static const char *const words[] = {
		[VF_DYNPTR_LOCAL] = "local",
		[VF_DYNPTR_RINGBUF] = "ringbuf",
		[VF_DYNPTR_SKB] = "skb",
		[VF_DYNPTR_XDP] = "xdp",
		[VF_DYNPTR_SKB_META] = "skb_meta",
	};

	return type && type < ARRAY_SIZE(words) ? words[type] : "<invalid>";
}

bool vf_dynptr_is_packet(u8 type)
{
	return type == VF_DYNPTR_SKB || type == VF_DYNPTR_XDP || type == VF_DYNPTR_SKB_META;
}

void vf_reg_dynptr(struct vf_env *env, struct vf_reg *reg, u8 type)
{
	vf_reg_pointer(reg, VF_DYNPTR);
	reg->dynptr.type = type;
	reg->dynptr.is_first = true;
	reg->id = ++env->id_gen;
}

static bool is_refcounted(u8 type)
{
	return type == VF_DYNPTR_RINGBUF;
}

/* The number of the first slot of the dynptr that slot is part of. */
static u32 first_of(const struct vf_frame *frame, u32 slot)
{
	return frame->slots[slot].spill.dynptr.is_first ? slot : slot + 1;
}

static bool is_dynptr(const struct vf_frame *frame, u32 slot)
{
	return slot < frame->slot_cnt && frame->slots[slot].byte[0] == VF_BYTE_DYNPTR;
}

static void clear(struct vf_env *env, struct vf_frame *frame, u32 first)
{
	for (u32 s = first - 1; s <= first; s++) {
		vf_reg_clear(&frame->slots[s].spill);
		vf_slot_fill(&frame->slots[s], VF_BYTE_INVALID);
		vf_live_write(env, frame->no, s);
		vf_log_touch_slot(env, s);
	}
}

/* Linux looks for plain memory here: views of packets and read-only ones live on, and are harmless, as the
 * memory they show outlives the dynptr. */
static void forget_slice(struct vf_reg *reg, void *arg)
{
	if (reg->kind == VF_MEM && !reg->flags && !reg->is_rdonly &&
		reg->dynptr_id == *(const u32 *)arg)
		vf_reg_invalidate(reg);
}

int vf_dynptr_overwrite(struct vf_env *env, struct vf_frame *frame, u32 slot)
{
	u32 first, id;

	if (!is_dynptr(frame, slot))
		return 0;
	first = first_of(frame, slot);
	if (is_refcounted(frame->slots[first].spill.dynptr.type))
		return vf_complain(env, VF_C_DYNPTR_OVERWRITE);
	id = frame->slots[first].spill.id;
	clear(env, frame, first);
	vf_each_reg(env->cur, forget_slice, &id);
	return 0;
}

static void set_slot(struct vf_slot *at, u8 type, bool is_first, u32 id, u32 ref_id)
{
	vf_reg_pointer(&at->spill, VF_DYNPTR);
	at->spill.dynptr.type = type;
	at->spill.dynptr.is_first = is_first;
	at->spill.id = id;
	at->spill.ref_id = ref_id;
	vf_slot_fill(at, VF_BYTE_DYNPTR);
}

static int make(struct vf_env *env, u32 regno, const struct vf_dynptr_want *want)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	struct vf_frame *frame;
	u32 first = 0, id, ref_id = want->ref_id;
	int err;

	err = reg->kind == VF_STACK ? vf_slot_find(env, reg, "dynptr", SLOT_CNT, &first) : -EINVAL;
	if (err && err != -ERANGE)
		return vf_complain(env, VF_C_DYNPTR_UNINIT);
	/* destroys what the slots held, if that may be */
	err = vf_slot_store(env, regno, SLOT_CNT);
	if (err)
		return err;
	err = vf_slot_find(env, reg, "dynptr", SLOT_CNT, &first);
	if (err)
		return err;
	frame = env->cur->frames[reg->frame];
	id = ++env->id_gen;
	if (is_refcounted(want->type) && !ref_id) {
		err = vf_ref_acquire(env, &ref_id);
		if (err)
			return err;
	}
	for (u32 s = first - 1; s <= first; s++) {
		set_slot(&frame->slots[s], want->type, s == first, id,
			is_refcounted(want->type) ? ref_id : 0);
		vf_live_write(env, frame->no, s);
		vf_log_touch_slot(env, s);
	}
	return 0;
}

/* NULL: there is none. What is wrong with the place is noted in the log. */
static const struct vf_reg *find(struct vf_env *env, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const struct vf_frame *frame;
	u32 first = 0;

	if (reg->kind == VF_DYNPTR)
		return reg;
	if (vf_slot_find(env, reg, "dynptr", SLOT_CNT, &first))
		return NULL;
	frame = env->cur->frames[reg->frame];
	if (!vf_slot_is_all(&frame->slots[first], VF_BYTE_DYNPTR) ||
		!vf_slot_is_all(&frame->slots[first - 1], VF_BYTE_DYNPTR) ||
		!frame->slots[first].spill.dynptr.is_first)
		return NULL;
	vf_live_read(env, frame->no, first);
	vf_live_read(env, frame->no, first - 1);
	return &frame->slots[first].spill;
}

int vf_dynptr_arg(struct vf_env *env, u32 regno, const struct vf_dynptr_want *want)
{
	const struct vf_reg *reg = &vf_regs(env)[regno], *dynptr;

	if (reg->kind != VF_STACK && reg->kind != VF_DYNPTR)
		return vf_complain(env, VF_C_DYNPTR_KIND, regno - 1);
	if (want->is_uninit)
		return make(env, regno, want);
	if (reg->kind == VF_DYNPTR && !want->is_rdonly)
		return vf_complain(env, VF_C_DYNPTR_CONST);
	dynptr = find(env, regno);
	if (!dynptr)
		return vf_complain(env, VF_C_DYNPTR_INIT, regno - 1);
	if (want->type && dynptr->dynptr.type != want->type)
		return vf_complain(
			env, VF_C_DYNPTR_TYPE, vf_dynptr_type_str(want->type), regno - 1);
	return 0;
}

bool vf_dynptr_has_ref(struct vf_env *env, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	u32 first = 0;

	return !vf_slot_find(env, reg, "dynptr", SLOT_CNT, &first) &&
	       env->cur->frames[reg->frame]->slots[first].byte[0] == VF_BYTE_DYNPTR &&
	       env->cur->frames[reg->frame]->slots[first].spill.ref_id;
}

const struct vf_reg *vf_dynptr_of(const struct vf_env *env, u32 regno)
{
	const struct vf_reg *reg = &vf_top(env->cur)->regs[regno];
	s32 off = reg->off + (s32)reg->num.var_off.value;

	if (reg->kind == VF_DYNPTR)
		return reg;
	return &env->cur->frames[reg->frame]->slots[vf_slot_of(off)].spill;
}

int vf_dynptr_release(struct vf_env *env, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	struct vf_frame *frame = env->cur->frames[reg->frame];
	u32 first = 0, ref_id;
	int err = vf_slot_find(env, reg, "dynptr", SLOT_CNT, &first);

	if (err)
		return err;
	if (!is_refcounted(frame->slots[first].spill.dynptr.type)) {
		clear(env, frame, first);
		return 0;
	}
	ref_id = frame->slots[first].spill.ref_id;
	err = vf_ref_release(env, ref_id);
	if (err)
		return err;
	for (u32 f = 0; f <= env->cur->top; f++) {
		frame = env->cur->frames[f];
		for (u32 s = 1; s < frame->slot_cnt; s++) {
			const struct vf_reg *at = &frame->slots[s].spill;

			if (is_dynptr(frame, s) && at->ref_id == ref_id && at->dynptr.is_first)
				clear(env, frame, s);
		}
	}
	return 0;
}
