/*
 * Objects of the engine that live on the stack (dynptrs, iterators, saved interrupt flags): where a
 * pointer to one points.
 */
#ifndef VERIFIER_SLOT_H
#define VERIFIER_SLOT_H

#include "verifier/state.h"

/*
 * The object that begins at the stack pointer reg and is cnt slots long: it occupies the returned slot and
 * those before it (addresses rise as slot numbers fall). -EINVAL: at a place where it cannot be, which is
 * noted in the log; -ERANGE: in part of the stack that was never used.
 */
int vf_slot_find(
	struct vf_env *env, const struct vf_reg *reg, const char *what, u32 cnt, u32 *ret_slot);

/* Fills the bytes of a slot. */
void vf_slot_fill(struct vf_slot *slot, enum vf_byte byte);
bool vf_slot_is_all(const struct vf_slot *slot, enum vf_byte byte);
bool vf_slot_has_any(const struct vf_slot *slot, enum vf_byte byte);
/* The bytes are written, as a store does. */
int vf_slot_store(struct vf_env *env, u32 regno, u32 cnt);

#endif
