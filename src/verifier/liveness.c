/*
 * Register liveness: which registers some path from an instruction on may read before writing them. The
 * least solution of
 *	in[i] = use[i] | (union of in[successors of i] & ~def[i])
 * by a worklist. A call is one instruction here; the callee's frame
 * has registers of its own. Dead registers are forgotten when states are compared.
 */
#include <errno.h>

#include "verifier/env.h"
#include "verifier/kfunc.h"
#include "verifier/static.h"

enum { CALLER_SAVED = 0x3f }; /* R0-R5 */

/* A helper reads only as many argument registers as it has arguments. */
static u16 helper_args(const struct vf_env *env, const struct bpf_insn *insn)
{
	const struct skep *inst = env->params->inst;
	const struct hlp_proto *hlp = NULL;
	u16 regs = 0;

	if ((u32)insn->imm < inst->helper_cnt)
		hlp = hlp_for(inst->helpers[insn->imm], env->type->type,
			env->params->expected_attach_type);
	if (!hlp)
		return CALLER_SAVED & ~1;
	for (u32 i = 0; i < HLP_ARG_MAX && HLP_KIND(hlp->args[i]) != HLP_NONE; i++)
		regs |= 1u << (BPF_REG_1 + i);
	return regs;
}

static u16 kfunc_args(const struct vf_env *env, const struct bpf_insn *insn)
{
	const struct vf_kfunc *fn = vf_kfunc_of(env, insn);

	if (!fn || !fn->is_allowed)
		return CALLER_SAVED & ~1;
	return ((2u << MIN(fn->proto.arg_cnt, VF_ARG_CNT)) - 1) & ~1u;
}

static void use_def(
	const struct vf_env *env, const struct bpf_insn *insn, u16 *ret_use, u16 *ret_def)
{
	*ret_use = isa_regs_read(insn);
	*ret_def = isa_regs_written(insn);
	if (insn->code != (BPF_JMP | BPF_CALL))
		return;
	*ret_def = CALLER_SAVED;
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		*ret_use = kfunc_args(env, insn);
	else
		*ret_use = insn->src_reg ? CALLER_SAVED & ~1 : helper_args(env, insn);
}

/* The at most two instructions that may run after i; returns how many. */
u32 vf_successors(const struct vf_env *env, u32 i, u32 ret_next[2])
{
	const struct bpf_insn *insn = &env->insns[i];
	u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);
	u32 cnt = 0;

	if (insn->code == (BPF_JMP | BPF_EXIT))
		return 0;
	if (isa_is_jump(insn))
		ret_next[cnt++] = i + isa_jump_off(insn) + 1;
	if ((class != BPF_JMP && class != BPF_JMP32) || op != BPF_JA)
		ret_next[cnt++] = i + (isa_is_lddw(insn) ? 2 : 1);
	return cnt;
}

/*
 * A worklist over the reversed edges: pred holds, for node i, the nodes from start[i] to start[i + 1]
 * that lead to it. Each of ten bits of a node rises once, so the cost is linear whatever the layout.
 */
struct flow {
	u16 *use, *def;
	u32 *start, *pred, *work; /* start and pred belong to env, for live_stack.c */
	bool *is_queued;
};

static void flow_done(struct vf_env *env, struct flow *flow)
{
	size_t cnt = env->insn_cnt;

	vf_free(env, flow->use, cnt * sizeof(u16));
	vf_free(env, flow->def, cnt * sizeof(u16));
	vf_free(env, flow->work, cnt * sizeof(u32));
	vf_free(env, flow->is_queued, cnt);
}

static int flow_init(struct vf_env *env, struct flow *flow)
{
	size_t cnt = env->insn_cnt;

	*flow = (struct flow){
		.use = vf_alloc(env, cnt * sizeof(u16)),
		.def = vf_alloc(env, cnt * sizeof(u16)),
		.start = env->pred_start = vf_alloc(env, (cnt + 2) * sizeof(u32)),
		.pred = env->pred = vf_alloc(env, 2 * cnt * sizeof(u32)),
		.work = vf_alloc(env, cnt * sizeof(u32)),
		.is_queued = vf_alloc(env, cnt),
	};
	return flow->use && flow->def && flow->start && flow->pred && flow->work && flow->is_queued
		       ? 0
		       : -ENOMEM;
}

/* Counting sort of the edges by target: counts one place up, then filling shifts them down. */
static void flow_link(struct vf_env *env, struct flow *flow)
{
	u32 next[2];

	for (u32 i = 0; i < env->insn_cnt; i++) {
		for (u32 n = vf_successors(env, i, next); n-- > 0;)
			flow->start[next[n] + 2]++;
		if (isa_is_lddw(&env->insns[i]))
			i++;
	}
	for (u32 i = 2; i < env->insn_cnt + 2; i++)
		flow->start[i] += flow->start[i - 1];
	for (u32 i = 0; i < env->insn_cnt; i++) {
		for (u32 n = vf_successors(env, i, next); n-- > 0;)
			flow->pred[flow->start[next[n] + 1]++] = i;
		if (isa_is_lddw(&env->insns[i]))
			i++;
	}
}

static void flow_solve(struct vf_env *env, struct flow *flow)
{
	u32 work_cnt = 0, next[2];

	for (u32 i = 0; i < env->insn_cnt; i++) {
		flow->work[work_cnt++] = i;
		flow->is_queued[i] = true;
		if (isa_is_lddw(&env->insns[i]))
			i++; /* the second half uses nothing and is never reached */
	}
	while (work_cnt) {
		u32 i = flow->work[--work_cnt];
		u16 live = 0;

		flow->is_queued[i] = false;
		for (u32 n = vf_successors(env, i, next); n-- > 0;)
			live |= env->aux[next[n]].live_regs;
		live = (flow->use[i] | (live & ~flow->def[i])) & ~(1u << VF_FP);
		if (live == env->aux[i].live_regs)
			continue;
		env->aux[i].live_regs = live;
		for (u32 e = flow->start[i]; e < flow->start[i + 1]; e++) {
			u32 pred = flow->pred[e];

			if (!flow->is_queued[pred]) {
				flow->is_queued[pred] = true;
				flow->work[work_cnt++] = pred;
			}
		}
	}
}

static void print(struct vf_env *env)
{
	vf_note(env, "Live regs before insn:\n");
	for (u32 i = 0; i < env->insn_cnt; i++) {
		vf_note(env, "%7u: ", i);
		for (u32 r = 0; r < VF_FP; r++)
			vf_note(env, "%c", env->aux[i].live_regs & 1u << r ? '0' + (int)r : '.');
		vf_note(env, " ");
		isa_disasm(&env->log.buf, &env->insns[i], NULL);
		vf_note(env, "\n");
		if (isa_is_lddw(&env->insns[i]))
			i++;
	}
}

int vf_live_regs(struct vf_env *env)
{
	struct flow flow;
	int err = flow_init(env, &flow);

	if (err)
		goto out;
	for (u32 i = 0; i < env->insn_cnt; i++) {
		use_def(env, &env->insns[i], &flow.use[i], &flow.def[i]);
		if (isa_is_lddw(&env->insns[i]))
			i++;
	}
	flow_link(env, &flow);
	flow_solve(env, &flow);
	if (vf_logs_full(env))
		print(env);
out:
	flow_done(env, &flow);
	return err;
}
