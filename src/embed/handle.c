/*
 * Handles: from descriptors to references and back, and the options and sentences they are made with.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "embed/embed.h"
#include "sys/caller.h"
#include "sys/fd.h"

int embed_options(const void *given, void *ret_opts, size_t size)
{
	const u8 *bytes = given;
	size_t sz;

	memcpy(&sz, given, sizeof(sz));
	if (sz < sizeof(sz))
		return -EINVAL;
	for (size_t i = size; i < sz; i++)
		if (bytes[i])
			return -EINVAL;
	memset(ret_opts, 0, size);
	memcpy(ret_opts, given, MIN(sz, size));
	return 0;
}

int embed_say(struct skep_text *ret_why, int err, const char *fmt, ...)
{
	va_list ap;

	if (!ret_why)
		return err;
	va_start(ap, fmt);
	vsnprintf(ret_why->text, sizeof(ret_why->text), fmt, ap);
	va_end(ap);
	return err;
}

static int obj_of_fd(struct skep *skep, int fd, enum obj_kind kind, struct obj **ret_obj)
{
	struct sys_user user;

	sys_user_local_init(&user);
	return sys_fd_obj(skep, &user, fd, kind, ret_obj, NULL);
}

int embed_prog_of_fd(struct skep *skep, int fd, struct skep_prog **ret_prog)
{
	struct skep_prog *prog;
	struct obj *obj;
	int err = obj_of_fd(skep, fd, OBJ_PROG, &obj);

	if (err)
		return err;
	prog = mem_alloc(sizeof(*prog));
	if (!prog) {
		obj_put(obj);
		return -ENOMEM;
	}
	prog->prog = container_of(obj, struct prog, obj);
	*ret_prog = prog;
	return 0;
}

int embed_map_ref(struct skep *skep, int fd, struct map **ret_map)
{
	struct obj *obj;
	int err = obj_of_fd(skep, fd, OBJ_MAP, &obj);

	if (!err)
		*ret_map = container_of(obj, struct map, obj);
	return err;
}

int embed_map_of_fd(struct skep *skep, int fd, struct skep_map **ret_map)
{
	struct skep_map *map;
	struct obj *obj;
	int err = obj_of_fd(skep, fd, OBJ_MAP, &obj);

	if (err)
		return err;
	map = mem_alloc(sizeof(*map));
	if (!map) {
		obj_put(obj);
		return -ENOMEM;
	}
	map->map = container_of(obj, struct map, obj);
	*ret_map = map;
	return 0;
}

void skep_prog_close(struct skep_prog *prog)
{
	if (!prog)
		return;
	obj_put(&prog->prog->obj);
	mem_free(prog);
}

int skep_map_open(struct skep *skep, int fd, struct skep_map **ret_map)
{
	return embed_map_of_fd(skep, fd, ret_map);
}

void skep_map_close(struct skep_map *map)
{
	if (!map)
		return;
	obj_put(&map->map->obj);
	mem_free(map);
}

int skep_map_fd(const struct skep_map *map)
{
	struct sys_user user;

	sys_user_local_init(&user);
	return sys_fd_new(map->map->obj.inst, &user, &map->map->obj, O_RDWR);
}
