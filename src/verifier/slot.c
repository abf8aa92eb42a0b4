/*
 * Places of objects on the stack: at a constant offset, aligned to a slot, whole.
 */
#include "verifier/slot.h"

#include <errno.h>
#include <string.h>

#include "verifier/access.h"

int vf_slot_find(
	struct vf_env *env, const struct vf_reg *reg, const char *what, u32 cnt, u32 *ret_slot)
{
	const struct vf_frame *frame = env->cur->frames[reg->frame];
	s64 off = (s64)reg->off + (s64)reg->num.var_off.value;

	if (!tnum_is_const(reg->num.var_off)) {
		vf_note(env, "%s has to be at a constant offset\n", what);
		return -EINVAL;
	}
	/* the frame pointer itself: a store to it says what is wrong (Linux takes it for fp-8) */
	if (!off && cnt == 1)
		return -ERANGE;
	if (off % VF_SLOT_LEN || off >= 0 || vf_slot_of(off) + 1 < cnt) {
		vf_note(env, "cannot pass in %s at an offset=%d\n", what, (int)off);
		return -EINVAL;
	}
	if (vf_slot_of(off) >= frame->slot_cnt)
		return -ERANGE;
	*ret_slot = vf_slot_of(off);
	return 0;
}

void vf_slot_fill(struct vf_slot *slot, enum vf_byte byte)
{
	memset(slot->byte, byte, sizeof(slot->byte));
}

bool vf_slot_is_all(const struct vf_slot *slot, enum vf_byte byte)
{
	for (u32 b = 0; b < VF_SLOT_LEN; b++) {
		if (slot->byte[b] != byte)
			return false;
	}
	return true;
}

bool vf_slot_has_any(const struct vf_slot *slot, enum vf_byte byte)
{
	return memchr(slot->byte, byte, sizeof(slot->byte)) != NULL;
}

int vf_slot_store(struct vf_env *env, u32 regno, u32 cnt)
{
	for (u32 i = 0; i < cnt; i++) {
		struct vf_access acc = {
			.regno = regno,
			.off = i * VF_SLOT_LEN,
			.size = VF_SLOT_LEN,
			.is_write = true,
			.value = VF_NO_REG,
		};
		int err = vf_access(env, &acc);

		if (err)
			return err;
	}
	return 0;
}
