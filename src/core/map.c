/*
 * What is the same for every map type: making a map from its attributes, and user space's operations
 * with the rules that no type decides (freezing, sizes of per-CPU values).
 */
#include "core/map.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "btf/fields.h"
#include "core/arena.h"
#include "core/inst.h"
#include "core/store.h"

static struct map *to_map(struct obj *obj)
{
	return container_of(obj, struct map, obj);
}

/* --- special fields ---------------------------------------------------------------------------- */

enum {
	/* Fields that hold something which outlives the bytes. */
	FIELDS_HOLDING = BTF_FIELD_TIMER | BTF_FIELD_WORKQUEUE | BTF_FIELD_TASK_WORK |
			 BTF_FIELD_KPTR | BTF_FIELD_UPTR | BTF_FIELD_GRAPH_ROOT,
	/* They run programs by themselves, so they end when nobody can reach the map by name. */
	FIELDS_RUNNING = BTF_FIELD_TIMER | BTF_FIELD_WORKQUEUE | BTF_FIELD_TASK_WORK,
};

void map_release_fields(struct map *map, void *value, u32 mask)
{
	const struct btf_fields *fields = map->fields;

	if (!fields || !(fields->mask & mask & FIELDS_HOLDING))
		return;
	for (u32 i = 0; i < fields->cnt; i++) {
		const struct btf_field *field = &fields->items[i];
		void *at = (u8 *)value + field->off;

		if (!(field->kind & mask & FIELDS_HOLDING))
			continue;
		if (field->kind == BTF_FIELD_KPTR_UNREF)
			__atomic_store_n((u64 *)at, 0, __ATOMIC_RELEASE);
		else if (map->obj.inst->release_field)
			map->obj.inst->release_field(map, field, at);
	}
}

static void release_one(struct map *map, void *value, void *arg)
{
	map_release_fields(map, value, *(u32 *)arg);
}

static void release_values(struct map *map, u32 mask)
{
	if (map->ops->each_value && map_has_field(map, mask & FIELDS_HOLDING))
		map->ops->each_value(map, release_one, &mask);
}

void map_forget(struct map *map)
{
	__atomic_store_n(&map->is_forgotten, true, __ATOMIC_SEQ_CST);
	if (map->ops->forget)
		map->ops->forget(map);
	release_values(map, FIELDS_RUNNING);
}

bool map_has_field(const struct map *map, u32 mask)
{
	return map->fields && map->fields->mask & mask;
}

int map_check_lock_flag(const struct map *map, u64 flags)
{
	return flags & BPF_F_LOCK && !map_has_field(map, BTF_FIELD_SPIN_LOCK) ? -EINVAL : 0;
}

void map_inner_free(struct map *inner)
{
	if (!inner)
		return;
	obj_put(inner->btf);
	btf_fields_free(inner->fields);
	mem_free(inner);
}

/* --- making ------------------------------------------------------------------------------------ */

static void uncharge(struct skep *inst, u64 len)
{
	__atomic_sub_fetch(&inst->map_mem, len, __ATOMIC_RELAXED);
}

static void free_map(struct obj *obj)
{
	struct map *map = to_map(obj);
	struct obj *btf = map->btf;
	struct map *inner = map->inner;
	struct btf_fields *fields = map->fields;
	struct map_store *store = map->store;

	uncharge(obj->inst, map->mem_len);
	release_values(map, ~0U);
	map->ops->free(map);
	map_store_free(store);
	btf_fields_free(fields);
	obj_put(btf);
	map_inner_free(inner);
}

static const struct obj_ops map_obj_ops = {
	.free = free_map,
};

/* From here on the map frees the store; if it cannot, the caller still does. */
static int take_store(struct map *map, struct map_store *store)
{
	int err;

	map->store = store;
	err = store && store->is_old ? map->ops->recover(map) : 0;
	if (err) {
		map->ops->free(map);
		return err;
	}
	if (store && store->is_old)
		map->is_frozen = store->head->is_frozen;
	return 0;
}

/* What the map may come to take, from its sizes. -ENOMEM: more than there can be. */
static int map_len(const struct skep *inst, const struct map_type *type,
	const struct map_attr *attr, u64 *ret_len)
{
	u64 cpus = type->is_percpu ? inst->cpu_cnt : 1, len;
	u64 each = ROUND_UP((u64)attr->key_size, 8) + ROUND_UP((u64)attr->value_size, 8) * cpus;

	if (attr->type == BPF_MAP_TYPE_RINGBUF || attr->type == BPF_MAP_TYPE_USER_RINGBUF)
		each = 1; /* entries are bytes */
	if (attr->type == BPF_MAP_TYPE_ARENA)
		each = ARENA_PAGE;
	if (__builtin_mul_overflow(each, (u64)attr->max_entries, &len))
		return -ENOMEM;
	*ret_len = len;
	return 0;
}

static int charge(struct skep *inst, u64 len)
{
	u64 now = __atomic_add_fetch(&inst->map_mem, len, __ATOMIC_RELAXED);

	if (!inst->map_mem_max || (now >= len && now <= inst->map_mem_max))
		return 0;
	__atomic_sub_fetch(&inst->map_mem, len, __ATOMIC_RELAXED);
	sink_emit(&inst->sink, SINK_WARN,
		"BPF_MAP_CREATE: a map of %llu bytes does not fit the instance's limit of %llu",
		(unsigned long long)len, (unsigned long long)inst->map_mem_max);
	return -ENOMEM;
}

int map_new(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	const struct map_type *type;
	struct map *map;
	u64 len;
	int err;

	if (attr->type >= inst->map_type_cnt || !inst->map_types[attr->type])
		return -EINVAL;
	type = inst->map_types[attr->type];
	if (!type->flags_last && attr->flags & ~type->flags_ok)
		return -EINVAL;
	err = type->ops->check(inst, attr);
	if (err)
		return err;
	if (attr->flags & ~type->flags_ok || (attr->store && !type->ops->recover))
		return -EINVAL;
	err = map_len(inst, type, attr, &len);
	if (!err)
		err = charge(inst, len);
	if (err)
		return err;
	err = type->ops->alloc(inst, attr, &map);
	if (err) {
		uncharge(inst, len);
		return err;
	}
	map->mem_len = len;
	obj_init(&map->obj, inst, OBJ_MAP, &map_obj_ops);
	map->type = type;
	map->ops = type->ops;
	map->key_size = attr->key_size;
	map->value_size = attr->value_size;
	map->value_stride = ROUND_UP(attr->value_size, 8);
	if (!map->max_entries)
		map->max_entries = attr->max_entries;
	map->flags |= attr->flags;
	map->numa_node = attr->numa_node;
	map->extra = attr->extra;
	memcpy(map->name, attr->name, sizeof(map->name));
	err = take_store(map, attr->store);
	if (err)
		uncharge(inst, len);
	else
		*ret_map = map;
	return err;
}

u32 map_user_value_len(const struct map *map)
{
	if (map->type->is_percpu)
		return map->value_stride * map->obj.inst->cpu_cnt;
	return map->value_size;
}

u32 map_prog_access(const struct map *map)
{
	if (map->flags & BPF_F_RDONLY_PROG)
		return MAP_PROG_READ;
	if (map->flags & BPF_F_WRONLY_PROG)
		return MAP_PROG_WRITE;
	return MAP_PROG_READ | MAP_PROG_WRITE;
}

bool map_is_rdonly(const struct map *map)
{
	return (map->flags & BPF_F_RDONLY_PROG) && map->is_frozen;
}

int map_user_lookup(struct map *map, const void *key, void *ret_value, u64 flags)
{
	if (flags & ~(u64)BPF_F_LOCK || map_check_lock_flag(map, flags))
		return -EINVAL;
	return map->ops->copy_out(map, key, ret_value, flags);
}

int map_user_update(struct map *map, const void *key, const void *value, u64 flags)
{
	return map_user_update_fds(map, key, value, flags, NULL);
}

int map_user_update_fds(
	struct map *map, const void *key, const void *value, u64 flags, const struct map_fds *fds)
{
	if (map->is_frozen)
		return -EPERM;
	if (map_check_lock_flag(map, flags))
		return -EINVAL;
	if (map->ops->fd_in)
		return fds ? map->ops->fd_in(map, key, value, flags, fds) : -EBADF;
	return map->ops->copy_in(map, key, value, flags);
}

int map_user_delete(struct map *map, const void *key)
{
	if (map->is_frozen)
		return -EPERM;
	return map->ops->remove(map, key);
}

int map_user_next_key(struct map *map, const void *key, void *ret_next)
{
	return map->ops->next_key(map, key, ret_next);
}

int map_user_take(struct map *map, const void *key, void *ret_value, u64 flags)
{
	if (map->is_frozen)
		return -EPERM;
	if (flags & ~(u64)BPF_F_LOCK || map_check_lock_flag(map, flags))
		return -EINVAL;
	return map->ops->take_out ? map->ops->take_out(map, key, ret_value, flags) : -MAP_ENOTSUPP;
}
