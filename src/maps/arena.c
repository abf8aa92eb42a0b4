/*
 * BPF_MAP_TYPE_ARENA: the memory is core/arena.h's. There are no elements.
 */
#include "core/arena.h"

#include <errno.h>

#include "base/mem.h"
#include "maps/maps.h"

enum {
	PAGES_MAX = 1 << 20, /* 4 GiB */
};

static struct map_arena *to_arena(const struct map *map)
{
	return container_of(map, struct map_arena, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	u64 len = (u64)attr->max_entries * ARENA_PAGE;

	if (attr->key_size || attr->value_size || !attr->max_entries ||
		!(attr->flags & BPF_F_MMAPABLE) ||
		attr->flags & ~(u32)(BPF_F_SEGV_ON_FAULT | BPF_F_MMAPABLE | BPF_F_NO_USER_CONV) ||
		attr->extra % ARENA_PAGE)
		return -EINVAL;
	if (attr->max_entries > PAGES_MAX)
		return -E2BIG;
	return attr->extra >> 32 != (attr->extra + len - 1) >> 32 ? -ERANGE : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct map_arena *arena = mem_zalloc(sizeof(*arena));
	int err;

	if (!arena)
		return -ENOMEM;
	err = arena_new(attr->max_entries, attr->extra, &arena->arena);
	if (err) {
		mem_free(arena);
		return err;
	}
	arena->map.mem_fd = arena_mem_fd(arena->arena);
	*ret_map = &arena->map;
	return 0;
}

static void free_map(struct map *map)
{
	arena_free(to_arena(map)->arena);
	mem_free(to_arena(map));
}

/* What Linux answers differs from one operation to the next. */
static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return -EINVAL;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return -EOPNOTSUPP;
}

static int remove_key(struct map *map, const void *key)
{
	return -EOPNOTSUPP;
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	return -EOPNOTSUPP;
}

static int mapped(struct map *map, u64 addr, u64 len, u64 off, bool is_writable)
{
	return off ? -EINVAL : arena_mapped(to_arena(map)->arena, addr, len);
}

static int value_addr(const struct map *map, u32 off, u64 *ret_addr)
{
	u64 start = arena_user_start(to_arena(map)->arena);

	if (off > arena_user_end(to_arena(map)->arena) - start)
		return -ERANGE;
	*ret_addr = start + off;
	return 0;
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	u64 off = (uintptr_t)addr - arena_window(to_arena(map)->arena);

	return off < 1ULL << 32 && len <= (1ULL << 32) - off;
}

static u64 mem_usage(const struct map *map)
{
	return 0;
}

const struct map_ops map_arena_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = map_no_lookup,
	.update = map_no_update,
	.remove = remove_key,
	.next_key = next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.mapped = mapped,
	.value_addr = value_addr,
	.meta_equal = map_meta_equal,
	.owns = owns,
	.mem_usage = mem_usage,
};
