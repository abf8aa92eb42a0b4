/*
 * The packet loads of classic BPF (ld_abs, ld_ind): R6 holds the socket buffer, R0 receives the number,
 * R1-R5 are lost. A load beyond the packet ends the program.
 */
#include <errno.h>

#include "verifier/explore.h"
#include "verifier/references.h"
#include "verifier/step.h"

static bool has_skb(const struct vf_env *env)
{
	return env->type->type == BPF_PROG_TYPE_SOCKET_FILTER ||
	       env->type->type == BPF_PROG_TYPE_SCHED_CLS ||
	       env->type->type == BPF_PROG_TYPE_SCHED_ACT;
}

/* A load that ends the program in a function leaves 0 to whoever called it, as far as is followed here. */
static int end_early(struct vf_env *env)
{
	struct vf_state *next;
	int err;

	if (!env->cur->top)
		return 0;
	vf_log_touch_reg(env, BPF_REG_0);
	err = vf_explore_push(env, env->insn_idx + 1, env->insn_idx, &next);
	if (err)
		return err;
	vf_reg_known(&vf_regs(env)[BPF_REG_0], 0);
	err = vf_return_sub(env);
	if (err)
		return err;
	env->insn_idx--; /* the step goes on to what follows */
	return 0;
}

int vf_ld_abs(struct vf_env *env, const struct bpf_insn *insn)
{
	int err;

	if (!has_skb(env))
		return vf_complain(env, VF_C_LD_ABS_TYPE);
	for (u32 f = env->cur->top; f; f--) {
		if (env->cur->frames[f]->is_callback)
			return vf_complain(env, VF_C_LD_ABS_CALLBACK);
	}
	err = vf_reg_read(env, BPF_REG_6);
	if (!err)
		err = vf_ref_check_leaks(env, false, true, "BPF_LD_[ABS|IND]");
	if (err)
		return err;
	if (vf_regs(env)[BPF_REG_6].kind != VF_CTX)
		return vf_complain(env, VF_C_LD_ABS_R6);
	if (BPF_MODE(insn->code) == BPF_IND) {
		err = vf_reg_read(env, insn->src_reg);
		if (err)
			return err;
	}
	err = vf_reg_unmoved(env, BPF_REG_6);
	if (err)
		return err;
	vf_regs_clobber(env);
	vf_reg_unknown(&vf_regs(env)[BPF_REG_0]);
	return end_early(env);
}
