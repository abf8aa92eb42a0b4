/*
 * The stack: bytes are tracked one by one, registers spilled to a slot whole. Reads of bytes never
 * written are allowed, as for Linux's privileged programs, and yield unknown numbers. An access at a
 * variable offset loses what the range of slots held.
 */
#include <errno.h>

#include "verifier/access.h"
#include "verifier/dynptr.h"
#include "verifier/live_stack.h"
#include "verifier/precision.h"
#include "verifier/step.h"

static struct vf_frame *frame_of(struct vf_env *env, const struct vf_reg *ptr)
{
	return env->cur->frames[ptr->frame];
}

int vf_stack_bounds(struct vf_env *env, u32 regno, s32 off, s32 size, bool is_write)
{
	const struct vf_reg *ptr = &vf_regs(env)[regno];
	const char *way = is_write ? " write to" : " read from";
	bool is_fixed = tnum_is_const(ptr->num.var_off);
	struct vf_sub *sub;
	s64 min, end;
	u32 slots;

	if (is_fixed) {
		min = (s64)ptr->num.var_off.value + off;
		end = min + size;
	} else {
		if (ptr->num.smax >= VF_VAR_OFF_MAX || ptr->num.smin <= -VF_VAR_OFF_MAX)
			return vf_complain(env, VF_C_STACK_UNBOUNDED, way, regno);
		min = ptr->num.smin + off;
		end = ptr->num.smax + off + size;
	}
	if (min < -PROG_STACK_MAX || min > -1 || end > 0 || size < 0) {
		int err = min < -PROG_STACK_MAX || min > -1 ? -EACCES : end > 0 ? -EINVAL : -EFAULT;

		if (is_fixed)
			return vf_complain_err(
				env, err, VF_C_STACK_OUTSIDE, way, regno, (long long)min, size);
		return vf_complain_err(
			env, err, VF_C_STACK_OUTSIDE_VAR, way, regno, vf_tnum_str(ptr), off, size);
	}
	slots = ROUND_UP(-min, VF_SLOT_LEN) / VF_SLOT_LEN;
	sub = &env->subs[frame_of(env, ptr)->sub];
	sub->stack_depth = MAX(sub->stack_depth, slots * VF_SLOT_LEN);
	return vf_frame_grow(env, frame_of(env, ptr), slots);
}

/* ---- loads -------------------------------------------------------------------------------------- */

/* Objects of the engine are not read as bytes. */
static int check_bytes(struct vf_env *env, const struct vf_frame *frame,
	const struct vf_access *acc, s32 min, s32 end)
{
	const struct vf_reg *ptr = &vf_regs(env)[acc->regno];

	for (s32 off = min; off < end; off++) {
		if (frame->slots[vf_slot_of(off)].byte[vf_byte_of(off)] < VF_BYTE_DYNPTR)
			continue;
		if (tnum_is_const(ptr->num.var_off))
			return vf_complain(env, VF_C_STACK_OBJECT, min, off - min, acc->size);
		return vf_complain(env, VF_C_STACK_OBJECT_VAR, acc->regno, vf_tnum_str(ptr),
			off - min, acc->size);
	}
	return 0;
}

/* Plain bytes [min, end): zero if all are known to be. */
static void load_bytes(struct vf_env *env, struct vf_frame *frame, s32 min, s32 end, int value)
{
	bool is_zero = true;

	for (s32 off = min; off < end; off++) {
		struct vf_slot *slot = &frame->slots[vf_slot_of(off)];

		vf_log_touch_slot(env, vf_slot_of(off));
		is_zero &= slot->byte[vf_byte_of(off)] == VF_BYTE_ZERO;
	}
	if (is_zero)
		vf_reg_known(&vf_regs(env)[value], 0);
	else
		vf_reg_unknown(&vf_regs(env)[value]);
}

static u32 spill_len(const struct vf_slot *slot)
{
	u32 len = 1;

	while (len < VF_SLOT_LEN && slot->byte[VF_SLOT_LEN - 1 - len] == VF_BYTE_SPILL)
		len++;
	return len;
}

/* A load of a part of the slot that is not the low part of the spill. *ret_is_fill: all of it is spill. */
static void load_mixture(struct vf_env *env, const struct vf_slot *slot,
	const struct vf_access *acc, s32 off, bool *ret_is_fill)
{
	u32 spilled = 0, zero = 0;

	for (u32 i = 0; i < acc->size; i++) {
		u8 byte = slot->byte[vf_byte_of(off + (s32)i)];

		spilled += byte == VF_BYTE_SPILL;
		zero += byte == VF_BYTE_ZERO;
	}
	*ret_is_fill = false;
	if (spilled == acc->size && tnum_equals_const(slot->spill.num.var_off, 0)) {
		vf_reg_known(&vf_regs(env)[acc->value], 0);
		*ret_is_fill = true;
	} else if (zero == acc->size) {
		vf_reg_known(&vf_regs(env)[acc->value], 0);
	} else {
		vf_reg_unknown(&vf_regs(env)[acc->value]);
	}
}

static int load_spill(
	struct vf_env *env, struct vf_frame *frame, const struct vf_access *acc, s32 off)
{
	struct vf_slot *slot = &frame->slots[vf_slot_of(off)];
	u32 len = spill_len(slot);
	struct vf_reg *value;
	bool is_fill = true;

	if ((acc->size != VF_SLOT_LEN || len != VF_SLOT_LEN) && !vf_is_scalar(&slot->spill)) {
		vf_log_source(env, env->insn_idx);
		return vf_complain(env, VF_C_FILL_SIZE);
	}
	if (acc->value < 0)
		return acc->size == VF_SLOT_LEN && len == VF_SLOT_LEN
			       ? vf_hist_push(env, VF_HIST_STACK, frame->no, vf_slot_of(off), 0)
			       : 0;
	value = &vf_regs(env)[acc->value];
	if (acc->size <= len && !(off % VF_SLOT_LEN)) {
		if (len == acc->size &&
			(len == VF_SLOT_LEN || (len == 4 && vf_reg_width(&slot->spill) <= 32)))
			vf_reg_link(env, &slot->spill);
		*value = slot->spill;
		if (acc->size < VF_SLOT_LEN && vf_reg_width(value) > acc->size * 8) {
			value->id = 0;
			value->off = 0;
		}
	} else {
		load_mixture(env, slot, acc, off, &is_fill);
	}
	return is_fill ? vf_hist_push(env, VF_HIST_STACK, frame->no, vf_slot_of(off), 0) : 0;
}

static int load(struct vf_env *env, const struct vf_access *acc)
{
	const struct vf_reg *ptr = &vf_regs(env)[acc->regno];
	struct vf_frame *frame = frame_of(env, ptr);
	s32 off = acc->off, min, end;
	int err;

	if (!tnum_is_const(ptr->num.var_off)) {
		min = ptr->num.smin + acc->off;
		end = ptr->num.smax + acc->off + acc->size;
		if (acc->value < 0)
			return vf_complain(
				env, VF_C_STACK_VAR_HELPER, vf_tnum_str(ptr), acc->off, acc->size);
		for (s32 at = min; at < end; at++)
			vf_live_read(env, frame->no, vf_slot_of(at));
		err = check_bytes(env, frame, acc, min, end);
		if (err)
			return err;
		load_bytes(env, frame, min, end, acc->value);
		return 0;
	}
	off += ptr->num.var_off.value;
	vf_log_touch_slot(env, vf_slot_of(off));
	vf_live_read(env, frame->no, vf_slot_of(off));
	if (vf_has_spill(&frame->slots[vf_slot_of(off)]))
		return load_spill(env, frame, acc, off);
	err = check_bytes(env, frame, acc, off, off + (s32)acc->size);
	if (err)
		return err;
	if (acc->value >= 0)
		load_bytes(env, frame, off, off + (s32)acc->size, acc->value);
	return 0;
}

/* ---- stores ------------------------------------------------------------------------------------- */

static void scrub(struct vf_slot *slot)
{
	for (u32 b = 0; b < VF_SLOT_LEN; b++) {
		if (slot->byte[b] != VF_BYTE_INVALID)
			slot->byte[b] = VF_BYTE_MISC;
	}
}

static void spill(struct vf_slot *slot, const struct vf_reg *reg, u32 size)
{
	slot->spill = *reg;
	for (u32 b = VF_SLOT_LEN; b-- > 0;) {
		if (b >= VF_SLOT_LEN - size)
			slot->byte[b] = VF_BYTE_SPILL;
		else if (slot->byte[b] == VF_BYTE_SPILL)
			slot->byte[b] = VF_BYTE_MISC;
	}
}

static bool is_zero_store(const struct vf_env *env, const struct vf_reg *reg)
{
	const struct bpf_insn *insn = &env->insns[env->insn_idx];

	if (reg)
		return vf_is_null(reg);
	return BPF_CLASS(insn->code) == BPF_ST && !insn->imm;
}

/* Bytes that are no spill. A zero that is known only by the register's bounds makes them precise. */
static int store_bytes(struct vf_env *env, struct vf_slot *slot, const struct vf_access *acc,
	s32 off, const struct vf_reg *reg)
{
	u8 byte = VF_BYTE_MISC;
	int err;

	slot->spill.kind = VF_NOT_INIT;
	if (vf_has_spill(slot) || slot->byte[VF_SLOT_LEN - 1] >= VF_BYTE_DYNPTR)
		scrub(slot);
	if (is_zero_store(env, reg)) {
		err = reg ? vf_mark_precise(env, acc->value) : 0;
		if (err)
			return err;
		byte = VF_BYTE_ZERO;
	}
	for (u32 i = 0; i < acc->size; i++)
		slot->byte[vf_byte_of(off + (s32)i)] = byte;
	return 0;
}

static int store_fixed(
	struct vf_env *env, struct vf_frame *frame, const struct vf_access *acc, s32 off)
{
	const struct bpf_insn *insn = &env->insns[env->insn_idx];
	u32 no = vf_slot_of(off);
	struct vf_slot *slot = &frame->slots[no];
	struct vf_reg *reg = acc->value >= 0 ? &vf_regs(env)[acc->value] : NULL, constant;
	bool fits;
	int err = vf_dynptr_overwrite(env, frame, no);

	if (err)
		return err;
	vf_log_touch_slot(env, no);
	if (acc->size == VF_SLOT_LEN)
		vf_live_write(env, frame->no, no);
	if (reg && !(off % VF_SLOT_LEN) && vf_is_scalar(reg)) {
		fits = vf_reg_width(reg) <= acc->size * 8;
		if (fits)
			vf_reg_link(env, reg);
		spill(slot, reg, acc->size);
		if (!fits) {
			slot->spill.id = 0;
			slot->spill.off = 0;
		}
	} else if (!reg && !(off % VF_SLOT_LEN) && BPF_CLASS(insn->code) == BPF_ST) {
		vf_reg_known(&constant, (s64)insn->imm);
		spill(slot, &constant, acc->size);
	} else if (reg && !vf_is_scalar(reg)) {
		if (acc->size != VF_SLOT_LEN) {
			vf_log_source(env, env->insn_idx);
			return vf_complain(env, VF_C_SPILL_SIZE);
		}
		if (frame != vf_top(env->cur) && reg->kind == VF_STACK)
			return vf_complain(env, VF_C_SPILL_FRAME);
		spill(slot, reg, acc->size);
	} else {
		return store_bytes(env, slot, acc, off, reg);
	}
	return vf_hist_push(env, VF_HIST_STACK, frame->no, no, 0);
}

static int store_variable(struct vf_env *env, struct vf_frame *frame, const struct vf_access *acc)
{
	const struct vf_reg *ptr = &vf_regs(env)[acc->regno];
	const struct vf_reg *reg = acc->value >= 0 ? &vf_regs(env)[acc->value] : NULL;
	s32 min = ptr->num.smin + acc->off, end = ptr->num.smax + acc->off + acc->size;
	bool is_zero = is_zero_store(env, reg), used_zero = false;
	int err;

	for (s32 off = min; off < end; off++) {
		err = vf_dynptr_overwrite(env, frame, vf_slot_of(off));
		if (err)
			return err;
	}
	for (s32 off = min; off < end; off++) {
		struct vf_slot *slot = &frame->slots[vf_slot_of(off)];
		u8 *byte = &slot->byte[vf_byte_of(off)];

		vf_log_touch_slot(env, vf_slot_of(off));
		if (is_zero && *byte == VF_BYTE_SPILL && vf_has_scalar_spill(slot) &&
			tnum_equals_const(slot->spill.num.var_off, 0)) {
			used_zero = true;
			continue;
		}
		/* half a spill would be refused as one when it is read */
		if (vf_has_spill(slot))
			scrub(slot);
		slot->spill.kind = VF_NOT_INIT;
		if (is_zero && *byte == VF_BYTE_ZERO)
			used_zero = true;
		else
			*byte = VF_BYTE_MISC;
	}
	return used_zero && reg ? vf_mark_precise(env, acc->value) : 0;
}

int vf_stack_access(struct vf_env *env, const struct vf_access *acc)
{
	const struct vf_reg *ptr = &vf_regs(env)[acc->regno];
	struct vf_frame *frame = frame_of(env, ptr);
	int err = vf_stack_bounds(env, acc->regno, acc->off, acc->size, acc->is_write);

	if (err)
		return err;
	if (!acc->is_write)
		return load(env, acc);
	if (tnum_is_const(ptr->num.var_off))
		return store_fixed(env, frame, acc, acc->off + (s32)ptr->num.var_off.value);
	return store_variable(env, frame, acc);
}

/* ---- helpers ------------------------------------------------------------------------------------ */

/* The byte at off as memory for a helper: after a write nothing is known of it. */
static int lend_byte(struct vf_env *env, struct vf_frame *frame, u32 regno, s32 off, bool is_write)
{
	struct vf_slot *slot = &frame->slots[vf_slot_of(off)];
	u8 *byte = &slot->byte[vf_byte_of(off)];

	vf_live_read(env, frame->no, vf_slot_of(off));
	if (*byte == VF_BYTE_MISC)
		return 0;
	if (*byte >= VF_BYTE_DYNPTR)
		return -EACCES;
	if (*byte == VF_BYTE_ZERO || *byte == VF_BYTE_INVALID) {
		if (is_write)
			*byte = VF_BYTE_MISC;
		return 0;
	}
	if (is_write) {
		vf_reg_unknown(&slot->spill);
		scrub(slot);
	}
	return 0;
}

/* A helper that fills memory may read a dynptr from an argument after it. */
static int check_raw(struct vf_env *env, const struct vf_frame *frame, s32 min, s32 end)
{
	for (s32 off = min; off < end; off++) {
		if (vf_slot_of(off) < frame->slot_cnt &&
			frame->slots[vf_slot_of(off)].byte[vf_byte_of(off)] == VF_BYTE_DYNPTR)
			return vf_complain(env, VF_C_STACK_RAW, off);
	}
	return 0;
}

int vf_stack_range(struct vf_env *env, u32 regno, s32 off, s32 size, bool may_be_empty,
	bool is_write, bool *is_raw)
{
	const struct vf_reg *ptr = &vf_regs(env)[regno];
	struct vf_frame *frame = frame_of(env, ptr);
	s32 min, end;
	int err;

	if (!size && !may_be_empty)
		return vf_complain(env, VF_C_EMPTY_READ);
	err = vf_stack_bounds(env, regno, off, size, is_write);
	if (err)
		return err;
	min = ptr->num.smin + off;
	end = ptr->num.smax + off + size;
	if (tnum_is_const(ptr->num.var_off)) {
		min = (s32)ptr->num.var_off.value + off;
		end = min + size;
		if (is_raw && *is_raw)
			return check_raw(env, frame, min, end); /* stored to by the caller */
	}
	if (is_raw)
		*is_raw = false;
	for (s32 at = min; at < end; at++) {
		err = lend_byte(env, frame, regno, at, is_write);
		if (err == -EACCES && tnum_is_const(ptr->num.var_off))
			return vf_complain(env, VF_C_STACK_LEND, regno, min, at - min, size);
		if (err == -EACCES)
			return vf_complain(env, VF_C_STACK_OBJECT_VAR, regno, vf_tnum_str(ptr),
				at - min, size);
		if (err)
			return err;
	}
	return 0;
}

int vf_stack_constant(struct vf_env *env, u32 regno, u32 size, u64 *ret_value)
{
	const struct vf_reg *ptr = &vf_regs(env)[regno];
	struct vf_frame *frame;
	struct vf_slot *slot;
	u32 no, at, cnt = 0;
	s32 off;
	int err;

	if (ptr->kind != VF_STACK || !tnum_is_const(ptr->num.var_off))
		return -EOPNOTSUPP;
	off = ptr->off + (s32)ptr->num.var_off.value;
	frame = frame_of(env, ptr);
	no = vf_slot_of(off);
	at = vf_byte_of(off);
	if (no >= frame->slot_cnt)
		return -EOPNOTSUPP;
	slot = &frame->slots[no];
	while (cnt <= at && slot->byte[at - cnt] == VF_BYTE_ZERO)
		cnt++;
	if (cnt >= size) {
		*ret_value = 0;
		return 0;
	}
	if (!vf_has_scalar_spill(slot))
		return -EOPNOTSUPP;
	for (cnt = 0; cnt <= at && slot->byte[at - cnt] == VF_BYTE_SPILL;)
		cnt++;
	if (cnt != size || !tnum_is_const(slot->spill.num.var_off))
		return -EOPNOTSUPP;
	err = vf_mark_precise_slot(env, frame->no, no);
	if (err)
		return err;
	*ret_value = slot->spill.num.var_off.value;
	return 0;
}
