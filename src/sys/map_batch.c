/*
 * The commands on many elements at once. Keys and values stand side by side in the caller's memory; count
 * says how many fit, and afterwards how many were done, also when one of them failed.
 *
 * Looking up goes on where the call before stopped: in_batch and out_batch hold a position, which is the
 * last key, or for hash tables, which are read by whole buckets, the number of the next bucket. Linux holds
 * a bucket's lock while it copies the bucket; here the keys are of one moment, and an element that went
 * meanwhile is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/mem.h"
#include "core/map.h"
#include "sys/call.h"

struct batch {
	struct sys_call *call;
	struct map *map;
	u32 max, done;
	u32 value_len;
	u8 *key, *prev, *value;
	u8 *keys;   /* of one bucket */
	bool takes; /* elements go as they are read */
};

static void batch_done(struct batch *batch)
{
	mem_free(batch->key);
	mem_free(batch->prev);
	mem_free(batch->value);
	mem_free(batch->keys);
	obj_put(&batch->map->obj);
}

static int put_count(struct batch *batch, u32 cnt)
{
	return sys_put(batch->call, offsetof(union bpf_attr, batch.count), &cnt, sizeof(cnt));
}

/* In Linux's order: the descriptor, its mode, the type, the flags. */
static int check(struct sys_call *call, u32 kind, struct batch *batch)
{
	bool reads = kind & (MAP_BATCH_LOOKUP | MAP_BATCH_TAKE), writes = kind != MAP_BATCH_LOOKUP;
	int mode;
	struct obj *obj;
	int err = sys_fd_obj(
		call->inst, call->user, (int)call->attr.uapi.batch.map_fd, OBJ_MAP, &obj, &mode);

	if (err)
		return err;
	*batch = (struct batch){.call = call, .map = container_of(obj, struct map, obj)};
	batch->max = call->attr.uapi.batch.count;
	batch->value_len = map_user_value_len(batch->map);
	batch->takes = kind == MAP_BATCH_TAKE;
	if ((reads && mode == O_WRONLY) || (writes && (mode == O_RDONLY || batch->map->is_frozen)))
		return -EPERM;
	if (!(batch->map->ops->batches & kind))
		return -MAP_ENOTSUPP;
	if (call->attr.uapi.batch.elem_flags & ~(u64)BPF_F_LOCK ||
		map_check_lock_flag(batch->map, call->attr.uapi.batch.elem_flags))
		return -EINVAL;
	return reads && batch->map->ops->bucket_keys && call->attr.uapi.batch.flags ? -EINVAL : 0;
}

static int make_room(struct batch *batch)
{
	batch->key = mem_alloc(batch->map->key_size);
	batch->prev = mem_alloc(batch->map->key_size);
	batch->value = mem_alloc(batch->value_len);
	return batch->key && batch->prev && batch->value ? 0 : -ENOMEM;
}

/* --- writing ----------------------------------------------------------------------------------- */

static int read_at(struct batch *batch, u64 base, u8 *to, u32 len)
{
	return sys_user_read(batch->call->user, base + (u64)batch->done * len, to, len);
}

static int write_one(struct batch *batch, u32 kind)
{
	const union bpf_attr *attr = &batch->call->attr.uapi;
	int err = read_at(batch, attr->batch.keys, batch->key, batch->map->key_size);

	if (!err && kind == MAP_BATCH_UPDATE)
		err = read_at(batch, attr->batch.values, batch->value, batch->value_len);
	if (err)
		return err;
	if (kind == MAP_BATCH_DELETE)
		return map_user_delete(batch->map, batch->key);
	return sys_map_write(
		batch->call, batch->map, batch->key, batch->value, attr->batch.elem_flags);
}

static int write_all(struct batch *batch, u32 kind)
{
	struct sys *sys = sys_of(batch->call->inst);
	int err = 0;

	for (; batch->done < batch->max && !err; batch->done += !err) {
		pthread_rwlock_rdlock(&sys->writers);
		err = write_one(batch, kind);
		pthread_rwlock_unlock(&sys->writers);
	}
	return put_count(batch, batch->done) ? -EFAULT : err;
}

static long write_batch(struct sys_call *call, u32 kind)
{
	struct batch batch = {0};
	int err = check(call, kind, &batch);

	if (!batch.map)
		return err;
	if (!err && batch.max) {
		err = put_count(&batch, 0);
		if (!err)
			err = make_room(&batch);
		if (!err)
			err = write_all(&batch, kind);
	}
	batch_done(&batch);
	return err;
}

/* --- reading ----------------------------------------------------------------------------------- */

static int write_at(struct batch *batch, u64 base, const u8 *from, u32 len)
{
	return sys_user_write(batch->call->user, base + (u64)batch->done * len, from, len);
}

static int take(struct batch *batch, const u8 *key)
{
	struct sys *sys = sys_of(batch->call->inst);
	u64 flags = batch->call->attr.uapi.batch.elem_flags;
	int err;

	pthread_rwlock_rdlock(&sys->writers);
	if (batch->map->ops->take_out) {
		err = map_user_take(batch->map, key, batch->value, flags);
	} else {
		err = map_user_lookup(batch->map, key, batch->value, flags);
		if (!err)
			err = map_user_delete(batch->map, key);
	}
	pthread_rwlock_unlock(&sys->writers);
	return err;
}

/* One element to the caller's memory; -ENOENT if it is gone. */
static int read_one(struct batch *batch, const u8 *key)
{
	const union bpf_attr *attr = &batch->call->attr.uapi;
	int err = batch->takes
			  ? take(batch, key)
			  : map_user_lookup(batch->map, key, batch->value, attr->batch.elem_flags);

	if (!err)
		err = write_at(batch, attr->batch.keys, key, batch->map->key_size);
	if (!err)
		err = write_at(batch, attr->batch.values, batch->value, batch->value_len);
	batch->done += !err;
	return err;
}

/* By keys: the position is the last key, and there is one only if something was read. */
static int read_by_keys(struct batch *batch)
{
	const union bpf_attr *attr = &batch->call->attr.uapi;
	u32 key_size = batch->map->key_size;
	const u8 *prev = NULL;
	int err = 0;

	if (attr->batch.in_batch) {
		err = sys_user_read(batch->call->user, attr->batch.in_batch, batch->prev, key_size);
		prev = batch->prev;
	}
	while (!err && batch->done < batch->max) {
		err = map_user_next_key(batch->map, prev, batch->key);
		if (err)
			break;
		err = read_one(batch, batch->key);
		if (err && err != -ENOENT)
			return err;
		err = 0;
		memcpy(batch->prev, batch->key, key_size);
		prev = batch->prev;
	}
	if (err == -EFAULT)
		return err;
	if (put_count(batch, batch->done) ||
		(batch->done && sys_user_write(batch->call->user, attr->batch.out_batch,
					batch->prev, key_size)))
		return -EFAULT;
	return err;
}

/* The keys of a bucket, in room that grows with what is met and never past what the caller has left. */
static int get_bucket(struct batch *batch, u32 bucket, u32 *cap, u32 *ret_cnt)
{
	u32 left = batch->max - batch->done, want;
	int err;

	for (;;) {
		err = batch->map->ops->bucket_keys(
			batch->map, bucket, MIN(*cap, left), batch->keys, ret_cnt);
		if (err != -ENOSPC || *cap >= left)
			return err;
		want = MIN(MAX(*cap * 2, 8u), left);
		mem_free(batch->keys);
		batch->keys = mem_array(want, batch->map->key_size);
		if (!batch->keys) {
			*cap = 0;
			return -ENOMEM;
		}
		*cap = want;
	}
}

static int read_bucket(struct batch *batch, u32 bucket, u32 *cap)
{
	u32 cnt = 0;
	int err = get_bucket(batch, bucket, cap, &cnt);

	for (u32 i = 0; i < cnt && !err; i++) {
		err = read_one(batch, batch->keys + (u64)i * batch->map->key_size);
		if (err == -ENOENT)
			err = 0;
	}
	return err;
}

static int read_by_buckets(struct batch *batch)
{
	const union bpf_attr *attr = &batch->call->attr.uapi;
	u32 bucket = 0, cap = 0;
	int err = 0;

	if (attr->batch.in_batch)
		err = sys_user_read(
			batch->call->user, attr->batch.in_batch, &bucket, sizeof(bucket));
	if (!err && batch->map->ops->bucket_keys(batch->map, bucket, 0, NULL, &cap) == -ENOENT)
		return -ENOENT;
	for (cap = 0; !err; bucket += !err)
		err = read_bucket(batch, bucket, &cap);
	if (err == -EFAULT || err == -ENOMEM)
		return err;
	if (err == -ENOSPC && batch->done)
		err = 0; /* the next call goes on with the bucket that did not fit */
	if (sys_user_write(batch->call->user, attr->batch.out_batch, &bucket, sizeof(bucket)) ||
		put_count(batch, batch->done))
		return -EFAULT;
	return err;
}

static long read_batch(struct sys_call *call, u32 kind)
{
	struct batch batch = {0};
	int err = check(call, kind, &batch);

	if (!batch.map)
		return err;
	if (!err && batch.max) {
		err = put_count(&batch, 0);
		if (!err)
			err = make_room(&batch);
		if (!err)
			err = batch.map->ops->bucket_keys ? read_by_buckets(&batch)
							  : read_by_keys(&batch);
	}
	batch_done(&batch);
	return err;
}

long sys_map_lookup_batch(struct sys_call *call)
{
	return read_batch(call, MAP_BATCH_LOOKUP);
}

long sys_map_take_batch(struct sys_call *call)
{
	return read_batch(call, MAP_BATCH_TAKE);
}

long sys_map_update_batch(struct sys_call *call)
{
	return write_batch(call, MAP_BATCH_UPDATE);
}

long sys_map_delete_batch(struct sys_call *call)
{
	return write_batch(call, MAP_BATCH_DELETE);
}
