/*
 * BPF_MAP_TYPE_HASH. An update of an existing key fills another slot and swaps it in, so a program
 * that holds the old value's address keeps the old content until the slot is taken again.
 */
#include <errno.h>

#include "base/mem.h"
#include "maps/maps.h"
#include "maps/table.h"
#include "maps/value.h"

enum {
	ENTRY_MAX = 4 << 20, /* bytes of key, value and overhead; Linux: KMALLOC_MAX_SIZE */
	LINUX_OVERHEAD = 48,
};

struct hash {
	struct map map;
	struct map_table table;
};

static struct hash *to_hash(const struct map *map)
{
	return container_of(map, struct hash, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	int err = map_check_common(attr, false);

	if (err)
		return err;
	if (!attr->key_size || !attr->value_size)
		return -EINVAL;
	if ((u64)attr->key_size + attr->value_size >= ENTRY_MAX - LINUX_OVERHEAD)
		return -E2BIG;
	return 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct hash *hash = mem_zalloc(sizeof(*hash));
	int err;

	if (!hash)
		return -ENOMEM;
	err = map_table_init(&hash->table, inst, attr, ROUND_UP(attr->value_size, 8));
	if (err) {
		mem_free(hash);
		return err;
	}
	hash->map.mem_fd = -1;
	*ret_map = &hash->map;
	return 0;
}

static void free_map(struct map *map)
{
	struct hash *hash = to_hash(map);

	map_table_done(&hash->table);
	mem_free(hash);
}

static int recover(struct map *map)
{
	return map_table_recover(&to_hash(map)->table);
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	struct map_table *table = &to_hash(map)->table;
	u32 num = map_table_find(table, key);

	return num ? map_table_value(table, num) : NULL;
}

static inline __attribute__((always_inline)) void *lookup_len(
	struct map *map, const void *key, u32 len)
{
	struct map_table *table = &to_hash(map)->table;
	u32 num = map_table_find_len(table, key, len);

	return num ? map_table_value(table, num) : NULL;
}

static void *lookup4(struct map *map, const void *key, u32 cpu)
{
	return lookup_len(map, key, 4);
}

static void *lookup8(struct map *map, const void *key, u32 cpu)
{
	return lookup_len(map, key, 8);
}

static void *lookup16(struct map *map, const void *key, u32 cpu)
{
	return lookup_len(map, key, 16);
}

static map_lookup_fn lookup_fn(const struct map *map)
{
	switch (map->key_size) {
	case 4: return lookup4;
	case 8: return lookup8;
	case 16: return lookup16;
	default: return lookup;
	}
}

static inline __attribute__((always_inline)) int update_len(
	struct map *map, const void *key, const void *value, u64 flags, u32 cpu, u32 len)
{
	struct map_table *table = &to_hash(map)->table;
	u64 lock = flags & BPF_F_LOCK;
	struct map_entry entry;
	u32 num;
	int err;

	err = map_value_flags(map, &flags);
	if (err)
		return err;
	entry = map_table_lock_len(table, key, len);
	err = map_entry_check(&entry, flags);
	if (!err && unlikely(lock) && entry.num) {
		map_value_put(map, map_table_value(table, entry.num), value, lock);
		goto unlock;
	}
	if (!err)
		err = map_table_take(table, &entry, key, cpu, &num);
	if (!err) {
		map_value_put(map, map_table_value(table, num), value, 0);
		if (entry.num)
			map_value_release(map, map_table_value(table, entry.num));
		map_table_link(table, &entry, num, cpu);
	}
unlock:
	map_table_unlock(table, &entry);
	return err;
}

static int update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	switch (map->key_size) {
	case 4: return update_len(map, key, value, flags, cpu, 4);
	case 8: return update_len(map, key, value, flags, cpu, 8);
	case 16: return update_len(map, key, value, flags, cpu, 16);
	default: return update_len(map, key, value, flags, cpu, 0);
	}
}

static inline __attribute__((always_inline)) int remove_len(
	struct map *map, const void *key, u32 len)
{
	struct map_table *table = &to_hash(map)->table;
	struct map_entry entry = map_table_lock_len(table, key, len);

	if (!entry.num) {
		map_table_unlock(table, &entry);
		return -ENOENT;
	}
	map_value_release(map, map_table_value(table, entry.num));
	map_table_drop(table, &entry);
	return 0;
}

static int remove_key(struct map *map, const void *key)
{
	switch (map->key_size) {
	case 4: return remove_len(map, key, 4);
	case 8: return remove_len(map, key, 8);
	case 16: return remove_len(map, key, 16);
	default: return remove_len(map, key, 0);
	}
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	return map_table_next_key(&to_hash(map)->table, key, ret_next);
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return map_table_copy_out(map, &to_hash(map)->table, key, ret_value, flags);
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, MAP_CPU_USER);
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	return map_table_owns(&to_hash(map)->table, addr, len, map->value_size);
}

/* The value goes out and the key goes, under one lock. */
static int take_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	struct map_table *table = &to_hash(map)->table;
	struct map_entry entry = map_table_lock(table, key);

	if (!entry.num) {
		map_table_unlock(table, &entry);
		return -ENOENT;
	}
	map_value_get(map, ret_value, map_table_value(table, entry.num), flags);
	map_value_release(map, map_table_value(table, entry.num));
	map_table_drop(table, &entry);
	return 0;
}

static int bucket_keys(struct map *map, u32 bucket, u32 cap, void *ret_keys, u32 *ret_cnt)
{
	return map_table_bucket_keys(&to_hash(map)->table, bucket, cap, ret_keys, ret_cnt);
}

static void each_value(
	struct map *map, void (*fn)(struct map *map, void *value, void *arg), void *arg)
{
	struct map_table *table = &to_hash(map)->table;

	for (u32 num = 1; num < __atomic_load_n(&table->fresh, __ATOMIC_ACQUIRE); num++)
		fn(map, map_table_value(table, num), arg);
}

static u64 mem_usage(const struct map *map)
{
	const struct map_table *table = &to_hash(map)->table;
	u64 usage = map_table_usage(map, table, false, table->cpu_cnt);

	if (map->flags & BPF_F_NO_PREALLOC)
		return usage;
	return usage + table->cpu_cnt * sizeof(void *); /* Linux: a slot for replacing a CPU */
}

const struct map_ops map_hash_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.recover = recover,
	.lookup = lookup,
	.lookup_fn = lookup_fn,
	.update = update,
	.remove = remove_key,
	.next_key = next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.take_out = take_out,
	.meta_equal = map_meta_equal,
	.batches = MAP_BATCH_ALL,
	.bucket_keys = bucket_keys,
	.owns = owns,
	.each_value = each_value,
	.mem_usage = mem_usage,
};
