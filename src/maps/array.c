/*
 * BPF_MAP_TYPE_ARRAY: values side by side, zero from the start. A BPF_F_MMAPABLE array keeps them in a
 * memfd of whole pages, so that user space can map them.
 */
#include "maps/array.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/store.h"
#include "maps/maps.h"
#include "maps/value.h"

enum { PAGE_LEN = 4096 };

struct array {
	struct map map;
	u8 *values;
	u64 len; /* bytes mapped */
};

static struct array *to_array(const struct map *map)
{
	return container_of(map, struct array, map);
}

u32 map_array_index(const void *key)
{
	u32 index;

	memcpy(&index, key, sizeof(index));
	return index;
}

int map_array_check(const struct map_attr *attr, bool is_percpu)
{
	int err = map_check_common(attr, is_percpu);

	if (err)
		return err;
	if (attr->key_size != sizeof(u32) || !attr->value_size)
		return -EINVAL;
	if (attr->value_size > INT_MAX)
		return -E2BIG;
	return is_percpu && ROUND_UP(attr->value_size, 8) > MAP_PERCPU_VALUE_MAX ? -E2BIG : 0;
}

int map_array_update_check(const struct map *map, u32 index, u64 flags)
{
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	return flags == BPF_NOEXIST ? -EEXIST : 0;
}

int map_array_remove(struct map *map, const void *key)
{
	return -EINVAL;
}

int map_array_next_key(struct map *map, const void *key, void *ret_next)
{
	u32 index = key ? map_array_index(key) : UINT32_MAX, next;

	if (index == map->max_entries - 1)
		return -ENOENT;
	next = index < map->max_entries ? index + 1 : 0;
	memcpy(ret_next, &next, sizeof(next));
	return 0;
}

int map_array_recover(struct map *map)
{
	return 0;
}

bool map_array_meta_equal(const struct map *meta, const struct map *map)
{
	return map_meta_equal(meta, map) &&
	       (meta->flags & BPF_F_INNER_MAP || meta->max_entries == map->max_entries);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	return map_array_check(attr, false);
}

/* Pages that a descriptor names too. */
static int map_memfd(u64 len, int *ret_fd, u8 **ret_mem)
{
	int fd = memfd_create("bpf-map", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;
	void *mem;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)len)) {
		err = -ENOMEM;
		goto close_fd;
	}
	mem = mem_map_fd(NULL, len, fd);
	if (!mem) {
		err = -ENOMEM;
		goto close_fd;
	}
	*ret_fd = fd;
	*ret_mem = mem;
	return 0;
close_fd:
	close(fd);
	return err;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct array *array = mem_zalloc(sizeof(*array));
	int err = 0;

	if (!array)
		return -ENOMEM;
	array->map.mem_fd = -1;
	array->len = (u64)attr->max_entries * ROUND_UP((u64)attr->value_size, 8);
	if (attr->flags & BPF_F_MMAPABLE) {
		array->len = ROUND_UP(array->len, PAGE_LEN);
		err = map_memfd(array->len, &array->map.mem_fd, &array->values);
	} else {
		array->values = map_store_pages(attr->store, array->len, false);
		err = array->values ? 0 : -ENOMEM;
	}
	if (err) {
		mem_free(array);
		return err;
	}
	*ret_map = &array->map;
	return 0;
}

static void free_map(struct map *map)
{
	struct array *array = to_array(map);

	mem_pages_free(array->values, array->len);
	if (map->mem_fd >= 0)
		close(map->mem_fd);
	mem_free(array);
}

static u8 *value_at(const struct map *map, u32 index)
{
	return to_array(map)->values + (u64)index * map->value_stride;
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	u32 index = map_array_index(key);

	return index < map->max_entries ? value_at(map, index) : NULL;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	u32 index = map_array_index(key);
	u64 lock = flags & BPF_F_LOCK;
	int err = map_value_flags(map, &flags);

	if (!err)
		err = map_array_update_check(map, index, flags);
	if (err)
		return err;
	if (unlikely(map->store) && map->value_size > 8)
		map_store_put(map->store, value_at(map, index), value, map->value_size, 1, 0);
	else
		map_value_put(map, value_at(map, index), value, lock);
	map_value_release(map, value_at(map, index));
	return 0;
}

static int update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	return copy_in(map, key, value, flags);
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	u32 index = map_array_index(key);

	if (index >= map->max_entries)
		return -ENOENT;
	map_value_get(map, ret_value, value_at(map, index), flags);
	return 0;
}

static int value_addr(const struct map *map, u32 off, u64 *ret_addr)
{
	if (map->max_entries != 1)
		return -MAP_ENOTSUPP;
	if (off >= map->value_size)
		return -EINVAL;
	*ret_addr = (uintptr_t)to_array(map)->values + off;
	return 0;
}

static void each_value(
	struct map *map, void (*fn)(struct map *map, void *value, void *arg), void *arg)
{
	for (u32 i = 0; i < map->max_entries; i++)
		fn(map, value_at(map, i), arg);
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	u64 off = (u64)((uintptr_t)addr - (uintptr_t)to_array(map)->values);
	u64 in_value = off % map->value_stride;

	return off < (u64)map->max_entries * map->value_stride && in_value <= map->value_size &&
	       len <= map->value_size - in_value;
}

static u64 mem_usage(const struct map *map)
{
	u64 len = (u64)map->max_entries * map->value_stride;

	if (map->flags & BPF_F_MMAPABLE)
		return ROUND_UP(MAP_ARRAY_LEN, PAGE_LEN) + ROUND_UP(len, PAGE_LEN);
	return MAP_ARRAY_LEN + len;
}

const struct map_ops map_array_ops = {
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
	.value_addr = value_addr,
	.batches = MAP_BATCH_LOOKUP | MAP_BATCH_UPDATE,
	.owns = owns,
	.each_value = each_value,
	.mem_usage = mem_usage,
};
