/*
 * Tristate numbers: what is known of a register bit by bit. A bit of `mask` set means the bit is
 * unknown; else it is that of `value`. Invariant: (value & mask) == 0 and no bit beyond VF_BITS.
 * The concretisation of a tnum is { x : (x & ~mask) == value }; it is never empty.
 *
 * Every operation is sound: it yields a tnum that holds the result for every pair of members. Precision
 * is that of Linux 6.18. add, sub: Vishwanathan et al., "Sound, Precise, and Fast Abstract
 * Interpretation with Tristate Numbers" (CGO 2022); these two and and/or/xor are optimal.
 */
#ifndef VERIFIER_TNUM_H
#define VERIFIER_TNUM_H

#include "base/types.h"
#include "verifier/width.h"

struct buf;

struct tnum {
	u64 value;
	u64 mask;
};

#define TNUM_UNKNOWN ((struct tnum){.value = 0, .mask = ~0ull >> (64 - VF_BITS)})

/* Keeps the invariant: bits beyond the width are dropped, unknown bits have value 0. */
static inline struct tnum tnum_make(u64 value, u64 mask)
{
	u64 all = vf_umax(VF_BITS);

	return (struct tnum){.value = value & ~mask & all, .mask = mask & all};
}

static inline struct tnum tnum_const(u64 value)
{
	return tnum_make(value, 0);
}

/* The smallest tnum that holds all of [min, max]; when min > max, any. */
static inline struct tnum tnum_range(u64 min, u64 max)
{
	u64 differ = min ^ max;

	/* all bits from the highest differing one down are unknown */
	if (!differ)
		return tnum_make(min, 0);
	return tnum_make(min, ~0ull >> __builtin_clzll(differ));
}

struct tnum tnum_add(struct tnum a, struct tnum b);
struct tnum tnum_sub(struct tnum a, struct tnum b);
struct tnum tnum_neg(struct tnum a);
static inline struct tnum tnum_and(struct tnum a, struct tnum b)
{
	u64 may_be_one = (a.value | a.mask) & (b.value | b.mask);
	u64 is_one = a.value & b.value;

	return tnum_make(is_one, may_be_one ^ is_one);
}

static inline struct tnum tnum_or(struct tnum a, struct tnum b)
{
	u64 is_one = a.value | b.value;

	return tnum_make(is_one, (a.mask | b.mask) & ~is_one);
}

struct tnum tnum_xor(struct tnum a, struct tnum b);
struct tnum tnum_mul(struct tnum a, struct tnum b);
/* Shifts by a constant below the width; arsh shifts the low `bits` bits in their own sign. */
struct tnum tnum_lsh(struct tnum a, u8 shift);
struct tnum tnum_rsh(struct tnum a, u8 shift);
struct tnum tnum_arsh(struct tnum a, u8 shift, unsigned bits);

/* The low `bits` bits (16, 32 or 64) with their bytes in reverse order, zero-extended. */
struct tnum tnum_bswap(struct tnum a, unsigned bits);

/* Holds every member common to both. When a and b exclude each other the result is arbitrary. */
static inline struct tnum tnum_intersect(struct tnum a, struct tnum b)
{
	return tnum_make(a.value | b.value, a.mask & b.mask);
}

/* Holds every member of either. */
struct tnum tnum_union(struct tnum a, struct tnum b);
/* Whether a and b may have a member in common (exact). */
bool tnum_overlap(struct tnum a, struct tnum b);
/* Whether every member of b is one of a. */
static inline bool tnum_in(struct tnum a, struct tnum b)
{
	return !(b.mask & ~a.mask) && (b.value & ~a.mask) == a.value;
}

static inline bool tnum_has(struct tnum a, u64 value)
{
	return (value & ~a.mask) == a.value;
}

/* The least member that is not below min; false when there is none. */
static inline bool tnum_first_from(struct tnum a, u64 min, u64 *ret_member)
{
	u64 nearest = a.value | (min & a.mask), differ = nearest ^ min, below, step;

	/* nearest has min's unknown bits and our known ones: a member, and min itself if equal */
	if (!differ) {
		*ret_member = min;
		return true;
	}
	below = ~0ull >> __builtin_clzll(differ);
	if (nearest > min) {
		/* above min at the first difference: all unknown bits after it can be 0 */
		*ret_member = nearest & ~(a.mask & below);
		return true;
	}
	/*
	 * Below min there: count up in the unknown bits above, by letting a carry run through the
	 * known ones, with all unknown bits after it 0.
	 */
	step = ((nearest | ~a.mask | below) + 1) & a.mask;
	if (!step)
		return false;
	*ret_member = a.value | step;
	return true;
}

static inline bool tnum_is_const(struct tnum a)
{
	return !a.mask;
}

static inline bool tnum_is_unknown(struct tnum a)
{
	return a.mask == vf_umax(VF_BITS);
}

static inline bool tnum_equals_const(struct tnum a, u64 value)
{
	return !a.mask && a.value == value;
}

/* Whether every member is a multiple of size, a power of two; size 0 always is. */
bool tnum_is_aligned(struct tnum a, u64 size);

/* The low bits, zero-extended. */
static inline struct tnum tnum_cast(struct tnum a, unsigned bits)
{
	return tnum_make(vf_zext(a.value, bits), vf_zext(a.mask, bits));
}

/* The sub-register: its own bits zero-extended, the others alone, or replaced. */
static inline struct tnum tnum_subreg(struct tnum a)
{
	return tnum_cast(a, VF_HALF);
}

static inline struct tnum tnum_clear_subreg(struct tnum a)
{
	return tnum_make(a.value & ~vf_umax(VF_HALF), a.mask & ~vf_umax(VF_HALF));
}

static inline struct tnum tnum_with_subreg(struct tnum a, struct tnum low)
{
	return tnum_or(tnum_clear_subreg(a), tnum_subreg(low));
}

static inline struct tnum tnum_const_subreg(struct tnum a, u32 value)
{
	return tnum_with_subreg(a, tnum_const(value));
}

static inline bool tnum_subreg_is_const(struct tnum a)
{
	return !(a.mask & vf_umax(VF_HALF));
}

/* As Linux prints it: (0x0; 0xff), or a number when constant: decimal up to 65535, then hex. */
void tnum_print(struct buf *out, struct tnum a);

#endif
