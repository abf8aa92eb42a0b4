/*
 * The door: the passes in order, and what comes out.
 */
#include "verifier/verify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"
#include "base/mem.h"
#include "verifier/env.h"
#include "verifier/explore.h"
#include "verifier/kfunc.h"
#include "verifier/live_stack.h"
#include "verifier/precision.h"
#include "verifier/prune.h"
#include "verifier/rewrite.h"
#include "verifier/scc.h"
#include "verifier/static.h"

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static int init(struct vf_env *env, const struct vf_params *params)
{
	env->params = params;
	env->type = params->type;
	env->mem_max = params->mem_max ? params->mem_max : VF_MEM_MAX;
	env->insns_max = params->insns_max ? params->insns_max : VF_INSNS_MAX;
	env->is_strict = params->flags & BPF_F_STRICT_ALIGNMENT &&
			 !(params->flags & BPF_F_ANY_ALIGNMENT);
	if (!params->insn_cnt || params->insn_cnt > PROG_INSN_MAX)
		return vf_complain(env, VF_C_INSN_CNT, params->insn_cnt, PROG_INSN_MAX);
	env->insn_cnt = params->insn_cnt;
	env->insns = vf_alloc(env, env->insn_cnt * sizeof(*env->insns));
	env->aux = vf_alloc(env, env->insn_cnt * sizeof(*env->aux));
	if (!env->insns || !env->aux)
		return -ENOMEM;
	memcpy(env->insns, params->insns, env->insn_cnt * sizeof(*env->insns));
	if (vf_prune_init(env) || vf_precision_init(env) || vf_live_init(env))
		return -ENOMEM;
	return 0;
}

static void done(struct vf_env *env)
{
	vf_explore_done(env);
	vf_prune_free(env);
	vf_precision_done(env);
	vf_live_done(env);
	vf_kfunc_done(env);
	vf_scc_done(env);
	if (env->pred_start)
		vf_free(env, env->pred_start, (env->insn_cnt + 2ul) * sizeof(u32));
	if (env->pred)
		vf_free(env, env->pred, 2ul * env->insn_cnt * sizeof(u32));
	for (u32 m = 0; m < env->map_cnt; m++)
		obj_put(&env->maps[m]->obj);
	vf_free(env, env->func_info, env->func_info_cnt * sizeof(*env->func_info));
	vf_free(env, env->line_info, env->line_info_cnt * sizeof(*env->line_info));
	vf_free(env, env->aux, env->insn_cnt * sizeof(*env->aux));
	vf_free(env, env->insns, env->insn_cnt * sizeof(*env->insns));
	skep_bug_if(env->mem_used, "%llu bytes of states leak", (unsigned long long)env->mem_used);
	mem_free(env);
}

static int run_passes(struct vf_env *env)
{
	static int (*const passes[])(struct vf_env * env) = {
		vf_btf_check_early,
		vf_subs_find,
		vf_subs_check,
		vf_btf_check,
		vf_core_relos,
		vf_resolve,
		vf_cfg_check,
		vf_sleepable_check,
		vf_target_find,
		vf_live_regs,
		vf_scc_find,
		vf_explore,
		vf_stack_depth_check,
		vf_helpers_check,
	};

	for (u32 p = 0; p < ARRAY_SIZE(passes); p++) {
		int err = passes[p](env);

		if (err)
			return err;
	}
	return 0;
}

static void log_stats(struct vf_env *env)
{
	const struct vf_stats *stats = &env->stats;

	if (env->params->log_level & VF_LOG_STATS) {
		vf_note(env, "verification time %llu usec\nstack depth ",
			(unsigned long long)(stats->time_ns / 1000));
		for (u32 s = 0; s < env->sub_cnt; s++)
			vf_note(env, "%s%u", s ? "+" : "", env->subs[s].stack_depth);
		vf_note(env, "\n");
	}
	vf_note(env,
		"processed %u insns (limit %d) max_states_per_insn %u total_states %u "
		"peak_states %u mark_read %u\n",
		stats->insns_processed, env->insns_max, stats->max_states_per_insn,
		stats->total_states, stats->peak_states, stats->longest_mark_read);
}

/* The references to maps change hands. */
static int hand_over(struct vf_env *env, struct vf_result *ret_result)
{
	struct vf_result res;
	struct map **maps = mem_array(env->map_cnt, sizeof(struct map *));
	int err;

	if (!maps)
		return -ENOMEM;
	err = vf_rewrite(env, &res);
	if (err) {
		mem_free(maps);
		return err;
	}
	memcpy(maps, env->maps, env->map_cnt * sizeof(struct map *));
	res.maps = maps;
	res.map_cnt = env->map_cnt;
	res.ctx_len = env->ctx_len;
	res.missing = env->missing;
	env->map_cnt = 0;
	*ret_result = res;
	return 0;
}

int vf_verify(const struct vf_params *params, struct vf_result *ret_result,
	struct vf_verdict *ret_verdict)
{
	struct vf_env *env = mem_zalloc(sizeof(*env));
	struct vf_result result = {0};
	u64 start = now_ns();
	int err;

	if (!env) {
		if (ret_verdict)
			*ret_verdict = (struct vf_verdict){
				.complaint = VF_C_NO_MEMORY, .msg = "out of memory"};
		return -ENOMEM;
	}
	err = init(env, params);
	if (!err)
		err = run_passes(env);
	if (!err)
		err = hand_over(env, &result);
	if (err == -ENOMEM && !env->verdict.complaint)
		vf_complain(env, VF_C_NO_MEMORY, (unsigned long long)env->mem_max);
	env->stats.time_ns = now_ns() - start;
	log_stats(env);
	vf_log_finish(env);
	result.stats = env->verdict.stats = env->stats;
	if (ret_verdict)
		*ret_verdict = env->verdict;
	if (!err)
		*ret_result = result;
	done(env);
	return err;
}

void vf_result_done(struct vf_result *result)
{
	for (u32 m = 0; m < result->map_cnt; m++)
		obj_put(&result->maps[m]->obj);
	mem_free(result->maps);
	mem_free(result->code.insns);
	mem_free(result->code.subs);
	mem_free(result->func_info);
	mem_free(result->line_info);
	*result = (struct vf_result){0};
}
