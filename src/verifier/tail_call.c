/*
 * Tail calls. One that succeeds never comes back to its function: in the main program the path is over, in
 * a function it is as if the function returned whatever the other program returns, with the packet moved.
 * One that fails goes on behind the call. Both are followed, success first.
 */
#include <errno.h>

#include "verifier/explore.h"
#include "verifier/precision.h"
#include "verifier/step.h"

int vf_tail_call_key(struct vf_env *env, const struct map *map)
{
	const struct vf_reg *key = &vf_regs(env)[BPF_REG_3];

	/* Linux turns a call with a known place into a jump, so the place counts as looked at */
	if (!vf_is_scalar(key) || !tnum_is_const(key->num.var_off) || !map ||
		key->num.var_off.value >= map->max_entries)
		return 0;
	return vf_mark_precise(env, BPF_REG_3);
}

int vf_tail_call(struct vf_env *env)
{
	struct vf_state *failed;
	int err;

	if (!env->cur->top)
		return 0;
	vf_log_touch_reg(env, BPF_REG_0);
	err = vf_explore_push(env, env->insn_idx + 1, env->insn_idx, &failed);
	if (err)
		return err;
	vf_packet_forget(env);
	vf_reg_unknown(&vf_regs(env)[BPF_REG_0]);
	err = vf_return_sub(env);
	if (err)
		return err;
	env->insn_idx--; /* the step goes on to what follows */
	return 0;
}
