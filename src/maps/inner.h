/*
 * Inner maps: what MAP_CREATE keeps of the map it is shown, and whether a map may stand beside it.
 */
#ifndef MAPS_INNER_H
#define MAPS_INNER_H

#include "maps/maps.h"

/* What maps like the one behind attr->inner_fd have in common. -EBADF, -EINVAL (itself a map of maps), -ENOTSUPP
 * (cannot be an inner map), -ENOMEM. Freed with the outer map by core. */
int map_inner_take(const struct map_attr *attr, struct map **ret_inner);
/* A counted reference to the map behind the descriptor. -EBADF, -EINVAL: not like the others. */
int map_inner_get(const struct map *outer, const struct map_fds *fds, u32 fd, struct map **ret_map);

#endif
