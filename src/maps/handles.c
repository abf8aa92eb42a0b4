/*
 * Arrays of things outside of the engine: PERF_EVENT_ARRAY, CGROUP_ARRAY, SOCKMAP, XSKMAP and
 * REUSEPORT_SOCKARRAY. User space writes descriptors; programs find a struct map_handle.
 *
 * Invariants
 * 1. An entry changes only under the map's lock; its obj, if any, is put after every run that may have
 *    found it has ended.
 * 2. The types differ in what they take and in what they answer to what is wrong: a row of `kinds` each.
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/event.h"
#include "core/inst.h"
#include "maps/array.h"
#include "maps/cgroups.h"
#include "maps/maps.h"
#include "maps/sockets.h"
#include "maps/sync.h"

struct handles {
	struct map map;
	u32 lock;
	u64 len; /* bytes of the array */
	u32 cnt; /* entries that are there */
	struct map_handle *handles;
};

struct handle_kind {
	/* What the value names, with a reference if it is an object. *ret_late: what to answer if nothing
	 * else is wrong. */
	int (*take)(struct map *map, const struct map_fds *fds, const void *value,
		struct map_handle *ret_handle, int *ret_late);
	bool takes_first;   /* Linux looks at the descriptor before flags and index */
	bool present_first; /* and at what is there before it looks closer at the socket */
	bool is_any_only;   /* the only flag is BPF_ANY */
	bool shows_cookie;  /* user space may read a socket's cookie */
	int lookup_err;	    /* else: what reading is answered with */
	int remove_past;    /* an index that is too large */
	int remove_none;    /* an empty entry */
	u32 linux_len, linux_entry_len; /* bytes of an empty map, of what stands in one entry */
};

static const struct handle_kind *kind_of(const struct map *map);

static struct handles *to_handles(const struct map *map)
{
	return container_of(map, struct handles, map);
}

/* --- what they take ---------------------------------------------------------------------------- */

static int take_event(struct map *map, const struct map_fds *fds, const void *value,
	struct map_handle *ret_handle, int *ret_late)
{
	struct obj *obj;
	int err = fds->get(fds, (int)map_array_index(value), OBJ_EVENT, &obj);

	if (err)
		return -EBADF;
	*ret_handle = (struct map_handle){.id = obj->id, .obj = obj};
	return 0;
}

static int take_cgroup(struct map *map, const struct map_fds *fds, const void *value,
	struct map_handle *ret_handle, int *ret_late)
{
	return map_cgroup_take(fds, (int)map_array_index(value), false, &ret_handle->id);
}

static int take_socket(struct map *map, const struct map_fds *fds, const void *value,
	struct map_handle *ret_handle, int *ret_late)
{
	int fd, err = map_socket_fd(map, value, &fd);

	return err ? err : map_socket_take(fds, map->type->type, fd, &ret_handle->id, ret_late);
}

/* --- the array --------------------------------------------------------------------------------- */

static int check_index(const struct map_attr *attr)
{
	return attr->max_entries && attr->key_size == sizeof(u32) ? 0 : -EINVAL;
}

/* perf events and cgroups */
static int check_fd(const struct skep *inst, const struct map_attr *attr)
{
	int err = map_check_common(attr, false);

	if (err)
		return err;
	return attr->value_size == sizeof(u32) ? check_index(attr) : -EINVAL;
}

static int check_socket(const struct skep *inst, const struct map_attr *attr)
{
	bool is_long = attr->value_size == sizeof(u64) && attr->type != BPF_MAP_TYPE_XSKMAP;
	int err = map_check_common(attr, false);

	if (err)
		return err;
	return is_long || attr->value_size == sizeof(u32) ? check_index(attr) : -EINVAL;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct handles *handles = mem_zalloc(sizeof(*handles));

	if (!handles)
		return -ENOMEM;
	handles->len = (u64)attr->max_entries * sizeof(struct map_handle);
	handles->handles = mem_pages(handles->len, true);
	if (!handles->handles) {
		mem_free(handles);
		return -ENOMEM;
	}
	handles->map.mem_fd = -1;
	*ret_map = &handles->map;
	return 0;
}

static void free_map(struct map *map)
{
	struct handles *handles = to_handles(map);

	for (u32 i = 0; i < map->max_entries && map->ops->forget; i++)
		obj_put(handles->handles[i].obj);
	mem_pages_free(handles->handles, handles->len);
	mem_free(handles);
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	u32 index = map_array_index(key);
	struct map_handle *handle = &to_handles(map)->handles[index];

	if (index >= map->max_entries || !__atomic_load_n(&handle->id, __ATOMIC_ACQUIRE))
		return NULL;
	return handle;
}

/* Puts a handle, or nothing, at index; what was there goes. Under `lock`; returns what to put. */
static struct obj *swap_locked(
	struct handles *handles, struct map_handle *at, const struct map_handle *handle)
{
	struct obj *old = at->obj;

	handles->cnt += (handle->id != 0) - (at->id != 0);

	__atomic_store_n(&at->obj, handle->obj, __ATOMIC_RELEASE);
	__atomic_store_n(&at->id, handle->id, __ATOMIC_RELEASE);
	return old;
}

static void put_later(struct map *map, struct obj *old)
{
	if (!old)
		return;
	inst_wait_runs(map->obj.inst);
	obj_put(old);
}

/* Is the socket in any REUSEPORT_SOCKARRAY? It may be in one only. Under the instance's lock. */
static bool is_in_reuseport(const struct skep *inst, u64 cookie)
{
	const struct obj_table *table = &inst->tables[OBJ_MAP];

	for (u32 i = 0; i < table->cnt; i++) {
		const struct map *map = container_of(table->objs[i], struct map, obj);

		if (map->type->type != BPF_MAP_TYPE_REUSEPORT_SOCKARRAY)
			continue;
		for (u32 j = 0; j < map->max_entries; j++)
			if (to_handles(map)->handles[j].id == cookie)
				return true;
	}
	return false;
}

static bool is_busy(struct map *map, const struct map_handle *handle)
{
	struct skep *inst = map->obj.inst;
	bool is_in;

	if (map->type->type != BPF_MAP_TYPE_REUSEPORT_SOCKARRAY)
		return false;
	pthread_mutex_lock(&inst->lock);
	is_in = is_in_reuseport(inst, handle->id);
	pthread_mutex_unlock(&inst->lock);
	return is_in;
}

static int check_update(const struct map *map, u32 index, u64 flags)
{
	if (flags > (kind_of(map)->is_any_only ? BPF_ANY : BPF_EXIST))
		return -EINVAL;
	return index >= map->max_entries ? -E2BIG : 0;
}

static int check_present(
	struct map *map, const struct map_handle *at, const struct map_handle *handle, u64 flags)
{
	if (at->id == handle->id && map->type->type == BPF_MAP_TYPE_XSKMAP)
		return 0;
	if (at->id && flags == BPF_NOEXIST)
		return -EEXIST;
	return !at->id && flags == BPF_EXIST ? -ENOENT : 0;
}

static int put_handle(struct map *map, u32 index, const struct map_handle *handle, u64 flags)
{
	struct handles *handles = to_handles(map);
	struct map_handle *at = &handles->handles[index];
	struct obj *old = NULL;
	int err;

	map_lock(&handles->lock);
	err = check_present(map, at, handle, flags);
	if (!err)
		old = swap_locked(handles, at, handle);
	map_unlock(&handles->lock);
	put_later(map, err ? handle->obj : old);
	return err;
}

/* What is wrong with the descriptor's socket, with flags and with what is there: Linux's order. */
static int check_handle(
	struct map *map, u32 index, const struct map_handle *handle, u64 flags, int late)
{
	const struct map_handle *at = &to_handles(map)->handles[index];
	int err = kind_of(map)->present_first ? check_present(map, at, handle, flags) : 0;

	if (!err)
		err = late;
	return !err && is_busy(map, handle) ? -EBUSY : err;
}

static int fd_in(
	struct map *map, const void *key, const void *value, u64 flags, const struct map_fds *fds)
{
	const struct handle_kind *kind = kind_of(map);
	u32 index = map_array_index(key);
	struct map_handle handle = {0};
	int late = 0, err = kind->takes_first ? 0 : check_update(map, index, flags);

	if (!err)
		err = kind->take(map, fds, value, &handle, &late);
	if (err)
		return err;
	err = check_update(map, index, flags);
	if (!err)
		err = check_handle(map, index, &handle, flags, late);
	if (!err)
		return put_handle(map, index, &handle, flags);
	obj_put(handle.obj);
	return err;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return -EBADF; /* without a caller there are no descriptors */
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	if (!kind_of(map)->shows_cookie)
		return kind_of(map)->lookup_err;
	return map_socket_copy(map, lookup(map, key, 0), ret_value);
}

static int remove_key(struct map *map, const void *key)
{
	static const struct map_handle nothing;
	struct handles *handles = to_handles(map);
	u32 index = map_array_index(key);
	bool was_there;
	struct obj *old;

	if (index >= map->max_entries)
		return kind_of(map)->remove_past;
	map_lock(&handles->lock);
	was_there = handles->handles[index].id;
	old = swap_locked(handles, &handles->handles[index], &nothing);
	map_unlock(&handles->lock);
	put_later(map, old);
	return was_there ? 0 : kind_of(map)->remove_none;
}

/* Linux: entries go with the descriptor of the map that wrote them. */
static void forget_events(struct map *map)
{
	for (u32 i = 0; i < map->max_entries && !(map->flags & BPF_F_PRESERVE_ELEMS); i++)
		if (to_handles(map)->handles[i].id)
			remove_key(map, &i);
}

static u64 mem_usage(const struct map *map)
{
	return kind_of(map)->linux_len + (u64)map->max_entries * sizeof(void *) +
	       (u64)to_handles(map)->cnt * kind_of(map)->linux_entry_len;
}

static const struct handle_kind kinds[] = {
	[BPF_MAP_TYPE_PERF_EVENT_ARRAY] = {take_event, .is_any_only = true,
		.lookup_err = -MAP_ENOTSUPP, .remove_past = -E2BIG, .remove_none = -ENOENT,
		.linux_len = MAP_ARRAY_LEN},
	[BPF_MAP_TYPE_CGROUP_ARRAY] = {take_cgroup, .is_any_only = true,
		.lookup_err = -MAP_ENOTSUPP, .remove_past = -E2BIG, .remove_none = -ENOENT,
		.linux_len = MAP_ARRAY_LEN},
	[BPF_MAP_TYPE_SOCKMAP] = {take_socket, .takes_first = true, .shows_cookie = true,
		.remove_past = -EINVAL, .remove_none = -EINVAL, .linux_len = 376},
	[BPF_MAP_TYPE_XSKMAP] = {take_socket, .lookup_err = -EOPNOTSUPP, .remove_past = -EINVAL,
		.linux_len = 304, .linux_entry_len = 32},
	[BPF_MAP_TYPE_REUSEPORT_SOCKARRAY] = {take_socket, .present_first = true,
		.shows_cookie = true, .remove_past = -E2BIG, .remove_none = -ENOENT,
		.linux_len = 296},
};

static const struct handle_kind *kind_of(const struct map *map)
{
	return &kinds[map->type->type];
}

#define HANDLE_OPS(checks, forgets)                                                                \
	{                                                                                          \
		.check = checks, .alloc = alloc, .free = free_map, .lookup = lookup,               \
		.update = map_no_update, .remove = remove_key, .next_key = map_array_next_key,     \
		.copy_out = copy_out, .copy_in = copy_in, .fd_in = fd_in, .forget = forgets,       \
		.meta_equal = map_meta_equal, .owns = map_no_owns, .mem_usage = mem_usage,         \
	}

const struct map_ops map_perf_event_array_ops = HANDLE_OPS(check_fd, forget_events);
const struct map_ops map_cgroup_array_ops = HANDLE_OPS(check_fd, NULL);
const struct map_ops map_sockmap_ops = HANDLE_OPS(check_socket, NULL);
const struct map_ops map_xskmap_ops = HANDLE_OPS(check_socket, NULL);
const struct map_ops map_reuseport_sockarray_ops = HANDLE_OPS(check_socket, NULL);
