/*
 * Precision: a scalar whose bounds decided something must be compared by its bounds when states are
 * compared; all others may be ignored. Which scalars those were is found by walking back from the place
 * of the decision through the instructions that ran, over saved states, as in Linux.
 */
#ifndef VERIFIER_PRECISION_H
#define VERIFIER_PRECISION_H

#include "base/types.h"

struct vf_env;
struct vf_state;

/* Register regno of the running frame is about to decide something. 0, -ENOMEM. */
int vf_mark_precise(struct vf_env *env, u32 regno);
/* The same for a spilled scalar. */
int vf_mark_precise_slot(struct vf_env *env, u32 frame, u32 slot);
/* cur is about to be pruned by old: what is precise in old becomes so on the way to cur. *is_changed (may be
 * NULL) becomes true if something was not yet. */
int vf_precision_inherit(
	struct vf_env *env, const struct vf_state *old, struct vf_state *cur, bool *is_changed);
/* All scalars of all states that st's path goes through count as precise. */
void vf_precision_give_up(struct vf_env *env, struct vf_state *st);
/* Forgets the marks of a state, whose part of the path begins here. */
void vf_precision_forget(struct vf_state *st);

int vf_precision_init(struct vf_env *env);
void vf_precision_done(struct vf_env *env);

#endif
