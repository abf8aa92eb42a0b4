/*
 * Objects by name and by number: pins, ids.
 *
 * An object can be listed although its last descriptor is closed, until somebody looks. So whoever looks
 * asks first: an object that holds a descriptor itself is alive; for any other, everything unheld is
 * reaped and the question asked again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/mem.h"
#include "sys/call.h"
#include "sys/token.h"

/* --- pins -------------------------------------------------------------------------------------- */

/* The plain form of the caller's path. */
static int read_path(struct sys_call *call, char ret_path[SYS_PIN_PATH_MAX])
{
	char path[SYS_PIN_PATH_MAX];
	int err = sys_user_str(call->user, call->attr.obj.pathname, path, sizeof(path), false);

	if (err < 0)
		return err;
	err = sys_pin_path(path, ret_path);
	if (err == -EPERM)
		sink_emit(&call->inst->sink, SINK_WARN,
			"pin path '%s': it must begin with '/', and its last part have no '.'",
			path);
	return err;
}

static int check_path_fd(struct sys_call *call)
{
	if (!(call->attr.obj.file_flags & BPF_F_PATH_FD))
		return call->attr.obj.path_fd ? -EINVAL : 0;
	sink_emit(&call->inst->sink, SINK_WARN,
		"BPF_F_PATH_FD: pins below a directory's descriptor are not available; give an "
		"absolute path");
	return -EOPNOTSUPP;
}

long sys_obj_pin(struct sys_call *call)
{
	char path[SYS_PIN_PATH_MAX];
	struct obj *obj;
	int err;

	if (call->attr.obj.file_flags & ~BPF_F_PATH_FD)
		return -EINVAL;
	err = check_path_fd(call);
	if (err)
		return err;
	if (sys_call_obj(call, call->attr.obj.bpf_fd, OBJ_KIND_CNT, &obj))
		return -EINVAL;
	err = obj->kind == OBJ_BTF ? -EINVAL : read_path(call, path);
	if (!err) {
		sys_pins_sweep(call->inst);
		err = sys_pin_add(call->inst, path, obj);
	}
	obj_put(obj);
	return err;
}

long sys_obj_get(struct sys_call *call)
{
	u32 flags = call->attr.obj.file_flags;
	char path[SYS_PIN_PATH_MAX];
	struct obj *obj;
	int mode, err;

	if (call->attr.obj.bpf_fd || flags & ~(BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_PATH_FD))
		return -EINVAL;
	err = check_path_fd(call);
	if (err)
		return err;
	mode = sys_fd_mode(flags);
	if (mode < 0)
		return mode;
	err = read_path(call, path);
	if (err)
		return err;
	sys_fd_reap(call->inst);
	err = sys_pin_get(call->inst, path, &obj);
	if (err)
		return err;
	if (obj->kind == OBJ_LINK && mode != O_RDWR)
		err = -EINVAL;
	else
		err = sys_fd_new(call->inst, call->user, obj, obj->kind == OBJ_MAP ? mode : O_RDWR);
	obj_put(obj);
	return err;
}

/* --- ids --------------------------------------------------------------------------------------- */

/* A new reference to an object that somebody still has, or NULL. */
static struct obj *find_alive(struct skep *inst, enum obj_kind kind, u32 id)
{
	struct obj *obj = obj_by_id(inst, kind, id);
	bool is_held;

	if (!obj)
		return NULL;
	pthread_mutex_lock(&inst->lock);
	is_held = obj->has_fds && sys_fd_is_held(obj);
	pthread_mutex_unlock(&inst->lock);
	if (is_held)
		return obj;
	obj_put(obj);
	sys_fd_reap(inst);
	return obj_by_id(inst, kind, id);
}

static long next_id(struct sys_call *call, enum obj_kind kind)
{
	u32 id = call->attr.by_id.id;
	struct obj *obj;

	if (id >= INT_MAX)
		return -EINVAL;
	do {
		id = obj_next_id(call->inst, kind, id);
		if (!id)
			return -ENOENT;
		obj = find_alive(call->inst, kind, id);
	} while (!obj);
	obj_put(obj);
	return SYS_PUT(call, by_id, next_id, id);
}

long sys_prog_next_id(struct sys_call *call)
{
	return next_id(call, OBJ_PROG);
}

long sys_map_next_id(struct sys_call *call)
{
	return next_id(call, OBJ_MAP);
}

long sys_btf_next_id(struct sys_call *call)
{
	return next_id(call, OBJ_BTF);
}

long sys_link_next_id(struct sys_call *call)
{
	return next_id(call, OBJ_LINK);
}

static long fd_by_id(struct sys_call *call, enum obj_kind kind, int mode)
{
	struct obj *obj = find_alive(call->inst, kind, call->attr.by_id.id);
	long fd;

	if (!obj)
		return -ENOENT;
	fd = sys_fd_new(call->inst, call->user, obj, mode);
	obj_put(obj);
	return fd;
}

long sys_prog_by_id(struct sys_call *call)
{
	return fd_by_id(call, OBJ_PROG, O_RDWR);
}

long sys_map_by_id(struct sys_call *call)
{
	u32 flags = call->attr.by_id.open_flags;
	int mode;

	if (flags & ~(BPF_F_RDONLY | BPF_F_WRONLY))
		return -EINVAL;
	mode = sys_fd_mode(flags);
	return mode < 0 ? mode : fd_by_id(call, OBJ_MAP, mode);
}

long sys_btf_by_id(struct sys_call *call)
{
	u32 flags = call->attr.by_id.open_flags;
	int err;

	if (flags & ~BPF_F_TOKEN_FD)
		return -EINVAL;
	if (flags & BPF_F_TOKEN_FD) {
		err = sys_token_check(call, call->attr.by_id.fd_by_id_token_fd);
		if (err)
			return err;
	}
	return fd_by_id(call, OBJ_BTF, O_RDWR);
}

long sys_link_by_id(struct sys_call *call)
{
	return fd_by_id(call, OBJ_LINK, O_RDWR);
}
