/*
 * Stack liveness: which slots of a frame some path from an instruction on may still read. A dead slot is
 * forgotten when states are compared.
 */
#ifndef VERIFIER_LIVE_STACK_H
#define VERIFIER_LIVE_STACK_H

#include "base/types.h"

struct vf_env;
struct vf_frame;
struct vf_state;

int vf_live_init(struct vf_env *env);
void vf_live_done(struct vf_env *env);
/* A frame is entered from the running instruction of caller (NULL: the outermost). -ENOMEM. */
int vf_live_enter(struct vf_env *env, const struct vf_frame *caller, struct vf_frame *frame);

/* Around each instruction; what it reads or wholly overwrites is told in between. */
void vf_live_begin(struct vf_env *env);
void vf_live_read(struct vf_env *env, u32 frame, u32 slot);
void vf_live_write(struct vf_env *env, u32 frame, u32 slot);
int vf_live_commit(struct vf_env *env);

/* Brings the solution up to date. -ENOMEM. */
int vf_live_solve(struct vf_env *env);
/* The live slots of a frame of a state whose paths are all explored; after vf_live_solve. */
u64 vf_live_slots(const struct vf_state *st, u32 frame);

#endif
