/*
 * The tree of pins as a sorted array of paths: pins are few, and a directory is only a prefix.
 */
#include "sys/pin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/inst.h"
#include "sys/fd.h"
#include "sys/sys.h"

struct sys_pin {
	struct obj *obj; /* counted */
	u64 marker_ino;
	char path[];
};

enum { PIN_CAP_MIN = 8, PIN_SWEEP_BATCH = 32, PIN_DEPTH_MAX = 200 };

/* One part of a path: "" and "." vanish, ".." takes the part before away. */
static int add_part(char *path, size_t *len, const char *part, size_t part_len)
{
	if (!part_len || (part_len == 1 && part[0] == '.'))
		return 0;
	if (part_len == 2 && part[0] == '.' && part[1] == '.') {
		while (*len && path[--*len] != '/')
			;
		return 0;
	}
	if (part_len > NAME_MAX || *len + part_len + 2 > SYS_PIN_PATH_MAX)
		return -ENAMETOOLONG;
	path[(*len)++] = '/';
	memcpy(path + *len, part, part_len);
	*len += part_len;
	return 0;
}

int sys_pin_path(const char *path, char ret_path[SYS_PIN_PATH_MAX])
{
	char plain[SYS_PIN_PATH_MAX];
	size_t len = 0;
	int err;

	if (!path[0])
		return -ENOENT;
	if (path[0] != '/')
		return -EPERM;
	while (*path) {
		size_t part_len = strcspn(path, "/");

		err = add_part(plain, &len, path, part_len);
		if (err)
			return err;
		path += part_len + (path[part_len] == '/');
	}
	if (!len)
		return -EINVAL;
	plain[len] = 0;
	if (strchr(strrchr(plain, '/'), '.'))
		return -EPERM;
	memcpy(ret_path, plain, len + 1);
	return 0;
}

/* Index of the first pin whose path is >= path. */
static u32 lower_bound(const struct sys_pins *pins, const char *path)
{
	u32 low = 0, high = pins->cnt;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (strcmp(pins->pins[mid]->path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct sys_pin *find(const struct sys_pins *pins, const char *path)
{
	u32 idx = lower_bound(pins, path);

	if (idx < pins->cnt && !strcmp(pins->pins[idx]->path, path))
		return pins->pins[idx];
	return NULL;
}

/* A pin below path/ makes path a directory. */
static bool is_dir(const struct sys_pins *pins, const char *path)
{
	size_t len = strlen(path);

	for (u32 i = lower_bound(pins, path); i < pins->cnt; i++) {
		if (strncmp(pins->pins[i]->path, path, len))
			return false;
		if (pins->pins[i]->path[len] == '/')
			return true;
	}
	return false;
}

/* A pin at a proper prefix of path makes path impossible. */
static bool is_below_pin(const struct sys_pins *pins, const char *path)
{
	char prefix[SYS_PIN_PATH_MAX];

	strcpy(prefix, path);
	for (char *slash; (slash = strrchr(prefix, '/')) && slash != prefix;) {
		*slash = 0;
		if (find(pins, prefix))
			return true;
	}
	return false;
}

/* "pins/a/b" for "/a/b": where the marker is, below dir_fd. */
static void marker_path(const char *path, char ret[SYS_PIN_PATH_MAX + 8])
{
	strcpy(ret, "pins");
	strcat(ret, path);
}

static int make_marker(const struct sys_pins *pins, const char *path, u64 *ret_ino)
{
	char name[SYS_PIN_PATH_MAX + 8];
	struct stat st;
	int fd, err = 0;

	if (pins->dir_fd < 0)
		return 0;
	marker_path(path, name);
	for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdirat(pins->dir_fd, name, 0700) < 0 && errno != EEXIST)
			err = -errno;
		*slash = '/';
		if (err)
			return err;
	}
	/* A marker that no pin stands behind was left by an instance that was killed. */
	fd = openat(pins->dir_fd, name, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else
		*ret_ino = st.st_ino;
	close(fd);
	return err;
}

static void remove_marker(const struct sys_pins *pins, const char *path)
{
	char name[SYS_PIN_PATH_MAX + 8];

	if (pins->dir_fd < 0)
		return;
	marker_path(path, name);
	unlinkat(pins->dir_fd, name, 0);
	/* Empty directories go too; the first that is not empty ends it. */
	for (char *slash; (slash = strrchr(name, '/')) != NULL;) {
		*slash = 0;
		if (unlinkat(pins->dir_fd, name, AT_REMOVEDIR) < 0)
			break;
	}
}

static bool has_marker(const struct sys_pins *pins, const struct sys_pin *pin)
{
	char name[SYS_PIN_PATH_MAX + 8];
	struct stat st;

	if (pins->dir_fd < 0)
		return true;
	marker_path(pin->path, name);
	return !fstatat(pins->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) &&
	       st.st_ino == pin->marker_ino;
}

/* Empties a directory below dir_fd, links not followed. What cannot be removed is left. */
static void clear_dir(int dir_fd, const char *name, int depth)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (!unlinkat(fd, entry->d_name, 0) || depth == PIN_DEPTH_MAX)
			continue;
		clear_dir(fd, entry->d_name, depth + 1);
		unlinkat(fd, entry->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

int sys_pins_use_dir(struct skep *inst, int dir_fd)
{
	struct sys_pins *pins = &sys_of(inst)->pins;
	int err = 0;

	clear_dir(dir_fd, "pins", 0);
	pthread_mutex_lock(&inst->lock);
	pins->dir_fd = dir_fd;
	for (u32 i = 0; i < pins->cnt && !err; i++)
		err = make_marker(pins, pins->pins[i]->path, &pins->pins[i]->marker_ino);
	if (err)
		pins->dir_fd = -1;
	pthread_mutex_unlock(&inst->lock);
	return err;
}

void sys_pins_no_dir(struct skep *inst)
{
	pthread_mutex_lock(&inst->lock);
	sys_of(inst)->pins.dir_fd = -1;
	pthread_mutex_unlock(&inst->lock);
}

static int insert(struct sys_pins *pins, struct sys_pin *pin)
{
	u32 idx = lower_bound(pins, pin->path);

	if (pins->cnt == pins->cap) {
		u32 cap = pins->cap ? pins->cap * 2 : PIN_CAP_MIN;
		struct sys_pin **more = mem_realloc(pins->pins, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		pins->pins = more;
		pins->cap = cap;
	}
	memmove(pins->pins + idx + 1, pins->pins + idx, (pins->cnt - idx) * sizeof(*pins->pins));
	pins->pins[idx] = pin;
	pins->cnt++;
	return 0;
}

static void take_out(struct sys_pins *pins, u32 idx)
{
	pins->cnt--;
	memmove(pins->pins + idx, pins->pins + idx + 1, (pins->cnt - idx) * sizeof(*pins->pins));
}

bool sys_pin_has(const struct obj *obj)
{
	struct sys_pins *pins = &sys_of(obj->inst)->pins;
	bool found = false;

	pthread_mutex_lock(&obj->inst->lock);
	for (u32 i = 0; i < pins->cnt && !found; i++)
		found = pins->pins[i]->obj == obj;
	pthread_mutex_unlock(&obj->inst->lock);
	return found;
}

static void free_pin(struct sys_pin *pin)
{
	sys_obj_unnamed(pin->obj);
	obj_put(pin->obj);
	mem_free(pin);
}

static int add_locked(struct sys_pins *pins, struct sys_pin *pin)
{
	int err;

	if (find(pins, pin->path) || is_dir(pins, pin->path))
		return -EEXIST;
	if (is_below_pin(pins, pin->path))
		return -ENOTDIR;
	err = make_marker(pins, pin->path, &pin->marker_ino);
	if (err)
		return err;
	err = insert(pins, pin);
	if (err)
		remove_marker(pins, pin->path);
	return err;
}

int sys_pin_add(struct skep *inst, const char *path, struct obj *obj)
{
	size_t len = strlen(path) + 1;
	struct sys_pin *pin = mem_zalloc(sizeof(*pin) + len);
	int err;

	if (!pin)
		return -ENOMEM;
	memcpy(pin->path, path, len);
	pin->obj = obj;
	obj_get(obj);
	pthread_mutex_lock(&inst->lock);
	err = add_locked(&sys_of(inst)->pins, pin);
	pthread_mutex_unlock(&inst->lock);
	if (err)
		free_pin(pin);
	else
		sys_state_pin(inst, path, obj);
	return err;
}

int sys_pin_get(struct skep *inst, const char *path, struct obj **ret_obj)
{
	struct sys_pins *pins = &sys_of(inst)->pins;
	struct sys_pin *pin;
	int err = 0;

	pthread_mutex_lock(&inst->lock);
	pin = find(pins, path);
	if (pin) {
		obj_get(pin->obj);
		*ret_obj = pin->obj;
	} else {
		err = is_dir(pins, path) ? -EACCES : -ENOENT;
	}
	pthread_mutex_unlock(&inst->lock);
	return err;
}

int sys_pin_path_after(struct skep *inst, const char *after, char *ret_path, size_t cap)
{
	struct sys_pins *pins = &sys_of(inst)->pins;
	int err = -ENOENT;
	u32 idx;

	pthread_mutex_lock(&inst->lock);
	idx = lower_bound(pins, after);
	if (idx < pins->cnt && !strcmp(pins->pins[idx]->path, after))
		idx++;
	if (idx < pins->cnt && strlen(pins->pins[idx]->path) < cap) {
		strcpy(ret_path, pins->pins[idx]->path);
		err = 0;
	}
	pthread_mutex_unlock(&inst->lock);
	return err;
}

int sys_pin_del(struct skep *inst, const char *path)
{
	struct sys_pins *pins = &sys_of(inst)->pins;
	struct sys_pin *pin;

	pthread_mutex_lock(&inst->lock);
	pin = find(pins, path);
	if (pin) {
		take_out(pins, lower_bound(pins, path));
		remove_marker(pins, path);
	}
	pthread_mutex_unlock(&inst->lock);
	if (!pin)
		return -ENOENT;
	sys_state_unpin(inst, path);
	free_pin(pin);
	return 0;
}

void sys_pins_sweep(struct skep *inst)
{
	struct sys_pins *pins = &sys_of(inst)->pins;
	struct sys_pin *gone[PIN_SWEEP_BATCH];
	u32 cnt;

	if (pins->dir_fd < 0)
		return;
	do {
		cnt = 0;
		pthread_mutex_lock(&inst->lock);
		for (u32 i = 0; i < pins->cnt && cnt < PIN_SWEEP_BATCH;) {
			if (has_marker(pins, pins->pins[i])) {
				i++;
				continue;
			}
			gone[cnt++] = pins->pins[i];
			take_out(pins, i);
		}
		pthread_mutex_unlock(&inst->lock);
		for (u32 i = 0; i < cnt; i++) {
			sys_state_unpin(inst, gone[i]->path);
			free_pin(gone[i]);
		}
	} while (cnt == PIN_SWEEP_BATCH);
}

void sys_pins_clear(struct skep *inst)
{
	struct sys_pins *pins = &sys_of(inst)->pins;

	for (;;) {
		struct sys_pin *pin = NULL;

		pthread_mutex_lock(&inst->lock);
		if (pins->cnt)
			pin = pins->pins[--pins->cnt];
		pthread_mutex_unlock(&inst->lock);
		if (!pin)
			break;
		remove_marker(pins, pin->path);
		free_pin(pin);
	}
	mem_free(pins->pins);
	pins->pins = NULL;
	pins->cap = 0;
}
