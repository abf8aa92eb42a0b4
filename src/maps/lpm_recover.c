/*
 * An LPM trie that another process left in a file, maybe in the middle of a change. Every change of the trie is one
 * store (a link, a head, a room), so what the root reaches is whole at each moment. It may hold nodes that nobody needs
 * any more, where a change was to take them out next; they go now. Tables are made again.
 *
 * A file may hold anything. So numbers are checked, a node and a room may be reached once, and a child's prefix must
 * be longer than its parent's and begin with it.
 */
#include <errno.h>

#include "base/mem.h"
#include "maps/lpm.h"

enum { SEEN_NODE = 1, SEEN_ROOM = 2 };

struct recovery {
	struct lpm *lpm;
	u8 *seen; /* SEEN_* a number */
	u32 last; /* the highest number in use */
};

static bool see(struct recovery *r, u32 num, u8 mark)
{
	if (!num || num >= r->lpm->node_cnt || r->seen[num] & mark)
		return false;
	r->seen[num] |= mark;
	r->last = MAX(r->last, num);
	return true;
}

/* Does the child's prefix begin with the parent's, and go on to that side? */
static bool fits(const struct lpm *lpm, const struct lpm_node *parent, u32 side,
	const struct lpm_node *child)
{
	u32 len = lpm_len(parent->head);
	u64 rooms[2];
	const u64 *a = lpm_words(lpm, parent, &rooms[0]), *b = lpm_words(lpm, child, &rooms[1]);

	if (lpm_len(child->head) <= len || lpm_bit(b, len) != side)
		return false;
	for (u32 i = 0; i * 64 < len; i++)
		if (lpm_differ(a[i], b[i], MIN(len - i * 64, 64U)))
			return false;
	return true;
}

/* Depth is bounded by the length of a key, which grows with each level. */
static int walk(struct recovery *r, u32 *link)
{
	struct lpm_node *node = lpm_node(r->lpm, *link);
	const u32 num = *link;
	int err = 0;

	if (!*link)
		return 0;
	if (!see(r, *link, SEEN_NODE) || lpm_len(node->head) > r->lpm->data_size * 8)
		return -EINVAL;
	if (!see(r, node->room, SEEN_ROOM))
		return -EINVAL;
	node->head &= LPM_LEN_MASK | LPM_IM;
	for (u32 side = 0; side < 2 && !err; side++) {
		if (!node->child[side])
			continue;
		if (node->child[side] >= r->lpm->node_cnt ||
			!fits(r->lpm, node, side, lpm_node(r->lpm, node->child[side])))
			return -EINVAL;
		err = walk(r, &node->child[side]);
		r->lpm->parents[node->child[side]] = num;
	}
	if (err)
		return err;
	if (!(node->head & LPM_IM)) {
		r->lpm->entry_cnt++;
	} else if (!node->child[0] || !node->child[1]) {
		r->seen[*link] &= (u8)~SEEN_NODE;
		r->seen[node->room] &= (u8)~SEEN_ROOM;
		*link = node->child[node->child[0] == 0];
	}
	return 0;
}

/* Nodes and rooms that nothing reaches are paired again; one room is left over. */
static void free_others(struct recovery *r)
{
	struct lpm *lpm = r->lpm;
	u32 room = 0;

	lpm->fresh = MAX(r->last + 1, lpm->fresh);
	for (u32 num = 1; num < lpm->fresh; num++) {
		if (r->seen[num] & SEEN_NODE || num == 1)
			continue;
		do {
			room++;
		} while (r->seen[room] & SEEN_ROOM);
		lpm_node(lpm, num)->room = room;
		lpm_node(lpm, num)->child[0] = lpm->free_node;
		lpm->free_node = num;
	}
	do {
		room++;
	} while (r->seen[room] & SEEN_ROOM);
	lpm->spare_room = room;
}

int lpm_recover(struct map *map)
{
	struct lpm *lpm = container_of(map, struct lpm, map);
	struct recovery r = {.lpm = lpm, .seen = mem_zalloc(lpm->node_cnt)};
	int err;

	if (!r.seen)
		return -ENOMEM;
	err = walk(&r, lpm_root(lpm));
	if (!err && (lpm->entry_cnt > map->max_entries || r.seen[1] & SEEN_NODE))
		err = -EINVAL;
	if (!err) {
		lpm->parents[*lpm_root(lpm)] = 0;
		free_others(&r);
		lpm_settle_all(lpm);
	}
	mem_free(r.seen);
	return err;
}
