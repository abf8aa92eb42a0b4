/*
 * Stack slots in registers that BPF does not have.
 */
#ifndef JIT_SLOTS_H
#define JIT_SLOTS_H

#include "jit/target.h"

/* Rewrites functions for which it pays, and their registers in jit->flow, after jit_flow_init and before
 * jit_flow_solve. work is a copy of *jit->code; it gets instructions of its own if any changed, which the caller
 * frees. -ENOMEM. */
int jit_place_slots(struct jit *jit, struct prog_code *work);

#endif
