/*
 * Locks in map values and in objects that programs allocate: bpf_spin_lock, of which one is held at a time,
 * and bpf_res_spin_lock, which notices a deadlock and may be nested.
 */
#ifndef VERIFIER_LOCK_H
#define VERIFIER_LOCK_H

#include "verifier/env.h"

enum vf_lock_flag {
	VF_LOCK_TAKE = 1, /* else it is given back */
	VF_LOCK_RES = 2,  /* bpf_res_spin_lock */
	VF_LOCK_IRQ = 4,  /* with interrupts off, RES only */
};

/* Register regno points to a lock that is taken or given back. */
int vf_lock(struct vf_env *env, u32 regno, u32 flags);
/* What it points to has a lock: pointers to different ones are told apart by their id. */
bool vf_reg_has_lock(const struct vf_reg *reg);
/* Whether a helper may be called while locks are held. */
int vf_lock_check_call(struct vf_env *env, const struct bpf_insn *insn);

/* Register regno points to a field of this kind in a map value, and to its start. */
struct map;
int vf_map_field(struct vf_env *env, u32 regno, u32 kind, const char *name);

#endif
