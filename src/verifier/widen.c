/*
 * Loops whose number of rounds the verifier does not know (iterators, may_goto, callbacks) are followed
 * until a round begins with no more than an earlier one allowed. To get there, scalars that decided nothing
 * and differ from the last round become unknown: that only adds behaviour.
 */
#include <string.h>

#include "verifier/step.h"

static void widen_reg(const struct vf_reg *old, struct vf_reg *cur)
{
	if (!vf_is_scalar(old) || !vf_is_scalar(cur) || old->is_precise || cur->is_precise)
		return;
	if (old->off == cur->off && !memcmp(&old->num, &cur->num, sizeof(old->num)))
		return;
	vf_reg_unknown(cur);
}

void vf_widen(const struct vf_state *old, struct vf_state *cur)
{
	for (u32 f = 0; f <= old->top; f++) {
		const struct vf_frame *was = old->frames[f];
		struct vf_frame *is = cur->frames[f];

		for (u32 r = 0; r < VF_FP; r++)
			widen_reg(&was->regs[r], &is->regs[r]);
		for (u32 s = 0; s < MIN(was->slot_cnt, is->slot_cnt); s++) {
			if (vf_has_spill(&was->slots[s]) && vf_has_spill(&is->slots[s]))
				widen_reg(&was->slots[s].spill, &is->slots[s].spill);
		}
	}
}
