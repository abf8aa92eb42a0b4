/*
 * may_goto: a jump that is taken once the program has gone round such loops often enough; so a loop with
 * one ends at run time, whatever the verifier knows of its other conditions. Both ways are followed, the
 * one out of the loop first. A round that begins with no more than an earlier round of the same path
 * allowed is covered by it (prune.c, scc.c).
 */
#include "verifier/explore.h"
#include "verifier/prune.h"
#include "verifier/step.h"

bool vf_is_may_goto(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_JCOND) && insn->src_reg == BPF_MAY_GOTO;
}

int vf_may_goto(struct vf_env *env, const struct bpf_insn *insn)
{
	const struct vf_state *last = vf_prune_last_round(env, env->cur->parent);
	struct vf_state *inside;
	int err = vf_explore_push(env, env->insn_idx + 1, env->insn_idx, &inside);

	if (err)
		return err;
	inside->may_goto_depth++;
	if (last)
		vf_widen(last, inside);
	env->insn_idx += insn->off;
	return 0;
}
