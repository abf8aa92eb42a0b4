/*
 * Reference counts and id tables. A count that falls to 0 does so under the instance's lock, so that a
 * lookup by id never revives an object that is being freed.
 */
#include "core/obj.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/mem.h"
#include "core/inst.h"

enum { ID_MAX = 0x7fffffff, TABLE_CAP_MIN = 16 };

/* Index of the first object whose id is >= id. */
static u32 lower_bound(const struct obj_table *table, u32 id)
{
	u32 low = 0, high = table->cnt;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (table->objs[mid]->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_used(const struct obj_table *table, u32 id)
{
	u32 idx = lower_bound(table, id);

	return idx < table->cnt && table->objs[idx]->id == id;
}

static int reserve(struct obj_table *table)
{
	u32 cap = table->cap ? table->cap * 2 : TABLE_CAP_MIN;
	struct obj **objs;

	if (table->cnt < table->cap)
		return 0;
	objs = mem_realloc(table->objs, cap, sizeof(*objs));
	if (!objs)
		return -ENOMEM;
	table->objs = objs;
	table->cap = cap;
	return 0;
}

void obj_init(struct obj *obj, struct skep *inst, enum obj_kind kind, const struct obj_ops *ops)
{
	*obj = (struct obj){.ops = ops, .inst = inst, .kind = kind, .refs = 1, .anchor_fd = -1};
}

int obj_publish(struct obj *obj)
{
	struct obj_table *table = &obj->inst->tables[obj->kind];
	u32 id, idx;
	int err;

	skep_bug_if(obj->id, "object published twice");
	pthread_mutex_lock(&obj->inst->lock);
	err = reserve(table);
	if (!err) {
		for (id = table->last_id % ID_MAX + 1; is_used(table, id);)
			id = id % ID_MAX + 1;
		idx = lower_bound(table, id);
		memmove(table->objs + idx + 1, table->objs + idx,
			(table->cnt - idx) * sizeof(*table->objs));
		table->objs[idx] = obj;
		table->cnt++;
		table->last_id = obj->id = id;
	}
	pthread_mutex_unlock(&obj->inst->lock);
	return err;
}

void obj_get(struct obj *obj)
{
	__atomic_fetch_add(&obj->refs, 1, __ATOMIC_RELAXED);
}

static void unpublish(struct obj *obj)
{
	struct obj_table *table = &obj->inst->tables[obj->kind];
	u32 idx = lower_bound(table, obj->id);

	skep_bug_if(idx >= table->cnt || table->objs[idx] != obj, "object not in its table");
	memmove(table->objs + idx, table->objs + idx + 1,
		(table->cnt - idx - 1) * sizeof(*table->objs));
	table->cnt--;
}

/* Drops a reference beside which there is another, without the lock. */
static bool is_not_last(struct obj *obj)
{
	u32 refs = __atomic_load_n(&obj->refs, __ATOMIC_RELAXED);

	while (refs > 1)
		if (__atomic_compare_exchange_n(
			    &obj->refs, &refs, refs - 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	return false;
}

void obj_put(struct obj *obj)
{
	struct skep *inst;
	bool is_last;

	if (!obj || is_not_last(obj))
		return;
	inst = obj->inst;
	pthread_mutex_lock(&inst->lock);
	is_last = __atomic_sub_fetch(&obj->refs, 1, __ATOMIC_ACQ_REL) == 0;
	if (is_last && obj->id)
		unpublish(obj);
	pthread_mutex_unlock(&inst->lock);
	if (!is_last)
		return;
	if (obj->anchor_fd >= 0)
		close(obj->anchor_fd);
	obj->ops->free(obj);
}

struct obj *obj_by_id(struct skep *inst, enum obj_kind kind, u32 id)
{
	struct obj_table *table = &inst->tables[kind];
	struct obj *obj = NULL;
	u32 idx;

	pthread_mutex_lock(&inst->lock);
	idx = lower_bound(table, id);
	if (idx < table->cnt && table->objs[idx]->id == id) {
		obj = table->objs[idx];
		obj_get(obj);
	}
	pthread_mutex_unlock(&inst->lock);
	return obj;
}

u32 obj_next_id(struct skep *inst, enum obj_kind kind, u32 id)
{
	struct obj_table *table = &inst->tables[kind];
	u32 idx, next = 0;

	if (id >= ID_MAX)
		return 0;
	pthread_mutex_lock(&inst->lock);
	idx = lower_bound(table, id + 1);
	if (idx < table->cnt)
		next = table->objs[idx]->id;
	pthread_mutex_unlock(&inst->lock);
	return next;
}

struct obj *obj_by_ino(struct skep *inst, u64 ino)
{
	struct obj *found = NULL;

	pthread_mutex_lock(&inst->lock);
	for (int kind = 0; kind < OBJ_KIND_CNT && !found; kind++) {
		struct obj_table *table = &inst->tables[kind];

		for (u32 i = 0; i < table->cnt; i++) {
			if (table->objs[i]->anchor_fd < 0 || table->objs[i]->anchor_ino != ino)
				continue;
			found = table->objs[i];
			obj_get(found);
			break;
		}
	}
	pthread_mutex_unlock(&inst->lock);
	return found;
}
