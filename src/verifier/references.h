/*
 * What a path holds and must give back: referenced objects, locks, saved interrupt flags, and the RCU and
 * preemption sections it is in. All of it is part of the state, in the order it was taken.
 */
#ifndef VERIFIER_REFERENCES_H
#define VERIFIER_REFERENCES_H

#include "verifier/env.h"

/* Takes a reference at the running instruction; the new id marks every register that belongs to it. */
int vf_ref_acquire(struct vf_env *env, u32 *ret_id);
/* The reference is given back: no register of it is a pointer any more. -EINVAL: it is not held. */
int vf_ref_release(struct vf_env *env, u32 id);
/* The same in st, which leaves registers alone (a null check found that nothing was acquired). */
int vf_ref_forget(struct vf_env *env, struct vf_state *st, u32 id);
bool vf_ref_holds(const struct vf_state *st, u32 id);

/* An entry of any kind; changing the counters of its kind is the caller's. */
int vf_ref_push(struct vf_env *env, enum vf_ref_kind kind, u32 id, const void *ptr);
/* Entry at goes; those behind it move up. -ENOMEM. */
int vf_ref_remove(struct vf_env *env, struct vf_state *st, u32 at);

/*
 * The path leaves the program or hands it over ("tail_call", …): nothing may be left. is_throw: all frames
 * are left at once. check_sections: locks and sections count too.
 */
int vf_ref_check_leaks(struct vf_env *env, bool is_throw, bool check_sections, const char *what);
/* May a helper that sleeps be called here, as far as the state knows? */
bool vf_in_atomic(const struct vf_state *st);

/* The register is no pointer any more. */
void vf_reg_invalidate(struct vf_reg *reg);

#endif
