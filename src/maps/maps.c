/*
 * The rows of maps.def as the structs that MAP_CREATE reads, and the checks that no type decides.
 */
#include "maps/maps.h"

#include <errno.h>

enum {
	NUMA_NONE = -1, /* as a node number: any node */
};

#define ACCESS	    (BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)
#define RDONLY	    BPF_F_RDONLY
#define WRONLY	    BPF_F_WRONLY
#define NUMA_NODE   BPF_F_NUMA_NODE
#define NO_PREALLOC BPF_F_NO_PREALLOC
#define ZERO_SEED   BPF_F_ZERO_SEED
#define MMAPABLE    BPF_F_MMAPABLE
#define INNER_MAP   BPF_F_INNER_MAP

#define NO_COMMON BPF_F_NO_COMMON_LRU

#define BUILD_ID      BPF_F_STACK_BUILD_ID
#define PRESERVE      BPF_F_PRESERVE_ELEMS
#define CLONE	      BPF_F_CLONE
#define SEGV_ON_FAULT BPF_F_SEGV_ON_FAULT
#define NO_USER_CONV  BPF_F_NO_USER_CONV
#define LINK	      BPF_F_LINK
#define VTYPE_FD      BPF_F_VTYPE_BTF_OBJ_FD

#define FLAGS_LAST                                                                                 \
	(1ULL << BPF_MAP_TYPE_BLOOM_FILTER | 1ULL << BPF_MAP_TYPE_CGROUP_STORAGE |                 \
		1ULL << BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE | 1ULL << BPF_MAP_TYPE_ARENA)

#define MAP(id, word, type_ops, flags, percpu, mmap, major, minor)                                 \
	static const struct map_type type_##word = {                                               \
		.type = BPF_MAP_TYPE_##id,                                                         \
		.name = #word,                                                                     \
		.flags_ok = flags,                                                                 \
		.is_percpu = percpu,                                                               \
		.can_mmap = mmap,                                                                  \
		.flags_last = (FLAGS_LAST >> BPF_MAP_TYPE_##id) & 1,                               \
		.since_major = major,                                                              \
		.since_minor = minor,                                                              \
		.ops = &type_ops,                                                                  \
	};
#include "maps/maps.def"

const struct map_type *const map_types[] = {
#define MAP(id, word, ...) [BPF_MAP_TYPE_##id] = &type_##word,
#include "maps/maps.def"
};

const u32 map_types_cnt = ARRAY_SIZE(map_types);

static bool has_both(u32 flags, u32 a, u32 b)
{
	return (flags & a) && (flags & b);
}

static u32 numa_node(const struct map_attr *attr)
{
	return attr->flags & BPF_F_NUMA_NODE ? attr->numa_node : (u32)NUMA_NONE;
}

int map_check_first(const struct map_attr *attr)
{
	u32 node = numa_node(attr);

	return attr->extra || (node && node != (u32)NUMA_NONE) ? -EINVAL : 0;
}

int map_check_common(const struct map_attr *attr, bool is_percpu)
{
	int err = map_check_first(attr);

	if (err)
		return err;
	if (has_both(attr->flags, BPF_F_RDONLY, BPF_F_WRONLY) ||
		has_both(attr->flags, BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG))
		return -EINVAL;
	if (!attr->max_entries)
		return -EINVAL;
	return is_percpu && numa_node(attr) != (u32)NUMA_NONE ? -EINVAL : 0;
}

bool map_meta_equal(const struct map *meta, const struct map *map)
{
	return meta->type == map->type && meta->key_size == map->key_size &&
	       meta->value_size == map->value_size && meta->flags == map->flags;
}

void *map_no_lookup(struct map *map, const void *key, u32 cpu)
{
	return NULL;
}

int map_no_update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	return -EINVAL;
}

int map_no_remove(struct map *map, const void *key)
{
	return -EINVAL;
}

int map_no_next_key(struct map *map, const void *key, void *ret_next)
{
	return -EINVAL;
}

int map_never_update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	return -MAP_ENOTSUPP;
}

int map_never_remove(struct map *map, const void *key)
{
	return -MAP_ENOTSUPP;
}

int map_never_next_key(struct map *map, const void *key, void *ret_next)
{
	return -MAP_ENOTSUPP;
}

int map_never_copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return -MAP_ENOTSUPP;
}

int map_never_copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return -MAP_ENOTSUPP;
}

bool map_no_owns(const struct map *map, const void *addr, size_t len)
{
	return false;
}
