/*
 * The Internet checksum (RFC 1071): one's complement sums of 32-bit words with end-around carry.
 * Such a sum does not depend on the order, and is 0 only if every word is 0; so any way of adding gives
 * Linux's number.
 */
#include "helpers/csum.h"

#include <string.h>

#include "helpers/fns.h"

static u32 fold_carry(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (u32)((sum & 0xffffffff) + (sum >> 32));
}

/* A last piece of less than 4 bytes counts as if zeroes followed. The 64-bit sum cannot overflow: there
 * are less than 2^32 words. */
u32 hlp_csum_bytes(const void *bytes, u32 len, u32 seed)
{
	const u8 *data = bytes;
	u64 sum = seed;
	u32 word;

	for (; len >= sizeof(word); data += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		sum += word;
	}
	word = 0;
	if (len)
		memcpy(&word, data, len);
	return fold_carry(sum + word);
}

/* (from, from_len, to, to_len, seed): only to: data was added; only from: removed; both: replaced.
 * Lengths that are no multiple of 4 are fine since Linux 6.13. */
u64 hlp_csum_diff(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	u32 from_len = (u32)r2, to_len = (u32)r4, sum = (u32)r5;

	if (from_len && to_len)
		sum = fold_carry((u64)hlp_csum_bytes(hlp_ptr(r3), to_len, sum) +
				 (u32)~hlp_csum_bytes(hlp_ptr(r1), from_len, 0));
	else if (to_len)
		sum = hlp_csum_bytes(hlp_ptr(r3), to_len, sum);
	else if (from_len)
		sum = ~hlp_csum_bytes(hlp_ptr(r1), from_len, ~sum);
	return (u16)~hlp_csum_fold(sum);
}
