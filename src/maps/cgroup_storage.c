/*
 * BPF_MAP_TYPE_CGROUP_STORAGE and PERCPU_CGROUP_STORAGE: a value for each cgroup that a program with the
 * map is attached to. Attaching makes it (add_key), detaching removes it; user space reads and writes
 * what is there.
 *
 * A key is the cgroup's id (8 bytes), shared by all attach types, or id and attach type (16).
 * The table holds ENTRIES_MAX values at most.
 */
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/maps.h"
#include "maps/percpu.h"
#include "maps/storage.h"
#include "maps/table.h"
#include "maps/value.h"

enum {
	ENTRIES_MAX = 4096,
	LINUX_LEN = 328,
};

struct cgroup_storage {
	struct map map;
	struct map_table table;
	struct map_percpu values; /* of PERCPU_CGROUP_STORAGE */
};

static struct cgroup_storage *to_storage(const struct map *map)
{
	return container_of(map, struct cgroup_storage, map);
}

static bool is_percpu(const struct map_attr *attr)
{
	return attr->type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	u32 value_max = is_percpu(attr) ? MAP_PERCPU_VALUE_MAX : MAP_STORAGE_VALUE_MAX;
	bool is_node_known = !(attr->flags & BPF_F_NUMA_NODE) || !attr->numa_node ||
			     attr->numa_node == UINT32_MAX;

	if (attr->extra || !is_node_known ||
		(attr->key_size != sizeof(struct bpf_cgroup_storage_key) &&
			attr->key_size != sizeof(u64)) ||
		!attr->value_size)
		return -EINVAL;
	if (attr->value_size > value_max)
		return -E2BIG;
	if ((attr->flags & BPF_F_RDONLY_PROG && attr->flags & BPF_F_WRONLY_PROG) ||
		(attr->flags & BPF_F_RDONLY && attr->flags & BPF_F_WRONLY))
		return -EINVAL;
	return attr->max_entries ? -EINVAL : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct cgroup_storage *storage = mem_zalloc(sizeof(*storage));
	u32 room = is_percpu(attr) ? 0 : ROUND_UP(attr->value_size, 8);
	struct map_attr table = *attr;
	int err;

	if (!storage)
		return -ENOMEM;
	table.max_entries = ENTRIES_MAX;
	table.flags |= BPF_F_NO_PREALLOC;
	err = map_table_init(&storage->table, inst, &table, room);
	if (!err && is_percpu(attr)) {
		err = map_percpu_init(
			&storage->values, attr, inst->cpu_cnt, storage->table.slot_cnt, true);
		if (err)
			map_table_done(&storage->table);
	}
	if (err) {
		mem_free(storage);
		return err;
	}
	storage->map.mem_fd = -1;
	*ret_map = &storage->map;
	return 0;
}

static void free_map(struct map *map)
{
	struct cgroup_storage *storage = to_storage(map);

	if (storage->values.mem)
		map_percpu_done(&storage->values);
	map_table_done(&storage->table);
	mem_free(storage);
}

static void *value_of(const struct cgroup_storage *storage, u32 num, u32 cpu)
{
	if (storage->values.mem)
		return map_percpu_value(&storage->values, num, cpu);
	return map_table_value(&storage->table, num);
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	struct cgroup_storage *storage = to_storage(map);
	u32 num = map_table_find(&storage->table, key);

	return num ? value_of(storage, num, cpu) : NULL;
}

/* A zero value for a cgroup, unless it has one. */
static int add_key(struct map *map, const void *key)
{
	struct cgroup_storage *storage = to_storage(map);
	struct map_entry entry = map_table_lock(&storage->table, key);
	u32 num, cpus = storage->values.mem ? map->obj.inst->cpu_cnt : 1;
	int err = 0;

	if (!entry.num)
		err = map_table_take(&storage->table, &entry, key, MAP_CPU_USER, &num);
	if (!entry.num && !err) {
		for (u32 cpu = 0; cpu < cpus; cpu++)
			map_zero(value_of(storage, num, cpu), map->value_stride);
		map_table_link(&storage->table, &entry, num, MAP_CPU_USER);
	}
	map_table_unlock(&storage->table, &entry);
	return err == -E2BIG ? -ENOMEM : err;
}

static int remove_added(struct map *map, const void *key)
{
	return map_table_remove(&to_storage(map)->table, key);
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	struct cgroup_storage *storage = to_storage(map);
	struct map_entry entry = map_table_lock(&storage->table, key);

	if (entry.num && storage->values.mem)
		map_percpu_get_all(map, &storage->values, entry.num, ret_value);
	else if (entry.num)
		map_value_get(map, ret_value, map_table_value(&storage->table, entry.num), flags);
	map_table_unlock(&storage->table, &entry);
	return entry.num ? 0 : -ENOENT;
}

static int put_locked(struct map *map, u32 num, const void *value, u64 flags)
{
	struct cgroup_storage *storage = to_storage(map);

	if (storage->values.mem)
		map_percpu_put_all(map, &storage->values, num, value);
	else
		map_value_put(map, map_table_value(&storage->table, num), value, flags);
	return 0;
}

/* Only what attaching made can be written. */
static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	struct cgroup_storage *storage = to_storage(map);
	u64 known = storage->values.mem ? BPF_EXIST : BPF_F_LOCK | BPF_EXIST;
	struct map_entry entry;

	if (flags & ~known || map_check_lock_flag(map, flags))
		return -EINVAL;
	entry = map_table_lock(&storage->table, key);
	if (entry.num)
		put_locked(map, entry.num, value, flags);
	map_table_unlock(&storage->table, &entry);
	return entry.num ? 0 : -ENOENT;
}

/* Linux: a key that is not there ends the walk. */
static int next_key(struct map *map, const void *key, void *ret_next)
{
	struct map_table *table = &to_storage(map)->table;

	if (key && !map_table_find(table, key))
		return -ENOENT;
	return map_table_next_key(table, key, ret_next);
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	const struct cgroup_storage *storage = to_storage(map);
	u32 used = __atomic_load_n(&storage->table.fresh, __ATOMIC_RELAXED);

	if (storage->values.mem)
		return map_percpu_owns(&storage->values, addr, len, map->value_size, used);
	return map_table_owns(&storage->table, addr, len, map->value_size);
}

static u64 mem_usage(const struct map *map)
{
	return LINUX_LEN;
}

#define CGROUP_STORAGE_OPS                                                                         \
	{                                                                                          \
		.check = check, .alloc = alloc, .free = free_map, .lookup = lookup,                \
		.update = map_no_update, .remove = map_no_remove, .next_key = next_key,            \
		.copy_out = copy_out, .copy_in = copy_in, .add_key = add_key,                      \
		.remove_added = remove_added, .owns = owns, .mem_usage = mem_usage,                \
	}

const struct map_ops map_cgroup_storage_ops = CGROUP_STORAGE_OPS;
const struct map_ops map_percpu_cgroup_storage_ops = CGROUP_STORAGE_OPS;
