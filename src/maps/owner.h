/*
 * What programs that are called through a map must have in common, because one takes the other's place:
 * type, engine, what they know of fragments and, in a program array, where they are to be attached. The
 * first program that is put into the map, or that uses it, decides. Source: Linux's bpf_prog_map_compatible.
 */
#ifndef MAPS_OWNER_H
#define MAPS_OWNER_H

#include "core/prog.h"
#include "maps/maps.h"
#include "maps/sync.h"

struct map_owner {
	u32 lock;
	bool is_set, is_jited, has_frags;
	u32 type, attach_type;
};

static inline bool map_owner_fits(
	struct map_owner *owner, const struct prog *prog, bool same_attach_type)
{
	struct map_owner want = {
		.is_set = true,
		.is_jited = prog->image.entry != NULL,
		.has_frags = prog->load_flags & BPF_F_XDP_HAS_FRAGS,
		.type = prog->type->type,
		.attach_type = prog->expected_attach_type,
		.lock = 1,
	};
	bool fits = true;

	map_lock(&owner->lock);
	if (owner->is_set)
		fits = owner->type == want.type && owner->is_jited == want.is_jited &&
		       owner->has_frags == want.has_frags &&
		       (!same_attach_type || owner->attach_type == want.attach_type);
	else
		*owner = want;
	map_unlock(&owner->lock);
	return fits;
}

static inline bool map_owner_tell(struct map_owner *owner, u32 *ret_prog_type, bool *ret_is_jited)
{
	bool is_set;

	map_lock(&owner->lock);
	is_set = owner->is_set;
	if (is_set) {
		*ret_prog_type = owner->type;
		*ret_is_jited = owner->is_jited;
	}
	map_unlock(&owner->lock);
	return is_set;
}

#endif
