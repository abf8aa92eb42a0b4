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

struct vf_range vf_range_unbounded(unsigned bits);
struct vf_range vf_range_const(u64 value, unsigned bits);
bool vf_range_has(struct vf_range a, u64 value, unsigned bits);
bool vf_range_is_const(struct vf_range a);
/* Some member may exist as far as each reading alone tells. */
bool vf_range_is_sane(struct vf_range a);
/* Whether b lies within a in both readings. */
bool vf_range_in(struct vf_range a, struct vf_range b);
struct vf_range vf_range_intersect(struct vf_range a, struct vf_range b);

/* Each reading learns from the other where the other does not cross its wrap-around. */
struct vf_range vf_range_deduce(struct vf_range a, unsigned bits);
/* Bounds of the members of a whose low bits are in t. */
struct vf_range vf_range_meet_tnum(struct vf_range a, struct tnum t, unsigned bits);

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
