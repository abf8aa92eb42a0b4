/*
 * Inner maps (inner.h).
 */
#include "maps/inner.h"

#include <errno.h>

#include "base/mem.h"
#include "btf/fields.h"

static int map_by_fd(const struct map_fds *fds, u32 fd, struct map **ret_map)
{
	struct obj *obj;
	int err = fds ? fds->get(fds, (int)fd, OBJ_MAP, &obj) : -EBADF;

	if (!err)
		*ret_map = container_of(obj, struct map, obj);
	return err;
}

int map_inner_take(const struct map_attr *attr, struct map **ret_inner)
{
	struct map *map, *inner;
	int err = map_by_fd(attr->fds, (u32)attr->inner_fd, &map);

	if (err)
		return err;
	if (map->inner)
		err = -EINVAL;
	else if (!map->ops->meta_equal)
		err = -MAP_ENOTSUPP;
	inner = err ? NULL : mem_zalloc(sizeof(*inner));
	if (inner) {
		inner->obj.inst = map->obj.inst;
		inner->type = map->type;
		inner->ops = map->ops;
		inner->key_size = map->key_size;
		inner->value_size = map->value_size;
		inner->value_stride = map->value_stride;
		inner->max_entries = map->max_entries;
		inner->flags = map->flags;
		inner->btf = map->btf;
		inner->btf_key_type_id = map->btf_key_type_id;
		inner->btf_value_type_id = map->btf_value_type_id;
		if (inner->btf)
			obj_get(inner->btf);
		err = btf_fields_dup(map->fields, &inner->fields);
		if (err)
			map_inner_free(inner);
		else
			*ret_inner = inner;
	} else if (!err) {
		err = -ENOMEM;
	}
	obj_put(&map->obj);
	return err;
}

/* Fields that name types name them by BTF, so that must be the same one. */
static bool has_equal_fields(const struct map *meta, const struct map *map)
{
	return btf_fields_equal(meta->fields, map->fields) &&
	       (meta->btf == map->btf ||
		       !map_has_field(map, BTF_FIELD_KPTR | BTF_FIELD_UPTR | BTF_FIELD_GRAPH_ROOT));
}

int map_inner_get(const struct map *outer, const struct map_fds *fds, u32 fd, struct map **ret_map)
{
	struct map *map;
	int err = map_by_fd(fds, fd, &map);

	if (err)
		return err;
	if (outer->inner->ops->meta_equal && outer->inner->ops->meta_equal(outer->inner, map) &&
		has_equal_fields(outer->inner, map)) {
		*ret_map = map;
		return 0;
	}
	obj_put(&map->obj);
	return -EINVAL;
}
