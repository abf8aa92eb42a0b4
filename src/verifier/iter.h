/*
 * Open-coded iterators: an object on the stack that new() makes, next() asks for one element after the
 * other, and destroy() ends.
 */
#ifndef VERIFIER_ITER_H
#define VERIFIER_ITER_H

#include "verifier/kfunc.h"

enum vf_iter_state {
	VF_ITER_ACTIVE = 1,
	VF_ITER_DRAINED, /* next() gave NULL, and will from now on */
};

/* The iterator that argument regno points to, as the function wants it: not there, or there. */
int vf_iter_arg(struct vf_env *env, struct vf_kcall *call, u32 regno);
/* What the iterator of a call of next() is known by. */
const struct vf_reg *vf_iter_of(const struct vf_state *st, const struct vf_kcall *call);
/* After the result of next() stands in R0: follows both what there is another element and that there is none. */
int vf_iter_next(struct vf_env *env, const struct vf_kcall *call);
/* For rounds: R1 points to an iterator that is not drained. */
bool vf_iter_is_active(const struct vf_state *st);
/* Some iterator of old is at another element in cur: what looks alike is no endless loop. */
bool vf_iter_depths_differ(const struct vf_state *old, const struct vf_state *cur);
/* "active", "drained": the log's words */
const char *vf_iter_state_str(u8 state);

#endif
