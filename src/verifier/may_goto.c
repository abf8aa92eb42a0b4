/*
 * may_goto: a jump that is taken once the program has gone round such loops often enough; so a loop with
 * one ends at run time, whatever the verifier knows of its other conditions. Both ways are followed, the
 * one out of the loop first.
 *
 * A round that begins with no more than an earlier round of the same path allowed is covered by it, though
 * that round is not explored to its end yet. Two things follow for programs with such a loop:
 *  - a state may be complete while something that follows it is still to be explored, so marks of what
 *    is precise or read later are not: states are compared by ranges, and no slot is forgotten;
 *  - rounds must come to resemble each other: scalars that decided nothing and differ from the last round
 *    become unknown. That only adds behaviour.
 */
#include <errno.h>
#include <string.h>

#include "verifier/explore.h"
#include "verifier/prune.h"
#include "verifier/step.h"

bool vf_is_may_goto(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_JCOND) && insn->src_reg == BPF_MAY_GOTO;
}

/* The last round's state at this instruction: saved when it was reached, like this round's. */
static const struct vf_state *last_round(const struct vf_env *env)
{
	const struct vf_state *st = env->cur->parent;

	for (st = st ? st->parent : NULL; st; st = st->parent) {
		if (st->insn_idx == env->insn_idx && vf_has_same_calls(st, env->cur))
			return st;
	}
	return NULL;
}

static void widen_reg(const struct vf_reg *old, struct vf_reg *cur)
{
	if (!vf_is_scalar(old) || !vf_is_scalar(cur) || old->is_precise || cur->is_precise)
		return;
	if (!memcmp(&old->num, &cur->num, sizeof(old->num)))
		return;
	vf_reg_unknown(cur);
}

static void widen(const struct vf_state *old, struct vf_state *cur)
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

int vf_may_goto(struct vf_env *env, const struct bpf_insn *insn)
{
	const struct vf_state *last = last_round(env);
	struct vf_state *inside;
	int err = vf_explore_push(env, env->insn_idx + 1, env->insn_idx, &inside);

	if (err)
		return err;
	inside->may_goto_depth++;
	if (last)
		widen(last, inside);
	env->insn_idx += insn->off;
	return 0;
}
