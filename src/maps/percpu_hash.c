/*
 * BPF_MAP_TYPE_PERCPU_HASH: the keys in a table, the values in an area a CPU, under the slot's number.
 * Updates of an existing key write in place: a program only ever writes its own CPU's value.
 */
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/maps.h"
#include "maps/percpu.h"
#include "maps/table.h"

enum {
	ENTRY_MAX = 4 << 20, /* bytes of key, value and overhead; Linux: KMALLOC_MAX_SIZE */
	LINUX_OVERHEAD = 48,
};

struct percpu_hash {
	struct map map;
	struct map_table table;
	struct map_percpu values;
};

static struct percpu_hash *to_hash(const struct map *map)
{
	return container_of(map, struct percpu_hash, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	int err = map_check_common(attr, true);

	if (err)
		return err;
	if (!attr->key_size || !attr->value_size)
		return -EINVAL;
	if ((u64)attr->key_size + attr->value_size >= ENTRY_MAX - LINUX_OVERHEAD)
		return -E2BIG;
	return ROUND_UP(attr->value_size, 8) > MAP_PERCPU_VALUE_MAX ? -E2BIG : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct percpu_hash *hash = mem_zalloc(sizeof(*hash));
	int err;

	if (!hash)
		return -ENOMEM;
	err = map_table_init(&hash->table, inst, attr, 0);
	if (err)
		goto free_hash;
	err = map_percpu_init(&hash->values, attr, inst->cpu_cnt, hash->table.slot_cnt,
		attr->flags & BPF_F_NO_PREALLOC);
	if (err)
		goto done_table;
	hash->map.mem_fd = -1;
	*ret_map = &hash->map;
	return 0;
done_table:
	map_table_done(&hash->table);
free_hash:
	mem_free(hash);
	return err;
}

static void free_map(struct map *map)
{
	struct percpu_hash *hash = to_hash(map);

	map_percpu_done(&hash->values);
	map_table_done(&hash->table);
	mem_free(hash);
}

static int recover(struct map *map)
{
	return map_table_recover(&to_hash(map)->table);
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	struct percpu_hash *hash = to_hash(map);
	u32 num = map_table_find(&hash->table, key);

	return num ? map_percpu_value(&hash->values, num, cpu) : NULL;
}

/* A slot's values: of one CPU, or of all. */
static void put_values(struct percpu_hash *hash, u32 num, const void *value, u32 cpu, bool is_new)
{
	if (cpu == MAP_CPU_USER)
		map_percpu_put_all(&hash->map, &hash->values, num, value);
	else
		map_percpu_put(&hash->map, &hash->values, num, cpu, value, is_new);
}

static int update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	struct percpu_hash *hash = to_hash(map);
	struct map_entry entry;
	u32 num;
	int err;

	err = map_update_check(flags);
	if (err)
		return err;
	entry = map_table_lock(&hash->table, key);
	err = map_entry_check(&entry, flags);
	if (!err && entry.num) {
		put_values(hash, entry.num, value, cpu, false);
	} else if (!err) {
		err = map_table_take(&hash->table, &entry, key, MAP_CPU_USER, &num);
		if (!err) {
			put_values(hash, num, value, cpu, true);
			map_table_link(&hash->table, &entry, num, MAP_CPU_USER);
		}
	}
	map_table_unlock(&hash->table, &entry);
	return err;
}

static int remove_key(struct map *map, const void *key)
{
	struct percpu_hash *hash = to_hash(map);
	struct map_entry entry = map_table_lock(&hash->table, key);

	if (!entry.num) {
		map_table_unlock(&hash->table, &entry);
		return -ENOENT;
	}
	map_percpu_release(map, &hash->values, entry.num);
	map_table_drop(&hash->table, &entry);
	return 0;
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	return map_table_next_key(&to_hash(map)->table, key, ret_next);
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	struct percpu_hash *hash = to_hash(map);
	struct map_entry entry = map_table_lock(&hash->table, key);

	if (entry.num)
		map_percpu_get_all(map, &hash->values, entry.num, ret_value);
	map_table_unlock(&hash->table, &entry);
	return entry.num ? 0 : -ENOENT;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, MAP_CPU_USER);
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	const struct percpu_hash *hash = to_hash(map);
	u32 used = __atomic_load_n(&hash->table.fresh, __ATOMIC_RELAXED);

	return map_percpu_owns(&hash->values, addr, len, map->value_size, used);
}

static int take_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	struct percpu_hash *hash = to_hash(map);
	struct map_entry entry = map_table_lock(&hash->table, key);

	if (!entry.num) {
		map_table_unlock(&hash->table, &entry);
		return -ENOENT;
	}
	map_percpu_get_all(map, &hash->values, entry.num, ret_value);
	map_percpu_release(map, &hash->values, entry.num);
	map_table_drop(&hash->table, &entry);
	return 0;
}

static int bucket_keys(struct map *map, u32 bucket, u32 cap, void *ret_keys, u32 *ret_cnt)
{
	return map_table_bucket_keys(&to_hash(map)->table, bucket, cap, ret_keys, ret_cnt);
}

static void each_value(
	struct map *map, void (*fn)(struct map *map, void *value, void *arg), void *arg)
{
	struct percpu_hash *hash = to_hash(map);

	map_percpu_each(map, &hash->values, 1,
		__atomic_load_n(&hash->table.fresh, __ATOMIC_ACQUIRE), fn, arg);
}

static u64 mem_usage(const struct map *map)
{
	return map_table_usage(map, &to_hash(map)->table, true, 0);
}

const struct map_ops map_percpu_hash_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.recover = recover,
	.lookup = lookup,
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
