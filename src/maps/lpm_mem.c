/*
 * What an LPM trie (lpm.h) is made of: nodes and tables, taken and left.
 *
 * What leaves goes to limbo, unchanged, because lookups may stand on it. When limbo is full, seq moves: lookups
 * that began before will look again, and what is in limbo may be used. Nothing here asks the system for memory:
 * both stretches are as long as they can ever need to be, and untouched pages cost nothing. Tables of one size
 * that are free are linked; a larger one is cut in halves when there is none.
 */
#include "maps/lpm.h"

#include "base/mem.h"

enum {
	HURRY_LEN = 1 << 16, /* bytes of a table that does not wait until limbo is full */
	DROP_LEN = 1 << 18,  /* of one that gives its pages back while it is free */
};

static void free_table(struct lpm *lpm, u32 unit, u32 bits)
{
	u64 len = sizeof(u64) << bits;

	if (len >= DROP_LEN)
		mem_pages_drop(lpm->slots + (u64)unit * LPM_UNIT, len);
	lpm->units[unit].next = lpm->free_tables[bits];
	lpm->free_tables[bits] = unit + 1;
}

static void empty_limbo(struct lpm *lpm)
{
	const struct lpm_left *left = lpm->left;

	map_store(&lpm->seq, lpm->seq + 1);
	for (; left < lpm->left + lpm->left_cnt; left++) {
		if (left->bits) {
			free_table(lpm, left->num, left->bits);
			continue;
		}
		map_store(&lpm_node(lpm, left->num)->child[0], lpm->free_node);
		lpm->free_node = left->num;
	}
	lpm->left_cnt = 0;
}

void lpm_leave(struct lpm *lpm, u32 num, u32 bits)
{
	if (lpm->left_cnt == LPM_LIMBO)
		empty_limbo(lpm);
	lpm->left[lpm->left_cnt++] = (struct lpm_left){num, bits};
	if (bits && sizeof(u64) << bits >= HURRY_LEN)
		empty_limbo(lpm); /* too large to wait */
}

u32 lpm_take_node(struct lpm *lpm, u32 len, u64 flags, const u64 *words)
{
	struct lpm_node *node;
	u32 num;

	if (!lpm->free_node && lpm->fresh == lpm->node_cnt)
		empty_limbo(lpm);
	num = lpm->free_node;
	if (num) {
		node = lpm_node(lpm, num);
		lpm->free_node = node->child[0];
	} else if (lpm->fresh < lpm->node_cnt) {
		num = lpm->fresh;
		node = lpm_node(lpm, num);
		map_store(&node->room, num);
		__atomic_store_n(&lpm->fresh, num + 1, __ATOMIC_RELAXED);
	} else {
		return 0;
	}
	map_store(&node->child[0], 0);
	map_store(&node->child[1], 0);
	lpm_set_words(lpm, node, words);
	lpm_store(&node->head, len | flags);
	return num;
}

void lpm_set_words(const struct lpm *lpm, struct lpm_node *node, const u64 *words)
{
	if (!lpm->word_cnt)
		map_store(&node->first, (u32)(words[0] >> 32));
	for (u32 i = 0; i < lpm->word_cnt; i++)
		lpm_store(&node->words[i], words[i]);
}

bool lpm_take_table(struct lpm *lpm, u32 bits, u32 *ret_unit)
{
	u32 unit, size = bits, cnt = (1U << bits) / LPM_UNIT;

	while (size <= LPM_BITS_MAX && !lpm->free_tables[size])
		size++;
	if (size > LPM_BITS_MAX) {
		if (lpm->unit_cnt - lpm->fresh_unit < cnt)
			return false;
		*ret_unit = lpm->fresh_unit;
		lpm->fresh_unit += cnt;
		return true;
	}
	unit = lpm->free_tables[size] - 1;
	lpm->free_tables[size] = lpm->units[unit].next;
	while (size > bits) {
		size--;
		free_table(lpm, unit + (1U << size) / LPM_UNIT, size);
	}
	*ret_unit = unit;
	return true;
}
