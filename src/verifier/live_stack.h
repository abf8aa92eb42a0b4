/*
 * Stack liveness: which slots of a frame some path from an instruction on may still read. A dead slot is
 * forgotten when states are compared.
 */
#ifndef VERIFIER_LIVE_STACK_H
#define VERIFIER_LIVE_STACK_H

#include "base/types.h"

struct vf_env;

/* The running instruction reads, or wholly overwrites, a slot of a frame of the running chain. */
void vf_live_read(struct vf_env *env, u32 frame, u32 slot);
void vf_live_write(struct vf_env *env, u32 frame, u32 slot);

#endif
