/*
 * The commands on maps. Checks stand in Linux's order, because with two things wrong the errno of the
 * first is what callers (and libbpf's feature probes) look at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "btf/mapkv.h"
#include "core/btf.h"
#include "core/map.h"
#include "core/store.h"
#include "sys/call.h"
#include "sys/token.h"

enum {
	SHORT_LEN = 512, /* keys and values up to here stay off the heap */
	NUMA_ANY = 0xffffffff,
};

/* --- making ------------------------------------------------------------------------------------ */

static bool has_numa_node(u32 node)
{
	char path[64];

	if (node == NUMA_ANY || node == 0)
		return true;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", node);
	return !access(path, F_OK);
}

static int check_create(struct sys_call *call)
{
	const struct sys_attr_map_create *attr = &call->attr.map_create;
	int mode;

	if (attr->btf_vmlinux_value_type_id) {
		if (attr->map_type != BPF_MAP_TYPE_STRUCT_OPS || attr->btf_key_type_id ||
			attr->btf_value_type_id)
			return -EINVAL;
	} else if (attr->btf_key_type_id && !attr->btf_value_type_id) {
		return -EINVAL;
	}
	if (attr->map_extra && attr->map_type != BPF_MAP_TYPE_BLOOM_FILTER &&
		attr->map_type != BPF_MAP_TYPE_ARENA)
		return -EINVAL;
	mode = sys_fd_mode(attr->map_flags);
	if (mode < 0)
		return mode;
	if (attr->map_flags & BPF_F_NUMA_NODE && !has_numa_node(attr->numa_node))
		return -EINVAL;
	return 0;
}

/* What Linux has and this engine does not: said in words, because the errno alone would mislead. */
static int refuse_extras(struct sys_call *call)
{
	const struct sys_attr_map_create *attr = &call->attr.map_create;

	if (attr->map_ifindex) {
		sink_emit(&call->inst->sink, SINK_WARN,
			"BPF_MAP_CREATE: map_ifindex %u: maps on devices are not available",
			attr->map_ifindex);
		return -EINVAL;
	}
	if (attr->excl_prog_hash) {
		sink_emit(&call->inst->sink, SINK_WARN,
			"BPF_MAP_CREATE: excl_prog_hash: exclusive maps are not available");
		return -EOPNOTSUPP;
	}
	return attr->excl_prog_hash_size ? -EINVAL : 0;
}

static int take_btf(struct sys_call *call, struct map *map)
{
	const struct sys_attr_map_create *attr = &call->attr.map_create;
	struct btf_map_want want = {
		.map_type = attr->map_type,
		.map_flags = attr->map_flags,
		.max_entries = attr->max_entries,
		.key_size = attr->key_size,
		.value_size = attr->value_size,
		.key_id = attr->btf_key_type_id,
		.value_id = attr->btf_value_type_id,
	};
	int err;

	if (!attr->btf_key_type_id && !attr->btf_value_type_id && !attr->btf_vmlinux_value_type_id)
		return 0;
	err = sys_call_obj(call, attr->btf_fd, OBJ_BTF, &map->btf);
	if (err)
		return err;
	if (!attr->btf_value_type_id)
		return 0;
	err = btf_map_check(container_of(map->btf, struct core_btf, obj)->btf, &want, &map->fields);
	if (err)
		return err;
	map->btf_key_type_id = attr->btf_key_type_id;
	map->btf_value_type_id = attr->btf_value_type_id;
	return 0;
}

static int add_seals(const struct map *map, int seals)
{
	if (map->mem_fd < 0)
		return 0;
	return fcntl(map->mem_fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

/* Nobody takes the memory away from under the programs; and user space never gets a writable mapping of
 * what they take for constant. */
static int seal_memory(const struct map *map)
{
	int constant = map->flags & BPF_F_RDONLY_PROG ? F_SEAL_FUTURE_WRITE : 0;

	return add_seals(map, F_SEAL_SHRINK | F_SEAL_GROW | constant);
}

/* Descriptors in attributes and values are the caller's. */
struct call_fds {
	struct map_fds fds;
	struct sys_call *call;
};

static int get_by_fd(const struct map_fds *fds, int fd, enum obj_kind kind, struct obj **ret_obj)
{
	const struct call_fds *ours = container_of(fds, const struct call_fds, fds);

	return sys_call_obj(ours->call, (u32)fd, kind, ret_obj);
}

static int open_fd(const struct map_fds *fds, int fd, int *ret_fd)
{
	const struct call_fds *ours = container_of(fds, const struct call_fds, fds);
	struct sys_user *user = ours->call->user;
	int theirs, own, err = user->ops->fd_get(user, fd, &theirs);

	if (err)
		return err;
	own = fcntl(theirs, F_DUPFD_CLOEXEC, 0);
	err = own < 0 ? -errno : 0;
	user->ops->fd_put(user, theirs);
	if (!err)
		*ret_fd = own;
	return err;
}

/* A key that is a descriptor becomes what it names. */
static int map_key(
	struct sys_call *call, const struct map *map, const void *key, u8 ret_key[MAP_FD_KEY_MAX])
{
	struct call_fds fds = {{get_by_fd, open_fd}, call};

	return map->ops->fd_key(map, key, &fds.fds, ret_key);
}

int sys_map_write(
	struct sys_call *call, struct map *map, const void *key, const void *value, u64 flags)
{
	struct call_fds fds = {{get_by_fd, open_fd}, call};

	return map_user_update_fds(map, key, value, flags, &fds.fds);
}

static int make_map(struct sys_call *call, struct map **ret_map)
{
	struct call_fds fds = {{get_by_fd, open_fd}, call};
	const struct sys_attr_map_create *attr = &call->attr.map_create;
	struct map_attr want = {
		.type = attr->map_type,
		.key_size = attr->key_size,
		.value_size = attr->value_size,
		.max_entries = attr->max_entries,
		.flags = attr->map_flags,
		.extra = attr->map_extra,
		.numa_node = attr->numa_node,
		.inner_fd = (int)attr->inner_map_fd,
		.fds = &fds.fds,
		.btf_key_type_id = attr->btf_key_type_id,
		.btf_value_type_id = attr->btf_value_type_id,
		.btf_vmlinux_value_type_id = attr->btf_vmlinux_value_type_id,
	};
	struct map *map;
	int err = sys_state_store(call->inst, &want, &want.store);

	if (err)
		return err;
	err = map_new(call->inst, &want, &map);
	if (err) {
		map_store_free(want.store);
		return err;
	}
	err = refuse_extras(call);
	if (!err)
		err = sys_name_copy(map->name, attr->map_name);
	if (!err)
		err = take_btf(call, map);
	if (!err)
		err = seal_memory(map);
	if (!err)
		err = obj_publish(&map->obj);
	if (err)
		obj_put(&map->obj);
	else
		*ret_map = map;
	return err;
}

long sys_map_create(struct sys_call *call)
{
	struct sys_attr_map_create *attr = &call->attr.map_create;
	bool has_token = attr->map_flags & BPF_F_TOKEN_FD;
	struct map *map;
	int err;

	attr->map_flags &= ~BPF_F_TOKEN_FD;
	err = check_create(call);
	if (!err && has_token)
		err = sys_token_check(call, attr->map_token_fd);
	if (err)
		return err;
	sys_fd_reap_sometimes(call->inst);
	err = make_map(call, &map);
	if (err)
		return err;
	err = sys_fd_new(call->inst, call->user, &map->obj, sys_fd_mode(attr->map_flags));
	obj_put(&map->obj);
	return err;
}

/* --- elements ---------------------------------------------------------------------------------- */

/* A call on one element: the map, and room for key and value. */
struct elem {
	struct map *map;
	u8 *key, *value;
	u32 value_len;
	u8 short_key[SHORT_LEN], short_value[SHORT_LEN];
};

enum elem_use { ELEM_LOOK_AT = 0, ELEM_READ = 1, ELEM_WRITE = 2, ELEM_BOTH = 3 };

static u8 *room(u8 *near, u32 len)
{
	return len <= SHORT_LEN ? near : mem_alloc(len);
}

static void drop_room(u8 *at, const u8 *near)
{
	if (at != near)
		mem_free(at);
}

static void elem_done(struct elem *elem)
{
	drop_room(elem->key, elem->short_key);
	drop_room(elem->value, elem->short_value);
	obj_put(&elem->map->obj);
}

/* The map, if its descriptor allows what the call does; frozen maps are not written. */
static int elem_init(struct sys_call *call, struct elem *elem, enum elem_use use)
{
	struct obj *obj;
	int mode, err;

	err = sys_fd_obj(call->inst, call->user, (int)call->attr.uapi.map_fd, OBJ_MAP, &obj, &mode);
	if (err)
		return err;
	elem->map = container_of(obj, struct map, obj);
	elem->key = elem->value = NULL;
	elem->value_len = map_user_value_len(elem->map);
	if ((use & ELEM_WRITE && (mode == O_RDONLY || elem->map->is_frozen)) ||
		(use & ELEM_READ && mode == O_WRONLY)) {
		obj_put(obj);
		return -EPERM;
	}
	return 0;
}

static int read_key(struct sys_call *call, struct elem *elem)
{
	u64 addr = call->attr.uapi.key;

	if (!elem->map->key_size)
		return addr ? -EINVAL : 0;
	elem->key = room(elem->short_key, elem->map->key_size);
	if (!elem->key)
		return -ENOMEM;
	return sys_user_read(call->user, addr, elem->key, elem->map->key_size);
}

/* What the map's operations take as key. */
static int resolve_key(struct sys_call *call, struct elem *elem)
{
	u8 key[MAP_FD_KEY_MAX];
	int err;

	if (!elem->map->ops->fd_key)
		return 0;
	err = map_key(call, elem->map, elem->key, key);
	if (!err)
		memcpy(elem->key, key,
			sizeof(key)); /* a descriptor's key has 4 bytes: it is short */
	return err;
}

static int need_value(struct elem *elem)
{
	elem->value = room(elem->short_value, elem->value_len);
	return elem->value ? 0 : -ENOMEM;
}

long sys_map_lookup(struct sys_call *call)
{
	struct elem elem;
	bool asks;
	int err;

	if (call->attr.uapi.flags & ~(u64)BPF_F_LOCK)
		return -EINVAL;
	err = elem_init(call, &elem, ELEM_READ);
	if (err)
		return err;
	err = map_check_lock_flag(elem.map, call->attr.uapi.flags);
	if (!err)
		err = read_key(call, &elem);
	if (!err)
		err = need_value(&elem);
	asks = elem.map->ops->asks_value;
	if (!err && asks)
		err = sys_user_read(call->user, call->attr.uapi.value, elem.value, elem.value_len);
	if (!err)
		err = resolve_key(call, &elem);
	if (!err)
		err = map_user_lookup(elem.map, elem.key, elem.value, call->attr.uapi.flags);
	if (!err && !asks)
		err = sys_user_write(call->user, call->attr.uapi.value, elem.value, elem.value_len);
	elem_done(&elem);
	return err;
}

/* Writers hold `writers` for reading, so that after FREEZE no write is under way. */
static int write_elem(struct sys_call *call, struct elem *elem)
{
	struct sys *sys = sys_of(call->inst);
	int err = resolve_key(call, elem);

	if (err)
		return err;
	pthread_rwlock_rdlock(&sys->writers);
	if (elem->value)
		err = sys_map_write(call, elem->map, elem->key, elem->value, call->attr.uapi.flags);
	else
		err = map_user_delete(elem->map, elem->key);
	pthread_rwlock_unlock(&sys->writers);
	return err;
}

long sys_map_update(struct sys_call *call)
{
	struct elem elem;
	int err = elem_init(call, &elem, ELEM_WRITE);

	if (err)
		return err;
	err = map_check_lock_flag(elem.map, call->attr.uapi.flags);
	if (!err)
		err = read_key(call, &elem);
	if (!err)
		err = need_value(&elem);
	if (!err)
		err = sys_user_read(call->user, call->attr.uapi.value, elem.value, elem.value_len);
	if (!err)
		err = write_elem(call, &elem);
	elem_done(&elem);
	return err;
}

long sys_map_delete(struct sys_call *call)
{
	struct elem elem;
	int err = elem_init(call, &elem, ELEM_WRITE);

	if (err)
		return err;
	err = read_key(call, &elem);
	if (!err)
		err = write_elem(call, &elem);
	elem_done(&elem);
	return err;
}

long sys_map_next_key(struct sys_call *call)
{
	struct elem elem;
	int err = elem_init(call, &elem, ELEM_READ);

	if (err)
		return err;
	elem.value_len = elem.map->key_size; /* what is given back is a key */
	if (call->attr.uapi.key)
		err = read_key(call, &elem);
	if (!err)
		err = need_value(&elem);
	if (!err)
		err = map_user_next_key(elem.map, elem.key, elem.value);
	if (!err)
		err = sys_user_write(
			call->user, call->attr.uapi.next_key, elem.value, elem.value_len);
	elem_done(&elem);
	return err;
}

/* Reads and writes; the value is gone even if the caller cannot be given it. */
long sys_map_take(struct sys_call *call)
{
	u64 flags = call->attr.uapi.flags;
	struct sys *sys = sys_of(call->inst);
	struct elem elem;
	int err;

	if (flags & ~(u64)BPF_F_LOCK)
		return -EINVAL;
	err = elem_init(call, &elem, ELEM_BOTH);
	if (err)
		return err;
	err = map_check_lock_flag(elem.map, flags);
	if (!err && flags && elem.map->ops->pop)
		err = -EINVAL;
	if (!err)
		err = read_key(call, &elem);
	if (!err)
		err = need_value(&elem);
	if (!err) {
		pthread_rwlock_rdlock(&sys->writers);
		err = map_user_take(elem.map, elem.key, elem.value, flags);
		pthread_rwlock_unlock(&sys->writers);
	}
	if (!err)
		err = sys_user_write(call->user, call->attr.uapi.value, elem.value, elem.value_len);
	elem_done(&elem);
	return err;
}

long sys_map_freeze(struct sys_call *call)
{
	struct sys *sys = sys_of(call->inst);
	struct elem elem;
	int err = elem_init(call, &elem, ELEM_LOOK_AT);

	if (err)
		return err;
	if (elem.map->fields || elem.map->type->type == BPF_MAP_TYPE_STRUCT_OPS)
		err = -SYS_ENOTSUPP;
	elem_done(&elem);
	if (!err)
		err = elem_init(call, &elem, ELEM_WRITE);
	if (err)
		return err;
	pthread_rwlock_wrlock(&sys->writers);
	if (elem.map->is_frozen)
		err = -EBUSY;
	if (!err)
		err = add_seals(elem.map, F_SEAL_FUTURE_WRITE);
	if (!err)
		elem.map->is_frozen = true;
	if (!err && elem.map->store)
		elem.map->store->head->is_frozen = true;
	pthread_rwlock_unlock(&sys->writers);
	elem_done(&elem);
	return err;
}
