/*
 * Arithmetic of tristate numbers. See tnum.h for the invariant. The recurring idea: run the operation
 * once with every unknown bit at 0 and once with every unknown bit at 1; where carries or borrows of
 * the two differ, the bit of the result is unknown.
 */
#include <inttypes.h>

#include "base/buf.h"
#include "verifier/tnum.h"

struct tnum tnum_add(struct tnum a, struct tnum b)
{
	u64 least = a.value + b.value;
	u64 most = least + a.mask + b.mask;

	return tnum_make(least, (least ^ most) | a.mask | b.mask);
}

struct tnum tnum_sub(struct tnum a, struct tnum b)
{
	u64 known = a.value - b.value;
	u64 most = known + a.mask;
	u64 least = known - b.mask;

	return tnum_make(known, (most ^ least) | a.mask | b.mask);
}

struct tnum tnum_neg(struct tnum a)
{
	return tnum_sub(tnum_const(0), a);
}

struct tnum tnum_xor(struct tnum a, struct tnum b)
{
	return tnum_make(a.value ^ b.value, a.mask | b.mask);
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
	return tnum_make(a.value << shift, a.mask << shift);
}

struct tnum tnum_rsh(struct tnum a, u8 shift)
{
	return tnum_make(a.value >> shift, a.mask >> shift);
}

struct tnum tnum_arsh(struct tnum a, u8 shift, unsigned bits)
{
	/* an unknown sign bit fills with unknown bits: shift the mask arithmetically too */
	return tnum_make(vf_zext(vf_sext(a.value, bits) >> shift, bits),
		vf_zext(vf_sext(a.mask, bits) >> shift, bits));
}

struct tnum tnum_bswap(struct tnum a, unsigned bits)
{
	return tnum_make(__builtin_bswap64(a.value) >> (64 - bits),
		__builtin_bswap64(a.mask) >> (64 - bits));
}

struct tnum tnum_union(struct tnum a, struct tnum b)
{
	return tnum_make(a.value & b.value, a.mask | b.mask | (a.value ^ b.value));
}

bool tnum_overlap(struct tnum a, struct tnum b)
{
	return !((a.value ^ b.value) & ~(a.mask | b.mask));
}

bool tnum_is_aligned(struct tnum a, u64 size)
{
	return !size || !((a.value | a.mask) & (size - 1));
}

void tnum_print(struct buf *out, struct tnum a)
{
	if (!a.mask)
		buf_printf(out, a.value <= UINT16_MAX ? "%" PRIu64 : "0x%" PRIx64, a.value);
	else
		buf_printf(out, "(0x%" PRIx64 "; 0x%" PRIx64 ")", a.value, a.mask);
}
