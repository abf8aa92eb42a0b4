/*
 * Loops that end because of what they call, not because of their conditions: open-coded iterators, may_goto,
 * callbacks. A round of one may end the path where an earlier round of the same path began, and that round's
 * state has then not learnt everything yet: which of its numbers and slots matter is found while the rest of
 * the loop is explored. So it is remembered who ended at whom, and the marks are carried over these back
 * edges once all paths out of the loop are explored.
 */
#ifndef VERIFIER_SCC_H
#define VERIFIER_SCC_H

#include "base/types.h"

struct vf_env;
struct vf_state;

/* Pass: numbers the cycles of the flow graph, in aux->scc. */
int vf_scc_find(struct vf_env *env);
void vf_scc_done(struct vf_env *env);
/* Forgets all visits. */
void vf_scc_forget(struct vf_env *env);

/* st is being saved: the first state of a visit is the one whose end is the visit's end. */
int vf_scc_enter(struct vf_env *env, struct vf_state *st);
/* All paths through st are explored: if a visit began with it, its back edges are worked off. */
int vf_scc_exit(struct vf_env *env, struct vf_state *st);
/* cur ends the path at old, in a loop. -ENOMEM. */
int vf_scc_add_edge(struct vf_env *env, const struct vf_state *old, const struct vf_state *cur);
/* What matters to st is not all known yet. */
bool vf_scc_is_open(struct vf_env *env, const struct vf_state *st);
/* The instruction that frame f of st is at. */
u32 vf_frame_insn(const struct vf_state *st, u32 f);

#endif
