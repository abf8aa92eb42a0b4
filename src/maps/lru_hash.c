/*
 * BPF_MAP_TYPE_LRU_HASH and BPF_MAP_TYPE_LRU_PERCPU_HASH: hash maps that are never full, because an entry
 * that was not used lately goes (lru.h). The first keeps values in slots and replaces by swapping them; the
 * second has an area a CPU, written in place.
 *
 * Room is taken while no bucket is locked. So an update may make an entry go and then find that it needs
 * no room: the slot it got is free then.
 */
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/lru.h"
#include "maps/maps.h"
#include "maps/percpu.h"
#include "maps/value.h"

enum {
	ENTRY_MAX = 4 << 20, /* bytes of key, value and overhead; Linux: KMALLOC_MAX_SIZE */
	LINUX_OVERHEAD = 48,
};

struct lru_hash {
	struct map map;
	struct map_lru lru;
	struct map_percpu values; /* where values are per CPU */
};

static struct lru_hash *to_hash(const struct map *map)
{
	return container_of(map, struct lru_hash, map);
}

static bool is_percpu_type(u32 type)
{
	return type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	bool is_percpu = is_percpu_type(attr->type);
	int err = map_check_first(attr);

	if (err)
		return err;
	if ((attr->flags & BPF_F_RDONLY && attr->flags & BPF_F_WRONLY) ||
		(attr->flags & BPF_F_RDONLY_PROG && attr->flags & BPF_F_WRONLY_PROG))
		return -EINVAL;
	if (attr->flags & BPF_F_NO_PREALLOC)
		return -MAP_ENOTSUPP;
	err = map_check_common(attr, is_percpu || attr->flags & BPF_F_NO_COMMON_LRU);
	if (err)
		return err;
	if (!attr->key_size || !attr->value_size)
		return -EINVAL;
	if ((u64)attr->key_size + attr->value_size >= ENTRY_MAX - LINUX_OVERHEAD)
		return -E2BIG;
	return is_percpu && ROUND_UP(attr->value_size, 8) > MAP_PERCPU_VALUE_MAX ? -E2BIG : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct lru_hash *hash = mem_zalloc(sizeof(*hash));
	bool is_percpu = is_percpu_type(attr->type);
	int err;

	if (!hash)
		return -ENOMEM;
	err = map_lru_init(&hash->lru, inst, attr, is_percpu ? 0 : ROUND_UP(attr->value_size, 8));
	if (err)
		goto free_hash;
	if (is_percpu)
		err = map_percpu_init(
			&hash->values, attr, inst->cpu_cnt, hash->lru.table.slot_cnt, false);
	if (err)
		goto done_lru;
	hash->map.mem_fd = -1;
	hash->map.max_entries = hash->lru.table.max_entries;
	*ret_map = &hash->map;
	return 0;
done_lru:
	map_lru_done(&hash->lru);
free_hash:
	mem_free(hash);
	return err;
}

static void free_map(struct map *map)
{
	struct lru_hash *hash = to_hash(map);

	if (hash->values.mem)
		map_percpu_done(&hash->values);
	map_lru_done(&hash->lru);
	mem_free(hash);
}

static int recover(struct map *map)
{
	return map_lru_recover(&to_hash(map)->lru);
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	struct map_table *table = &to_hash(map)->lru.table;
	u32 num = map_table_find(table, key);

	if (!num)
		return NULL;
	map_lru_touch(table, num);
	return map_table_value(table, num);
}

static void *lookup_percpu(struct map *map, const void *key, u32 cpu)
{
	struct lru_hash *hash = to_hash(map);
	u32 num = map_table_find(&hash->lru.table, key);

	if (!num)
		return NULL;
	map_lru_touch(&hash->lru.table, num);
	return map_percpu_value(&hash->values, num, cpu);
}

/* The key's entry, locked, and a slot for it if there is none. */
static int lock_with_room(struct lru_hash *hash, const void *key, u64 flags, u32 cpu,
	struct map_entry *ret_entry, u32 *ret_num)
{
	struct map_table *table = &hash->lru.table;
	u32 num = 0;
	int err;

	for (;;) {
		*ret_entry = map_table_lock(table, key);
		err = map_entry_check(ret_entry, flags);
		if (err || ret_entry->num || num)
			break;
		map_table_unlock(table, ret_entry);
		num = map_lru_take(&hash->lru, cpu == MAP_CPU_USER ? 0 : cpu);
		if (!num)
			return -ENOMEM;
	}
	if (num && (err || ret_entry->num)) {
		map_lru_give(&hash->lru, num);
		num = 0;
	}
	if (err)
		map_table_unlock(table, ret_entry);
	*ret_num = num;
	return err;
}

static int update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	struct lru_hash *hash = to_hash(map);
	struct map_table *table = &hash->lru.table;
	struct map_entry entry;
	u32 num;
	int err = map_update_check(flags);

	if (!err)
		err = lock_with_room(hash, key, flags, cpu, &entry, &num);
	if (err)
		return err;
	if (entry.num) {
		map_table_take(table, &entry, key, cpu, &num); /* replaces: needs no room */
		map_store(&map_lru_mark(table, num)->list, map_lru_mark(table, entry.num)->list);
		map_lru_touch(table, num);
	} else {
		map_table_fill(table, num, key);
	}
	map_value_put(map, map_table_value(table, num), value, 0);
	/* what made room, or is replaced */
	map_value_release(map, map_table_value(table, entry.num ? entry.num : num));
	map_table_link(table, &entry, num, cpu);
	map_table_unlock(table, &entry);
	return 0;
}

static void put_values(struct lru_hash *hash, u32 num, const void *value, u32 cpu, bool is_new)
{
	if (cpu == MAP_CPU_USER) /* all CPUs' values at once */
		map_percpu_put_all(&hash->map, &hash->values, num, value);
	else
		map_percpu_put(&hash->map, &hash->values, num, cpu, value, is_new);
}

static int update_percpu(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	struct lru_hash *hash = to_hash(map);
	struct map_table *table = &hash->lru.table;
	struct map_entry entry;
	u32 num;
	int err = map_update_check(flags);

	if (!err)
		err = lock_with_room(hash, key, flags, cpu, &entry, &num);
	if (err)
		return err;
	if (entry.num) {
		put_values(hash, entry.num, value, cpu, false);
		map_lru_touch(table, entry.num);
	} else {
		map_table_fill(table, num, key);
		put_values(hash, num, value, cpu, true);
		map_table_link(table, &entry, num, 0);
	}
	map_table_unlock(table, &entry);
	return 0;
}

static void get_values(const struct lru_hash *hash, u32 num, void *ret_value)
{
	if (hash->values.mem)
		map_percpu_get_all(&hash->map, &hash->values, num, ret_value);
	else
		map_value_get(&hash->map, ret_value, map_table_value(&hash->lru.table, num), 0);
}

/* What the fields of a slot's values hold is let go: the slot leaves, or is taken for another key. */
static void release_values(struct lru_hash *hash, u32 num)
{
	if (likely(!hash->map.fields))
		return;
	if (hash->values.mem)
		map_percpu_release(&hash->map, &hash->values, num);
	else
		map_value_release(&hash->map, map_table_value(&hash->lru.table, num));
}

/* The key's entry goes; its value goes to ret_value, if there is one. */
static int cut_key(struct map *map, const void *key, void *ret_value)
{
	struct lru_hash *hash = to_hash(map);
	struct map_table *table = &hash->lru.table;
	struct map_entry entry = map_table_lock(table, key);

	if (entry.num) {
		if (ret_value)
			get_values(hash, entry.num, ret_value);
		release_values(hash, entry.num);
		map_table_cut(table, &entry);
	}
	map_table_unlock(table, &entry);
	if (!entry.num)
		return -ENOENT;
	map_lru_give(&hash->lru, entry.num);
	return 0;
}

static int remove_key(struct map *map, const void *key)
{
	return cut_key(map, key, NULL);
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	return map_table_next_key(&to_hash(map)->lru.table, key, ret_next);
}

/* User space does not make an entry look used, as in Linux. */
static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	struct lru_hash *hash = to_hash(map);
	struct map_entry entry = map_table_lock(&hash->lru.table, key);

	if (entry.num)
		get_values(hash, entry.num, ret_value);
	map_table_unlock(&hash->lru.table, &entry);
	return entry.num ? 0 : -ENOENT;
}

static int take_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return cut_key(map, key, ret_value);
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, MAP_CPU_USER);
}

static int copy_in_percpu(struct map *map, const void *key, const void *value, u64 flags)
{
	return update_percpu(map, key, value, flags, MAP_CPU_USER);
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	return map_table_owns(&to_hash(map)->lru.table, addr, len, map->value_size);
}

static bool owns_percpu(const struct map *map, const void *addr, size_t len)
{
	const struct lru_hash *hash = to_hash(map);
	u32 used = __atomic_load_n(&hash->lru.table.fresh, __ATOMIC_RELAXED);

	return map_percpu_owns(&hash->values, addr, len, map->value_size, used);
}

static void each_value(
	struct map *map, void (*fn)(struct map *map, void *value, void *arg), void *arg)
{
	struct lru_hash *hash = to_hash(map);
	u32 end = __atomic_load_n(&hash->lru.table.fresh, __ATOMIC_ACQUIRE);

	if (hash->values.mem) {
		map_percpu_each(map, &hash->values, 1, end, fn, arg);
		return;
	}
	for (u32 num = 1; num < end; num++)
		fn(map, map_table_value(&hash->lru.table, num), arg);
}

static int bucket_keys(struct map *map, u32 bucket, u32 cap, void *ret_keys, u32 *ret_cnt)
{
	return map_table_bucket_keys(&to_hash(map)->lru.table, bucket, cap, ret_keys, ret_cnt);
}

static u64 mem_usage(const struct map *map)
{
	return map_table_usage(map, &to_hash(map)->lru.table, is_percpu_type(map->type->type), 0);
}

const struct map_ops map_lru_hash_ops = {
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

const struct map_ops map_lru_percpu_hash_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.recover = recover,
	.lookup = lookup_percpu,
	.update = update_percpu,
	.remove = remove_key,
	.next_key = next_key,
	.copy_out = copy_out,
	.copy_in = copy_in_percpu,
	.take_out = take_out,
	.meta_equal = map_meta_equal,
	.batches = MAP_BATCH_ALL,
	.bucket_keys = bucket_keys,
	.owns = owns_percpu,
	.each_value = each_value,
	.mem_usage = mem_usage,
};
