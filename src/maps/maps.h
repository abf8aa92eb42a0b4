/*
 * The table of map types, indexed by BPF_MAP_TYPE_*, and the ops of each file of the layer.
 */
#ifndef MAPS_MAPS_H
#define MAPS_MAPS_H

#include "core/map.h"

/* NULL where a number has no row: the type is not there. */
extern const struct map_type *const map_types[];
extern const u32 map_types_cnt;

#define MAP(type, name, ops, ...) extern const struct map_ops ops;
#include "maps/maps.def"

enum {
	MAP_PERCPU_VALUE_MAX = 32768, /* bytes, rounded up to 8; Linux: PCPU_MIN_UNIT_SIZE */
	MAP_CACHE_LINE = 64,
	MAP_ERR_NOTSUPP = 524, /* Linux's ENOTSUPP, which has no name in user space */
};

/* What every type checks first: one direction of access at most, no map_extra, a node that exists (the
 * instance has node 0 alone, and per-CPU memory has no node). -EINVAL. */
int map_check_common(const struct map_attr *attr, bool is_percpu);

#endif
