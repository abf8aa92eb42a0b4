/*
 * Local storage: SK_STORAGE, INODE_STORAGE, TASK_STORAGE, CGRP_STORAGE. A value belongs to a socket, an
 * inode, a thread or a cgroup. User space names it by a descriptor, programs by struct map_owner_key.
 *
 * The owners are the host's, which does not say when one ends. Their keys are never given to another
 * (cookies, start times), so what stays behind is found by nobody; it takes room until the map goes.
 *
 * Invariants are those of table.h. A map holds ENTRIES_MAX values at most, fewer if they are long: then
 * -ENOMEM, which is what Linux says when there is no room.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/array.h"
#include "maps/cgroups.h"
#include "maps/maps.h"
#include "maps/sockets.h"
#include "maps/storage.h"
#include "maps/table.h"
#include "maps/value.h"

enum {
	ENTRIES_MAX = 65536,
	ENTRIES_MIN = 1024,
	ROOM_MAX = 256 << 20, /* bytes, while there are more than ENTRIES_MIN */
	STAT_START_TIME = 22, /* the field of /proc/PID/stat */
	LINUX_BUCKET_LEN = 16,
	LINUX_STORAGE_LEN = 448,
};

struct storage {
	struct map map;
	struct map_table table;
};

static struct storage *to_storage(const struct map *map)
{
	return container_of(map, struct storage, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	if (attr->extra || !(attr->flags & BPF_F_NO_PREALLOC) || attr->max_entries ||
		attr->key_size != sizeof(u32) || !attr->value_size || !attr->btf_key_type_id ||
		!attr->btf_value_type_id)
		return -EINVAL;
	return attr->value_size > MAP_STORAGE_VALUE_MAX ? -E2BIG : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct storage *storage = mem_zalloc(sizeof(*storage));
	struct map_attr table = *attr;
	int err;

	if (!storage)
		return -ENOMEM;
	table.key_size = sizeof(struct map_owner_key);
	table.max_entries = MIN((u32)ENTRIES_MAX, ROOM_MAX / attr->value_size);
	table.max_entries = MAX(table.max_entries, (u32)ENTRIES_MIN);
	err = map_table_init(&storage->table, inst, &table, ROUND_UP(attr->value_size, 8));
	if (err) {
		mem_free(storage);
		return err;
	}
	storage->map.mem_fd = -1;
	*ret_map = &storage->map;
	return 0;
}

static void free_map(struct map *map)
{
	map_table_done(&to_storage(map)->table);
	mem_free(to_storage(map));
}

/* --- owners ------------------------------------------------------------------------------------ */

/* The thread that a pidfd names. */
static int pid_of(int pidfd, int *ret_pid)
{
	char path[64], line[128];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	if (file)
		fclose(file);
	if (!pid)
		return -EBADF;
	*ret_pid = pid;
	return pid > 0 ? 0 : -ENOENT;
}

int map_task_key(int tid, struct map_owner_key *ret_key)
{
	char path[64], text[1024], *at, *save = NULL;
	u64 start = 0;
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	file = fopen(path, "re");
	len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	if (file)
		fclose(file);
	text[len] = '\0';
	at = strrchr(text, ')'); /* the name may hold spaces; after it comes field 3 */
	if (!at)
		return -ENOENT;
	at = strtok_r(at + 1, " ", &save);
	for (u32 field = 3; at && field < STAT_START_TIME; field++)
		at = strtok_r(NULL, " ", &save);
	if (at)
		start = strtoull(at, NULL, 10);
	*ret_key = (struct map_owner_key){.id = (u64)tid, .more = start};
	return 0;
}

static int take_task(const struct map_fds *fds, int fd, struct map_owner_key *ret_key)
{
	int own, pid, err = fds->open(fds, fd, &own);

	if (err)
		return err;
	err = pid_of(own, &pid);
	close(own);
	return err ? err : map_task_key(pid, ret_key);
}

static int take_inode(const struct map_fds *fds, int fd, struct map_owner_key *ret_key)
{
	struct stat st;
	int own, err = fds->open(fds, fd, &own);

	if (err)
		return err;
	err = fstat(own, &st) < 0 ? -EBADF : 0;
	close(own);
	if (!err)
		*ret_key = (struct map_owner_key){.id = st.st_ino, .more = st.st_dev};
	return err;
}

static int fd_key(const struct map *map, const void *key, const struct map_fds *fds, void *ret_key)
{
	struct map_owner_key owner = {0};
	int fd = (int)map_array_index(key), err, late;

	switch (map->type->type) {
	case BPF_MAP_TYPE_SK_STORAGE:
		err = map_socket_take(fds, BPF_MAP_TYPE_SK_STORAGE, fd, &owner.id, &late);
		break;
	case BPF_MAP_TYPE_TASK_STORAGE: err = take_task(fds, fd, &owner); break;
	case BPF_MAP_TYPE_INODE_STORAGE: err = take_inode(fds, fd, &owner); break;
	default: err = map_cgroup_take(fds, fd, true, &owner.id); break;
	}
	if (!err)
		memcpy(ret_key, &owner, sizeof(owner));
	return err;
}

/* --- values ------------------------------------------------------------------------------------ */

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	struct map_table *table = &to_storage(map)->table;
	u32 num = map_table_find(table, key);

	return num ? map_table_value(table, num) : NULL;
}

static int update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	struct map_table *table = &to_storage(map)->table;
	u64 lock = flags & BPF_F_LOCK;
	struct map_entry entry;
	u32 num;
	int err = map_value_flags(map, &flags);

	if (err)
		return err;
	entry = map_table_lock(table, key);
	err = map_entry_check(&entry, flags);
	if (!err && lock && entry.num) {
		map_value_put(map, map_table_value(table, entry.num), value, lock);
		goto unlock;
	}
	if (!err)
		err = map_table_take(table, &entry, key, cpu, &num);
	if (!err) {
		map_value_put(map, map_table_value(table, num), value, 0);
		if (entry.num)
			map_value_release(map, map_table_value(table, entry.num));
		map_table_link(table, &entry, num, cpu);
	}
unlock:
	map_table_unlock(table, &entry);
	return err == -E2BIG ? -ENOMEM : err;
}

static int remove_key(struct map *map, const void *key)
{
	struct map_table *table = &to_storage(map)->table;
	struct map_entry entry = map_table_lock(table, key);

	if (!entry.num) {
		map_table_unlock(table, &entry);
		return -ENOENT;
	}
	map_value_release(map, map_table_value(table, entry.num));
	map_table_drop(table, &entry);
	return 0;
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return map_table_copy_out(map, &to_storage(map)->table, key, ret_value, flags);
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, MAP_CPU_USER);
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	return map_table_owns(&to_storage(map)->table, addr, len, map->value_size);
}

static void each_value(
	struct map *map, void (*fn)(struct map *map, void *value, void *arg), void *arg)
{
	struct map_table *table = &to_storage(map)->table;

	for (u32 num = 1; num < __atomic_load_n(&table->fresh, __ATOMIC_ACQUIRE); num++)
		fn(map, map_table_value(table, num), arg);
}

static u64 mem_usage(const struct map *map)
{
	u32 buckets = 2;

	while (buckets < map->obj.inst->cpu_cnt)
		buckets <<= 1;
	return LINUX_STORAGE_LEN + buckets * LINUX_BUCKET_LEN;
}

const struct map_ops map_storage_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = lookup,
	.update = update,
	.remove = remove_key,
	.next_key = map_never_next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.fd_key = fd_key,
	.meta_equal = map_meta_equal,
	.owns = owns,
	.each_value = each_value,
	.mem_usage = mem_usage,
};
