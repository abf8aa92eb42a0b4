/*
 * Helpers that call a function of the program again and again: until it gives something else than 0, or the
 * run is stopped, which run_callback says in the same way.
 * No lock is held while the program runs. An element that goes meanwhile is left out, one that comes may be.
 */
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/map.h"
#include "helpers/fns.h"

enum { LOOPS_MAX = 8 * 1024 * 1024, KEYS_MIN = 8 };

u64 hlp_loop(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const u32 cnt = (u32)r1;

	if (r4)
		return (u64)-EINVAL;
	if (cnt > LOOPS_MAX)
		return (u64)-E2BIG;
	for (u32 i = 0; i < cnt; i++)
		if (run_callback(run, r2, i, r3, 0, 0, 0))
			return i + 1;
	return cnt;
}

/* One call, in which the program may read the key's copy. */
struct visit {
	struct map *map;
	u64 func, arg;
	u32 cnt; /* calls so far */
};

/* True: it shall be the last. */
static bool visit(struct visit *v, struct run *run, void *key, void *value)
{
	struct run_region region = {
		.name = "map key", .start = key, .len = v->map->key_size, .can_write = false};
	u64 result;

	v->cnt++;
	if (run_grant(run, region))
		return true;
	result = run_callback(
		run, v->func, (uintptr_t)v->map, (uintptr_t)key, (uintptr_t)value, v->arg, 0);
	run_revoke(run);
	return result;
}

static void visit_array(struct visit *v, struct run *run)
{
	for (u32 key = 0; key < v->map->max_entries; key++)
		if (visit(v, run, &key, v->map->ops->lookup(v->map, &key, run->cpu)))
			return;
}

/* The keys of one bucket in *keys, which has room for *cap of them and grows. */
static int take_keys(struct map *map, u32 bucket, u8 **keys, u32 *cap, u32 *ret_cnt)
{
	int err = map->ops->bucket_keys(map, bucket, *cap, *keys, ret_cnt);
	u8 *more;

	while (err == -ENOSPC) {
		more = mem_array(*cap * 2, map->key_size);
		if (!more)
			return -ENOMEM;
		mem_free(*keys);
		*keys = more;
		*cap *= 2;
		err = map->ops->bucket_keys(map, bucket, *cap, *keys, ret_cnt);
	}
	return err;
}

static int visit_buckets(struct visit *v, struct run *run)
{
	struct map *map = v->map;
	u32 cap = KEYS_MIN, cnt = 0;
	u8 *keys = mem_array(cap, map->key_size);
	bool is_last = false;
	void *value;
	int err = keys ? 0 : -ENOMEM;

	for (u32 bucket = 0; !err && !is_last; bucket++) {
		err = take_keys(map, bucket, &keys, &cap, &cnt);
		for (u32 i = 0; !err && !is_last && i < cnt; i++) {
			value = map->ops->lookup(map, keys + i * map->key_size, run->cpu);
			if (value)
				is_last = visit(v, run, keys + i * map->key_size, value);
		}
	}
	mem_free(keys);
	return err == -ENOENT ? 0 : err; /* past the last bucket */
}

u64 hlp_for_each_map_elem(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct visit v = {.map = hlp_ptr(r1), .func = r2, .arg = r3};
	int err = 0;

	if (r4)
		return (u64)-EINVAL;
	if (v.map->ops->bucket_keys)
		err = visit_buckets(&v, run);
	else if (v.map->type->type == BPF_MAP_TYPE_ARRAY ||
		 v.map->type->type == BPF_MAP_TYPE_PERCPU_ARRAY)
		visit_array(&v, run);
	else
		err = -EOPNOTSUPP;
	return err ? (u64)err : v.cnt;
}
