/*
 * Cycles of the flow graph (strongly connected components of each function, by Tarjan's algorithm without
 * recursion), and visits of them. A visit is a cycle entered through one chain of calls; it is open while
 * paths ended at earlier rounds of it. States of an open visit are compared by ranges, are neither stripped
 * of what seems dead nor freed, and get their marks when the state that entered the cycle is complete:
 * marks go over the back edges until nothing changes.
 *
 * A call that calls back is a cycle of its own. Same idea as Linux's since 6.17.
 */
#include "verifier/scc.h"

#include <errno.h>
#include <string.h>

#include "verifier/env.h"
#include "verifier/precision.h"
#include "verifier/static.h"

enum { BUCKET_CNT = 256, ROUNDS_MAX = 64 };

struct chain {
	u32 scc;
	u32 callsites[PROG_FRAME_MAX]; /* from the outermost frame on; 0: none */
};

struct edge {
	struct vf_state st;
	const struct vf_state *old; /* where it ended */
	struct edge *next;
};

struct visit {
	struct chain chain;
	struct vf_state *entry;
	struct edge *edges;
	struct visit *next; /* in its bucket */
};

struct vf_scc {
	struct visit *buckets[BUCKET_CNT];
};

/* ---- cycles ------------------------------------------------------------------------------------- */

struct tarjan {
	u32 *low, *pre, *stack, *dfs;
	u32 stack_cnt, dfs_cnt, pre_next, scc_next;
};

enum { OFF_STACK = ~0u };

/* Goes to a successor that was not visited yet; false when there is none. */
static bool descend(struct vf_env *env, struct tarjan *t, u32 w)
{
	u32 next[2], cnt = vf_successors(env, w, next);

	for (u32 n = 0; n < cnt; n++) {
		if (!t->pre[next[n]]) {
			t->dfs[t->dfs_cnt++] = next[n];
			return true;
		}
		t->low[w] = MIN(t->low[w], t->low[next[n]]);
	}
	return false;
}

static bool is_cycle(struct vf_env *env, const struct tarjan *t, u32 w)
{
	u32 next[2], cnt = vf_successors(env, w, next);
	bool is_any = t->stack[t->stack_cnt - 1] != w || env->aux[w].calls_back;

	for (u32 n = 0; n < cnt; n++)
		is_any |= next[n] == w;
	return is_any;
}

/* All of w's component is on the stack, w lowest. */
static void take(struct vf_env *env, struct tarjan *t, u32 w)
{
	u32 scc = is_cycle(env, t, w) ? ++t->scc_next : 0, v;

	do {
		v = t->stack[--t->stack_cnt];
		t->low[v] = OFF_STACK;
		env->aux[v].scc = scc;
	} while (v != w);
}

static void walk(struct vf_env *env, struct tarjan *t, u32 start)
{
	t->dfs[t->dfs_cnt++] = start;
	while (t->dfs_cnt) {
		u32 w = t->dfs[t->dfs_cnt - 1];

		if (!t->pre[w]) {
			t->low[w] = t->pre[w] = ++t->pre_next;
			t->stack[t->stack_cnt++] = w;
		}
		if (descend(env, t, w))
			continue;
		if (t->low[w] == t->pre[w])
			take(env, t, w);
		t->dfs_cnt--;
	}
}

int vf_scc_find(struct vf_env *env)
{
	size_t len = env->insn_cnt * sizeof(u32);
	struct tarjan t = {
		.low = vf_alloc(env, len),
		.pre = vf_alloc(env, len),
		.stack = vf_alloc(env, len),
		.dfs = vf_alloc(env, len),
	};
	int err = -ENOMEM;

	env->scc = vf_alloc(env, sizeof(*env->scc));
	if (env->scc && t.low && t.pre && t.stack && t.dfs) {
		for (u32 i = 0; i < env->insn_cnt; i++) {
			if (!t.pre[i])
				walk(env, &t, i);
		}
		err = 0;
	}
	vf_free(env, t.low, len);
	vf_free(env, t.pre, len);
	vf_free(env, t.stack, len);
	vf_free(env, t.dfs, len);
	return err;
}

/* ---- visits ------------------------------------------------------------------------------------- */

u32 vf_frame_insn(const struct vf_state *st, u32 f)
{
	return f == st->top ? st->insn_idx : (u32)st->frames[f + 1]->callsite;
}

/* The outermost frame that is in a cycle, and the calls that lead there. */
static bool chain_of(const struct vf_env *env, const struct vf_state *st, struct chain *ret_chain)
{
	memset(ret_chain, 0, sizeof(*ret_chain));
	for (u32 f = 0; f <= st->top; f++) {
		u32 at = vf_frame_insn(st, f);

		ret_chain->scc = env->aux[at].scc;
		if (ret_chain->scc)
			return true;
		ret_chain->callsites[f] = at;
	}
	return false;
}

static struct visit **find(struct vf_env *env, const struct chain *chain)
{
	u32 hash = chain->scc;
	struct visit **link;

	for (u32 f = 0; f < PROG_FRAME_MAX; f++)
		hash = hash * 31 + chain->callsites[f];
	link = &env->scc->buckets[hash % BUCKET_CNT];
	while (*link && memcmp(&(*link)->chain, chain, sizeof(*chain)) != 0)
		link = &(*link)->next;
	return link;
}

static void log_visit(struct vf_env *env, const char *what, const struct chain *chain)
{
	if (!vf_logs_full(env))
		return;
	vf_note(env, "SCC %s (", what);
	for (u32 f = 0; f < PROG_FRAME_MAX && chain->callsites[f]; f++)
		vf_note(env, "%u,", chain->callsites[f]);
	vf_note(env, "%u)\n", chain->scc);
}

int vf_scc_enter(struct vf_env *env, struct vf_state *st)
{
	struct visit **link;
	struct chain chain;

	if (!chain_of(env, st, &chain))
		return 0;
	link = find(env, &chain);
	if (!*link) {
		*link = vf_alloc(env, sizeof(**link));
		if (!*link)
			return -ENOMEM;
		(*link)->chain = chain;
	}
	if (!(*link)->entry) {
		(*link)->entry = st;
		log_visit(env, "enter", &chain);
	}
	return 0;
}

static void free_edges(struct vf_env *env, struct visit *visit)
{
	while (visit->edges) {
		struct edge *edge = visit->edges;

		visit->edges = edge->next;
		vf_state_done(env, &edge->st);
		vf_free(env, edge, sizeof(*edge));
		env->edge_cnt--;
	}
}

static int carry_marks(struct vf_env *env, struct visit *visit)
{
	bool is_changed = true;
	int err = 0;

	for (u32 round = 0; is_changed && !err; round++) {
		is_changed = false;
		for (struct edge *e = visit->edges; e && !err; e = e->next) {
			if (round >= ROUNDS_MAX)
				vf_precision_give_up(env, &e->st);
			else
				err = vf_precision_inherit(env, e->old, &e->st, &is_changed);
		}
	}
	free_edges(env, visit);
	return err;
}

int vf_scc_exit(struct vf_env *env, struct vf_state *st)
{
	struct visit *visit;
	struct chain chain;

	if (!chain_of(env, st, &chain))
		return 0;
	visit = *find(env, &chain);
	if (!visit || visit->entry != st)
		return 0;
	log_visit(env, "exit", &chain);
	visit->entry = NULL;
	return carry_marks(env, visit);
}

int vf_scc_add_edge(struct vf_env *env, const struct vf_state *old, const struct vf_state *cur)
{
	struct visit *visit;
	struct chain chain;
	struct edge *edge;

	if (!chain_of(env, old, &chain) || !(visit = *find(env, &chain)))
		return vf_complain(env, VF_C_NO_CYCLE, old->insn_idx);
	edge = vf_alloc(env, sizeof(*edge));
	if (!edge)
		return -ENOMEM;
	if (vf_state_copy(env, &edge->st, cur) || vf_hist_copy(env, &edge->st, cur)) {
		vf_state_done(env, &edge->st);
		vf_free(env, edge, sizeof(*edge));
		return -ENOMEM;
	}
	log_visit(env, "backedge", &chain);
	edge->old = old;
	edge->next = visit->edges;
	visit->edges = edge;
	env->edge_cnt++;
	return 0;
}

bool vf_scc_is_open(struct vf_env *env, const struct vf_state *st)
{
	struct visit *visit;
	struct chain chain;

	if (!env->edge_cnt || !chain_of(env, st, &chain))
		return false;
	visit = *find(env, &chain);
	return visit && visit->edges;
}

void vf_scc_forget(struct vf_env *env)
{
	for (u32 b = 0; env->scc && b < BUCKET_CNT; b++) {
		while (env->scc->buckets[b]) {
			struct visit *visit = env->scc->buckets[b];

			env->scc->buckets[b] = visit->next;
			free_edges(env, visit);
			vf_free(env, visit, sizeof(*visit));
		}
	}
}

void vf_scc_done(struct vf_env *env)
{
	vf_scc_forget(env);
	vf_free(env, env->scc, sizeof(*env->scc));
	env->scc = NULL;
}
