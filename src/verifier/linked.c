/*
 * Linked scalars: registers and spills with one id hold one number, up to a constant. What a branch
 * teaches about one of them is true of all. The set of a branch is small; scalars beyond its size lose
 * their link.
 */
#include <errno.h>

#include "verifier/step.h"

/* An item takes 10 bits (frame 3, is_reg 1, at 6) above the count. */
enum { ITEM_BITS = 10, CNT_BITS = 4 };

static void add(struct vf_linked *set, struct vf_reg *reg, u32 id, u32 frame, bool is_reg, u32 at)
{
	if (!vf_is_scalar(reg) || (reg->id & ~VF_ID_DELTA) != id)
		return;
	if (set->cnt == VF_LINKED_MAX) {
		reg->id = 0;
		reg->off = 0;
		return;
	}
	set->items[set->cnt].frame = frame;
	set->items[set->cnt].is_reg = is_reg;
	set->items[set->cnt].at = at;
	set->cnt++;
}

void vf_linked_collect(struct vf_env *env, u32 id, struct vf_linked *set)
{
	struct vf_state *st = env->cur;

	id &= ~VF_ID_DELTA;
	for (u32 f = st->top + 1; f-- > 0;) {
		struct vf_frame *frame = st->frames[f];
		u32 at = f == st->top ? st->insn_idx : (u32)st->frames[f + 1]->callsite;

		for (u32 r = 0; r < VF_FP; r++) {
			if (env->aux[at].live_regs & 1u << r)
				add(set, &frame->regs[r], id, f, true, r);
		}
		for (u32 s = 0; s < frame->slot_cnt; s++) {
			if (vf_has_spill(&frame->slots[s]))
				add(set, &frame->slots[s].spill, id, f, false, s);
		}
	}
}

u64 vf_linked_pack(const struct vf_linked *set)
{
	u64 packed = 0;

	for (u32 i = set->cnt; i-- > 0;) {
		u64 item = set->items[i].frame | set->items[i].is_reg << 3 | set->items[i].at << 4;

		packed = packed << ITEM_BITS | item;
	}
	return packed << CNT_BITS | set->cnt;
}

struct vf_linked vf_linked_unpack(u64 packed)
{
	struct vf_linked set = {.cnt = packed & ((1 << CNT_BITS) - 1)};

	packed >>= CNT_BITS;
	for (u32 i = 0; i < set.cnt; i++, packed >>= ITEM_BITS) {
		set.items[i].frame = packed & 7;
		set.items[i].is_reg = packed >> 3 & 1;
		set.items[i].at = packed >> 4 & 63;
	}
	return set;
}

static void learn(struct vf_reg *reg, const struct vf_reg *known)
{
	u32 id = reg->id;
	s32 off = reg->off;
	s64 delta = (s64)(id & VF_ID_DELTA ? off : 0) -
		    (s64)(known->id & VF_ID_DELTA ? known->off : 0);

	*reg = *known;
	reg->id = id;
	reg->off = off;
	if (delta) {
		struct vf_scalar by = vf_scalar_const(delta);

		vf_scalar_alu(&reg->num, BPF_ADD, &by, (id | known->id) & VF_ID_DELTA32 ? 32 : 64);
	}
}

void vf_linked_sync(struct vf_state *st, const struct vf_reg *known, const struct vf_linked *set)
{
	for (u32 i = 0; i < set->cnt; i++) {
		struct vf_frame *frame = st->frames[set->items[i].frame];
		u32 at = set->items[i].at;
		struct vf_reg *reg = set->items[i].is_reg ? &frame->regs[at]
							  : &frame->slots[at].spill;

		if (!vf_is_scalar(reg) || reg == known ||
			(reg->id & ~VF_ID_DELTA) != (known->id & ~VF_ID_DELTA))
			continue;
		/* sums of different widths say nothing of one another */
		if (((reg->id ^ known->id) & VF_ID_DELTA) == VF_ID_DELTA)
			continue;
		learn(reg, known);
	}
}
