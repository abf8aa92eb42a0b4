/*
 * Stack liveness, found while exploring: a pointer into the stack may come from anywhere, so only the
 * exploration knows what an instruction accesses. Paths do not matter, chains of calls do: a node of the
 * tree is a function entered through one chain of call sites. For each of its instructions and each frame
 * of the chain it keeps
 *	may_read	slots read on some visit,
 *	must_write	slots wholly overwritten on every visit,
 *	live_before	the least solution of may_read | (union of live_before of successors & ~must_write).
 * An instruction that was not visited has no live slots; visits only add reads and drop writes, so the
 * solution only grows and a worklist of changed instructions keeps it up to date. What a callee may read
 * of outer frames is read by its call site.
 *
 * All that follows a state has been visited when the state is complete, and only such states are asked
 * about. Same idea as Linux 6.18's, with must_write of calls left out (less is dead, never more).
 */
#include "verifier/live_stack.h"

#include <errno.h>
#include <string.h>

#include "verifier/env.h"
#include "verifier/static.h"

enum { BUCKET_CNT = 1024 };

struct masks {
	u64 may_read, must_write, live_before;
};

struct vf_live {
	struct vf_live *parent;		     /* the caller's node; NULL in the outermost frame */
	struct vf_live *next;		     /* in its bucket */
	u32 callsite, start, len;	     /* instructions [start, start + len) */
	u32 depth;			     /* frame number */
	struct masks *masks[PROG_FRAME_MAX]; /* len each; NULL: never accessed */
	bool *is_visited, *is_queued;
	u32 *queue;
	u32 queue_cnt;
	struct vf_live *next_dirty;
	bool is_dirty;
};

struct vf_live_tree {
	struct vf_live *buckets[BUCKET_CNT];
	struct vf_live *dirty;
	/* the running instruction */
	struct vf_live *at;
	u32 idx;
	u64 reads[PROG_FRAME_MAX], writes[PROG_FRAME_MAX];
};

int vf_live_init(struct vf_env *env)
{
	env->live = vf_alloc(env, sizeof(*env->live));
	return env->live ? 0 : -ENOMEM;
}

static void free_node(struct vf_env *env, struct vf_live *node)
{
	for (u32 f = 0; f < PROG_FRAME_MAX; f++)
		vf_free(env, node->masks[f], node->len * sizeof(struct masks));
	vf_free(env, node->is_visited, node->len);
	vf_free(env, node->is_queued, node->len);
	vf_free(env, node->queue, node->len * sizeof(u32));
	vf_free(env, node, sizeof(*node));
}

void vf_live_done(struct vf_env *env)
{
	for (u32 b = 0; env->live && b < BUCKET_CNT; b++) {
		while (env->live->buckets[b]) {
			struct vf_live *node = env->live->buckets[b];

			env->live->buckets[b] = node->next;
			free_node(env, node);
		}
	}
	vf_free(env, env->live, sizeof(*env->live));
	env->live = NULL;
}

static struct vf_live **find(
	struct vf_env *env, const struct vf_live *parent, u32 callsite, u32 start)
{
	u64 hash = ((uintptr_t)parent >> 4) * 31 + callsite + start;
	struct vf_live **link = &env->live->buckets[hash % BUCKET_CNT];

	while (*link && ((*link)->parent != parent || (*link)->callsite != callsite ||
				(*link)->start != start))
		link = &(*link)->next;
	return link;
}

int vf_live_enter(struct vf_env *env, const struct vf_frame *caller, struct vf_frame *frame)
{
	struct vf_live *parent = caller ? caller->live : NULL, *node, **link;
	u32 start = env->subs[frame->sub].start;

	link = find(env, parent, frame->callsite, start);
	if (*link) {
		frame->live = *link;
		return 0;
	}
	node = vf_alloc(env, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->parent = parent;
	node->callsite = frame->callsite;
	node->depth = frame->no;
	node->start = start;
	node->len = env->subs[frame->sub + 1].start - start;
	node->is_visited = vf_alloc(env, node->len);
	node->is_queued = vf_alloc(env, node->len);
	node->queue = vf_alloc(env, node->len * sizeof(u32));
	if (!node->is_visited || !node->is_queued || !node->queue) {
		free_node(env, node);
		return -ENOMEM;
	}
	*link = node;
	frame->live = node;
	return 0;
}

/* at: relative to the function's start */
static void queue(struct vf_live_tree *tree, struct vf_live *node, u32 at)
{
	if (node->is_queued[at])
		return;
	node->is_queued[at] = true;
	node->queue[node->queue_cnt++] = at;
	if (!node->is_dirty) {
		node->is_dirty = true;
		node->next_dirty = tree->dirty;
		tree->dirty = node;
	}
}

static struct masks *masks_of(struct vf_env *env, struct vf_live *node, u32 frame)
{
	if (!node->masks[frame])
		node->masks[frame] = vf_alloc(env, node->len * sizeof(struct masks));
	return node->masks[frame];
}

/* ---- telling ------------------------------------------------------------------------------------ */

void vf_live_begin(struct vf_env *env)
{
	struct vf_live_tree *tree = env->live;

	tree->at = vf_top(env->cur)->live;
	tree->idx = env->insn_idx - tree->at->start;
	memset(tree->reads, 0, sizeof(tree->reads));
	memset(tree->writes, 0, sizeof(tree->writes));
}

void vf_live_read(struct vf_env *env, u32 frame, u32 slot)
{
	env->live->reads[frame] |= 1ull << slot;
}

void vf_live_write(struct vf_env *env, u32 frame, u32 slot)
{
	env->live->writes[frame] |= 1ull << slot;
}

int vf_live_commit(struct vf_env *env)
{
	struct vf_live_tree *tree = env->live;
	struct vf_live *node = tree->at;
	bool is_first = !node->is_visited[tree->idx], is_changed = is_first;

	node->is_visited[tree->idx] = true;
	for (u32 f = 0; f <= node->depth; f++) {
		struct masks *m;

		if (!node->masks[f] && !tree->reads[f] && !tree->writes[f])
			continue;
		m = masks_of(env, node, f);
		if (!m)
			return -ENOMEM;
		m += tree->idx;
		if (is_first) {
			m->must_write = tree->writes[f];
		} else if (m->must_write & ~tree->writes[f]) {
			m->must_write &= tree->writes[f];
			is_changed = true;
		}
		if (tree->reads[f] & ~m->may_read) {
			m->may_read |= tree->reads[f];
			is_changed = true;
		}
	}
	if (is_changed)
		queue(tree, node, tree->idx);
	return 0;
}

/* ---- solving ------------------------------------------------------------------------------------ */

/* What the function may read of outer frames, its call site reads. */
static int tell_parent(struct vf_env *env, const struct vf_live *node)
{
	struct vf_live *parent = node->parent;
	u32 at;

	if (!parent)
		return 0;
	at = node->callsite - parent->start;
	for (u32 f = 0; f < node->depth; f++) {
		struct masks *m;

		if (!node->masks[f] || !node->masks[f][0].live_before)
			continue;
		m = masks_of(env, parent, f);
		if (!m)
			return -ENOMEM;
		if (!(node->masks[f][0].live_before & ~m[at].may_read))
			continue;
		m[at].may_read |= node->masks[f][0].live_before;
		queue(env->live, parent, at);
	}
	return 0;
}

/* Recomputes one instruction; true if it grew. */
static bool update(const struct vf_env *env, struct vf_live *node, u32 at)
{
	u32 next[2], cnt = vf_successors(env, node->start + at, next);
	bool has_grown = false;

	if (!node->is_visited[at])
		return false;
	for (u32 f = 0; f <= node->depth; f++) {
		struct masks *m = node->masks[f];
		u64 live = 0;

		if (!m)
			continue;
		for (u32 n = 0; n < cnt; n++)
			live |= m[next[n] - node->start].live_before;
		live = m[at].may_read | (live & ~m[at].must_write);
		if (live & ~m[at].live_before) {
			m[at].live_before |= live;
			has_grown = true;
		}
	}
	return has_grown;
}

static int solve_node(struct vf_env *env, struct vf_live *node)
{
	while (node->queue_cnt) {
		u32 at = node->queue[--node->queue_cnt];

		node->is_queued[at] = false;
		if (!update(env, node, at))
			continue;
		if (!at && tell_parent(env, node))
			return -ENOMEM;
		for (u32 e = env->pred_start[node->start + at];
			e < env->pred_start[node->start + at + 1]; e++)
			queue(env->live, node, env->pred[e] - node->start);
	}
	return 0;
}

int vf_live_solve(struct vf_env *env)
{
	while (env->live->dirty) {
		struct vf_live *node = env->live->dirty;

		env->live->dirty = node->next_dirty;
		node->is_dirty = false;
		if (solve_node(env, node))
			return -ENOMEM;
	}
	return 0;
}

static u64 live_before(const struct vf_live *node, u32 insn_idx, u32 frame)
{
	return node->masks[frame] ? node->masks[frame][insn_idx - node->start].live_before : 0;
}

u64 vf_live_slots(const struct vf_state *st, u32 frame)
{
	u64 live = live_before(vf_top(st)->live, st->insn_idx, frame);

	for (u32 f = frame; f < st->top; f++) {
		const struct vf_frame *callee = st->frames[f + 1];

		/* a callback returns to the call itself */
		live |= live_before(
			st->frames[f]->live, callee->callsite + !callee->is_callback, frame);
	}
	return live;
}
