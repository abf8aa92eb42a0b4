/*
 * What a conditional jump says of its two scalars: whether it is taken, and what each of them becomes on
 * either edge. Greater-than conditions are less-than ones with the operands exchanged; the edge where a
 * condition fails is the edge where its opposite holds. So two tables and four orderings cover the
 * forty conditions of the instruction set.
 */
#include "base/bug.h"
#include "isa/uapi.h"
#include "verifier/scalar.h"

/* the opposite of JSET, which has no opcode of its own: no common bit */
enum { NO_BIT = 0x100 };

/* `a op b` as `b op' a` */
static unsigned flip(unsigned op)
{
	switch (op) {
	case BPF_JGT: return BPF_JLT;
	case BPF_JGE: return BPF_JLE;
	case BPF_JLT: return BPF_JGT;
	case BPF_JLE: return BPF_JGE;
	case BPF_JSGT: return BPF_JSLT;
	case BPF_JSGE: return BPF_JSLE;
	case BPF_JSLT: return BPF_JSGT;
	case BPF_JSLE: return BPF_JSGE;
	default: return op;
	}
}

static unsigned negate(unsigned op)
{
	switch (op) {
	case BPF_JEQ: return BPF_JNE;
	case BPF_JNE: return BPF_JEQ;
	case BPF_JGT: return BPF_JLE;
	case BPF_JGE: return BPF_JLT;
	case BPF_JLT: return BPF_JGE;
	case BPF_JLE: return BPF_JGT;
	case BPF_JSGT: return BPF_JSLE;
	case BPF_JSGE: return BPF_JSLT;
	case BPF_JSLT: return BPF_JSGE;
	case BPF_JSLE: return BPF_JSGT;
	case BPF_JSET: return NO_BIT;
	default: skep_bug("condition 0x%x has no opposite", op);
	}
}

static bool is_greater(unsigned op)
{
	return op == BPF_JGT || op == BPF_JGE || op == BPF_JSGT || op == BPF_JSGE;
}

/* ---- is it taken? ---- */

static bool is_apart(struct vf_range a, struct vf_range b)
{
	return a.umin > b.umax || a.umax < b.umin || a.smin > b.smax || a.smax < b.smin;
}

/* 1 equal for sure, 0 different for sure */
static int equals(const struct vf_scalar *a, const struct vf_scalar *b, unsigned bits)
{
	struct tnum ta = tnum_cast(a->var_off, bits), tb = tnum_cast(b->var_off, bits);

	if (tnum_is_const(ta) && tnum_is_const(tb))
		return ta.value == tb.value;
	if (!tnum_overlap(ta, tb) || is_apart(vf_scalar_range(a, bits), vf_scalar_range(b, bits)))
		return 0;
	/* registers whose lower halves differ, differ */
	if (bits == VF_BITS && is_apart(vf_scalar_range(a, VF_HALF), vf_scalar_range(b, VF_HALF)))
		return 0;
	return -1;
}

/* JSET is decided against a constant only. */
static int has_common_bit(const struct vf_scalar *a, const struct vf_scalar *b, unsigned bits)
{
	struct tnum ta = tnum_cast(a->var_off, bits), tb = tnum_cast(b->var_off, bits);

	if (!tnum_is_const(tb)) {
		struct tnum swapped = ta;

		ta = tb;
		tb = swapped;
	}
	if (!tnum_is_const(tb))
		return -1;
	if (ta.value & tb.value)
		return 1;
	return (ta.value | ta.mask) & tb.value ? -1 : 0;
}

static int is_less(struct vf_range a, struct vf_range b, unsigned op)
{
	switch (op) {
	case BPF_JLT: return a.umax < b.umin ? 1 : a.umin >= b.umax ? 0 : -1;
	case BPF_JLE: return a.umax <= b.umin ? 1 : a.umin > b.umax ? 0 : -1;
	case BPF_JSLT: return a.smax < b.smin ? 1 : a.smin >= b.smax ? 0 : -1;
	case BPF_JSLE: return a.smax <= b.smin ? 1 : a.smin > b.smax ? 0 : -1;
	default: skep_bug("condition 0x%x is no ordering", op);
	}
}

int vf_scalar_branch(const struct vf_scalar *a, const struct vf_scalar *b, u8 op, unsigned bits)
{
	int res;

	switch (op) {
	case BPF_JEQ: return equals(a, b, bits);
	case BPF_JNE: res = equals(a, b, bits); return res < 0 ? res : !res;
	case BPF_JSET: return has_common_bit(a, b, bits);
	default: break;
	}
	if (is_greater(op))
		return is_less(vf_scalar_range(b, bits), vf_scalar_range(a, bits), flip(op));
	return is_less(vf_scalar_range(a, bits), vf_scalar_range(b, bits), op);
}

/* ---- what holds on an edge ---- */

static void set_tnum(struct vf_scalar *s, struct tnum t, unsigned bits)
{
	s->var_off = bits == VF_BITS ? t : tnum_with_subreg(s->var_off, t);
}

static void refine_equal(struct vf_scalar *a, struct vf_scalar *b, unsigned bits)
{
	struct vf_range both = vf_range_intersect(
		vf_scalar_range(a, bits), vf_scalar_range(b, bits));
	struct tnum t = tnum_intersect(tnum_cast(a->var_off, bits), tnum_cast(b->var_off, bits));

	vf_scalar_set_range(a, both, bits);
	vf_scalar_set_range(b, both, bits);
	set_tnum(a, t, bits);
	set_tnum(b, t, bits);
}

/* A constant that is excluded moves a bound which it equals; inside the interval it teaches nothing. */
static void refine_unequal(struct vf_scalar *a, struct vf_scalar *b, unsigned bits)
{
	struct vf_range range;
	u64 value;
	s64 svalue;

	if (!vf_scalar_is_const(b, bits, &value)) {
		if (!vf_scalar_is_const(a, bits, &value))
			return;
		a = b;
	}
	svalue = vf_sext(value, bits);
	range = vf_scalar_range(a, bits);
	/* a bound at the end of the type has nowhere to go: the edge is dead, and wrapping is harmless */
	if (range.umin == value)
		range.umin = vf_zext(range.umin + 1, bits);
	if (range.umax == value)
		range.umax = vf_zext(range.umax - 1, bits);
	if (range.smin == svalue)
		range.smin = vf_sext((u64)range.smin + 1, bits);
	if (range.smax == svalue)
		range.smax = vf_sext((u64)range.smax - 1, bits);
	vf_scalar_set_range(a, range, bits);
}

static void refine_bits(struct vf_scalar *a, struct vf_scalar *b, unsigned op, unsigned bits)
{
	struct tnum t;
	u64 value;

	if (!vf_scalar_is_const(b, bits, &value)) {
		if (!vf_scalar_is_const(a, bits, &value))
			return;
		a = b;
	}
	t = tnum_cast(a->var_off, bits);
	if (op == BPF_JSET) {
		/* of several bits nobody knows which one is set */
		if (value && !(value & (value - 1)))
			set_tnum(a, tnum_or(t, tnum_const(value)), bits);
		return;
	}
	/* as Linux: on a dead edge the old bounds would contradict the new bits */
	vf_scalar_unbound(a);
	set_tnum(a, tnum_and(t, tnum_const(~value)), bits);
}

/*
 * a < b: a is below b's maximum and b above a's minimum. Nothing is below 0 or above the maximum: such an
 * edge is dead, and what it says wraps around harmlessly.
 */
static void refine_less(struct vf_scalar *a, struct vf_scalar *b, unsigned op, unsigned bits)
{
	struct vf_range ra = vf_scalar_range(a, bits), rb = vf_scalar_range(b, bits);
	struct vf_range na = ra, nb = rb;

	switch (op) {
	case BPF_JLE:
		na.umax = MIN(ra.umax, rb.umax);
		nb.umin = MAX(na.umin, rb.umin);
		break;
	case BPF_JLT:
		na.umax = MIN(ra.umax, vf_zext(rb.umax - 1, bits));
		nb.umin = MAX(vf_zext(na.umin + 1, bits), rb.umin);
		break;
	case BPF_JSLE:
		na.smax = MIN(ra.smax, rb.smax);
		nb.smin = MAX(na.smin, rb.smin);
		break;
	case BPF_JSLT:
		na.smax = MIN(ra.smax, vf_sext((u64)rb.smax - 1, bits));
		nb.smin = MAX(vf_sext((u64)na.smin + 1, bits), rb.smin);
		break;
	default: skep_bug("condition 0x%x is no ordering", op);
	}
	vf_scalar_set_range(a, na, bits);
	vf_scalar_set_range(b, nb, bits);
}

void vf_scalar_refine(struct vf_scalar *a, struct vf_scalar *b, u8 op, unsigned bits, bool taken)
{
	unsigned cond = taken ? op : negate(op);

	switch (cond) {
	case BPF_JEQ: refine_equal(a, b, bits); break;
	case BPF_JNE: refine_unequal(a, b, bits); break;
	case BPF_JSET:
	case NO_BIT: refine_bits(a, b, cond, bits); break;
	default:
		if (is_greater(cond))
			refine_less(b, a, flip(cond), bits);
		else
			refine_less(a, b, cond, bits);
		break;
	}
	vf_scalar_sync(a);
	vf_scalar_sync(b);
}
