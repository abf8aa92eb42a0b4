/*
 * Machine words of a chosen width, held in 64-bit variables: unsigned values are zero-extended,
 * signed ones sign-extended. The abstract domains are written once in these terms and take the width
 * in bits as an argument, so that one text serves 64 and 32 bits.
 *
 * VF_BITS is the width of a register and VF_HALF that of its sub-register: 64 and 32 in the product.
 * Tests build the same sources with VF_BITS=4, where every abstract value can be tried against every
 * concrete one. A width is never 0 and never above 64.
 */
#ifndef VERIFIER_WIDTH_H
#define VERIFIER_WIDTH_H

#include "base/types.h"

#ifndef VF_BITS
#define VF_BITS 64
#endif
#define VF_HALF (VF_BITS / 2)

/* the largest unsigned value, which is also the mask of all bits */
static inline u64 vf_umax(unsigned bits)
{
	return ~0ull >> (64 - bits);
}

static inline s64 vf_smax(unsigned bits)
{
	return (s64)(vf_umax(bits) >> 1);
}

static inline s64 vf_smin(unsigned bits)
{
	return -vf_smax(bits) - 1;
}

/* the low bits of value read as an unsigned number */
static inline u64 vf_zext(u64 value, unsigned bits)
{
	return value & vf_umax(bits);
}

/* the low bits of value read as a signed number */
static inline s64 vf_sext(u64 value, unsigned bits)
{
	return (s64)(value << (64 - bits)) >> (64 - bits);
}

#endif
