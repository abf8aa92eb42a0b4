/*
 * Kernel functions that do little here: sections in which nothing must move (nothing does), the arena, what
 * devices know of a frame, what the kernel knows of its memory.
 */
#include <errno.h>
#include <string.h>

#include "core/arena.h"
#include "core/inst.h"
#include "core/map.h"
#include "helpers/kfns.h"
#include "helpers/object.h"

/* Read sections, and those that are not preempted: a run is on one thread, and what it found lives until it ends. */
u64 hlp_kf_nothing(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return 0;
}

u64 hlp_kf_local_irq_save(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	*(u64 *)hlp_ptr(r1) = 0;
	return 0;
}

/* A device tells nothing of its frames. */
u64 hlp_kf_not_supported(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u32)-EOPNOTSUPP;
}

/* (map, address or 0, pages, NUMA node, flags) */
u64 hlp_kf_arena_alloc_pages(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct map_arena *map = hlp_ptr(r1);

	if (map->map.type->type != BPF_MAP_TYPE_ARENA || r5 || !(u32)r3)
		return 0;
	return arena_alloc_pages(map->arena, r2, (u32)r3, (int)r4);
}

/* (map, address, pages) */
u64 hlp_kf_arena_free_pages(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct map_arena *map = hlp_ptr(r1);

	if (map->map.type->type == BPF_MAP_TYPE_ARENA && (u32)r3 && r2)
		arena_free_pages(map->arena, r2, (u32)r3);
	return 0;
}
