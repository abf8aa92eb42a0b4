/*
 * The memory of an LPM trie: nodes, and tables that jump over levels of them.
 *
 * A binary trie of prefixes: each node branches on the first bit after its prefix, and paths without branches
 * are one edge. An intermediate node (IM) holds no value and stands where two prefixes part. It decides what is
 * in the map, in which order it is walked, and what an exact search finds.
 *
 *	10.0.0.0/8 ── 0: 10.0.0.0/15 IM ── 0: 10.0.0.0/16
 *	                                └─ 1: 10.1.0.0/16
 *
 * Lookups would pay a cache line a level. So a node with many others close below has a table: `bits` bits of
 * the key, those after the node's prefix, choose one of 2^bits slots, and the slot says what a walk through
 * these levels would find. This is the level compression of LC-tries (Nilsson and Karlsson, 1999), beside the
 * trie instead of in its place.
 *
 *	slot = { best: the longest entry between, 0 if none;  next: the node where the walk goes on, 0 if none }
 *
 * Invariants, between changes
 * 1. A child's prefix is longer than its parent's and begins with it. A node without value has two children,
 *    unless it has a table.
 * 2. A node's table covers the lengths from its own (not included) to its own + bits (not included). No node in
 *    there has a table: the ranges of tables are apart, and a change touches the slots of one table at most.
 * 3. What a slot says is what a walk over the covered nodes says: a walk may take the table or the children.
 * 4. A table has at least a node with children in its range for eight slots, its own included; with half as many as
 *    slots it grows. So tables cost memory in proportion to nodes, and a change costs, spread over many, little.
 * 5. `parents` names the node above each that is in the trie.
 * 6. Numbers instead of pointers: node 0 is none, and its first child the root; a node's words and its value's room never move.
 *
 * Concurrency. Changes happen under `lock`. Lookups take none: whatever leaves the trie (node or table) stays as
 * it was until LPM_LIMBO others have left, and then `seq` moves, before anything of it is used again. A lookup
 * in which seq did not move has seen only memory of nodes that were there during it, each at some moment: by 3
 * it is right before or after each change. If seq moved it looks again.
 */
#ifndef MAPS_LPM_H
#define MAPS_LPM_H

#include "core/map.h"
#include "maps/sync.h"

enum {
	LPM_DATA_MIN = 1,
	LPM_DATA_MAX = 256, /* bytes of key after the prefix length */
	LPM_WORDS_MAX = LPM_DATA_MAX / 8,
	LPM_DEPTH_MAX = LPM_DATA_MAX * 8 + 1,
	LPM_SHORT = 4,	  /* bytes of data that stand in the node's head */
	LPM_BITS_MIN = 4, /* of a table */
	LPM_BITS_MAX = 20,
	LPM_UNIT = 1 << LPM_BITS_MIN, /* slots; tables are given out in these */
	LPM_LIMBO = 64,
};

/* A node's head: what a step of a walk needs, in one word. */
enum { LPM_LEN_MASK = 0xfff, LPM_IM = 1 << 12, LPM_BITS_SHIFT = 16, LPM_TABLE_SHIFT = 32 };

struct lpm_node {
	u64 head;     /* prefix length, IM, bits of the table (0: none), its first unit */
	u32 child[2]; /* by the bit after the prefix */
	u32 room;     /* the node in which the value stands */
	u32 first;    /* the data if it is LPM_SHORT or less, as a number */
	u64 words
		[]; /* else: the data as numbers, most significant byte first; then room for a value */
};

/* Of each LPM_UNIT slots; what counts is that of a table's first ones. */
struct lpm_unit {
	u32 next; /* of the same size that is free, + 1 */
	u32 node_cnt;
};

struct lpm_left {
	u32 num;
	u32 bits; /* 0: a node, else a table */
};

struct lpm {
	struct map map;
	u8 *nodes;
	u64 *slots;
	struct lpm_unit *units;
	u32 *parents; /* by node: the one above it, 0 for the root; only for who holds the lock */
	u64 nodes_len, slots_len, units_len, parents_len;
	u32 node_len, node_cnt;
	u32 value_off;		 /* in a node */
	u32 data_size, word_cnt; /* of a key, without the prefix length; 0 words: short */
	u32 lock;
	u32 seq;
	u32 entry_cnt;
	u32 spare_room;
	u32 fresh;     /* nodes from here on were never used */
	u32 free_node; /* linked through child[0] */
	u32 unit_cnt, fresh_unit;
	u32 free_tables[LPM_BITS_MAX + 1]; /* by bits; first unit + 1 */
	u32 left_cnt;
	struct lpm_left left[LPM_LIMBO];
};

/* A key as numbers. */
struct lpm_key {
	u32 len;
	u64 words[LPM_WORDS_MAX];
};

/* Nodes from the root on. */
struct lpm_path {
	u32 cnt;
	u32 table_cnt; /* behind so many of them none has a table */
	u32 nums[LPM_DEPTH_MAX];
};

static inline struct lpm_node *lpm_node(const struct lpm *lpm, u32 num)
{
	return (struct lpm_node *)(lpm->nodes + (u64)num * lpm->node_len);
}

static inline u32 *lpm_root(const struct lpm *lpm)
{
	return &lpm_node(lpm, 0)->child[0];
}

static inline u64 lpm_load(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void lpm_store(u64 *word, u64 value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline u32 lpm_len(u64 head)
{
	return head & LPM_LEN_MASK;
}

static inline u32 lpm_bits(u64 head)
{
	return (u32)head >> LPM_BITS_SHIFT;
}

static inline u32 lpm_table(u64 head)
{
	return (u32)(head >> LPM_TABLE_SHIFT);
}

/* The lengths below this are covered by the node's table. */
static inline u32 lpm_end(u64 head)
{
	return lpm_len(head) + lpm_bits(head);
}

static inline u64 *lpm_slots(const struct lpm *lpm, u64 head)
{
	return lpm->slots + (u64)lpm_table(head) * LPM_UNIT;
}

static inline u32 lpm_bit(const u64 *words, u32 at)
{
	return words[at / 64] >> (63 - at % 64) & 1;
}

/* Do the first cnt bits differ? cnt <= 64. */
static inline bool lpm_differ(u64 a, u64 b, u32 cnt)
{
	return cnt && (a ^ b) >> (64 - cnt);
}

/* cnt bits from `at` on, 1 to LPM_BITS_MAX of them; all are in the key. */
static inline u32 lpm_take(const u64 *words, u32 at, u32 cnt)
{
	u64 bits = words[at / 64] << at % 64;

	if (at % 64 + cnt > 64)
		bits |= words[at / 64 + 1] >> (64 - at % 64);
	return (u32)(bits >> (64 - cnt));
}

/* A node's data as words; short ones need the room for one. */
static inline const u64 *lpm_words(
	const struct lpm *lpm, const struct lpm_node *node, u64 *ret_room)
{
	if (lpm->word_cnt)
		return node->words;
	*ret_room = (u64)node->first << 32;
	return ret_room;
}

/* lpm_mem.c: a node without children and table; 0: none is left. */
u32 lpm_take_node(struct lpm *lpm, u32 len, u64 flags, const u64 *words);
void lpm_set_words(const struct lpm *lpm, struct lpm_node *node, const u64 *words);
/* 2^bits slots from that unit on; false: none are left. */
bool lpm_take_table(struct lpm *lpm, u32 bits, u32 *ret_unit);
/* A node (bits 0) or table that no link, slot or head names any more. */
void lpm_leave(struct lpm *lpm, u32 num, u32 bits);

/* lpm_remove.c: takes the entry out if tables lead to it and they stay as they are; false: nothing was done. */
bool lpm_remove_near(struct lpm *lpm, const struct lpm_key *key);

/* lpm_recover.c: map_ops.recover */
int lpm_recover(struct map *map);

/* lpm_table.c: tables for nodes that have none, after making. */
void lpm_settle_all(struct lpm *lpm);
/* depth: how many nodes of the path are meant, from the root on.
 * What hangs below the last of them changed at a node of length len with these words: slots say so. */
void lpm_refresh(
	struct lpm *lpm, const struct lpm_path *path, u32 depth, const u64 *words, u32 len);
/* The node of length len on the key's way went from below `above`, which the owner's table covers; its only child,
 * or none (0), has its place. */
void lpm_replace(
	struct lpm *lpm, u32 owner, u32 above, const struct lpm_key *key, u32 len, u32 below);
/* Does the table of that head stay as it is when `fewer` nodes with children go? */
bool lpm_stays_dense(const struct lpm *lpm, u64 head, u32 fewer);
/* A node of that length that has children came there (1) or went (-1). */
void lpm_count(struct lpm *lpm, const struct lpm_path *path, u32 depth, u32 len, s32 more);
/* Nodes came, `top` below the path's end and maybe one below it: who should have a table? */
void lpm_grow(struct lpm *lpm, const struct lpm_path *path, u32 top);
/* Nodes below num went: its table may be smaller, or go. */
void lpm_shrink(struct lpm *lpm, u32 num);

#endif
