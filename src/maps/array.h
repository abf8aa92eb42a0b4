/*
 * The rules of keys and flags that both array maps share: keys are 4-byte indices, every entry exists.
 */
#ifndef MAPS_ARRAY_H
#define MAPS_ARRAY_H

#include "core/map.h"

enum { MAP_ARRAY_LEN = 312 }; /* bytes of the map itself, as Linux counts them */

u32 map_array_index(const void *key);
/* -EINVAL, -E2BIG. */
int map_array_check(const struct map_attr *attr, bool is_percpu);
/* Of an update: -EINVAL, -E2BIG (no such index), -EEXIST. */
int map_array_update_check(const struct map *map, u32 index, u64 flags);
int map_array_remove(struct map *map, const void *key);
int map_array_next_key(struct map *map, const void *key, void *ret_next);
/* As map_meta_equal, and as many entries unless BPF_F_INNER_MAP lets them differ. */
/* Values in a file need nothing. */
int map_array_recover(struct map *map);
bool map_array_meta_equal(const struct map *meta, const struct map *map);

#endif
