/*
 * Exploration: every path from the entry, depth first, one instruction at a time.
 */
#ifndef VERIFIER_EXPLORE_H
#define VERIFIER_EXPLORE_H

#include "base/types.h"

struct vf_env;
struct vf_state;

/* A copy of the running state that is to go on at insn_idx later. Stays valid until this path ends. */
/* A path that begins with function sub, with nothing around it; its arguments hold nothing yet. */
int vf_explore_push_entry(struct vf_env *env, u32 sub, u32 prev_idx, struct vf_state **ret_state);
int vf_explore_push(struct vf_env *env, u32 insn_idx, u32 prev_idx, struct vf_state **ret_state);
/* The main program and then every global function that is called. */
int vf_explore(struct vf_env *env);
/* Drops all states; also after failure. */
void vf_explore_done(struct vf_env *env);

#endif
