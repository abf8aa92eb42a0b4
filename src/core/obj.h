/*
 * Objects: what bpf(2) hands out by descriptor and by id (maps, programs, BTF, links).
 *
 * An object lives while somebody holds a reference: a descriptor in any process, a pin, a program
 * that uses the map, a device that runs the program. References inside the engine are counted in
 * `refs`. Descriptors are counted by the host kernel, not by us: all descriptors of one object share
 * one memfd inode and each open file description holds a lock on it, so "is any descriptor left?" is
 * one fcntl on the anchor descriptor that the engine keeps (sys/fd.c). While descriptors may exist,
 * they own together one counted reference (`has_fds`), which is dropped when the last lock is gone.
 *
 * Ids are given out in rising order per kind from 1 and wrap at 2^31, as Linux does.
 * Locking: the id tables and `has_fds` belong to the instance's lock; `refs` is atomic. An object whose
 * count reached 0 is taken out of its table and freed by obj_put.
 */
#ifndef CORE_OBJ_H
#define CORE_OBJ_H

#include "base/list.h"
#include "base/types.h"

struct skep;
struct obj;

enum obj_kind { OBJ_MAP, OBJ_PROG, OBJ_BTF, OBJ_LINK, OBJ_EVENT, OBJ_KIND_CNT };

struct obj_ops {
	/* Drops what the object holds and frees it. Called without the instance's lock. */
	void (*free)(struct obj *obj);
};

struct obj {
	const struct obj_ops *ops;
	struct skep *inst;
	enum obj_kind kind;
	u32 id; /* 0 until obj_publish */
	u32 refs;
	bool has_fds;
	int anchor_fd; /* -1 until a descriptor was handed out (or the memory of a mappable map) */
	u64 anchor_ino;
};

/* One sorted array of objects a kind: ids rise, so publishing appends and a lookup is a bisection. */
struct obj_table {
	struct obj **objs;
	u32 cnt, cap;
	u32 last_id;
};

/* refs = 1, owned by the caller; not in any table yet. */
void obj_init(struct obj *obj, struct skep *inst, enum obj_kind kind, const struct obj_ops *ops);
/* Gives the object its id and makes it findable. -ENOMEM. */
int obj_publish(struct obj *obj);
void obj_get(struct obj *obj);
/* Takes NULL. The last reference unpublishes and frees. */
void obj_put(struct obj *obj);
/* A new reference to the object with this id, or NULL. */
struct obj *obj_by_id(struct skep *inst, enum obj_kind kind, u32 id);
/* The smallest id above `id` that is in use; 0 if none. */
u32 obj_next_id(struct skep *inst, enum obj_kind kind, u32 id);
/* A new reference to the object whose descriptors have this inode number, or NULL. */
struct obj *obj_by_ino(struct skep *inst, u64 ino);

#endif
