/*
 * Taking an entry out of an LPM trie (lpm.h) from close by: tables lead to it, and its parents are known by number, so
 * the walk from bit to bit over the nodes that a table covers is not needed. That is the way of nearly every delete.
 *
 *	owner ── table ──> ... grand ── above ── node ── below
 *
 * What it does not do is left to the way over the whole path (lpm_trie.c): nodes that stay because they have two
 * children or a table, nodes without a table above them, and tables that may become too thin.
 *
 * Invariants. The owner is the last node with a table above the node, so it stays, and nodes between have none. Only
 * slots of the owner speak of the node. Stores come in the order that lookups without a lock need: link, slots, and
 * only then does the node leave. A removal takes one node with children at most out of the table's range: a parent that
 * goes as well had two of them.
 */
#include "maps/lpm.h"

static bool is_leaf(const struct lpm_node *node)
{
	return !node->child[0] && !node->child[1];
}

static bool begins_with(
	const struct lpm *lpm, const struct lpm_node *node, const u64 *words, u32 len)
{
	u64 room;
	const u64 *own = lpm_words(lpm, node, &room);

	for (u32 i = 0; i * 64 < len; i++)
		if (lpm_differ(own[i], words[i], MIN(len - i * 64, 64U)))
			return false;
	return true;
}

/* The node of just this prefix, if there is a way to it over tables, else 0. Only its own bits are compared: they
 * are those of all nodes above it as well. */
static u32 find(const struct lpm *lpm, const struct lpm_key *key, u32 *ret_owner)
{
	u32 num = *lpm_root(lpm), owner = 0, len;
	const struct lpm_node *node;
	u64 head, slot;

	while (num) {
		node = lpm_node(lpm, num);
		head = node->head;
		len = lpm_len(head);
		if (len >= key->len)
			break;
		if (!lpm_bits(head)) {
			num = node->child[lpm_bit(key->words, len)];
			continue;
		}
		owner = num;
		slot = lpm_slots(lpm, head)[lpm_take(key->words, len, lpm_bits(head))];
		num = lpm_end(head) <= key->len ? (u32)slot : (u32)(slot >> 32);
	}
	if (!num || len > key->len || !begins_with(lpm, node, key->words, len))
		return 0;
	*ret_owner = owner;
	return num;
}

/* `below`, or nothing, takes the node's place under its parent; the number of the parent. */
static u32 take_out(struct lpm *lpm, u32 num, u32 below, const u64 *words)
{
	u32 above = lpm->parents[num];
	struct lpm_node *parent = lpm_node(lpm, above);

	map_store(&parent->child[lpm_bit(words, lpm_len(parent->head))], below);
	if (below)
		lpm->parents[below] = above;
	return above;
}

bool lpm_remove_near(struct lpm *lpm, const struct lpm_key *key)
{
	u32 owner, num = find(lpm, key, &owner), below, above, len, end, gone = 0;
	struct lpm_node *node = lpm_node(lpm, num), *parent;
	u64 head;

	if (!num || !owner || node->head & LPM_IM || lpm_bits(node->head) ||
		(node->child[0] && node->child[1]))
		return false;
	head = lpm_node(lpm, owner)->head;
	end = lpm_end(head);
	if (!lpm_stays_dense(lpm, head, 1))
		return false;
	lpm_store(&node->head, node->head | LPM_IM);
	below = node->child[node->child[0] == 0];
	above = take_out(lpm, num, below, key->words);
	parent = lpm_node(lpm, above);
	len = lpm_len(parent->head);
	gone += below && key->len < end;
	gone += !below && above != owner && is_leaf(parent) && len < end;
	if (len < end)
		lpm_replace(lpm, owner, above, key, key->len, below);
	lpm_leave(lpm, num, 0);
	if (above != owner && parent->head & LPM_IM && (!parent->child[0] || !parent->child[1])) {
		below = parent->child[parent->child[0] == 0];
		num = take_out(lpm, above, below, key->words);
		gone += below && len < end;
		if (len >= end && lpm_len(lpm_node(lpm, num)->head) < end)
			lpm_replace(lpm, owner, num, key, len, below);
		lpm_leave(lpm, above, 0);
	}
	lpm->units[lpm_table(head)].node_cnt -= gone;
	return true;
}
