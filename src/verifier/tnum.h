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

struct tnum tnum_const(u64 value);
/* The smallest tnum that holds all of [min, max]; when min > max, any. */
struct tnum tnum_range(u64 min, u64 max);

struct tnum tnum_add(struct tnum a, struct tnum b);
struct tnum tnum_sub(struct tnum a, struct tnum b);
struct tnum tnum_neg(struct tnum a);
struct tnum tnum_and(struct tnum a, struct tnum b);
struct tnum tnum_or(struct tnum a, struct tnum b);
struct tnum tnum_xor(struct tnum a, struct tnum b);
struct tnum tnum_mul(struct tnum a, struct tnum b);
/* Shifts by a constant below the width; arsh shifts the low `bits` bits in their own sign. */
struct tnum tnum_lsh(struct tnum a, u8 shift);
struct tnum tnum_rsh(struct tnum a, u8 shift);
struct tnum tnum_arsh(struct tnum a, u8 shift, unsigned bits);

/* The low `bits` bits (16, 32 or 64) with their bytes in reverse order, zero-extended. */
struct tnum tnum_bswap(struct tnum a, unsigned bits);

/* Holds every member common to both. When a and b exclude each other the result is arbitrary. */
struct tnum tnum_intersect(struct tnum a, struct tnum b);
/* Holds every member of either. */
struct tnum tnum_union(struct tnum a, struct tnum b);
/* Whether a and b may have a member in common (exact). */
bool tnum_overlap(struct tnum a, struct tnum b);
/* Whether every member of b is one of a. */
bool tnum_in(struct tnum a, struct tnum b);
bool tnum_has(struct tnum a, u64 value);
/* The least member that is not below min; false when there is none. */
bool tnum_first_from(struct tnum a, u64 min, u64 *ret_member);
bool tnum_is_const(struct tnum a);
bool tnum_is_unknown(struct tnum a);
bool tnum_equals_const(struct tnum a, u64 value);
/* Whether every member is a multiple of size, a power of two; size 0 always is. */
bool tnum_is_aligned(struct tnum a, u64 size);

/* The low bits, zero-extended. */
struct tnum tnum_cast(struct tnum a, unsigned bits);
/* The sub-register: its own bits zero-extended, the others alone, or replaced. */
struct tnum tnum_subreg(struct tnum a);
struct tnum tnum_clear_subreg(struct tnum a);
struct tnum tnum_with_subreg(struct tnum a, struct tnum low);
struct tnum tnum_const_subreg(struct tnum a, u32 value);
bool tnum_subreg_is_const(struct tnum a);

/* As Linux prints it: (0x0; 0xff), or a number when constant: decimal up to 65535, then hex. */
void tnum_print(struct buf *out, struct tnum a);

#endif
