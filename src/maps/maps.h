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
};

/* What Linux checks before it asks the type: no map_extra, a node that exists (the instance has node 0
 * alone). -EINVAL. */
int map_check_first(const struct map_attr *attr);
/* That and what nearly every type checks: one direction of access at most, entries, and no node for
 * per-CPU memory. -EINVAL. */
int map_check_common(const struct map_attr *attr, bool is_percpu);
/* What most types ask of inner maps: type, sizes and flags as the template has them. */
bool map_meta_equal(const struct map *meta, const struct map *map);
/* An operation that a type does not have. */
void *map_no_lookup(struct map *map, const void *key, u32 cpu);
int map_no_update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu);
int map_no_remove(struct map *map, const void *key);
int map_no_next_key(struct map *map, const void *key, void *ret_next);
/* An operation that Linux answers with ENOTSUPP. */
int map_never_update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu);
int map_never_remove(struct map *map, const void *key);
int map_never_next_key(struct map *map, const void *key, void *ret_next);
int map_never_copy_out(struct map *map, const void *key, void *ret_value, u64 flags);
int map_never_copy_in(struct map *map, const void *key, const void *value, u64 flags);
bool map_no_owns(const struct map *map, const void *addr, size_t len);

#endif
