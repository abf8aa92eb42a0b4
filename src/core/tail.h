/*
 * Tail calls: another program takes the place of the running function, in its frame, and returns to that
 * function's caller. A run does at most TAIL_CALL_MAX of them; one more, an index past the array or an
 * empty entry leaves the program to go on behind the call. Source: Linux's interpreter and JIT.
 */
#ifndef CORE_TAIL_H
#define CORE_TAIL_H

#include "core/map.h"

enum { TAIL_CALL_MAX = 33 };

/* The program to go on with, counted in *calls, or NULL. */
static inline const struct prog *tail_call_target(const struct map *map, u32 idx, u32 *calls)
{
	const struct map_progs *array = container_of(map, const struct map_progs, map);
	const struct prog *prog;

	if (idx >= map->max_entries || *calls >= TAIL_CALL_MAX)
		return NULL;
	prog = __atomic_load_n(&array->progs[idx], __ATOMIC_ACQUIRE);
	*calls += prog != NULL;
	return prog;
}

#endif
