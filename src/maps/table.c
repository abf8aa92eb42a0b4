/*
 * Changing the table of table.h, walking it, and its memory.
 */
#include "maps/table.h"

#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/store.h"
#include "maps/maps.h"
#include "maps/value.h"

enum {
	BUCKETS_MAX = 1 << 27, /* Linux: what fits 32 bits of bucket bytes */
	SPARES_MIN = 8,	       /* slots for updates that replace, beside one a CPU */

	/* for memory as Linux counts it */
	LINUX_TABLE_LEN = 896,
	LINUX_BUCKET_LEN = 16,
	LINUX_SLOT_LEN = 48, /* without key and value */
	LINUX_LINK_LEN = 8,
};

static u64 pow2_above(u64 n)
{
	u64 pow = 1;

	while (pow < n)
		pow <<= 1;
	return pow;
}

int map_table_init(
	struct map_table *table, struct skep *inst, const struct map_attr *attr, u32 room)
{
	u32 key_len = ROUND_UP(attr->key_size, 8), spares = inst->cpu_cnt + SPARES_MIN;
	u64 buckets = pow2_above(attr->max_entries), slots_len, free_len, buckets_len;

	if (buckets > BUCKETS_MAX)
		return -E2BIG;
	*table = (struct map_table){
		.bucket_mask = (u32)buckets - 1,
		.key_size = attr->key_size,
		.value_off = sizeof(struct map_slot) + key_len,
		.slot_len = sizeof(struct map_slot) + key_len + room,
		.slot_cnt = attr->max_entries + spares + 1,
		.max_entries = attr->max_entries,
		.cpu_cnt = inst->cpu_cnt,
		.fresh = 1,
	};
	buckets_len = ROUND_UP(buckets * sizeof(struct map_bucket), MAP_CACHE_LINE);
	slots_len = ROUND_UP((u64)table->slot_cnt * table->slot_len, MAP_CACHE_LINE);
	free_len = ROUND_UP((u64)table->slot_cnt * sizeof(u32), MAP_CACHE_LINE);
	table->mem_len = buckets_len + slots_len + free_len +
			 ((u64)inst->cpu_cnt + 1) * MAP_CACHE_LINE;
	table->mem = map_store_pages(attr->store, table->mem_len, attr->flags & BPF_F_NO_PREALLOC);
	if (!table->mem)
		return -ENOMEM;
	table->buckets = (struct map_bucket *)table->mem;
	table->slots = table->mem + buckets_len;
	table->free_slots = (u32 *)(table->slots + slots_len);
	table->spares = table->slots + slots_len + free_len;
	if (!(attr->flags & BPF_F_ZERO_SEED))
		table->seed = (u64)inst_random(inst) << 32 | inst_random(inst);
	if (attr->store && attr->store->is_old)
		table->seed = attr->store->head->seed;
	else if (attr->store)
		attr->store->head->seed = table->seed;
	return 0;
}

void map_table_done(struct map_table *table)
{
	mem_pages_free(table->mem, table->mem_len);
	table->mem = NULL;
}

static u32 *spare_of(const struct map_table *table, u32 cpu)
{
	return (u32 *)(table->spares + (u64)MIN(cpu, table->cpu_cnt) * MAP_CACHE_LINE);
}

/* Puts a slot into the spare's place and gives what was there, either may be 0. A CPU's is touched by its program
 * alone. */
static u32 swap_spare(const struct map_table *table, u32 cpu, u32 num)
{
	u32 *spare = spare_of(table, cpu), old;

	if (cpu == MAP_CPU_USER)
		return __atomic_exchange_n(spare, num, __ATOMIC_ACQ_REL);
	old = *spare;
	*spare = num;
	return old;
}

/* A slot from the stack of freed ones, or one never used; waits for one if need be. */
u32 map_table_pop(struct map_table *table)
{
	u32 num = 0;

	for (;;) {
		map_lock(&table->free_lock);
		if (table->free_cnt)
			num = table->free_slots[--table->free_cnt];
		else if (table->fresh < table->slot_cnt) {
			num = table->fresh;
			__atomic_store_n(&table->fresh, num + 1, __ATOMIC_RELAXED);
		}
		map_unlock(&table->free_lock);
		if (num)
			return num;
		sched_yield();
	}
}

void map_table_push(struct map_table *table, u32 num)
{
	map_lock(&table->free_lock);
	table->free_slots[table->free_cnt++] = num;
	map_unlock(&table->free_lock);
}

/* One more entry, unless the map is full. */
static bool count_up(struct map_table *table)
{
	u32 cnt = __atomic_load_n(&table->cnt, __ATOMIC_RELAXED);

	do {
		if (cnt >= table->max_entries)
			return false;
	} while (!__atomic_compare_exchange_n(
		&table->cnt, &cnt, cnt + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

struct map_entry map_table_lock(struct map_table *table, const void *key)
{
	struct map_entry entry = {.place = map_table_place(table, key)};
	struct map_bucket *bucket = &table->buckets[entry.place.bucket];
	struct map_slot *slot;

	map_bucket_lock(bucket);
	entry.link = &bucket->head;
	for (; (entry.num = *entry.link); entry.link = &slot->next) {
		slot = map_table_slot(table, entry.num);
		if (map_slot_is(table, slot, entry.place.hash, key))
			break;
	}
	return entry;
}

u32 map_table_find_locked(struct map_table *table, struct map_place place, const void *key)
{
	struct map_bucket *bucket = &table->buckets[place.bucket];
	u32 num;

	map_bucket_lock(bucket);
	num = map_chain_find(table, place, key);
	map_bucket_unlock(bucket);
	return num;
}

int map_update_check(u64 flags)
{
	return flags > BPF_EXIST ? -EINVAL : 0;
}

int map_entry_check(const struct map_entry *entry, u64 flags)
{
	if (entry->num && flags == BPF_NOEXIST)
		return -EEXIST;
	return !entry->num && flags == BPF_EXIST ? -ENOENT : 0;
}

void map_table_fill(struct map_table *table, u32 num, const void *key)
{
	struct map_slot *slot = map_table_slot(table, num);

	map_store(&slot->hash, 0);
	map_put(slot->key, key, table->key_size);
}

int map_table_take(struct map_table *table, const struct map_entry *entry, const void *key, u32 cpu,
	u32 *ret_num)
{
	u32 num = 0;

	if (entry->num)
		num = swap_spare(table, cpu, 0);
	else if (!count_up(table))
		return -E2BIG;
	if (!num)
		num = map_table_pop(table);
	map_table_fill(table, num, key);
	*ret_num = num;
	return 0;
}

/* The entry's slot leaves its chain; what its link says next is `next`. */
static void replace_link(struct map_table *table, const struct map_entry *entry, u32 next)
{
	u32 *state = &table->buckets[entry->place.bucket].state;
	u32 before = __atomic_load_n(state, __ATOMIC_RELAXED); /* others may try to lock it */

	map_store(state, before + MAP_BUCKET_STEP);
	map_store(entry->link, next);
	map_store(state, before + 2 * MAP_BUCKET_STEP);
}

void map_table_link(struct map_table *table, const struct map_entry *entry, u32 num, u32 cpu)
{
	u32 *head = &table->buckets[entry->place.bucket].head, old;
	struct map_slot *slot = map_table_slot(table, num);

	map_store(&slot->next, entry->num ? map_table_slot(table, entry->num)->next : *head);
	map_store(&slot->hash, entry->place.hash);
	if (!entry->num) {
		map_store(head, num);
		return;
	}
	replace_link(table, entry, num);
	old = swap_spare(table, cpu, entry->num);
	if (old)
		map_table_push(table, old);
}

void map_table_cut(struct map_table *table, const struct map_entry *entry)
{
	replace_link(table, entry, map_table_slot(table, entry->num)->next);
}

void map_table_drop(struct map_table *table, const struct map_entry *entry)
{
	map_table_cut(table, entry);
	map_table_unlock(table, entry);
	map_table_push(table, entry->num);
	__atomic_sub_fetch(&table->cnt, 1, __ATOMIC_RELAXED);
}

int map_table_remove(struct map_table *table, const void *key)
{
	struct map_entry entry = map_table_lock(table, key);

	if (entry.num)
		map_table_drop(table, &entry);
	else
		map_table_unlock(table, &entry);
	return entry.num ? 0 : -ENOENT;
}

/* The key of the slot that a link of a locked chain names. */
static int copy_key(const struct map_table *table, u32 num, void *ret_next)
{
	if (!num)
		return -ENOENT;
	map_get(ret_next, map_table_slot(table, num)->key, table->key_size);
	return 0;
}

int map_table_next_key(struct map_table *table, const void *key, void *ret_next)
{
	struct map_entry entry = {0};
	int err = -ENOENT;
	u32 bucket = 0;

	if (key) {
		entry = map_table_lock(table, key);
		if (entry.num)
			err = copy_key(table, map_table_slot(table, entry.num)->next, ret_next);
		map_table_unlock(table, &entry);
		if (!err)
			return 0;
		bucket = entry.num ? entry.place.bucket + 1 : 0;
	}
	for (; bucket <= table->bucket_mask; bucket++) {
		if (!map_load(&table->buckets[bucket].head))
			continue;
		map_bucket_lock(&table->buckets[bucket]);
		err = copy_key(table, table->buckets[bucket].head, ret_next);
		map_bucket_unlock(&table->buckets[bucket]);
		if (!err)
			return 0;
	}
	return -ENOENT;
}

int map_table_bucket_keys(
	struct map_table *table, u32 bucket, u32 cap, void *ret_keys, u32 *ret_cnt)
{
	u8 *keys = ret_keys;
	u32 num, cnt = 0;
	int err = 0;

	if (bucket > table->bucket_mask)
		return -ENOENT;
	map_bucket_lock(&table->buckets[bucket]);
	for (num = table->buckets[bucket].head; num;) {
		if (cnt == cap) {
			err = -ENOSPC;
			break;
		}
		map_get(keys + (u64)cnt++ * table->key_size, map_table_slot(table, num)->key,
			table->key_size);
		num = map_table_slot(table, num)->next;
	}
	map_bucket_unlock(&table->buckets[bucket]);
	if (!err)
		*ret_cnt = cnt;
	return err;
}

/* Under the bucket's lock, so that the bytes are those of one update. */
int map_table_copy_out(
	const struct map *map, struct map_table *table, const void *key, void *ret_value, u64 flags)
{
	struct map_entry entry = map_table_lock(table, key);

	if (entry.num)
		map_value_get(map, ret_value, map_table_value(table, entry.num), flags);
	map_table_unlock(table, &entry);
	return entry.num ? 0 : -ENOENT;
}

bool map_table_owns(const struct map_table *table, const void *addr, size_t len, u32 value_size)
{
	u64 off = (u64)((uintptr_t)addr - (uintptr_t)table->slots), in_slot;

	/* below the slots, the difference wraps to a number past all of them */
	if (off / table->slot_len - 1 >= (u64)__atomic_load_n(&table->fresh, __ATOMIC_RELAXED) - 1)
		return false;
	in_slot = off % table->slot_len;
	return in_slot >= table->value_off && in_slot - table->value_off <= value_size &&
	       len <= value_size - (in_slot - table->value_off);
}

u64 map_table_usage(const struct map *map, const struct map_table *table, bool is_percpu, u32 extra)
{
	u64 buckets = (u64)table->bucket_mask + 1, cnt = map->max_entries;
	u64 percpu_len = (u64)map->value_stride * table->cpu_cnt;
	u64 slot_len = LINUX_SLOT_LEN + ROUND_UP(map->key_size, 8) +
		       (is_percpu ? sizeof(void *) : map->value_stride);
	u64 usage = LINUX_TABLE_LEN + buckets * LINUX_BUCKET_LEN;

	if (map->flags & BPF_F_NO_PREALLOC) {
		cnt = __atomic_load_n(&table->cnt, __ATOMIC_RELAXED);
		usage += cnt * (slot_len + LINUX_LINK_LEN);
		if (is_percpu)
			usage += cnt * (LINUX_LINK_LEN + sizeof(void *) + percpu_len);
		return usage;
	}
	if (is_percpu)
		return usage + cnt * (slot_len + percpu_len);
	return usage + (cnt + extra) * slot_len;
}
