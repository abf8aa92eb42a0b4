/*
 * Sums of the Internet checksum, in memory's byte order: 32 bits while they are added up, 16 in a header.
 */
#ifndef HELPERS_CSUM_H
#define HELPERS_CSUM_H

#include "base/types.h"

/* seed + the bytes; what is left of a word counts as if zeroes followed. */
u32 hlp_csum_bytes(const void *bytes, u32 len, u32 seed);

static inline u32 hlp_csum_add(u32 a, u32 b)
{
	u32 sum = a + b;

	return sum + (sum < b);
}

static inline u32 hlp_csum_sub(u32 a, u32 b)
{
	return hlp_csum_add(a, ~b);
}

/* A part that begins at an odd place has its bytes the other way round. */
static inline u32 hlp_csum_at(u32 sum, u32 off)
{
	return off & 1 ? sum >> 8 | sum << 24 : sum;
}

/* The checksum of a header: the complement. */
static inline u16 hlp_csum_fold(u32 sum)
{
	sum += sum >> 16 | sum << 16;
	return (u16) ~(sum >> 16);
}

#endif
