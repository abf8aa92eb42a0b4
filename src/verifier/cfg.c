/*
 * The control flow graph: a depth-first walk with an explicit stack. Every instruction must be
 * reachable. The walk marks prune points (targets of jumps, conditional jumps, what follows a call),
 * where exploration compares states, and jump points, where history must say from where we came.
 * It also finds which functions may move the packet. Back edges are fine: exploration bounds loops.
 */
#include <errno.h>

#include "verifier/callback.h"
#include "verifier/env.h"
#include "verifier/kfunc.h"
#include "verifier/static.h"
#include "verifier/step.h"

enum { DISCOVERED = 0x10, EXPLORED = 0x20, FALLTHROUGH = 1, BRANCH = 2 };
enum { DONE, KEEP };

struct walk {
	struct vf_env *env;
	u8 *state; /* an insn's DISCOVERED | edge taken last, or EXPLORED */
	u32 *stack;
	u32 depth;
};

/* Follows the edge t -> w; KEEP: w is new and on the stack. */
static int push(struct walk *walk, u32 t, s64 w, u8 edge)
{
	struct vf_env *env = walk->env;
	u8 *state = walk->state;

	if (state[t] >= (DISCOVERED | edge))
		return DONE;
	if (w < 0 || w >= env->insn_cnt) {
		env->insn_idx = t;
		vf_log_source(env, t);
		return vf_complain(env, VF_C_JUMP_RANGE, t, (int)w);
	}
	if (edge == BRANCH)
		env->aux[w].is_prune = env->aux[w].is_jump = true;
	if (!state[w]) {
		state[t] = DISCOVERED | edge;
		state[w] = DISCOVERED;
		walk->stack[walk->depth++] = w;
		return KEEP;
	}
	if (state[w] == EXPLORED)
		state[t] = DISCOVERED | edge;
	return DONE;
}

static void note_moves(struct vf_env *env, u32 t, const struct bpf_insn *insn)
{
	const struct skep *inst = env->params->inst;
	const struct hlp_proto *hlp;

	if (insn->src_reg || (u32)insn->imm >= inst->helper_cnt)
		return;
	hlp = inst->helpers[insn->imm];
	hlp = hlp_for(hlp, env->type->type, env->params->expected_attach_type);
	if (!hlp)
		return;
	env->subs[vf_sub_of(env, t)].changes_pkt |= hlp->changes_pkt;
	env->subs[vf_sub_of(env, t)].may_sleep |= hlp->may_sleep;
}

/* A call that calls back comes to itself again; one that does so later starts something new. */
static void note_callback(struct vf_env *env, u32 t, const struct bpf_insn *insn)
{
	struct vf_aux *aux = &env->aux[t];

	if (!vf_callback_at(env, insn))
		return;
	aux->is_prune = true;
	if (!vf_calls_back(env, insn))
		return;
	aux->calls_back = aux->is_checkpoint = aux->is_jump = true;
}

/* Each round of a loop over an iterator begins with a saved state, so that rounds can be compared. */
static void note_kfunc(struct vf_env *env, u32 t, const struct bpf_insn *insn)
{
	const struct vf_kfunc *fn = vf_kfunc_of(env, insn);

	if (vf_is_iter_next(env, insn))
		env->aux[t].is_prune = env->aux[t].is_checkpoint = true;
	if (!fn || !fn->is_allowed)
		return;
	env->subs[vf_sub_of(env, t)].changes_pkt |= fn->no == VF_KF_bpf_xdp_pull_data;
	env->subs[vf_sub_of(env, t)].may_sleep |= (fn->flags & KF_SLEEPABLE) != 0;
}

static int visit_call(struct walk *walk, u32 t, const struct bpf_insn *insn, bool has_callee)
{
	struct vf_env *env = walk->env;
	u32 next = t + (isa_is_lddw(insn) ? 2 : 1);
	s64 callee = (s64)t + insn->imm + 1;
	int at, ret = push(walk, t, next, FALLTHROUGH);

	if (ret)
		return ret;
	env->aux[next].is_prune = env->aux[next].is_jump = true;
	if (!has_callee)
		return DONE;
	env->aux[t].is_prune = true;
	at = vf_sub_at(env, callee);
	ret = push(walk, t, callee, BRANCH);
	/* by the time the call is left for good, the callee is done (or the call is recursive) */
	if (ret == DONE && at >= 0) {
		env->subs[vf_sub_of(env, t)].changes_pkt |= env->subs[at].changes_pkt;
		env->subs[vf_sub_of(env, t)].may_sleep |= env->subs[at].may_sleep;
	}
	return ret;
}

static int visit(struct walk *walk, u32 t)
{
	struct vf_env *env = walk->env;
	const struct bpf_insn *insn = &env->insns[t];
	u8 class = BPF_CLASS(insn->code);
	s64 target;
	int ret;

	if (isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_FUNC)
		return visit_call(walk, t, insn, true);
	if (class != BPF_JMP && class != BPF_JMP32)
		return push(walk, t, t + (isa_is_lddw(insn) ? 2 : 1), FALLTHROUGH);
	switch (BPF_OP(insn->code)) {
	case BPF_EXIT: return DONE;
	case BPF_CALL:
		note_moves(env, t, insn);
		note_callback(env, t, insn);
		note_kfunc(env, t, insn);
		return visit_call(walk, t, insn, insn->src_reg == BPF_PSEUDO_CALL);
	case BPF_JA:
		target = (s64)t + isa_jump_off(insn) + 1;
		ret = push(walk, t, target, FALLTHROUGH);
		if (ret)
			return ret;
		env->aux[target].is_prune = env->aux[target].is_jump = true;
		return DONE;
	default:
		env->aux[t].is_checkpoint |= vf_is_may_goto(insn);
		env->aux[t].is_prune = true;
		ret = push(walk, t, t + 1, FALLTHROUGH);
		return ret ? ret : push(walk, t, (s64)t + insn->off + 1, BRANCH);
	}
}

static int walk_all(struct walk *walk, u32 start)
{
	walk->state[start] = DISCOVERED;
	walk->stack[walk->depth++] = start;
	while (walk->depth) {
		u32 t = walk->stack[walk->depth - 1];
		int ret = visit(walk, t);

		if (ret < 0)
			return ret;
		if (ret == DONE) {
			walk->state[t] = EXPLORED;
			walk->depth--;
		}
	}
	return 0;
}

static int check_reached(struct walk *walk)
{
	struct vf_env *env = walk->env;

	for (u32 i = 0; i < env->insn_cnt; i++) {
		env->insn_idx = i;
		if (walk->state[i] != EXPLORED)
			return vf_complain(env, VF_C_UNREACHABLE, i);
		if (!isa_is_lddw(&env->insns[i]))
			continue;
		if (walk->state[i + 1])
			return vf_complain(env, VF_C_JUMP_MIDDLE, i);
		i++;
	}
	return 0;
}

/* A recursive chain of calls settles here what the walk could not see in one pass. */
static void settle_moves(struct vf_env *env)
{
	bool is_changed = true;

	while (is_changed) {
		is_changed = false;
		for (u32 i = 0, s = 0; i < env->insn_cnt; i++) {
			const struct bpf_insn *insn = &env->insns[i];
			int callee;

			while (i >= env->subs[s + 1].start)
				s++;
			if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg != BPF_PSEUDO_CALL)
				continue;
			callee = vf_sub_at(env, i + insn->imm + 1);
			if (callee < 0)
				continue;
			if (env->subs[callee].changes_pkt && !env->subs[s].changes_pkt)
				env->subs[s].changes_pkt = is_changed = true;
			if (env->subs[callee].may_sleep && !env->subs[s].may_sleep)
				env->subs[s].may_sleep = is_changed = true;
		}
	}
}

int vf_cfg_check(struct vf_env *env)
{
	size_t state_len = env->insn_cnt, stack_len = env->insn_cnt * sizeof(u32);
	struct walk walk = {
		.env = env,
		.state = vf_alloc(env, state_len),
		.stack = vf_alloc(env, stack_len),
	};
	int err = -ENOMEM;

	if (walk.state && walk.stack)
		err = walk_all(&walk, 0);
	if (!err && env->exception_sub)
		err = walk_all(&walk, env->subs[env->exception_sub].start);
	if (!err)
		err = check_reached(&walk);
	if (!err)
		settle_moves(env);
	vf_free(env, walk.state, state_len);
	vf_free(env, walk.stack, stack_len);
	return err;
}
