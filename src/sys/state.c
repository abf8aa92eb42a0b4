/*
 * The folder of state.h.
 */
#include "sys/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/map.h"
#include "core/store.h"
#include "sys/pin.h"
#include "sys/sys.h"

static const char hex[] = "0123456789ABCDEF";

static struct sys_state *state_of(const struct skep *inst)
{
	return &sys_of(inst)->state;
}

/* --- names ------------------------------------------------------------------------------------- */

/* A pin's path as a file's name: '/' and '%' in hex. */
static int encode(const char *path, char ret_file[NAME_MAX + 1])
{
	size_t len = 0;

	for (; *path; path++) {
		bool is_plain = *path != '/' && *path != '%';

		if (len + (is_plain ? 1 : 3) > NAME_MAX)
			return -ENAMETOOLONG;
		if (is_plain) {
			ret_file[len++] = *path;
			continue;
		}
		ret_file[len++] = '%';
		ret_file[len++] = hex[(u8)*path >> 4];
		ret_file[len++] = hex[(u8)*path & 15];
	}
	ret_file[len] = 0;
	return 0;
}

/* False if no pin has such a file. */
static bool decode(const char *file, char ret_path[NAME_MAX + 1])
{
	size_t len = 0;

	for (; *file; file++) {
		const char *high, *low;

		if (*file != '%') {
			ret_path[len++] = *file;
			continue;
		}
		high = file[1] ? strchr(hex, file[1]) : NULL;
		low = high && file[2] ? strchr(hex, file[2]) : NULL;
		if (!low)
			return false;
		ret_path[len++] = (char)((high - hex) << 4 | (low - hex));
		file += 2;
	}
	ret_path[len] = 0;
	return ret_path[0] == '/' && strlen(ret_path) == len;
}

/* --- taking back ------------------------------------------------------------------------------- */

static bool same_file(int fd, const struct stat *st)
{
	struct stat other;

	return !fstat(fd, &other) && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/* The map that another link to the same file has become, or NULL. */
static struct obj *find_taken(struct skep *inst, const struct stat *st)
{
	const struct obj_table *table = &inst->tables[OBJ_MAP];
	struct obj *found = NULL;

	pthread_mutex_lock(&inst->lock);
	for (u32 i = 0; i < table->cnt && !found; i++) {
		struct map *map = container_of(table->objs[i], struct map, obj);

		if (map->store && same_file(map->store->fd, st))
			found = &map->obj;
	}
	if (found)
		obj_get(found);
	pthread_mutex_unlock(&inst->lock);
	return found;
}

static int open_map(struct skep *inst, const char *file, struct obj **ret_obj)
{
	struct map_store *store;
	struct map_attr attr;
	struct map *map;
	int err = map_store_open(state_of(inst)->dir_fd, file, inst->cpu_cnt, &attr, &store);

	if (err)
		return err;
	err = map_new(inst, &attr, &map);
	if (err) {
		map_store_free(store);
		return err;
	}
	err = obj_publish(&map->obj);
	if (err)
		obj_put(&map->obj);
	else
		*ret_obj = &map->obj;
	return err;
}

static int take_back(struct skep *inst, const char *file)
{
	char path[NAME_MAX + 1];
	struct obj *obj;
	struct stat st;
	int err = 0;

	if (!decode(file, path))
		return -EINVAL;
	if (fstatat(state_of(inst)->dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	obj = find_taken(inst, &st);
	if (!obj)
		err = open_map(inst, file, &obj);
	if (err)
		return err;
	err = sys_pin_add(inst, path, obj);
	obj_put(obj);
	return err;
}

static int take_all(struct skep *inst, struct buf *ret_text)
{
	int dir_fd = state_of(inst)->dir_fd,
	    fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int err = 0;

	if (!dir) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	for (struct dirent *entry; !err && (entry = readdir(dir));) {
		if (!strncmp(entry->d_name, ".new-", 5))
			unlinkat(dir_fd, entry->d_name, 0);
		if (entry->d_name[0] != '%')
			continue;
		err = take_back(inst, entry->d_name);
		if (err)
			buf_printf(ret_text,
				"%s is no map of an instance like this one (%s): move it away, or "
				"start with as many CPUs as it was made with",
				entry->d_name, strerror(-err));
	}
	closedir(dir);
	return err;
}

/* --- the folder -------------------------------------------------------------------------------- */

static int lock_dir(int dir_fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}

int sys_state_open(struct skep *inst, const char *dir, struct buf *ret_text)
{
	struct sys_state *state = state_of(inst);
	int dir_fd, lock_fd, err;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		goto no_dir;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		goto no_dir;
	lock_fd = lock_dir(dir_fd);
	if (lock_fd < 0) {
		close(dir_fd);
		buf_printf(ret_text,
			lock_fd == -EBUSY ? "%s is used by another instance: end it, or choose "
					    "another folder"
					  : "cannot lock %s",
			dir);
		return lock_fd;
	}
	state->dir_fd = dir_fd;
	state->lock_fd = -1; /* not yet: pins that come back are there already */
	err = take_all(inst, ret_text);
	state->lock_fd = lock_fd;
	if (err)
		sys_state_close(inst);
	return err;
no_dir:
	err = -errno;
	buf_printf(ret_text, "cannot use %s: %s", dir, strerror(-err));
	return err;
}

void sys_state_close(struct skep *inst)
{
	struct sys_state *state = state_of(inst);

	if (state->dir_fd < 0)
		return;
	close(state->dir_fd);
	close(state->lock_fd);
	state->dir_fd = state->lock_fd = -1;
}

/* --- maps and pins ----------------------------------------------------------------------------- */

int sys_state_store(struct skep *inst, const struct map_attr *attr, struct map_store **ret_store)
{
	struct sys_state *state = state_of(inst);
	char file[32];

	*ret_store = NULL;
	if (state->lock_fd < 0 || attr->type >= inst->map_type_cnt ||
		!inst->map_types[attr->type] || !inst->map_types[attr->type]->ops->recover ||
		attr->flags & BPF_F_MMAPABLE || inst->map_types[attr->type]->ops->check(inst, attr))
		return 0;
	snprintf(file, sizeof(file), ".new-%u",
		__atomic_fetch_add(&state->next_file, 1, __ATOMIC_RELAXED));
	return map_store_create(state->dir_fd, file, attr, inst->cpu_cnt, ret_store);
}

static int link_file(struct sys_state *state, const struct map *map, const char *path)
{
	char from[32], file[NAME_MAX + 1];
	int err = encode(path, file);

	if (err)
		return err;
	memcpy(map->store->head->name, map->name, sizeof(map->name));
	map_store_made(map->store);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", map->store->fd);
	if (linkat(AT_FDCWD, from, state->dir_fd, file, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return 0;
}

void sys_state_pin(struct skep *inst, const char *path, struct obj *obj)
{
	struct sys_state *state = state_of(inst);
	const struct map *map;
	int err;

	if (state->lock_fd < 0 || obj->kind != OBJ_MAP)
		return;
	map = container_of(obj, struct map, obj);
	if (map->store && !map->fields) {
		err = link_file(state, map, path);
		if (err)
			sink_emit(&inst->sink, SINK_WARN, "pin %s is not kept: %s", path,
				strerror(-err));
		return;
	}
	sink_emit(&inst->sink, SINK_WARN,
		"pin %s is not kept: maps of this type, mappable maps and maps with special fields "
		"are in memory only",
		path);
}

void sys_state_unpin(struct skep *inst, const char *path)
{
	struct sys_state *state = state_of(inst);
	char file[NAME_MAX + 1];

	if (state->lock_fd >= 0 && !encode(path, file))
		unlinkat(state->dir_fd, file, 0);
}
