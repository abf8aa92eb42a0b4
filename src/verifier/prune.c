/*
 * Saved states, in buckets by instruction and call site. When to save, when to compare and what to
 * throw away follow Linux, since they decide which programs stay below its limits:
 *  - a state is saved after at least 2 jumps and 8 instructions, and seldom inside of a loop;
 *  - a state that was of no use three times more often than it was of use goes.
 *
 * A saved state whose branches are all explored is complete: the path may end at it. One that is not is
 * an ancestor of the running path, i.e. we are in a loop: meeting exactly the same state again means
 * that the loop does not end.
 *
 * Rounds of loops that end because of what they call are the exception: such a path ends at an earlier
 * round that allowed at least as much, and what that round's state must still learn comes later (scc.c).
 *
 * Invariant: branches of a saved state counts the pending and running paths whose parent it is, plus the
 * saved children that are not complete. A state that is out of its bucket lives until it is complete.
 */
#include "verifier/prune.h"

#include <errno.h>
#include <string.h>

#include "verifier/env.h"
#include "verifier/equal.h"
#include "verifier/iter.h"
#include "verifier/live_stack.h"
#include "verifier/precision.h"
#include "verifier/scc.h"
#include "verifier/step.h"

enum {
	SAVE_JMPS = 2,
	SAVE_INSNS = 8,
	LOOP_JMPS = 20,
	LOOP_INSNS = 100,
	MISS_FACTOR = 3,
	ROUND_MISS_FACTOR = 64, /* of states that tell rounds of the running path apart */
};

struct vf_seen {
	struct list node;
	struct vf_state st;
	u32 hits, misses;
	bool is_evicted;
	bool is_cleaned;
};

int vf_prune_init(struct vf_env *env)
{
	list_init(&env->evicted);
	env->explored = vf_alloc(env, env->insn_cnt * sizeof(*env->explored));
	if (!env->explored)
		return -ENOMEM;
	for (u32 i = 0; i < env->insn_cnt; i++)
		list_init(&env->explored[i]);
	return 0;
}

static void drop(struct vf_env *env, struct vf_seen *seen)
{
	list_del(&seen->node);
	vf_state_done(env, &seen->st);
	vf_free(env, seen, sizeof(*seen));
}

static void drop_all(struct vf_env *env, struct list *head)
{
	list_for_each_safe (pos, head) {
		drop(env, list_entry(pos, struct vf_seen, node));
	}
}

void vf_prune_done(struct vf_env *env)
{
	vf_scc_forget(env);
	for (u32 i = 0; env->explored && i < env->insn_cnt; i++)
		drop_all(env, &env->explored[i]);
	if (env->evicted.next)
		drop_all(env, &env->evicted);
	env->states_now = env->evicted_cnt = 0;
}

void vf_prune_free(struct vf_env *env)
{
	vf_prune_done(env);
	vf_free(env, env->explored, env->insn_cnt * sizeof(*env->explored));
	env->explored = NULL;
}

/* An evicted state goes when it is complete. */
static void free_if_done(struct vf_env *env, struct vf_seen *seen)
{
	if (!seen->is_evicted || seen->st.branches || vf_scc_is_open(env, &seen->st))
		return;
	env->evicted_cnt--;
	drop(env, seen);
}

int vf_prune_path_end(struct vf_env *env, struct vf_state *st)
{
	bool is_running = true;
	int err;

	while (st) {
		struct vf_state *parent = st->parent;

		if (--st->branches)
			break;
		err = vf_scc_exit(env, st);
		if (err)
			return err;
		if (!is_running)
			free_if_done(env, container_of(st, struct vf_seen, st));
		is_running = false;
		st = parent;
	}
	return 0;
}

static struct list *bucket(struct vf_env *env, u32 insn_idx)
{
	u32 callsite = vf_top(env->cur)->callsite;

	return &env->explored[(insn_idx ^ callsite) % env->insn_cnt];
}

bool vf_has_same_calls(const struct vf_state *a, const struct vf_state *b)
{
	if (a->top != b->top)
		return false;
	for (u32 f = 0; f <= a->top; f++) {
		if (a->frames[f]->callsite != b->frames[f]->callsite)
			return false;
	}
	return true;
}

static void clean_slots(struct vf_state *st, u32 frame_no)
{
	struct vf_frame *frame = st->frames[frame_no];
	u64 live = vf_live_slots(st, frame_no);

	for (u32 s = 0; s < frame->slot_cnt; s++) {
		if (!(live & 1ull << s))
			frame->slots[s] = (struct vf_slot){0};
	}
}

/* Forgets what nothing reads any more: all paths from the state on have been explored. */
static int clean(struct vf_env *env, struct vf_seen *seen)
{
	struct vf_state *st = &seen->st;
	int err = vf_live_solve(env);

	if (err)
		return err;

	for (u32 f = 0; f <= st->top; f++) {
		u32 at = f == st->top ? st->insn_idx : (u32)st->frames[f + 1]->callsite;
		u16 live = env->aux[at].live_regs;

		for (u32 r = 0; r < VF_FP; r++) {
			if (!(live & 1u << r))
				vf_reg_clear(&st->frames[f]->regs[r]);
		}
		clean_slots(st, f);
	}
	seen->is_cleaned = true;
	return 0;
}

static int clean_bucket(struct vf_env *env, struct list *head)
{
	list_for_each (pos, head) {
		struct vf_seen *seen = list_entry(pos, struct vf_seen, node);

		if (!seen->st.branches && !seen->is_cleaned && seen->st.insn_idx == env->insn_idx &&
			vf_has_same_calls(&seen->st, env->cur) && !vf_scc_is_open(env, &seen->st) &&
			clean(env, seen))
			return -ENOMEM;
	}
	return 0;
}

static bool is_same_reg(const struct vf_reg *a, const struct vf_reg *b)
{
	return a->kind == b->kind && a->may_be_null == b->may_be_null && a->off == b->off &&
	       a->id == b->id && a->ref_id == b->ref_id && a->flags == b->flags &&
	       a->range == b->range && a->mem_size == b->mem_size && a->map == b->map &&
	       !memcmp(&a->num, &b->num, sizeof(a->num));
}

/*
 * A loop is called endless only if all registers of the running frame are the very same, ids included: a
 * cheap test before the exact comparison, and Linux's.
 */
static bool may_be_same(const struct vf_state *old, const struct vf_state *cur)
{
	if (old->top != cur->top)
		return false;
	for (u32 r = 0; r < VF_REG_CNT; r++) {
		if (!is_same_reg(&vf_top(old)->regs[r], &vf_top(cur)->regs[r]))
			return false;
	}
	return true;
}

static int complain_loop(struct vf_env *env, const struct vf_state *old)
{
	int err;

	vf_log_source(env, env->insn_idx);
	err = vf_complain(env, VF_C_LOOP, env->insn_idx);
	vf_note(env, "cur state:");
	vf_log_frame(env, env->cur, env->cur->top, true);
	vf_note(env, "old state:");
	vf_log_frame(env, old, env->cur->top, true);
	return err;
}

static void count_states(struct vf_env *env)
{
	env->stats.peak_states = MAX(
		env->stats.peak_states, env->states_now + env->evicted_cnt + env->edge_cnt);
}

static int finish_at(struct vf_env *env, struct vf_seen *seen, bool is_loop)
{
	int err = 0;

	seen->hits++;
	if (env->aux[env->insn_idx].is_jump)
		err = vf_hist_push(env, 0, 0, 0, 0);
	if (!err)
		err = vf_precision_inherit(env, &seen->st, env->cur, NULL);
	if (!err && is_loop)
		err = vf_scc_add_edge(env, &seen->st, env->cur);
	if (!err)
		count_states(env);
	return err;
}

static void count_miss(struct vf_env *env, struct vf_seen *seen, bool will_save)
{
	bool is_round = env->aux[seen->st.insn_idx].is_checkpoint && seen->st.branches;
	u32 factor = is_round ? ROUND_MISS_FACTOR : MISS_FACTOR;

	if (will_save)
		seen->misses++;
	if (seen->misses <= seen->hits * factor + factor)
		return;
	seen->is_evicted = true;
	list_del(&seen->node);
	list_add_tail(&seen->node, &env->evicted);
	env->states_now--;
	env->evicted_cnt++;
	free_if_done(env, seen);
}

static int save(struct vf_env *env, struct list *head)
{
	struct vf_seen *seen = vf_alloc(env, sizeof(*seen));
	struct vf_state *cur = env->cur;

	if (!seen)
		return -ENOMEM;
	list_init(&seen->node);
	env->prev_jmps = env->jmps;
	env->prev_insns = env->stats.insns_processed;
	vf_precision_forget(cur);
	if (vf_state_copy(env, &seen->st, cur) || vf_hist_copy(env, &seen->st, cur)) {
		vf_state_done(env, &seen->st);
		vf_free(env, seen, sizeof(*seen));
		return -ENOMEM;
	}
	env->stats.total_states++;
	env->states_now++;
	count_states(env);
	seen->st.insn_idx = env->insn_idx;
	if (vf_scc_enter(env, &seen->st)) {
		vf_state_done(env, &seen->st);
		vf_free(env, seen, sizeof(*seen));
		return -ENOMEM;
	}
	cur->parent = &seen->st;
	cur->saved_depth = seen->st.saved_depth + 1;
	cur->first_idx = env->insn_idx;
	cur->hist_cnt = 0;
	/* newest first */
	list_add_tail(&seen->node, head->next);
	return 0;
}

const struct vf_state *vf_prune_last_round(struct vf_env *env, const struct vf_state *st)
{
	list_for_each (pos, bucket(env, env->insn_idx)) {
		const struct vf_state *old = &list_entry(pos, struct vf_seen, node)->st;

		/* one with open branches is part of the running path */
		if (old->insn_idx == env->insn_idx && old->branches && vf_has_same_calls(old, st) &&
			old->saved_depth < st->saved_depth)
			return old;
	}
	return NULL;
}

/* How the state compares with one whose branches are open, which is part of the running path. */
enum round {
	ROUND_NEW,     /* go on */
	ROUND_CAUGHT,  /* this round allows no more than that one: the loop is covered */
	ROUND_ENDLESS, /* nothing changed, and nothing will end it */
};

static enum round compare_round(struct vf_env *env, const struct vf_state *old)
{
	struct vf_state *cur = env->cur;
	const struct vf_frame *frame = vf_top(old);
	bool is_other_may_goto = old->may_goto_depth != cur->may_goto_depth;

	/* another call of the callback; the one before has not come to its end either */
	if (frame->is_async && frame->async_entries != vf_top(cur)->async_entries)
		return ROUND_NEW;
	if (vf_is_iter_next(env, vf_insn(env)))
		return vf_states_equal(env, old, cur, VF_RANGE_WITHIN) && vf_iter_is_active(cur)
			       ? ROUND_CAUGHT
			       : ROUND_NEW;
	if (vf_is_may_goto(vf_insn(env)) && is_other_may_goto &&
		vf_states_equal(env, old, cur, VF_RANGE_WITHIN))
		return ROUND_CAUGHT;
	if (env->aux[env->insn_idx].calls_back)
		return vf_states_equal(env, old, cur, VF_RANGE_WITHIN) ? ROUND_CAUGHT : ROUND_NEW;
	if (!is_other_may_goto && old->callback_rounds == cur->callback_rounds &&
		may_be_same(old, cur) && vf_states_equal(env, old, cur, VF_EXACT) &&
		!vf_iter_depths_differ(old, cur))
		return ROUND_ENDLESS;
	return ROUND_NEW;
}

int vf_prune(struct vf_env *env, bool *ret_is_pruned)
{
	struct list *head = bucket(env, env->insn_idx);
	u32 jmps = env->jmps - env->prev_jmps;
	u32 insns = env->stats.insns_processed - env->prev_insns, cnt = 0;
	bool must_save = env->params->flags & BPF_F_TEST_STATE_FREQ ||
			 env->aux[env->insn_idx].is_checkpoint ||
			 env->cur->hist_cnt > VF_HIST_CHECKPOINT;
	bool will_save = must_save || (jmps >= SAVE_JMPS && insns >= SAVE_INSNS);

	*ret_is_pruned = false;
	if (clean_bucket(env, head))
		return -ENOMEM;
	list_for_each_safe (pos, head) {
		struct vf_seen *seen = list_entry(pos, struct vf_seen, node);
		enum round round;
		bool is_open;

		cnt++;
		if (seen->st.insn_idx != env->insn_idx)
			continue;
		if (seen->st.branches) {
			round = compare_round(env, &seen->st);
			if (round == ROUND_ENDLESS)
				return complain_loop(env, &seen->st);
			*ret_is_pruned = round == ROUND_CAUGHT;
			if (*ret_is_pruned)
				return finish_at(env, seen, true);
			if (!must_save && jmps < LOOP_JMPS && insns < LOOP_INSNS)
				will_save = false;
		} else {
			is_open = vf_scc_is_open(env, &seen->st);
			*ret_is_pruned = vf_states_equal(
				env, &seen->st, env->cur, is_open ? VF_RANGE_WITHIN : VF_NOT_EXACT);
			if (*ret_is_pruned)
				return finish_at(env, seen, is_open);
		}
		count_miss(env, seen, will_save);
	}
	env->stats.max_states_per_insn = MAX(env->stats.max_states_per_insn, cnt);
	return will_save ? save(env, head) : 0;
}
