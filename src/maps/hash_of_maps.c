/*
 * BPF_MAP_TYPE_HASH_OF_MAPS: a hash table whose values are counted references to inner maps. A change swaps
 * the pointer in its slot; what it held is put after all runs that may have found it have ended.
 */
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/inner.h"
#include "maps/table.h"

enum {
	ENTRY_MAX = 4 << 20, /* bytes of key, value and overhead; Linux: KMALLOC_MAX_SIZE */
	LINUX_OVERHEAD = 48,
};

struct hash_of_maps {
	struct map map;
	struct map_table table;
};

static struct hash_of_maps *to_hash(const struct map *map)
{
	return container_of(map, struct hash_of_maps, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	int err = attr->value_size == sizeof(u32) ? map_check_common(attr, false) : -EINVAL;

	if (err)
		return err;
	if (!attr->key_size)
		return -EINVAL;
	return (u64)attr->key_size + attr->value_size >= ENTRY_MAX - LINUX_OVERHEAD ? -E2BIG : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct hash_of_maps *hash = mem_zalloc(sizeof(*hash));
	struct map *inner;
	int err;

	if (!hash)
		return -ENOMEM;
	err = map_inner_take(attr, &inner);
	if (err)
		goto free_hash;
	err = map_table_init(&hash->table, inst, attr, sizeof(struct map *));
	if (err)
		goto put_inner;
	hash->map.inner = inner;
	hash->map.mem_fd = -1;
	*ret_map = &hash->map;
	return 0;
put_inner:
	map_inner_free(inner);
free_hash:
	mem_free(hash);
	return err;
}

static struct map **entry_at(const struct hash_of_maps *hash, u32 num)
{
	return map_table_value(&hash->table, num);
}

static void free_map(struct map *map)
{
	struct hash_of_maps *hash = to_hash(map);
	struct map_table *table = &hash->table;

	for (u32 bucket = 0; bucket <= table->bucket_mask; bucket++) {
		u32 num = table->buckets[bucket].head;

		for (; num; num = map_table_slot(table, num)->next)
			obj_put(&(*entry_at(hash, num))->obj);
	}
	map_table_done(table);
	mem_free(hash);
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	struct hash_of_maps *hash = to_hash(map);
	u32 num = map_table_find(&hash->table, key);

	return num ? __atomic_load_n(entry_at(hash, num), __ATOMIC_ACQUIRE) : NULL;
}

static void put_after_runs(const struct map *map, struct map *inner)
{
	if (!inner)
		return;
	inst_wait_runs(map->obj.inst);
	obj_put(&inner->obj);
}

static int fd_in(
	struct map *map, const void *key, const void *value, u64 flags, const struct map_fds *fds)
{
	struct hash_of_maps *hash = to_hash(map);
	struct map *inner, *old = NULL;
	struct map_entry entry;
	u32 fd, num;
	int err;

	memcpy(&fd, value, sizeof(fd));
	err = map_inner_get(map, fds, fd, &inner);
	if (err)
		return err;
	err = map_update_check(flags);
	if (err)
		goto put_map;
	entry = map_table_lock(&hash->table, key);
	err = map_entry_check(&entry, flags);
	if (!err && entry.num) {
		old = __atomic_exchange_n(entry_at(hash, entry.num), inner, __ATOMIC_ACQ_REL);
	} else if (!err) {
		err = map_table_take(&hash->table, &entry, key, MAP_CPU_USER, &num);
		if (!err) {
			__atomic_store_n(entry_at(hash, num), inner, __ATOMIC_RELEASE);
			map_table_link(&hash->table, &entry, num, MAP_CPU_USER);
		}
	}
	map_table_unlock(&hash->table, &entry);
	if (!err) {
		put_after_runs(map, old);
		return 0;
	}
put_map:
	obj_put(&inner->obj);
	return err;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return -EBADF; /* without a caller there are no descriptors */
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	struct hash_of_maps *hash = to_hash(map);
	struct map_entry entry = map_table_lock(&hash->table, key);

	if (entry.num)
		memcpy(ret_value, &(*entry_at(hash, entry.num))->obj.id, sizeof(u32));
	map_table_unlock(&hash->table, &entry);
	return entry.num ? 0 : -ENOENT;
}

static int remove_key(struct map *map, const void *key)
{
	struct hash_of_maps *hash = to_hash(map);
	struct map_entry entry = map_table_lock(&hash->table, key);
	struct map *old = NULL;

	if (entry.num) {
		old = *entry_at(hash, entry.num);
		map_table_drop(&hash->table, &entry);
	} else {
		map_table_unlock(&hash->table, &entry);
	}
	put_after_runs(map, old);
	return entry.num ? 0 : -ENOENT;
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	return map_table_next_key(&to_hash(map)->table, key, ret_next);
}

static int bucket_keys(struct map *map, u32 bucket, u32 cap, void *ret_keys, u32 *ret_cnt)
{
	return map_table_bucket_keys(&to_hash(map)->table, bucket, cap, ret_keys, ret_cnt);
}

static u64 mem_usage(const struct map *map)
{
	const struct map_table *table = &to_hash(map)->table;
	u64 usage = map_table_usage(map, table, false, 0);

	if (map->flags & BPF_F_NO_PREALLOC)
		return usage;
	return usage + table->cpu_cnt * sizeof(void *);
}

const struct map_ops map_hash_of_maps_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = lookup,
	.update = map_no_update,
	.remove = remove_key,
	.next_key = next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.fd_in = fd_in,
	.batches = MAP_BATCH_ALL,
	.bucket_keys = bucket_keys,
	.owns = map_no_owns,
	.mem_usage = mem_usage,
};
