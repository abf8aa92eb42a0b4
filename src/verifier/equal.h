/*
 * When one state covers another: everything that may happen from cur may happen from old.
 */
#ifndef VERIFIER_EQUAL_H
#define VERIFIER_EQUAL_H

#include "base/types.h"

struct vf_env;
struct vf_state;

enum vf_exactness {
	VF_NOT_EXACT,	 /* scalars that decided nothing may differ */
	VF_RANGE_WITHIN, /* all scalars of cur within those of old */
	VF_EXACT,	 /* the same */
};

bool vf_states_equal(struct vf_env *env, const struct vf_state *old, const struct vf_state *cur,
	enum vf_exactness exact);

#endif
