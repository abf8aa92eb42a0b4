/*
 * Pruning: states are saved at prune points; a path that comes to one with nothing that a saved state
 * did not allow has nothing new to show, and ends.
 */
#ifndef VERIFIER_PRUNE_H
#define VERIFIER_PRUNE_H

#include "base/types.h"

struct vf_env;
struct vf_state;

int vf_prune_init(struct vf_env *env);
/* The running state is at a prune point: ends the path, saves the state, or neither. Complains about a
 * loop that comes back to the very same state. */
int vf_prune(struct vf_env *env, bool *ret_is_pruned);
/* The state saved last at the instruction where st was saved, by an earlier round of st's own path; NULL. */
const struct vf_state *vf_prune_last_round(struct vf_env *env, const struct vf_state *st);
/* Whether both are in the same functions, called from the same places. */
bool vf_has_same_calls(const struct vf_state *a, const struct vf_state *b);
/* A path through st and its parents has ended. 0, -ENOMEM. */
int vf_prune_path_end(struct vf_env *env, struct vf_state *st);
/* Drops the saved states, keeps the buckets. */
void vf_prune_done(struct vf_env *env);
void vf_prune_free(struct vf_env *env);

#endif
