/*
 * Maps from programs: the map's own operations, called with the logical CPU of the run.
 */
#include <errno.h>

#include "core/map.h"

#include "base/bug.h"
#include "core/inst.h"
#include "helpers/fns.h"

/* Maps whose values are sockets for programs: there is none to give out, or to put in. */
static bool holds_sockets(const struct map *map)
{
	const u64 types = 1ull << BPF_MAP_TYPE_SOCKMAP | 1ull << BPF_MAP_TYPE_SOCKHASH |
			  1ull << BPF_MAP_TYPE_XSKMAP;

	return types & 1ull << map->type->type;
}

u64 hlp_map_lookup_elem(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct map *map = hlp_ptr(r1);

	if (holds_sockets(map))
		return 0;
	return (uintptr_t)map->ops->lookup(map, hlp_ptr(r2), run->cpu);
}

u64 hlp_map_update_elem(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct map *map = hlp_ptr(r1);

	if (holds_sockets(map))
		return (u64)-EOPNOTSUPP;
	return (u64)map->ops->update(map, hlp_ptr(r2), hlp_ptr(r3), r4, run->cpu);
}

u64 hlp_map_delete_elem(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct map *map = hlp_ptr(r1);

	return (u64)map->ops->remove(map, hlp_ptr(r2));
}

/* Engines carry it out, because the caller's frame goes. */
u64 hlp_tail_call(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	skep_bug("an engine called bpf_tail_call as a function");
}

u64 hlp_map_lookup_percpu_elem(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct map *map = hlp_ptr(r1);
	u32 cpu = (u32)r3;

	return cpu < run->inst->cpu_cnt ? (uintptr_t)map->ops->lookup(map, hlp_ptr(r2), cpu) : 0;
}

u64 hlp_map_push_elem(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct map *map = hlp_ptr(r1);

	return (u64)map->ops->push(map, hlp_ptr(r2), r3);
}

u64 hlp_map_pop_elem(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct map *map = hlp_ptr(r1);

	return (u64)map->ops->pop(map, hlp_ptr(r2));
}

u64 hlp_map_peek_elem(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct map *map = hlp_ptr(r1);

	return (u64)map->ops->peek(map, hlp_ptr(r2));
}
