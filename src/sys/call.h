/*
 * One bpf(2) call on its way through a handler. Handlers check, then change; what they write back goes
 * to the caller's attr at its own offset, whatever size he claimed (as Linux does with put_user).
 */
#ifndef SYS_CALL_H
#define SYS_CALL_H

#include "sys/attr.h"
#include "sys/fd.h"
#include "sys/sys.h"
#include "sys/caller.h"

struct sys_call {
	struct skep *inst;
	struct sys_user *user;
	u64 addr; /* the caller's attr and the size he gave, at most SYS_ATTR_SIZE */
	u32 size;
	union sys_attr attr; /* our copy */
};

struct map;

typedef long (*sys_handler)(struct sys_call *call);

enum {
	SYS_ENOTSUPP = 524, /* the kernel's ENOTSUPP, which errno.h does not have */
};

/* Handlers, by family. */
long sys_map_create(struct sys_call *call);
long sys_map_lookup(struct sys_call *call);
long sys_map_update(struct sys_call *call);
long sys_map_delete(struct sys_call *call);
long sys_map_next_key(struct sys_call *call);
long sys_map_take(struct sys_call *call);
long sys_map_freeze(struct sys_call *call);
long sys_map_lookup_batch(struct sys_call *call);
long sys_map_take_batch(struct sys_call *call);
long sys_map_update_batch(struct sys_call *call);
long sys_map_delete_batch(struct sys_call *call);
long sys_prog_load(struct sys_call *call);
long sys_prog_bind_map(struct sys_call *call);
long sys_prog_test_run(struct sys_call *call);
long sys_enable_stats(struct sys_call *call);
long sys_btf_load(struct sys_call *call);
long sys_obj_pin(struct sys_call *call);
long sys_obj_get(struct sys_call *call);
long sys_obj_info(struct sys_call *call);
long sys_prog_next_id(struct sys_call *call);
long sys_map_next_id(struct sys_call *call);
long sys_btf_next_id(struct sys_call *call);
long sys_link_next_id(struct sys_call *call);
long sys_prog_by_id(struct sys_call *call);
long sys_map_by_id(struct sys_call *call);
long sys_btf_by_id(struct sys_call *call);
long sys_link_by_id(struct sys_call *call);
long sys_link_create(struct sys_call *call);
long sys_link_update(struct sys_call *call);
long sys_link_detach(struct sys_call *call);

/* An update whose value may hold descriptors of the caller. */
int sys_map_write(
	struct sys_call *call, struct map *map, const void *key, const void *value, u64 flags);

/* A field of the caller's attr. -EFAULT. */
#define SYS_PUT(call, family, field, value)                                                        \
	sys_put(call, offsetof(union sys_attr, family.field), &(value),                            \
		sizeof(((union sys_attr *)0)->family.field) +                                      \
			0 * sizeof(char[sizeof(value) == sizeof(((union sys_attr *)0)              \
									 ->family.field)           \
						? 1                                                \
						: -1]))

static inline int sys_put(struct sys_call *call, size_t off, const void *value, size_t len)
{
	return sys_user_write(call->user, call->addr + off, value, len);
}

/* The object behind a descriptor of the caller, by its kind. */
static inline int sys_call_obj(struct sys_call *call, u32 fd, enum obj_kind kind, struct obj **ret)
{
	return sys_fd_obj(call->inst, call->user, (int)fd, kind, ret, NULL);
}

#endif
