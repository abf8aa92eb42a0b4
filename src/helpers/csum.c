/*
 * The Internet checksum (RFC 1071): one's complement sums of 32-bit words with end-around carry.
 * Such a sum does not depend on the order, and is 0 only if every word is 0; so any way of adding gives
 * Linux's number.
 */
#include <errno.h>
#include <string.h>

#include "helpers/fns.h"

static u32 fold_carry(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (u32)((sum & 0xffffffff) + (sum >> 32));
}

/* len is a multiple of 4 and at most 2^32, so the 64-bit sum cannot overflow. */
static u32 sum_words(const u8 *data, u32 len, u32 seed)
{
	u64 sum = seed;
	u32 word;

	for (u32 i = 0; i < len; i += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		sum += word;
	}
	return fold_carry(sum);
}

static u16 fold_half(u32 sum)
{
	sum += sum >> 16 | sum << 16;
	return (u16)(sum >> 16);
}

/* (from, from_len, to, to_len, seed): only to: data was added; only from: removed; both: replaced. */
u64 hlp_csum_diff(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	u32 from_len = (u32)r2, to_len = (u32)r4, sum = (u32)r5;

	if ((from_len | to_len) % sizeof(u32))
		return (u64)-EINVAL;
	if (from_len && to_len)
		sum = fold_carry((u64)sum_words(hlp_ptr(r3), to_len, sum) +
				 (u32)~sum_words(hlp_ptr(r1), from_len, 0));
	else if (to_len)
		sum = sum_words(hlp_ptr(r3), to_len, sum);
	else if (from_len)
		sum = ~sum_words(hlp_ptr(r1), from_len, ~sum);
	return fold_half(sum);
}
