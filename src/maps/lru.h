/*
 * Which entry of a full hash table goes: the clock (second chance), an approximation of "least recently
 * used" that costs a lookup one byte. A hand walks over the slots; one that was used since the hand last
 * came loses its mark, one that was not makes room.
 *
 * There is one list, or one a CPU (BPF_F_NO_COMMON_LRU): then each CPU has its share of max_entries and
 * only ever takes room from entries it added itself.
 *
 * Invariants
 * 1. A list's cnt counts its entries and the slots that lru_take gave out; it never passes cnt_max, so
 *    the table has a free slot for each.
 * 2. A slot's mark stands before its value: whether it was used, and its list, which never changes while
 *    the slot is in a chain.
 * 3. A list is locked before a bucket; nobody asks for room while he holds a bucket.
 * Unlike Linux, which gives CPUs stocks of free slots, nothing goes before the map is full.
 */
#ifndef MAPS_LRU_H
#define MAPS_LRU_H

#include "maps/table.h"

struct map_lru_list {
	u32 lock;
	u32 hand; /* the slot to look at next */
	u32 cnt;  /* atomic */
	u32 cnt_max;
	u8 *key; /* room for one, of who holds the lock */
	u64 unused[5];
};

struct map_lru {
	struct map_table table;
	struct map_lru_list *lists;
	u32 list_cnt;
};

/* 8 bytes, before the value. */
struct map_lru_mark {
	u32 was_used;
	u32 list;
};

static inline struct map_lru_mark *map_lru_mark(const struct map_table *table, u32 num)
{
	return (struct map_lru_mark *)map_table_value(table, num) - 1;
}

static inline void map_lru_touch(const struct map_table *table, u32 num)
{
	u32 *was_used = &map_lru_mark(table, num)->was_used;

	if (!__atomic_load_n(was_used, __ATOMIC_RELAXED))
		__atomic_store_n(was_used, 1, __ATOMIC_RELAXED);
}

/* room: bytes of a value in the slot. -E2BIG, -ENOMEM. */
int map_lru_init(struct map_lru *lru, struct skep *inst, const struct map_attr *attr, u32 room);
void map_lru_done(struct map_lru *lru);
/* map_ops.recover */
int map_lru_recover(struct map_lru *lru);
/* The number of entries that Linux makes of max_entries: a multiple of the CPUs where each has a list. */
u32 map_lru_entries(const struct skep *inst, const struct map_attr *attr);
/* A slot for a new entry, counted, with its mark; another entry may go for it. 0: none could. */
u32 map_lru_take(struct map_lru *lru, u32 cpu);
/* Gives back a slot that is in no chain. */
void map_lru_give(struct map_lru *lru, u32 num);

#endif
