/*
 * BPF_MAP_TYPE_QUEUE and BPF_MAP_TYPE_STACK: values without keys in a ring, under one lock. They differ in
 * the end that pop takes from.
 *
 *	values:  .  .  oldest  …  newest  .      push at head; a queue pops at tail, a stack before head
 *
 * Invariant: head and tail only grow; value n stands in place n modulo max_entries, and there are
 * head - tail <= max_entries of them. A stack's head also goes back.
 */
#include <errno.h>

#include "base/mem.h"
#include "maps/maps.h"
#include "maps/sync.h"

enum {
	VALUE_MAX = 4 << 20, /* Linux: KMALLOC_MAX_SIZE */
	LINUX_QUEUE_LEN = 312,
};

struct queue {
	struct map map;
	u8 *values;
	u64 len;
	u64 head, tail;
	u32 lock;
	bool is_stack;
};

static struct queue *to_queue(const struct map *map)
{
	return container_of(map, struct queue, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	int err = map_check_common(attr, false);

	if (err)
		return err;
	if (attr->key_size || !attr->value_size)
		return -EINVAL;
	return attr->value_size > VALUE_MAX ? -E2BIG : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct queue *queue = mem_zalloc(sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	queue->is_stack = attr->type == BPF_MAP_TYPE_STACK;
	queue->len = (u64)attr->max_entries * attr->value_size;
	queue->values = mem_pages(queue->len, false);
	if (!queue->values) {
		mem_free(queue);
		return -ENOMEM;
	}
	queue->map.mem_fd = -1;
	*ret_map = &queue->map;
	return 0;
}

static void free_map(struct map *map)
{
	struct queue *queue = to_queue(map);

	mem_pages_free(queue->values, queue->len);
	mem_free(queue);
}

static void *place(const struct queue *queue, u64 num)
{
	return queue->values + num % queue->map.max_entries * queue->map.value_size;
}

/* BPF_EXIST: a full map forgets its oldest value. */
static int push(struct map *map, const void *value, u64 flags)
{
	struct queue *queue = to_queue(map);
	int err = 0;

	if (flags & BPF_NOEXIST || flags > BPF_EXIST)
		return -EINVAL;
	map_lock(&queue->lock);
	if (queue->head - queue->tail == map->max_entries) {
		if (flags & BPF_EXIST)
			queue->tail++;
		else
			err = -E2BIG;
	}
	if (!err)
		memcpy(place(queue, queue->head++), value, map->value_size);
	map_unlock(&queue->lock);
	return err;
}

/* The value that is next; an empty map gives zeros. */
static int next_value(struct map *map, void *ret_value, bool takes)
{
	struct queue *queue = to_queue(map);
	u64 cnt;

	map_lock(&queue->lock);
	cnt = queue->head - queue->tail;
	if (cnt)
		memcpy(ret_value, place(queue, queue->is_stack ? queue->head - 1 : queue->tail),
			map->value_size);
	if (cnt && takes) {
		if (queue->is_stack)
			queue->head--;
		else
			queue->tail++;
	}
	map_unlock(&queue->lock);
	if (cnt)
		return 0;
	memset(ret_value, 0, map->value_size);
	return -ENOENT;
}

static int pop(struct map *map, void *ret_value)
{
	return next_value(map, ret_value, true);
}

static int peek(struct map *map, void *value)
{
	return next_value(map, value, false);
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return peek(map, ret_value);
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return push(map, value, flags);
}

static int take_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return pop(map, ret_value);
}

static u64 mem_usage(const struct map *map)
{
	return LINUX_QUEUE_LEN + ((u64)map->max_entries + 1) * map->value_size;
}

#define QUEUE_OPS                                                                                  \
	{                                                                                          \
		.check = check, .alloc = alloc, .free = free_map, .lookup = map_no_lookup,         \
		.update = map_no_update, .remove = map_no_remove, .next_key = map_no_next_key,     \
		.copy_out = copy_out, .copy_in = copy_in, .take_out = take_out, .push = push,      \
		.pop = pop, .peek = peek, .meta_equal = map_meta_equal, .owns = map_no_owns,       \
		.mem_usage = mem_usage,                                                            \
	}

const struct map_ops map_queue_ops = QUEUE_OPS;
const struct map_ops map_stack_ops = QUEUE_OPS;
