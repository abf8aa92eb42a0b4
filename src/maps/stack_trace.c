/*
 * BPF_MAP_TYPE_STACK_TRACE: stacks by a hash of them. An id is the number of a bucket, which holds one
 * stack; a program puts stacks in, user space reads them by id.
 *
 *	bucket:  | hash 4 | cnt 4 | address 8 | …     cnt 0: empty
 *
 * Invariant: a bucket's content changes only under the map's lock; who reads copies it under the lock, so
 * a stack is never mixed of two. max_entries stacks at most.
 */
#include <errno.h>

#include "base/hash.h"
#include "base/mem.h"
#include "maps/array.h"
#include "maps/maps.h"
#include "maps/sync.h"

enum {
	STACK_MAX = 127,   /* addresses; Linux: kernel.perf_event_max_stack */
	BUILD_ID_LEN = 32, /* struct bpf_stack_build_id */
	BUCKETS_MAX = 1U << 31,
	LINUX_STACKS_LEN = 320,
	LINUX_BUCKET_LEN = 16,
	FLAGS = BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_FAST_STACK_CMP |
		BPF_F_REUSE_STACKID,
};

struct bucket {
	u32 hash, cnt;
	u64 addrs[];
};

struct stacks {
	struct map map;
	u8 *mem;
	u64 len;
	u32 bucket_cnt, bucket_len;
	u32 cnt; /* buckets in use */
	u32 lock;
};

static struct stacks *to_stacks(const struct map *map)
{
	return container_of(map, struct stacks, map);
}

static struct bucket *bucket_at(const struct stacks *stacks, u32 id)
{
	return (struct bucket *)(stacks->mem + (u64)id * stacks->bucket_len);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	u32 each = attr->flags & BPF_F_STACK_BUILD_ID ? BUILD_ID_LEN : sizeof(u64);
	u32 len = attr->value_size;

	if (!attr->max_entries || attr->key_size != sizeof(u32) || len < sizeof(u64) ||
		len % each || len / each > STACK_MAX)
		return -EINVAL;
	return attr->max_entries > BUCKETS_MAX ? -E2BIG : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct stacks *stacks = mem_zalloc(sizeof(*stacks));
	u32 buckets = 1;

	if (!stacks)
		return -ENOMEM;
	while (buckets < attr->max_entries)
		buckets <<= 1;
	stacks->bucket_cnt = buckets;
	stacks->bucket_len = sizeof(struct bucket) + attr->value_size;
	stacks->len = (u64)buckets * stacks->bucket_len;
	stacks->mem = mem_pages(stacks->len, true);
	if (!stacks->mem) {
		mem_free(stacks);
		return -ENOMEM;
	}
	stacks->map.mem_fd = -1;
	*ret_map = &stacks->map;
	return 0;
}

static void free_map(struct map *map)
{
	struct stacks *stacks = to_stacks(map);

	mem_pages_free(stacks->mem, stacks->len);
	mem_free(stacks);
}

/* Under the lock. The id of the stack, which is there afterwards. */
static int put_locked(
	struct stacks *stacks, u32 hash, const u64 *addrs, u32 cnt, bool by_hash, bool replaces)
{
	u32 id = hash & (stacks->bucket_cnt - 1);
	struct bucket *bucket = bucket_at(stacks, id);
	u64 len = (u64)cnt * sizeof(u64);

	if (bucket->cnt && bucket->hash == hash &&
		(by_hash || (bucket->cnt == cnt && !memcmp(bucket->addrs, addrs, len))))
		return (int)id;
	if (bucket->cnt && !replaces)
		return -EEXIST;
	if (!bucket->cnt && stacks->cnt == stacks->map.max_entries)
		return -ENOMEM;
	stacks->cnt += !bucket->cnt;
	bucket->hash = hash;
	bucket->cnt = cnt;
	memcpy(bucket->addrs, addrs, len);
	return (int)id;
}

/* The flags are those of bpf_get_stackid; the caller took the stack that BPF_F_USER_STACK names. */
static int put_stack(struct map *map, const u64 *addrs, u32 cnt, u64 flags)
{
	struct stacks *stacks = to_stacks(map);
	u32 skip = flags & BPF_F_SKIP_FIELD_MASK, room = map->value_size / sizeof(u64);
	int id;

	if (flags & ~(u64)FLAGS || map->flags & BPF_F_STACK_BUILD_ID)
		return -EINVAL;
	if (cnt <= skip)
		return -EFAULT;
	addrs += skip;
	cnt = MIN(cnt - skip, room);
	map_lock(&stacks->lock);
	id = put_locked(stacks, (u32)hash_bytes(addrs, cnt * sizeof(u64), 0), addrs, cnt,
		flags & BPF_F_FAST_STACK_CMP, flags & BPF_F_REUSE_STACKID);
	map_unlock(&stacks->lock);
	return id;
}

static int read_stack(struct map *map, const void *key, void *ret_value, bool takes)
{
	struct stacks *stacks = to_stacks(map);
	u32 id = map_array_index(key), cnt;

	if (id >= stacks->bucket_cnt)
		return -ENOENT;
	map_lock(&stacks->lock);
	cnt = bucket_at(stacks, id)->cnt;
	if (cnt) {
		memset(ret_value, 0, map->value_size);
		memcpy(ret_value, bucket_at(stacks, id)->addrs, cnt * sizeof(u64));
	}
	if (cnt && takes) {
		bucket_at(stacks, id)->cnt = 0;
		stacks->cnt--;
	}
	map_unlock(&stacks->lock);
	return cnt ? 0 : -ENOENT;
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return read_stack(map, key, ret_value, false);
}

static int take_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return read_stack(map, key, ret_value, true);
}

static int remove_id(struct map *map, const void *key)
{
	struct stacks *stacks = to_stacks(map);
	u32 id = map_array_index(key), cnt;

	if (id >= stacks->bucket_cnt)
		return -E2BIG;
	map_lock(&stacks->lock);
	cnt = bucket_at(stacks, id)->cnt;
	bucket_at(stacks, id)->cnt = 0;
	stacks->cnt -= cnt != 0;
	map_unlock(&stacks->lock);
	return cnt ? 0 : -ENOENT;
}

/* A key that is not there leads to the first one. */
static int next_key(struct map *map, const void *key, void *ret_next)
{
	struct stacks *stacks = to_stacks(map);
	u32 id = 0;

	map_lock(&stacks->lock);
	if (key) {
		id = map_array_index(key);
		id = id < stacks->bucket_cnt && bucket_at(stacks, id)->cnt ? id + 1 : 0;
	}
	while (id < stacks->bucket_cnt && !bucket_at(stacks, id)->cnt)
		id++;
	map_unlock(&stacks->lock);
	if (id >= stacks->bucket_cnt)
		return -ENOENT;
	memcpy(ret_next, &id, sizeof(id));
	return 0;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return -EINVAL;
}

static u64 mem_usage(const struct map *map)
{
	return LINUX_STACKS_LEN + (u64)to_stacks(map)->bucket_cnt * sizeof(void *) +
	       (u64)map->max_entries * (LINUX_BUCKET_LEN + map->value_size);
}

const struct map_ops map_stack_trace_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = map_no_lookup,
	.update = map_no_update,
	.remove = remove_id,
	.next_key = next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.take_out = take_out,
	.put_stack = put_stack,
	.meta_equal = map_meta_equal,
	.owns = map_no_owns,
	.mem_usage = mem_usage,
};
