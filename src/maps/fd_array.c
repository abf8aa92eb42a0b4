/*
 * BPF_MAP_TYPE_PROG_ARRAY and BPF_MAP_TYPE_ARRAY_OF_MAPS: arrays of counted references. User space writes
 * descriptors and reads ids; programs call the program, or get the inner map.
 *
 * Invariants
 * 1. An entry is one pointer, swapped whole; readers load it with acquire order and take no lock.
 * 2. What leaves an entry is put only after all runs that may have found it have ended.
 * 3. A program array whose last descriptor and pin are gone forgets its programs: they may use it, and
 *    would keep each other for ever.
 */
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/array.h"
#include "maps/inner.h"
#include "maps/owner.h"

struct fd_array {
	struct map_progs progs; /* its array also holds the inner maps, as pointers */
	struct map_owner owner;
	u64 len; /* bytes of the array */
};

static struct fd_array *to_array(const struct map *map)
{
	return container_of(map, struct fd_array, progs.map);
}

static bool holds_maps(const struct map *map)
{
	return map->inner;
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	if (attr->value_size != sizeof(u32))
		return -EINVAL;
	return map_array_check(attr, false);
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct fd_array *array = mem_zalloc(sizeof(*array));
	struct map *inner = NULL;
	int err = 0;

	if (!array)
		return -ENOMEM;
	if (attr->type == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		err = map_inner_take(attr, &inner);
	if (err)
		goto free_array;
	array->len = (u64)attr->max_entries * sizeof(void *);
	array->progs.progs = mem_pages(array->len, false);
	if (!array->progs.progs) {
		err = -ENOMEM;
		goto put_inner;
	}
	array->progs.map.inner = inner;
	array->progs.map.mem_fd = -1;
	*ret_map = &array->progs.map;
	return 0;
put_inner:
	map_inner_free(inner);
free_array:
	mem_free(array);
	return err;
}

static void **entry_at(const struct map *map, u32 index)
{
	return (void **)&to_array(map)->progs.progs[index];
}

static struct obj *obj_of(const struct map *map, void *held)
{
	if (!held)
		return NULL;
	return holds_maps(map) ? &((struct map *)held)->obj : &((struct prog *)held)->obj;
}

static void free_map(struct map *map)
{
	struct fd_array *array = to_array(map);

	for (u32 i = 0; i < map->max_entries; i++)
		obj_put(obj_of(map, *entry_at(map, i)));
	mem_pages_free(array->progs.progs, array->len);
	mem_free(array);
}

/* True if something was there. */
static bool swap(struct map *map, u32 index, void *held)
{
	void *old = __atomic_exchange_n(entry_at(map, index), held, __ATOMIC_ACQ_REL);

	if (!old)
		return false;
	inst_wait_runs(map->obj.inst);
	obj_put(obj_of(map, old));
	return true;
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	u32 index = map_array_index(key);

	if (index >= map->max_entries || !holds_maps(map))
		return NULL;
	return __atomic_load_n(entry_at(map, index), __ATOMIC_ACQUIRE);
}

static bool fits_prog(struct map *map, const struct prog *prog)
{
	return map_owner_fits(&to_array(map)->owner, prog, true);
}

static bool owner(struct map *map, u32 *ret_prog_type, bool *ret_is_jited)
{
	return map_owner_tell(&to_array(map)->owner, ret_prog_type, ret_is_jited);
}

static int get_prog(struct map *map, const struct map_fds *fds, u32 fd, void **ret_held)
{
	struct prog *prog;
	struct obj *obj;
	int err = fds->get(fds, (int)fd, OBJ_PROG, &obj);

	if (err)
		return err;
	prog = container_of(obj, struct prog, obj);
	if (prog->type->type == BPF_PROG_TYPE_EXT || !fits_prog(map, prog)) {
		obj_put(obj);
		return -EINVAL;
	}
	*ret_held = prog;
	return 0;
}

static int fd_in(
	struct map *map, const void *key, const void *value, u64 flags, const struct map_fds *fds)
{
	u32 index = map_array_index(key), fd = map_array_index(value);
	struct map *inner;
	void *held = NULL;
	int err;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	if (holds_maps(map)) {
		err = map_inner_get(map, fds, fd, &inner);
		held = err ? NULL : inner;
	} else {
		err = get_prog(map, fds, fd, &held);
	}
	if (!err)
		swap(map, index, held);
	return err;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return -EBADF; /* without a caller there are no descriptors */
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	u32 index = map_array_index(key);
	struct obj *obj;

	if (index >= map->max_entries)
		return -ENOENT;
	pthread_mutex_lock(&map->obj.inst->lock); /* it is not freed while we look at it */
	obj = obj_of(map, __atomic_load_n(entry_at(map, index), __ATOMIC_ACQUIRE));
	if (obj)
		memcpy(ret_value, &obj->id, sizeof(obj->id));
	pthread_mutex_unlock(&map->obj.inst->lock);
	return obj ? 0 : -ENOENT;
}

static int remove_key(struct map *map, const void *key)
{
	u32 index = map_array_index(key);

	if (index >= map->max_entries)
		return -E2BIG;
	return swap(map, index, NULL) ? 0 : -ENOENT;
}

static void forget(struct map *map)
{
	for (u32 i = 0; i < map->max_entries; i++)
		swap(map, i, NULL);
}

static u64 mem_usage(const struct map *map)
{
	return MAP_ARRAY_LEN + (u64)map->max_entries * sizeof(void *);
}

const struct map_ops map_prog_array_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = lookup,
	.update = map_no_update,
	.remove = remove_key,
	.next_key = map_array_next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.fd_in = fd_in,
	.fits_prog = fits_prog,
	.owner = owner,
	.forget = forget,
	.owns = map_no_owns,
	.mem_usage = mem_usage,
};

const struct map_ops map_array_of_maps_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = lookup,
	.update = map_no_update,
	.remove = remove_key,
	.next_key = map_array_next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.fd_in = fd_in,
	.batches = MAP_BATCH_LOOKUP | MAP_BATCH_UPDATE,
	.owns = map_no_owns,
	.mem_usage = mem_usage,
};
