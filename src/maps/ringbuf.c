/*
 * BPF_MAP_TYPE_RINGBUF and BPF_MAP_TYPE_USER_RINGBUF: the memory is core/ring.h's, and whoever has the map's
 * descriptor maps it. There are no elements.
 */
#include <errno.h>

#include "base/mem.h"
#include "core/ring.h"
#include "maps/maps.h"

enum {
	LINUX_RING_LEN = 304,
	LINUX_META_PAGES = 3,
};

static struct map_ring *to_ring(const struct map *map)
{
	return container_of(map, struct map_ring, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	u32 len = attr->max_entries;

	if (attr->key_size || attr->value_size || !len || len & (len - 1) || len % RING_PAGE)
		return -EINVAL;
	return 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct map_ring *ring = mem_zalloc(sizeof(*ring));
	int err;

	if (!ring)
		return -ENOMEM;
	err = ring_new(attr->max_entries, &ring->ring);
	if (err) {
		mem_free(ring);
		return err;
	}
	ring->map.mem_fd = ring_mem_fd(ring->ring);
	*ret_map = &ring->map;
	return 0;
}

static void free_map(struct map *map)
{
	ring_free(to_ring(map)->ring);
	mem_free(to_ring(map));
}

static int wake_fd(struct map *map, int *ret_fd)
{
	return ring_wake_fd(to_ring(map)->ring, ret_fd);
}

/* Readers write the consumer's page alone, and it is the only one that writers may not. */
static int mapped(struct map *map, u64 addr, u64 len, u64 off, bool is_writable)
{
	if (is_writable && (off || len != RING_PAGE))
		return -EPERM;
	return 0;
}

static int mapped_user(struct map *map, u64 addr, u64 len, u64 off, bool is_writable)
{
	return is_writable && !off ? -EPERM : 0;
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	return ring_owns(to_ring(map)->ring, addr, len);
}

static u64 mem_usage(const struct map *map)
{
	u64 pages = map->max_entries / RING_PAGE;

	return LINUX_RING_LEN + (LINUX_META_PAGES + pages) * RING_PAGE +
	       (LINUX_META_PAGES + 2 * pages) * sizeof(void *);
}

#define RING_OPS(map_check)                                                                        \
	{                                                                                          \
		.check = check, .alloc = alloc, .free = free_map, .lookup = map_no_lookup,         \
		.update = map_never_update, .remove = map_never_remove,                            \
		.next_key = map_never_next_key, .copy_out = map_never_copy_out,                    \
		.copy_in = map_never_copy_in, .wake_fd = wake_fd, .mapped = map_check,             \
		.meta_equal = map_meta_equal, .owns = owns, .mem_usage = mem_usage,                \
	}

const struct map_ops map_ringbuf_ops = RING_OPS(mapped);
const struct map_ops map_user_ringbuf_ops = RING_OPS(mapped_user);
