/*
 * The verbs of events.h.
 */
#include "sys/events.h"

#include <errno.h>
#include <fcntl.h>

#include "core/event.h"
#include "core/map.h"
#include "sys/caller.h"
#include "sys/fd.h"

int sys_event_open(struct skep *inst, struct sys_user *user, const struct sys_event *event)
{
	struct event_attr attr = {
		.cpu = event->cpu,
		.sample_type = event->sample_type,
		.wakeup = event->wakeup,
		.is_watermark = event->is_watermark,
	};
	struct obj *obj;
	int err;

	if (event->cpu >= inst->cpu_cnt)
		return -ENODEV;
	err = event_new(inst, &attr, &obj);
	if (err)
		return err;
	event_enable(obj, !event->is_disabled);
	err = obj_publish(obj);
	if (!err)
		err = sys_fd_new(inst, user, obj, O_RDWR);
	obj_put(obj);
	return err;
}

int sys_event_enable(struct skep *inst, struct sys_user *user, int fd, bool on)
{
	struct obj *obj;
	int err = sys_fd_obj(inst, user, fd, OBJ_EVENT, &obj, NULL);

	if (err)
		return err;
	event_enable(obj, on);
	obj_put(obj);
	return 0;
}

static int map_mapped(struct map *map, const struct sys_mapping *mapping)
{
	if (!map->ops->mapped)
		return 0;
	return map->ops->mapped(
		map, mapping->addr, mapping->len, mapping->off, mapping->is_writable);
}

int sys_mapped(struct skep *inst, struct sys_user *user, int fd, const struct sys_mapping *mapping)
{
	struct obj *obj;
	int err = sys_fd_obj(inst, user, fd, OBJ_KIND_CNT, &obj, NULL);

	if (err)
		return 0;
	if (obj->kind == OBJ_MAP)
		err = map_mapped(container_of(obj, struct map, obj), mapping);
	else if (obj->kind == OBJ_EVENT)
		err = mapping->off ? -EINVAL : event_map(obj, mapping->len);
	obj_put(obj);
	return err;
}

int sys_wake_fd(struct skep *inst, struct sys_user *user, int fd, int *ret_fd, bool *ret_is_writer)
{
	struct obj *obj;
	struct map *map;
	int err = sys_fd_obj(inst, user, fd, OBJ_KIND_CNT, &obj, NULL);

	if (err)
		return -EPERM;
	err = -EPERM;
	*ret_is_writer = false;
	map = container_of(obj, struct map, obj);
	if (obj->kind == OBJ_EVENT) {
		*ret_fd = event_wake_fd(obj);
		err = 0;
	} else if (obj->kind == OBJ_MAP && map->ops->wake_fd) {
		err = map->ops->wake_fd(map, ret_fd);
		*ret_is_writer = map->type->type == BPF_MAP_TYPE_USER_RINGBUF;
	}
	obj_put(obj);
	return err;
}
