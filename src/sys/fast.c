/*
 * bpf(2) on single elements for callers who keep two promises: the addresses in their attributes are good for what
 * the command reads and writes there, and descriptors that they use here are closed with skep_close. Then a call needs
 * no system call: addresses are used as they are, and what a descriptor stands for is remembered by its number.
 *
 * A slot holds a counted reference, under a lock of its own, so a descriptor that one thread closes while another
 * uses it does no harm. What is not among the quick cases (other commands, long keys, values that hold descriptors)
 * goes the way of every call, with the same result.
 */
#include "sys/fast.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "core/map.h"
#include "sys/attr.h"
#include "sys/caller.h"
#include "sys/fd.h"
#include "sys/sys.h"

enum {
	ELEM_LEN = offsetof(union bpf_attr, flags) + sizeof(((union bpf_attr *)0)->flags),
	KEY_MAX = 64,
	SPIN_MAX = 64,
};

/* What a descriptor stands for, with a reference. */
struct target {
	struct obj *obj;
	int mode;
};

static void lock_slot(struct sys_fast_fd *slot)
{
	u32 tries = 0;

	while (__atomic_exchange_n(&slot->lock, 1, __ATOMIC_ACQUIRE))
		if (++tries % SPIN_MAX == 0)
			sched_yield();
}

static void unlock_slot(struct sys_fast_fd *slot)
{
	__atomic_store_n(&slot->lock, 0, __ATOMIC_RELEASE);
}

static struct sys_fast_fd *slot_of(const struct skep *inst, int fd)
{
	return fd >= 0 && fd < SYS_FAST_FDS ? &sys_of(inst)->fast_fds[fd] : NULL;
}

static void set_slot(struct sys_fast_fd *slot, struct obj *obj, int mode)
{
	struct obj *old;

	lock_slot(slot);
	old = slot->obj;
	slot->obj = obj;
	slot->mode = mode;
	unlock_slot(slot);
	obj_put(old);
}

void sys_fast_forget(struct skep *inst, int fd)
{
	struct sys_fast_fd *slot = slot_of(inst, fd);

	if (slot && __atomic_load_n(&slot->obj, __ATOMIC_RELAXED))
		set_slot(slot, NULL, 0);
}

void sys_fast_done(struct skep *inst)
{
	for (int fd = 0; fd < SYS_FAST_FDS; fd++)
		sys_fast_forget(inst, fd);
}

/* The map behind the descriptor. */
static int find_map(struct skep *inst, int fd, struct target *ret)
{
	struct sys_fast_fd *slot = slot_of(inst, fd);
	struct sys_user user;
	int err;

	if (!slot)
		return -EBADF;
	lock_slot(slot);
	*ret = (struct target){slot->obj, slot->mode};
	if (ret->obj)
		obj_get(ret->obj);
	unlock_slot(slot);
	if (likely(ret->obj))
		return 0;
	sys_user_local_init(&user);
	err = sys_fd_obj(inst, &user, fd, OBJ_MAP, &ret->obj, &ret->mode);
	if (!err) {
		obj_get(ret->obj);
		set_slot(slot, ret->obj, ret->mode);
	}
	return err;
}

/* Is it one of the quick commands, with nothing behind its last field? */
static bool is_quick(int cmd, const void *attr, u32 size)
{
	const u8 *at = attr;
	u8 rest = 0;

	if (cmd < BPF_MAP_LOOKUP_ELEM || cmd > BPF_MAP_DELETE_ELEM || size < ELEM_LEN ||
		size > SYS_ATTR_SIZE)
		return false;
	for (u32 i = ELEM_LEN; i < size; i++)
		rest |= at[i];
	return !rest;
}

static bool has_quick_values(const struct map *map)
{
	return map->key_size && map->key_size <= KEY_MAX && !map->ops->fd_in && !map->ops->fd_key &&
	       !map->ops->asks_value;
}

static long change(
	struct skep *inst, struct map *map, int cmd, const union bpf_attr *attr, const void *key)
{
	struct sys *sys = sys_of(inst);
	int err;

	pthread_rwlock_rdlock(&sys->writers);
	if (cmd == BPF_MAP_DELETE_ELEM)
		err = map_user_delete(map, key);
	else
		err = map_user_update(map, key, (const void *)(uintptr_t)attr->value, attr->flags);
	pthread_rwlock_unlock(&sys->writers);
	return err;
}

/* Checks in the order of map_cmds.c. */
static long run_quick(struct skep *inst, struct target *target, int cmd, const union bpf_attr *attr)
{
	struct map *map = container_of(target->obj, struct map, obj);
	u64 key[KEY_MAX / sizeof(u64)];

	if (cmd == BPF_MAP_LOOKUP_ELEM ? target->mode == O_WRONLY
				       : target->mode == O_RDONLY || map->is_frozen)
		return -EPERM;
	memcpy(key, (const void *)(uintptr_t)attr->key, map->key_size); /* others may change it */
	if (cmd != BPF_MAP_LOOKUP_ELEM)
		return change(inst, map, cmd, attr, key);
	return map_user_lookup(map, key, (void *)(uintptr_t)attr->value, attr->flags);
}

static long run_any(struct skep *inst, int cmd, const union bpf_attr *attr, u32 size)
{
	struct sys_user user;

	sys_user_local_init(&user);
	return sys_bpf(inst, &user, cmd, (uintptr_t)attr, size);
}

long sys_bpf_trusted(struct skep *inst, int cmd, const union bpf_attr *attr, u32 size)
{
	struct target target;
	long ret;

	if (!is_quick(cmd, attr, size) ||
		(cmd == BPF_MAP_LOOKUP_ELEM && attr->flags & ~(u64)BPF_F_LOCK) ||
		(cmd == BPF_MAP_DELETE_ELEM && (attr->value || attr->flags)) ||
		find_map(inst, (int)attr->map_fd, &target))
		return run_any(inst, cmd, attr, size);
	if (likely(has_quick_values(container_of(target.obj, struct map, obj))))
		ret = run_quick(inst, &target, cmd, attr);
	else
		ret = run_any(inst, cmd, attr, size);
	obj_put(target.obj);
	return ret;
}
