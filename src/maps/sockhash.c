/*
 * BPF_MAP_TYPE_SOCKHASH: sockets by keys. What a lookup gives is a struct map_handle.
 */
#include <errno.h>

#include "base/mem.h"
#include "maps/maps.h"
#include "maps/sockets.h"
#include "maps/table.h"

enum {
	KEY_MAX = 512, /* Linux: a program's stack */
	LINUX_HASH_LEN = 384,
	LINUX_BUCKET_LEN = 16,
	LINUX_ENTRY_LEN = 48,
};

struct sockhash {
	struct map map;
	struct map_table table;
};

static struct sockhash *to_hash(const struct map *map)
{
	return container_of(map, struct sockhash, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	int err = map_check_common(attr, false);

	if (err)
		return err;
	if (!attr->key_size || (attr->value_size != sizeof(u32) && attr->value_size != sizeof(u64)))
		return -EINVAL;
	return attr->key_size > KEY_MAX ? -E2BIG : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct sockhash *hash = mem_zalloc(sizeof(*hash));
	struct map_attr lazy = *attr;
	int err;

	if (!hash)
		return -ENOMEM;
	lazy.flags |= BPF_F_NO_PREALLOC;
	err = map_table_init(&hash->table, inst, &lazy, sizeof(struct map_handle));
	if (err) {
		mem_free(hash);
		return err == -E2BIG ? -EINVAL : err;
	}
	hash->map.mem_fd = -1;
	*ret_map = &hash->map;
	return 0;
}

static void free_map(struct map *map)
{
	map_table_done(&to_hash(map)->table);
	mem_free(to_hash(map));
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	struct map_table *table = &to_hash(map)->table;
	u32 num = map_table_find(table, key);

	return num ? map_table_value(table, num) : NULL;
}

static int fd_in(
	struct map *map, const void *key, const void *value, u64 flags, const struct map_fds *fds)
{
	struct map_table *table = &to_hash(map)->table;
	struct map_handle handle = {0};
	struct map_entry entry;
	int fd, late = 0, err = map_socket_fd(map, value, &fd);
	u32 num;

	if (!err)
		err = map_socket_take(fds, map->type->type, fd, &handle.id, &late);
	if (!err)
		err = map_update_check(flags);
	if (!err)
		err = late;
	if (err)
		return err;
	entry = map_table_lock(table, key);
	err = map_entry_check(&entry, flags);
	if (!err)
		err = map_table_take(table, &entry, key, MAP_CPU_USER, &num);
	if (!err) {
		map_put(map_table_value(table, num), &handle, sizeof(handle));
		map_table_link(table, &entry, num, MAP_CPU_USER);
	}
	map_table_unlock(table, &entry);
	return err;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return -EBADF; /* without a caller there are no descriptors */
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return map_socket_copy(map, lookup(map, key, 0), ret_value);
}

static int remove_key(struct map *map, const void *key)
{
	return map_table_remove(&to_hash(map)->table, key);
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	return map_table_next_key(&to_hash(map)->table, key, ret_next);
}

static u64 mem_usage(const struct map *map)
{
	const struct map_table *table = &to_hash(map)->table;
	u64 cnt = __atomic_load_n(&table->cnt, __ATOMIC_RELAXED);

	return LINUX_HASH_LEN + ((u64)table->bucket_mask + 1) * LINUX_BUCKET_LEN +
	       cnt * (LINUX_ENTRY_LEN + ROUND_UP(map->key_size, 8));
}

const struct map_ops map_sockhash_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = lookup,
	.update = map_no_update,
	.remove = remove_key,
	.next_key = next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.fd_in = fd_in,
	.meta_equal = map_meta_equal,
	.owns = map_no_owns,
	.mem_usage = mem_usage,
};
