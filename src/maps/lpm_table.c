/*
 * The tables of an LPM trie (lpm.h): making what their slots say true again after a change, and giving tables to
 * nodes that have grown others close below them.
 *
 * Filling goes down the covered nodes and splits the range of slots with them:
 *
 *	slots that hang below a node:  | before its prefix: best so far | below child 0 | below child 1 | behind |
 *
 * and only where the change was ([from, to)). A table gets a bit more when it covers half as many nodes as it
 * has slots, and one less when there is not one for eight; LPM_BITS_MIN bits are the least that pay. Nodes without
 * children do not count: a walk ends there, with a table or without.
 */
#include "maps/lpm.h"

/* Covered nodes (those with children) for sixteen slots. */
enum {
	FULL = 8,  /* more: the table grows */
	DENSE = 3, /* as many: it may be made */
	THIN = 2,  /* fewer: it is made smaller */
};

struct filler {
	const struct lpm *lpm;
	u64 *slots;
	u32 owner; /* the node whose table it is */
	u32 start, bits;
	u32 from, to; /* slots to fill */
};

static void put(const struct filler *f, u32 from, u32 to, u32 best, u32 next)
{
	for (u32 i = MAX(from, f->from); i < MIN(to, f->to); i++)
		lpm_store(&f->slots[i], (u64)best << 32 | next);
}

/* Slots [from, to) hang below a link to num. */
static void fill(const struct filler *f, u32 num, u32 from, u32 to, u32 best)
{
	const struct lpm_node *node = lpm_node(f->lpm, num);
	u32 len, end = f->start + f->bits, at, width;
	u64 room;

	if (from >= f->to || to <= f->from)
		return;
	if (!num) {
		put(f, from, to, best, 0);
		return;
	}
	len = lpm_len(node->head);
	width = len < end ? 1U << (end - len) : 1;
	at = lpm_take(lpm_words(f->lpm, node, &room), f->start, f->bits) & ~(width - 1);
	put(f, from, at, best, 0);
	put(f, at + width, to, best, 0);
	if (len >= end) {
		put(f, at, at + 1, best, num);
		return;
	}
	if (num != f->owner && !(node->head & LPM_IM))
		best = num;
	fill(f, node->child[0], at, at + width / 2, best);
	fill(f, node->child[1], at + width / 2, at + width, best);
}

/* Nodes with children and shorter than end, at and below num; more than enough are not counted. */
static u32 count(const struct lpm *lpm, u32 num, u32 end, u32 enough)
{
	const struct lpm_node *node = lpm_node(lpm, num);
	u32 cnt = 1;

	if (!num || lpm_len(node->head) >= end || (!node->child[0] && !node->child[1]))
		return 0;
	for (u32 side = 0; side < 2 && cnt < enough; side++)
		cnt += count(lpm, node->child[side], end, enough - cnt);
	return cnt;
}

/* How many bits a table of the node pays with; LPM_BITS_MIN - 1: none. Tries from `bits` + 1 on. */
static u32 choose_bits(const struct lpm *lpm, u32 num, u32 bits)
{
	u32 len = lpm_len(lpm_node(lpm, num)->head), max = lpm->data_size * 8 - len, enough;

	for (; bits < MIN(max, (u32)LPM_BITS_MAX); bits++) {
		enough = (2U << bits) / 16 * DENSE;
		if (count(lpm, num, len + bits + 1, enough) < enough)
			break;
	}
	return bits;
}

static void build(struct lpm *lpm, u32 num, u32 bits);

/* The table of a node, if it should have one. */
static void settle(struct lpm *lpm, u32 num)
{
	u32 bits = choose_bits(lpm, num, LPM_BITS_MIN - 1);

	if (bits >= LPM_BITS_MIN)
		build(lpm, num, bits);
}

static void drop_table(struct lpm *lpm, struct lpm_node *node)
{
	u64 head = node->head;

	lpm_store(&node->head, head & (LPM_LEN_MASK | LPM_IM));
	lpm_leave(lpm, lpm_table(head), lpm_bits(head));
}

/* Nodes below num that another table will cover, up to end, lose theirs; those behind the end that were covered
 * and will not be any more (bare) get one. */
static void strip(struct lpm *lpm, u32 num, u32 end, bool bare)
{
	struct lpm_node *node = lpm_node(lpm, num);

	for (u32 side = 0; side < 2; side++) {
		u32 child = node->child[side];
		struct lpm_node *below = lpm_node(lpm, child);
		bool is_longer;

		if (!child)
			continue;
		if (lpm_len(below->head) >= end) {
			if (bare && !lpm_bits(below->head))
				settle(lpm, child);
			continue;
		}
		is_longer = lpm_bits(below->head) && lpm_end(below->head) > end;
		if (lpm_bits(below->head))
			drop_table(lpm, below);
		strip(lpm, child, end, bare || is_longer);
	}
}

static struct filler filler_of(const struct lpm *lpm, u32 num, u64 head)
{
	return (struct filler){
		.lpm = lpm,
		.slots = lpm_slots(lpm, head),
		.owner = num,
		.start = lpm_len(head),
		.bits = lpm_bits(head),
		.to = 1U << lpm_bits(head),
	};
}

/* Covered nodes that only their tables kept go: without value and with one child. */
static void prune(struct lpm *lpm, u32 *link, struct filler *f)
{
	struct lpm_node *node = lpm_node(lpm, *link), *owner = lpm_node(lpm, f->owner);
	u32 num = *link, end = lpm_end(owner->head), width;
	u64 room;

	if (!num || lpm_len(node->head) >= end)
		return;
	prune(lpm, &node->child[0], f);
	prune(lpm, &node->child[1], f);
	if (num == f->owner || !(node->head & LPM_IM) || (node->child[0] && node->child[1]))
		return;
	map_store(link, node->child[node->child[0] == 0]);
	lpm->parents[*link] = lpm->parents[num];
	width = 1U << (end - lpm_len(node->head));
	f->from = lpm_take(lpm_words(lpm, node, &room), f->start, f->bits) & ~(width - 1);
	f->to = f->from + width;
	fill(f, f->owner, 0, 1U << f->bits, 0);
	lpm->units[lpm_table(owner->head)].node_cnt--;
	lpm_leave(lpm, num, 0);
}

/* A table for the node, in place of the one it has; without memory all stays. */
static void build(struct lpm *lpm, u32 num, u32 bits)
{
	struct lpm_node *node = lpm_node(lpm, num);
	u64 old = node->head, head;
	struct filler f;
	u32 unit, self = num;

	if (!lpm_take_table(lpm, bits, &unit))
		return;
	head = (u64)unit << LPM_TABLE_SHIFT | bits << LPM_BITS_SHIFT |
	       (old & (LPM_LEN_MASK | LPM_IM));
	strip(lpm, num, lpm_end(head), lpm_bits(old) > bits);
	lpm->units[unit].node_cnt = count(lpm, num, lpm_end(head), UINT32_MAX);
	f = filler_of(lpm, num, head);
	fill(&f, num, 0, f.to, 0);
	lpm_store(&node->head, head);
	if (lpm_bits(old))
		lpm_leave(lpm, lpm_table(old), lpm_bits(old));
	prune(lpm, &self, &f);
}

/* The last node above `depth` with a table, or none (0). */
static u32 last_table(const struct lpm *lpm, const struct lpm_path *path, u32 depth)
{
	depth = MIN(depth, path->table_cnt);
	while (depth--)
		if (lpm_bits(lpm_node(lpm, path->nums[depth])->head))
			return path->nums[depth];
	return 0;
}

/* The node whose table covers what hangs below path->nums[depth - 1], or 0. */
static u32 cover(const struct lpm *lpm, const struct lpm_path *path, u32 depth)
{
	u32 num = last_table(lpm, path, depth);

	if (!num || lpm_len(lpm_node(lpm, path->nums[depth - 1])->head) >=
			    lpm_end(lpm_node(lpm, num)->head))
		return 0;
	return num;
}

void lpm_refresh(struct lpm *lpm, const struct lpm_path *path, u32 depth, const u64 *words, u32 len)
{
	u32 num = cover(lpm, path, depth), best = 0, end, at, width;
	const struct lpm_node *above;
	struct filler f;

	if (!num)
		return;
	f = filler_of(lpm, num, lpm_node(lpm, num)->head);
	end = f.start + f.bits;
	at = lpm_take(words, f.start, f.bits);
	width = len < end ? 1U << (end - len) : 1;
	f.from = at & ~(width - 1);
	f.to = f.from + width;
	/* from the link on below which it changed */
	for (u32 i = depth; path->nums[i - 1] != num && !best; i--)
		if (!(lpm_node(lpm, path->nums[i - 1])->head & LPM_IM))
			best = path->nums[i - 1];
	above = lpm_node(lpm, path->nums[depth - 1]);
	width = 1U << (end - lpm_len(above->head) - 1);
	at &= ~(width - 1);
	fill(&f, above->child[lpm_bit(words, lpm_len(above->head))], at, at + width, best);
}

void lpm_replace(
	struct lpm *lpm, u32 owner, u32 above, const struct lpm_key *key, u32 len, u32 below)
{
	struct filler f = filler_of(lpm, owner, lpm_node(lpm, owner)->head);
	u32 end = f.start + f.bits, at = lpm_take(key->words, f.start, f.bits), width, best = 0;

	if (len >= end) { /* no entry that the table covers changed */
		lpm_store(&f.slots[at], (f.slots[at] & ~(u64)UINT32_MAX) | below);
		return;
	}
	width = 1U << (end - len);
	f.from = at & ~(width - 1);
	f.to = f.from + width;
	for (; above != owner && !best; above = lpm->parents[above])
		if (!(lpm_node(lpm, above)->head & LPM_IM))
			best = above;
	fill(&f, below, f.from, f.to, best);
}

void lpm_count(struct lpm *lpm, const struct lpm_path *path, u32 depth, u32 len, s32 more)
{
	u32 num = cover(lpm, path, depth);
	u64 head = lpm_node(lpm, num)->head;

	if (num && len < lpm_end(head))
		lpm->units[lpm_table(head)].node_cnt += (u32)more;
}

void lpm_grow(struct lpm *lpm, const struct lpm_path *path, u32 top)
{
	u32 last = last_table(lpm, path, path->cnt), len = lpm_len(lpm_node(lpm, top)->head), bits;
	u32 end = last ? lpm_end(lpm_node(lpm, last)->head) : 0, at = path->cnt, num;
	u64 head = lpm_node(lpm, last)->head;

	if (len < end) {
		if (lpm->units[lpm_table(head)].node_cnt <= (1U << lpm_bits(head)) / 16 * FULL)
			return;
		bits = choose_bits(lpm, last, lpm_bits(head));
		if (bits > lpm_bits(head))
			build(lpm, last, bits);
		return;
	}
	/* the highest node without cover for which it pays; only those close above have grown */
	while (at && len - lpm_len(lpm_node(lpm, path->nums[at - 1])->head) < LPM_BITS_MIN &&
		path->nums[at - 1] != last &&
		lpm_len(lpm_node(lpm, path->nums[at - 1])->head) >= end)
		at--;
	for (; at <= path->cnt; at++) {
		num = at < path->cnt ? path->nums[at] : top;
		bits = choose_bits(lpm, num, LPM_BITS_MIN - 1);
		if (bits >= LPM_BITS_MIN) {
			build(lpm, num, bits);
			return;
		}
	}
}

static void settle_below(struct lpm *lpm, u32 num, u32 end)
{
	const struct lpm_node *node = lpm_node(lpm, num);

	if (!num)
		return;
	if (lpm_len(node->head) >= end) {
		settle(lpm, num);
		end = lpm_end(node->head);
	}
	settle_below(lpm, node->child[0], end);
	settle_below(lpm, node->child[1], end);
}

void lpm_settle_all(struct lpm *lpm)
{
	settle_below(lpm, *lpm_root(lpm), 0);
}

static u32 thin(u64 head)
{
	return (1U << lpm_bits(head)) / 16 * THIN;
}

bool lpm_stays_dense(const struct lpm *lpm, u64 head, u32 fewer)
{
	return lpm->units[lpm_table(head)].node_cnt >= thin(head) + fewer;
}

void lpm_shrink(struct lpm *lpm, u32 num)
{
	struct lpm_node *node = lpm_node(lpm, num);
	u64 head = node->head;
	u32 bits;

	if (!lpm_bits(head) || lpm_stays_dense(lpm, head, 0))
		return;
	bits = choose_bits(lpm, num, LPM_BITS_MIN - 1);
	if (bits >= LPM_BITS_MIN && bits < lpm_bits(head))
		build(lpm, num, bits);
	if (node->head == head)
		drop_table(lpm, node);
}
