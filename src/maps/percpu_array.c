/*
 * BPF_MAP_TYPE_PERCPU_ARRAY: an array a CPU.
 */
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/array.h"
#include "maps/maps.h"
#include "maps/percpu.h"

struct percpu_array {
	struct map map;
	struct map_percpu values;
};

static struct percpu_array *to_array(const struct map *map)
{
	return container_of(map, struct percpu_array, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	return map_array_check(attr, true);
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct percpu_array *array = mem_zalloc(sizeof(*array));
	int err;

	if (!array)
		return -ENOMEM;
	err = map_percpu_init(&array->values, attr, inst->cpu_cnt, attr->max_entries, false);
	if (err) {
		mem_free(array);
		return err;
	}
	array->map.mem_fd = -1;
	*ret_map = &array->map;
	return 0;
}

static void free_map(struct map *map)
{
	struct percpu_array *array = to_array(map);

	map_percpu_done(&array->values);
	mem_free(array);
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	u32 index = map_array_index(key);

	if (index >= map->max_entries)
		return NULL;
	return map_percpu_value(&to_array(map)->values, index, cpu);
}

static int update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	u32 index = map_array_index(key);
	int err = map_array_update_check(map, index, flags);

	if (!err)
		map_percpu_put(map, &to_array(map)->values, index, cpu, value, false);
	return err;
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	u32 index = map_array_index(key);

	if (index >= map->max_entries)
		return -ENOENT;
	map_percpu_get_all(map, &to_array(map)->values, index, ret_value);
	return 0;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	u32 index = map_array_index(key);
	int err = map_array_update_check(map, index, flags);

	if (!err)
		map_percpu_put_all(map, &to_array(map)->values, index, value);
	return err;
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	return map_percpu_owns(
		&to_array(map)->values, addr, len, map->value_size, map->max_entries);
}

static void each_value(
	struct map *map, void (*fn)(struct map *map, void *value, void *arg), void *arg)
{
	map_percpu_each(map, &to_array(map)->values, 0, map->max_entries, fn, arg);
}

static u64 mem_usage(const struct map *map)
{
	u64 cpus = to_array(map)->values.cpu_cnt;

	return MAP_ARRAY_LEN + map->max_entries * (sizeof(void *) + cpus * map->value_stride);
}

const struct map_ops map_percpu_array_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.recover = map_array_recover,
	.lookup = lookup,
	.update = update,
	.remove = map_array_remove,
	.next_key = map_array_next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.meta_equal = map_array_meta_equal,
	.batches = MAP_BATCH_LOOKUP | MAP_BATCH_UPDATE,
	.owns = owns,
	.each_value = each_value,
	.mem_usage = mem_usage,
};
