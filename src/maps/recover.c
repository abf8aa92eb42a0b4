/*
 * Hash tables that another process left in a file, maybe in the middle of a change. Every change of a chain is one
 * store, so chains are whole at each moment: what they reach are the entries, all other slots are free. Locks of
 * buckets may be held by nobody, and the counts and lists beside the chains are made again.
 *
 * A file may hold anything. So numbers are checked, a slot may be reached once, and must be where its key belongs.
 */
#include <errno.h>

#include "base/mem.h"
#include "maps/maps.h"
#include "maps/table.h"

struct recovery {
	struct map_table *table;
	u8 *seen; /* a bit a slot */
	u32 last; /* the highest slot in a chain */
	u32 cnt;
};

static bool see(struct recovery *r, u32 num)
{
	u8 bit = (u8)(1 << num % 8);

	if (num >= r->table->slot_cnt || r->seen[num / 8] & bit)
		return false;
	r->seen[num / 8] |= bit;
	r->last = MAX(r->last, num);
	r->cnt++;
	return true;
}

static int walk_bucket(struct recovery *r, u32 at)
{
	struct map_bucket *bucket = &r->table->buckets[at];
	const struct map_slot *slot;
	struct map_place place;
	u32 num;

	bucket->state = 0;
	for (num = bucket->head; num; num = slot->next) {
		if (!see(r, num))
			return -EINVAL;
		slot = map_table_slot(r->table, num);
		place = map_table_place(r->table, slot->key);
		if (place.bucket != at || place.hash != slot->hash)
			return -EINVAL;
	}
	return 0;
}

static void free_others(struct recovery *r)
{
	struct map_table *table = r->table;

	for (u32 cpu = 0; cpu <= table->cpu_cnt; cpu++)
		*(u32 *)(table->spares + (u64)cpu * MAP_CACHE_LINE) = 0;
	table->fresh = r->last + 1;
	table->free_cnt = 0;
	for (u32 num = 1; num < table->fresh; num++)
		if (!(r->seen[num / 8] & 1 << num % 8))
			table->free_slots[table->free_cnt++] = num;
	table->cnt = r->cnt;
}

int map_table_recover(struct map_table *table)
{
	struct recovery r = {.table = table, .seen = mem_zalloc(table->slot_cnt / 8 + 1)};
	int err = 0;

	if (!r.seen)
		return -ENOMEM;
	for (u32 at = 0; !err && at <= table->bucket_mask; at++)
		err = walk_bucket(&r, at);
	if (!err && r.cnt > table->max_entries)
		err = -EINVAL;
	if (!err)
		free_others(&r);
	mem_free(r.seen);
	return err;
}
