/*
 * Dynptrs: a view of memory whose bounds are checked at run time, held in two slots of the stack or, as an
 * argument of callbacks and global functions, in a register.
 */
#ifndef VERIFIER_DYNPTR_H
#define VERIFIER_DYNPTR_H

#include "verifier/state.h"

enum vf_dynptr_type {
	VF_DYNPTR_NONE,
	VF_DYNPTR_LOCAL,
	VF_DYNPTR_RINGBUF, /* a reservation: must be submitted or discarded */
	VF_DYNPTR_SKB,
	VF_DYNPTR_XDP,
	VF_DYNPTR_SKB_META,
};

/* How an argument wants its dynptr. */
struct vf_dynptr_want {
	bool is_uninit; /* the call makes it */
	bool is_rdonly; /* the call does not change the dynptr itself */
	u8 type;	/* made: its type; else what it must be, VF_DYNPTR_NONE: any */
	u32 ref_id;	/* made as a copy of one with this reference */
};

/* Checks argument regno, and makes the dynptr. */
int vf_dynptr_arg(struct vf_env *env, u32 regno, const struct vf_dynptr_want *want);
/* regno points to a dynptr that stands for a reservation. */
bool vf_dynptr_has_ref(struct vf_env *env, u32 regno);
/* The initialised dynptr that regno points to. */
const struct vf_reg *vf_dynptr_of(const struct vf_env *env, u32 regno);
/* The helper takes it (ringbuf submit, discard): it, its copies and its views go. */
int vf_dynptr_release(struct vf_env *env, u32 regno);
/* A store hits the slot: a dynptr that it is part of is gone. */
int vf_dynptr_overwrite(struct vf_env *env, struct vf_frame *frame, u32 slot);
/* The register points to a dynptr of somebody else's. */
void vf_reg_dynptr(struct vf_env *env, struct vf_reg *reg, u8 type);
/* It shows a packet: views of it go stale when the packet moves. */
bool vf_dynptr_is_packet(u8 type);
/* "local", "ringbuf", … */
const char *vf_dynptr_type_str(u8 type);

#endif
