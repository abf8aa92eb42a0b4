/*
 * The packet: pointers whose distance to the end is known by comparison only. All pointers with one id
 * (and kind) share a base; `range` says how many bytes from the base on are there.
 *
 *	base (+ var part)         pointer = base + off
 *	 |----------- range ------------|
 *	 |----- off -----|-- size --|
 */
#include <errno.h>

#include "verifier/access.h"
#include "verifier/step.h"

int vf_packet_access(struct vf_env *env, u32 regno, s32 off, s32 size, bool may_be_empty)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	int err;

	if (reg->num.smin < 0)
		return vf_complain(env, VF_C_MIN_NEGATIVE, regno);
	if (reg->range < 0)
		return vf_complain_err(env, -EINVAL, VF_C_PACKET_OUTSIDE, regno);
	err = vf_region_fixed(env, regno, off, size, reg->range, may_be_empty);
	return err ? vf_complain(env, VF_C_PACKET_OUTSIDE, regno) : 0;
}

static void forget_one(struct vf_reg *reg, void *arg)
{
	if (!(vf_kind_bits(reg->kind) & KIND_PKT) &&
		!(reg->kind == VF_MEM && reg->flags & VF_PACKET_SLICE))
		return;
	vf_reg_unknown(reg);
}

void vf_packet_forget(struct vf_env *env)
{
	vf_each_reg(env->cur, forget_one, NULL);
}

/* ---- comparisons ------------------------------------------------------------------------------- */

struct found {
	u8 kind;
	u32 id;
	s32 range;
};

static void raise_range(struct vf_reg *reg, void *arg)
{
	const struct found *found = arg;

	if (reg->kind == found->kind && reg->id == found->id)
		reg->range = MAX(reg->range, found->range);
}

/* ptr is below the end (is_open: by at least one byte) in st: so many bytes from its base are there. */
static void found_room(struct vf_state *st, const struct vf_reg *ptr, bool is_open)
{
	struct found found = {ptr->kind, ptr->id, ptr->off + is_open};

	if (ptr->off < 0 || (!ptr->off && is_open))
		return;
	if (ptr->num.umax > VF_PACKET_OFF_MAX || ptr->num.umax + ptr->off > VF_PACKET_OFF_MAX)
		return;
	vf_each_reg(st, raise_range, &found);
}

/* ptr is at or beyond the end in st (is_open: beyond). */
static void found_end(struct vf_state *st, u32 regno, bool is_open)
{
	struct vf_reg *reg = &vf_top(st)->regs[regno];

	if (reg->kind == VF_PACKET)
		reg->range = is_open ? VF_RANGE_BEYOND_END : VF_RANGE_AT_END;
}

static bool is_start(const struct vf_reg *reg)
{
	return reg->kind == VF_PACKET && !reg->id && !reg->off &&
	       tnum_equals_const(reg->num.var_off, 0);
}

/* lo is compared with the end of what it points into: the packet's end, or for metadata its start. */
static bool is_bound(const struct vf_reg *lo, const struct vf_reg *hi)
{
	return (lo->kind == VF_PACKET && hi->kind == VF_PACKET_END) ||
	       (lo->kind == VF_PACKET_META && is_start(hi));
}

static u8 mirrored(u8 op)
{
	switch (op) {
	case BPF_JGT: return BPF_JLT;
	case BPF_JLT: return BPF_JGT;
	case BPF_JGE: return BPF_JLE;
	case BPF_JLE: return BPF_JGE;
	default: return op;
	}
}

bool vf_packet_compare(struct vf_env *env, const struct bpf_insn *insn, struct vf_state *fall,
	struct vf_state *taken)
{
	struct vf_reg *regs = vf_top(fall)->regs;
	u8 op = BPF_OP(insn->code);
	u32 regno = insn->dst_reg;
	struct vf_reg ptr;

	if (BPF_SRC(insn->code) != BPF_X || BPF_CLASS(insn->code) == BPF_JMP32)
		return false;
	if (op != BPF_JGT && op != BPF_JLT && op != BPF_JGE && op != BPF_JLE)
		return false;
	if (!is_bound(&regs[insn->dst_reg], &regs[insn->src_reg])) {
		if (!is_bound(&regs[insn->src_reg], &regs[insn->dst_reg]))
			return false;
		regno = insn->src_reg;
		op = mirrored(op);
	}
	ptr = regs[regno];
	switch (op) {
	case BPF_JGT: /* not taken: ptr <= end */
		found_room(fall, &ptr, false);
		found_end(taken, regno, true);
		break;
	case BPF_JGE:
		found_room(fall, &ptr, true);
		found_end(taken, regno, false);
		break;
	case BPF_JLT:
		found_room(taken, &ptr, true);
		found_end(fall, regno, false);
		break;
	case BPF_JLE:
		found_room(taken, &ptr, false);
		found_end(fall, regno, true);
		break;
	}
	return true;
}

int vf_packet_branch(const struct vf_reg *dst, const struct vf_reg *src, u8 op)
{
	const struct vf_reg *ptr = dst;

	if (dst->kind == VF_PACKET_END) {
		ptr = src;
		op = mirrored(op);
	} else if (src->kind != VF_PACKET_END) {
		return -1;
	}
	if (ptr->range >= 0)
		return -1;
	switch (op) {
	case BPF_JGT: return ptr->range == VF_RANGE_BEYOND_END ? 1 : -1;
	case BPF_JLE: return ptr->range == VF_RANGE_BEYOND_END ? 0 : -1;
	case BPF_JGE: return 1;
	case BPF_JLT: return 0;
	default: return -1;
	}
}
