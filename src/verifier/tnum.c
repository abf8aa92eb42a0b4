/*
 * Arithmetic of tristate numbers. See tnum.h for the invariant. The recurring idea: run the operation
 * once with every unknown bit at 0 and once with every unknown bit at 1; where carries or borrows of
 * the two differ, the bit of the result is unknown.
 */
#include <inttypes.h>

#include "base/buf.h"
#include "verifier/tnum.h"

/* Keeps the invariant: bits beyond the width are dropped, unknown bits have value 0. */
static struct tnum make(u64 value, u64 mask)
{
	u64 all = vf_umax(VF_BITS);

	return (struct tnum){.value = value & ~mask & all, .mask = mask & all};
}

struct tnum tnum_const(u64 value)
{
	return make(value, 0);
}

struct tnum tnum_range(u64 min, u64 max)
{
	u64 differ = min ^ max;

	/* all bits from the highest differing one down are unknown */
	if (!differ)
		return make(min, 0);
	return make(min, ~0ull >> __builtin_clzll(differ));
}

struct tnum tnum_add(struct tnum a, struct tnum b)
{
	u64 least = a.value + b.value;
	u64 most = least + a.mask + b.mask;

	return make(least, (least ^ most) | a.mask | b.mask);
}

struct tnum tnum_sub(struct tnum a, struct tnum b)
{
	u64 known = a.value - b.value;
	u64 most = known + a.mask;
	u64 least = known - b.mask;

	return make(known, (most ^ least) | a.mask | b.mask);
}

struct tnum tnum_neg(struct tnum a)
{
	return tnum_sub(tnum_const(0), a);
}

struct tnum tnum_and(struct tnum a, struct tnum b)
{
	u64 may_be_one = (a.value | a.mask) & (b.value | b.mask);
	u64 is_one = a.value & b.value;

	return make(is_one, may_be_one ^ is_one);
}

struct tnum tnum_or(struct tnum a, struct tnum b)
{
	u64 is_one = a.value | b.value;

	return make(is_one, (a.mask | b.mask) & ~is_one);
}

struct tnum tnum_xor(struct tnum a, struct tnum b)
{
	return make(a.value ^ b.value, a.mask | b.mask);
}

/*
 * Long multiplication over the bits of a: a one adds b at its place, an unknown bit adds b or nothing.
 * The order of the operands matters for precision, not for soundness; Linux walks the destination.
 */
struct tnum tnum_mul(struct tnum a, struct tnum b)
{
	struct tnum sum = tnum_const(0);

	for (; a.value | a.mask; a = tnum_rsh(a, 1), b = tnum_lsh(b, 1)) {
		if (a.value & 1)
			sum = tnum_add(sum, b);
		else if (a.mask & 1)
			sum = tnum_union(sum, tnum_add(sum, b));
	}
	return sum;
}

struct tnum tnum_lsh(struct tnum a, u8 shift)
{
	return make(a.value << shift, a.mask << shift);
}

struct tnum tnum_rsh(struct tnum a, u8 shift)
{
	return make(a.value >> shift, a.mask >> shift);
}

struct tnum tnum_arsh(struct tnum a, u8 shift, unsigned bits)
{
	/* an unknown sign bit fills with unknown bits: shift the mask arithmetically too */
	return make(vf_zext(vf_sext(a.value, bits) >> shift, bits),
		vf_zext(vf_sext(a.mask, bits) >> shift, bits));
}

struct tnum tnum_bswap(struct tnum a, unsigned bits)
{
	return make(__builtin_bswap64(a.value) >> (64 - bits),
		__builtin_bswap64(a.mask) >> (64 - bits));
}

struct tnum tnum_intersect(struct tnum a, struct tnum b)
{
	return make(a.value | b.value, a.mask & b.mask);
}

struct tnum tnum_union(struct tnum a, struct tnum b)
{
	return make(a.value & b.value, a.mask | b.mask | (a.value ^ b.value));
}

bool tnum_overlap(struct tnum a, struct tnum b)
{
	return !((a.value ^ b.value) & ~(a.mask | b.mask));
}

bool tnum_in(struct tnum a, struct tnum b)
{
	return !(b.mask & ~a.mask) && (b.value & ~a.mask) == a.value;
}

bool tnum_has(struct tnum a, u64 value)
{
	return (value & ~a.mask) == a.value;
}

bool tnum_first_from(struct tnum a, u64 min, u64 *ret_member)
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

bool tnum_is_const(struct tnum a)
{
	return !a.mask;
}

bool tnum_is_unknown(struct tnum a)
{
	return a.mask == vf_umax(VF_BITS);
}

bool tnum_equals_const(struct tnum a, u64 value)
{
	return !a.mask && a.value == value;
}

bool tnum_is_aligned(struct tnum a, u64 size)
{
	return !size || !((a.value | a.mask) & (size - 1));
}

struct tnum tnum_cast(struct tnum a, unsigned bits)
{
	return make(vf_zext(a.value, bits), vf_zext(a.mask, bits));
}

struct tnum tnum_subreg(struct tnum a)
{
	return tnum_cast(a, VF_HALF);
}

struct tnum tnum_clear_subreg(struct tnum a)
{
	return make(a.value & ~vf_umax(VF_HALF), a.mask & ~vf_umax(VF_HALF));
}

struct tnum tnum_with_subreg(struct tnum a, struct tnum low)
{
	return tnum_or(tnum_clear_subreg(a), tnum_subreg(low));
}

struct tnum tnum_const_subreg(struct tnum a, u32 value)
{
	return tnum_with_subreg(a, tnum_const(value));
}

bool tnum_subreg_is_const(struct tnum a)
{
	return !(a.mask & vf_umax(VF_HALF));
}

void tnum_print(struct buf *out, struct tnum a)
{
	if (!a.mask)
		buf_printf(out, a.value <= UINT16_MAX ? "%" PRIu64 : "0x%" PRIx64, a.value);
	else
		buf_printf(out, "(0x%" PRIx64 "; 0x%" PRIx64 ")", a.value, a.mask);
}
