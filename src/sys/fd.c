/*
 * Making, recognising and outliving descriptors (fd.h has the geometry).
 */
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/event.h"
#include "core/map.h"
#include "sys/pin.h"
#include "sys/sys.h"
#include "sys/caller.h"

static const u64 reap_every_ns = 50000000;

enum {
	REAP_BATCH = 64,
	REAP_SLACK = 16, /* descriptors made before a reap is worth its cost */
};

static const char *const fd_names[OBJ_KIND_CNT] = {
	[OBJ_MAP] = "bpf-map",
	[OBJ_PROG] = "bpf-prog",
	[OBJ_BTF] = "bpf-btf",
	[OBJ_LINK] = "bpf-link",
	[OBJ_EVENT] = "perf-event",
};

int sys_fd_mode(u32 flags)
{
	if ((flags & BPF_F_RDONLY) && (flags & BPF_F_WRONLY))
		return -EINVAL;
	if (flags & BPF_F_RDONLY)
		return O_RDONLY;
	return flags & BPF_F_WRONLY ? O_WRONLY : O_RDWR;
}

/* Nobody can store bytes in an object that has none. */
static int make_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

/* The anchor of a map or event with memory is that memory: what the user maps is what programs write. */
static int make_anchor(struct obj *obj)
{
	int mem_fd = -1, fd;

	/* nobody outside may touch special fields */
	if (obj->kind == OBJ_MAP && !container_of(obj, struct map, obj)->fields)
		mem_fd = container_of(obj, struct map, obj)->mem_fd;
	else if (obj->kind == OBJ_EVENT)
		mem_fd = event_mem_fd(obj);
	if (mem_fd < 0)
		return make_memfd(fd_names[obj->kind]);
	fd = fcntl(mem_fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int need_anchor(struct skep *inst, struct obj *obj)
{
	struct stat st;
	int fd, err = 0;

	pthread_mutex_lock(&inst->lock);
	fd = obj->anchor_fd;
	pthread_mutex_unlock(&inst->lock);
	if (fd >= 0)
		return 0;
	fd = make_anchor(obj);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		err = -errno;
	pthread_mutex_lock(&inst->lock);
	if (!err && obj->anchor_fd < 0) {
		__atomic_store_n(&sys_of(inst)->memfd_dev, st.st_dev, __ATOMIC_RELAXED);
		obj->anchor_ino = st.st_ino;
		obj->anchor_fd = fd;
		fd = -1;
	}
	pthread_mutex_unlock(&inst->lock);
	if (fd >= 0)
		close(fd);
	return err;
}

/* The lock that says "this descriptor exists". A write-only file cannot have a read lock, so it gets a
 * write lock on a byte of its own. */
static int hold(struct skep *inst, int fd, int mode)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	if (mode == O_WRONLY) {
		lock.l_type = F_WRLCK;
		lock.l_start = 1 +
			       __atomic_fetch_add(&sys_of(inst)->wr_lock_next, 1, __ATOMIC_RELAXED);
	}
	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

static int open_held(struct skep *inst, int anchor_fd, int mode)
{
	char path[32];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", anchor_fd);
	fd = open(path, mode | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = hold(inst, fd, mode);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int make_fd(struct skep *inst, struct obj *obj, int mode)
{
	int fd = need_anchor(inst, obj);

	return fd < 0 ? fd : open_held(inst, obj->anchor_fd, mode);
}

static bool is_locked(int anchor_fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(anchor_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* No conflicting lock on the anchor: no descriptor. An anchor that is not ours any more (a program
 * that closed descriptors it did not open) tells nothing and is let go. */
bool sys_fd_is_held(struct obj *obj)
{
	struct stat st;

	if (obj->anchor_fd < 0)
		return false;
	if (fstat(obj->anchor_fd, &st) < 0 || st.st_ino != obj->anchor_ino) {
		obj->anchor_fd = -1;
		return false;
	}
	return is_locked(obj->anchor_fd);
}

/* Under the instance's lock. */
static u32 collect_unheld(struct skep *inst, struct obj **ret_objs, u32 cap, u32 *ret_live)
{
	u32 cnt = 0, live = 0;

	for (int kind = 0; kind < OBJ_KIND_CNT; kind++) {
		struct obj_table *table = &inst->tables[kind];

		for (u32 i = 0; i < table->cnt && cnt < cap; i++) {
			struct obj *obj = table->objs[i];

			if (!obj->has_fds)
				continue;
			if (sys_fd_is_held(obj)) {
				live++;
				continue;
			}
			obj->has_fds = false;
			ret_objs[cnt++] = obj;
		}
	}
	*ret_live = live;
	return cnt;
}

void sys_obj_unnamed(struct obj *obj)
{
	struct map *map = container_of(obj, struct map, obj);

	if (obj->kind == OBJ_MAP && !obj->has_fds && !sys_pin_has(obj))
		map_forget(map);
}

void sys_fd_reap(struct skep *inst)
{
	struct sys *sys = sys_of(inst);
	struct obj *dead[REAP_BATCH];
	u32 cnt, live;

	sys_pins_sweep(inst);
	do {
		pthread_mutex_lock(&inst->lock);
		cnt = collect_unheld(inst, dead, REAP_BATCH, &live);
		sys->live_cnt = live;
		sys->made_cnt = 0;
		sys->reap_ns = sys_clock_ns();
		pthread_mutex_unlock(&inst->lock);
		for (u32 i = 0; i < cnt; i++) {
			sys_obj_unnamed(dead[i]);
			obj_put(dead[i]);
		}
	} while (cnt == REAP_BATCH);
}

/* Only a link does something by being there; the rest can wait. */
void sys_fd_reap_tick(struct skep *inst)
{
	struct obj_table *links = &inst->tables[OBJ_LINK];
	bool is_due;

	sys_fd_check_stats(inst);
	pthread_mutex_lock(&inst->lock);
	is_due = sys_clock_ns() - sys_of(inst)->reap_ns > reap_every_ns;
	for (u32 i = 0; i < links->cnt && !is_due; i++)
		is_due = links->objs[i]->has_fds && !sys_fd_is_held(links->objs[i]);
	pthread_mutex_unlock(&inst->lock);
	if (is_due)
		sys_fd_reap(inst);
}

void sys_fd_reap_sometimes(struct skep *inst)
{
	struct sys *sys = sys_of(inst);
	bool is_due;

	pthread_mutex_lock(&inst->lock);
	is_due = ++sys->made_cnt > sys->live_cnt + REAP_SLACK;
	pthread_mutex_unlock(&inst->lock);
	if (is_due)
		sys_fd_reap(inst);
}

static void note_fds(struct skep *inst, struct obj *obj)
{
	pthread_mutex_lock(&inst->lock);
	if (!obj->has_fds) {
		obj->has_fds = true;
		if (obj->kind == OBJ_MAP)
			__atomic_store_n(
				&((struct map *)obj)->is_forgotten, false, __ATOMIC_SEQ_CST);
		obj_get(obj);
	}
	pthread_mutex_unlock(&inst->lock);
}

int sys_fd_new(struct skep *inst, struct sys_user *user, struct obj *obj, int mode)
{
	int fd = make_fd(inst, obj, mode);

	/* Anchors of dead objects may be what fills the table of descriptors. */
	if (fd == -EMFILE) {
		sys_fd_reap(inst);
		fd = make_fd(inst, obj, mode);
	}
	if (fd < 0) {
		if (fd == -ENOENT || fd == -EACCES)
			sink_emit(&inst->sink, SINK_WARN,
				"cannot open a descriptor of an object through /proc/self/fd: "
				"/proc must be mounted and belong to this user");
		return fd;
	}
	note_fds(inst, obj);
	fd = user->ops->fd_install(user, fd);
	if (fd < 0)
		sys_fd_reap(inst);
	else
		sys_fast_forget(inst, fd);
	return fd;
}

/* Under the instance's lock. */
static int need_stats_anchor(struct sys *sys)
{
	int fd;

	if (sys->stats_fd >= 0)
		return 0;
	fd = make_memfd("bpf-stats");
	if (fd < 0)
		return fd;
	sys->stats_fd = fd;
	return 0;
}

int sys_fd_new_stats(struct skep *inst, struct sys_user *user)
{
	struct sys *sys = sys_of(inst);
	int fd;

	pthread_mutex_lock(&inst->lock);
	fd = need_stats_anchor(sys);
	if (!fd)
		fd = open_held(inst, sys->stats_fd, O_RDWR);
	if (fd >= 0)
		__atomic_store_n(&inst->count_runs, true, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&inst->lock);
	return fd < 0 ? fd : user->ops->fd_install(user, fd);
}

void sys_fd_check_stats(struct skep *inst)
{
	if (likely(!__atomic_load_n(&inst->count_runs, __ATOMIC_RELAXED)))
		return;
	pthread_mutex_lock(&inst->lock);
	if (!is_locked(sys_of(inst)->stats_fd))
		__atomic_store_n(&inst->count_runs, false, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&inst->lock);
}

int sys_fd_obj(struct skep *inst, struct sys_user *user, int fd, enum obj_kind kind,
	struct obj **ret_obj, int *ret_mode)
{
	struct obj *obj = NULL;
	struct stat st;
	int own, mode, err;

	err = user->ops->fd_get(user, fd, &own);
	if (err)
		return err;
	mode = fcntl(own, F_GETFL);
	if (mode < 0 || fstat(own, &st) < 0)
		err = -EBADF;
	else if (st.st_dev != __atomic_load_n(&sys_of(inst)->memfd_dev, __ATOMIC_RELAXED))
		err = -EINVAL;
	else
		obj = obj_by_ino(inst, st.st_ino);
	user->ops->fd_put(user, own);
	if (err)
		return err;
	if (!obj)
		return -EINVAL;
	if (kind != OBJ_KIND_CNT && obj->kind != kind) {
		obj_put(obj);
		return -EINVAL;
	}
	*ret_obj = obj;
	if (ret_mode)
		*ret_mode = mode & O_ACCMODE;
	return 0;
}
