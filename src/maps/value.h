/*
 * Values with special fields (btf/fields.h): copies leave the fields alone, and what they hold is let go
 * when a value goes.
 *
 *	value:    | bytes | lock | bytes | kptr |        fields: lock, kptr
 *	put:        copied  kept   copied  kept
 *	get:        copied  zero   copied  zero
 *
 * A spin lock is a word: 0 free, 1 held. Programs hold it between bpf_spin_lock and bpf_spin_unlock, user
 * space while it copies with BPF_F_LOCK. Order: a bucket's lock, then a value's.
 */
#ifndef MAPS_VALUE_H
#define MAPS_VALUE_H

#include <errno.h>

#include "core/map.h"
#include "maps/sync.h"

/* The paths of maps whose values have fields. flags: BPF_F_LOCK. */
void map_value_put_fields(const struct map *map, void *to, const void *from, u64 flags);
void map_value_get_fields(const struct map *map, void *to, const void *from, u64 flags);
/* The same for one CPU's value, between the map and a value of user space. */
static inline void map_value_put(const struct map *map, void *to, const void *from, u64 flags)
{
	if (likely(!map->fields))
		map_put(to, from, map->value_size);
	else
		map_value_put_fields(map, to, from, flags);
}

static inline void map_value_get(const struct map *map, void *to, const void *from, u64 flags)
{
	if (likely(!map->fields))
		map_get(to, from, map->value_size);
	else
		map_value_get_fields(map, to, from, flags);
}

static inline void map_value_release(struct map *map, void *value)
{
	if (unlikely(map->fields))
		map_release_fields(map, value, ~0U);
}

/* The flags of an update without BPF_F_LOCK; -EINVAL for what the map does not take. */
static inline int map_value_flags(const struct map *map, u64 *inout_flags)
{
	if (likely(*inout_flags <= BPF_EXIST))
		return 0;
	if (map_check_lock_flag(map, *inout_flags))
		return -EINVAL;
	*inout_flags &= ~(u64)BPF_F_LOCK;
	return *inout_flags > BPF_EXIST ? -EINVAL : 0;
}

#endif
