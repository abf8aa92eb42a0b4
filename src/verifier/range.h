/*
 * Intervals: what is known of a register by order, read as an unsigned and as a signed number at once.
 * Its members are { x : umin <= x <= umax and smin <= sext(x) <= smax }. Every function takes the width
 * in bits; bounds are values of that width (unsigned zero-extended, signed sign-extended to 64 bits).
 * A range without members (umin > umax, or the two readings exclude each other) can arise on a branch
 * that is never taken; every function accepts one and then yields any value.
 *
 * Overflow rules are those of Linux 6.18: when a result can wrap for some operands and not for others,
 * that reading becomes unbounded; an unsigned sum or difference that always wraps stays exact.
 */
#ifndef VERIFIER_RANGE_H
#define VERIFIER_RANGE_H

#include "base/types.h"
#include "verifier/tnum.h"

struct vf_range {
	u64 umin, umax;
	s64 smin, smax;
};

static inline struct vf_range vf_range_unbounded(unsigned bits)
{
	return (struct vf_range){0, vf_umax(bits), vf_smin(bits), vf_smax(bits)};
}

static inline struct vf_range vf_range_const(u64 value, unsigned bits)
{
	u64 u = vf_zext(value, bits);
	s64 s = vf_sext(value, bits);

	return (struct vf_range){u, u, s, s};
}

bool vf_range_has(struct vf_range a, u64 value, unsigned bits);
bool vf_range_is_const(struct vf_range a);
/* Some member may exist as far as each reading alone tells. */
static inline bool vf_range_is_sane(struct vf_range a)
{
	return a.umin <= a.umax && a.smin <= a.smax;
}

/* Whether b lies within a in both readings. */
static inline bool vf_range_in(struct vf_range a, struct vf_range b)
{
	return a.umin <= b.umin && b.umax <= a.umax && a.smin <= b.smin && b.smax <= a.smax;
}

static inline struct vf_range vf_range_intersect(struct vf_range a, struct vf_range b)
{
	return (struct vf_range){
		.umin = MAX(a.umin, b.umin),
		.umax = MIN(a.umax, b.umax),
		.smin = MAX(a.smin, b.smin),
		.smax = MIN(a.smax, b.smax),
	};
}

/* What the signed reading says in unsigned terms, where that is one interval. */
static inline void vf_range_learn_unsigned(struct vf_range *a, unsigned bits)
{
	u64 from = vf_zext(a->smin, bits);
	u64 to = vf_zext(a->smax, bits);

	if (from <= to) {
		a->umin = MAX(a->umin, from);
		a->umax = MIN(a->umax, to);
		return;
	}
	/*
	 * The signed interval crosses zero from below, so in unsigned order it is two pieces:
	 *
	 *	0 ======== to                     from ======== umax(bits)
	 *
	 * When the unsigned interval meets only one of them, that piece bounds both readings.
	 */
	if (a->umax < from) {
		a->smin = vf_sext(a->umin, bits);
		a->umax = MIN(a->umax, to);
	} else if (a->umin > to) {
		a->smax = vf_sext(a->umax, bits);
		a->umin = MAX(a->umin, from);
	}
}

/* Each reading learns from the other where the other does not cross its wrap-around. */
static inline struct vf_range vf_range_deduce(struct vf_range a, unsigned bits)
{
	s64 from = vf_sext(a.umin, bits);
	s64 to = vf_sext(a.umax, bits);

	if (from <= to) {
		a.smin = MAX(a.smin, from);
		a.smax = MIN(a.smax, to);
	}
	vf_range_learn_unsigned(&a, bits);
	return a;
}

/* Bounds of the members of a whose low bits are in t. */
static inline struct vf_range vf_range_meet_tnum(struct vf_range a, struct tnum t, unsigned bits)
{
	u64 value = vf_zext(t.value, bits);
	u64 mask = vf_zext(t.mask, bits);
	u64 sign = vf_umax(bits) ^ (u64)vf_smax(bits);

	/* the least signed member has its sign bit set if it may, and all other unknown bits clear */
	return vf_range_intersect(a, (struct vf_range){
					     .umin = value,
					     .umax = value | mask,
					     .smin = vf_sext(value | (mask & sign), bits),
					     .smax = vf_sext(value | (mask & ~sign), bits),
				     });
}

struct vf_range vf_range_add(struct vf_range a, struct vf_range b, unsigned bits);
struct vf_range vf_range_sub(struct vf_range a, struct vf_range b, unsigned bits);
struct vf_range vf_range_mul(struct vf_range a, struct vf_range b, unsigned bits);
/* Bitwise operations also take the tnum of their result, which is the better source of bounds. */
struct vf_range vf_range_and(
	struct vf_range a, struct vf_range b, struct tnum result, unsigned bits);
struct vf_range vf_range_or(
	struct vf_range a, struct vf_range b, struct tnum result, unsigned bits);
struct vf_range vf_range_xor(struct tnum result, unsigned bits);
/* Shifts by a constant below bits. */
struct vf_range vf_range_lsh(struct vf_range a, u8 shift, unsigned bits);
struct vf_range vf_range_rsh(struct vf_range a, u8 shift, unsigned bits);
struct vf_range vf_range_arsh(struct vf_range a, u8 shift, unsigned bits);

#endif
