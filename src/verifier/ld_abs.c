/*
 * The packet loads of classic BPF (ld_abs, ld_ind): R6 holds the socket buffer, R0 receives the number,
 * R1-R5 are lost. A load beyond the packet ends the program.
 */
#include <errno.h>

#include "verifier/step.h"

static bool has_skb(const struct vf_env *env)
{
	return env->type->type == BPF_PROG_TYPE_SOCKET_FILTER ||
	       env->type->type == BPF_PROG_TYPE_SCHED_CLS ||
	       env->type->type == BPF_PROG_TYPE_SCHED_ACT;
}

int vf_ld_abs(struct vf_env *env, const struct bpf_insn *insn)
{
	int err;

	if (!has_skb(env))
		return vf_complain(env, VF_C_LD_ABS_TYPE);
	err = vf_reg_read(env, BPF_REG_6);
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
	return vf_complain(env, VF_C_UNSUPPORTED_LD_ABS);
}
