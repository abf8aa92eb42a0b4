/*
 * The clock of lru.h.
 */
#include "maps/lru.h"

#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/maps.h"

enum {
	ROUNDS_MARKED = 2, /* of the hand, before entries in use go too */
	ROUNDS_MAX = 3,
	TAKE_TRIES = 16,
};

u32 map_lru_entries(const struct skep *inst, const struct map_attr *attr)
{
	u64 entries, cpus = inst->cpu_cnt;

	if (!(attr->flags & BPF_F_NO_COMMON_LRU))
		return attr->max_entries;
	entries = (attr->max_entries + cpus - 1) / cpus * cpus;
	return (u32)(entries > UINT32_MAX ? entries - cpus : entries);
}

static int make_lists(struct map_lru *lru, const struct map_attr *attr, u32 cnt_max)
{
	u32 key_len = ROUND_UP(attr->key_size, 8);
	u8 *keys;

	lru->lists = mem_array(lru->list_cnt, sizeof(*lru->lists) + key_len);
	if (!lru->lists)
		return -ENOMEM;
	keys = (u8 *)(lru->lists + lru->list_cnt);
	for (u32 i = 0; i < lru->list_cnt; i++) {
		lru->lists[i].hand = 1;
		lru->lists[i].cnt_max = cnt_max;
		lru->lists[i].key = keys + (u64)i * key_len;
	}
	return 0;
}

int map_lru_init(struct map_lru *lru, struct skep *inst, const struct map_attr *attr, u32 room)
{
	struct map_attr want = *attr;
	int err;

	want.max_entries = map_lru_entries(inst, attr);
	lru->list_cnt = attr->flags & BPF_F_NO_COMMON_LRU ? inst->cpu_cnt : 1;
	err = map_table_init(&lru->table, inst, &want, sizeof(struct map_lru_mark) + room);
	if (err)
		return err;
	lru->table.value_off += sizeof(struct map_lru_mark);
	err = make_lists(lru, attr, want.max_entries / lru->list_cnt);
	if (err)
		map_table_done(&lru->table);
	return err;
}

void map_lru_done(struct map_lru *lru)
{
	mem_free(lru->lists);
	map_table_done(&lru->table);
}

static bool count_up(struct map_lru_list *list)
{
	u32 cnt = __atomic_load_n(&list->cnt, __ATOMIC_RELAXED);

	do {
		if (cnt >= list->cnt_max)
			return false;
	} while (!__atomic_compare_exchange_n(
		&list->cnt, &cnt, cnt + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

/* Takes the list's slot out of its chain, if it is in one. Its key may change while it is read: then the
 * slot is not where the key leads. And the slot may have gone to another list since the hand came. */
static bool cut_slot(struct map_lru *lru, u32 list_num, u32 num)
{
	struct map_table *table = &lru->table;
	u8 *key = lru->lists[list_num].key;
	struct map_entry entry;
	bool cuts;

	map_get(key, map_table_slot(table, num)->key, table->key_size);
	entry = map_table_lock(table, key);
	cuts = entry.num == num && map_load(&map_lru_mark(table, num)->list) == list_num;
	if (cuts)
		map_table_cut(table, &entry);
	map_table_unlock(table, &entry);
	return cuts;
}

/* What the hand stands on may go. A used slot loses its mark. */
static bool may_go(struct map_lru *lru, u32 list_num, u32 num, bool spares_used)
{
	struct map_lru_mark *mark = map_lru_mark(&lru->table, num);

	if (!(map_load(&map_table_slot(&lru->table, num)->hash) & MAP_SLOT_LIVE) ||
		__atomic_load_n(&mark->list, __ATOMIC_RELAXED) != list_num)
		return false;
	if (!spares_used || !__atomic_load_n(&mark->was_used, __ATOMIC_RELAXED))
		return true;
	__atomic_store_n(&mark->was_used, 0, __ATOMIC_RELAXED);
	return false;
}

static u32 evict(struct map_lru *lru, u32 list_num)
{
	struct map_lru_list *list = &lru->lists[list_num];
	u32 found = 0, num;
	u64 used;

	map_lock(&list->lock);
	used = __atomic_load_n(&lru->table.fresh, __ATOMIC_RELAXED);
	for (u64 i = 0; i < used * ROUNDS_MAX && !found; i++) {
		num = list->hand;
		list->hand = num + 1 < used ? num + 1 : 1;
		if (may_go(lru, list_num, num, i < used * ROUNDS_MARKED) &&
			cut_slot(lru, list_num, num))
			found = num;
	}
	map_unlock(&list->lock);
	return found;
}

u32 map_lru_take(struct map_lru *lru, u32 cpu)
{
	u32 list_num = lru->list_cnt > 1 ? cpu : 0, num = 0;
	struct map_lru_mark *mark;

	/* a list that was full may be empty when the hand comes: others deleted its entries */
	for (int i = 0; i < TAKE_TRIES && !num; i++) {
		if (count_up(&lru->lists[list_num]))
			num = map_table_pop(&lru->table);
		else
			num = evict(lru, list_num);
	}
	if (!num)
		return 0;
	mark = map_lru_mark(&lru->table, num);
	__atomic_store_n(&mark->was_used, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&mark->list, list_num, __ATOMIC_RELAXED);
	return num;
}

void map_lru_give(struct map_lru *lru, u32 num)
{
	u32 list = map_load(&map_lru_mark(&lru->table, num)->list);

	map_table_push(&lru->table, num);
	__atomic_sub_fetch(&lru->lists[list].cnt, 1, __ATOMIC_RELAXED);
}

int map_lru_recover(struct map_lru *lru)
{
	const struct map_table *table = &lru->table;
	int err = map_table_recover(&lru->table);

	for (u32 i = 0; !err && i <= table->bucket_mask; i++) {
		u32 num = table->buckets[i].head;

		for (; num; num = map_table_slot(table, num)->next) {
			u32 list = map_lru_mark(table, num)->list;

			if (list >= lru->list_cnt ||
				lru->lists[list].cnt == lru->lists[list].cnt_max)
				return -EINVAL;
			lru->lists[list].cnt++;
		}
	}
	return err;
}
