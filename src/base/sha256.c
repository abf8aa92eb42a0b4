/*
 * SHA-256, FIPS 180-4 section 6.2. The round constants are the first 32 bits of the fractional parts of
 * the cube roots of the first 64 primes, computed once per call with integers, so that no table can be
 * mistyped; tags are made at load time, where the cost does not show.
 */
#include "base/sha256.h"

#include <string.h>

enum { BLOCK_LEN = 64, ROUNDS = 64 };

static const u32 initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
	0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* floor(cbrt(prime) * 2^32) mod 2^32: the largest x with x^3 <= prime * 2^96, by bisection. */
static u32 cube_root_bits(u32 prime)
{
	u64 low = 0, high = (u64)8 << 32; /* cbrt(311) < 7 */

	while (high - low > 1) {
		u64 mid = low + (high - low) / 2;
		/* mid^3 has up to 105 bits; compare in 128 */
		unsigned __int128 cube = (unsigned __int128)mid * mid * mid;

		if (cube <= (unsigned __int128)prime << 96)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static void round_constants(u32 k[ROUNDS])
{
	u32 prime = 2, cnt = 0;

	for (; cnt < ROUNDS; prime++) {
		bool is_prime = true;

		for (u32 d = 2; d * d <= prime; d++)
			is_prime &= prime % d != 0;
		if (is_prime)
			k[cnt++] = cube_root_bits(prime);
	}
}

static u32 rotr(u32 x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void add_block(u32 h[8], const u8 *block, const u32 k[ROUNDS])
{
	u32 w[ROUNDS], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (u32)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 |
		       block[4 * i + 3];
	for (int i = 16; i < ROUNDS; i++) {
		u32 s0 = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
		u32 s1 = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;

		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
	memcpy(v, h, sizeof(v));
	for (int i = 0; i < ROUNDS; i++) {
		u32 s1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
		u32 s0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
		u32 choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		u32 majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		u32 t1 = v[7] + s1 + choice + k[i] + w[i];

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + s0 + majority;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

void sha256(const void *data, size_t len, u8 ret_digest[SHA256_LEN])
{
	const u8 *p = data;
	u8 tail[2 * BLOCK_LEN] = {0};
	size_t left = len % BLOCK_LEN;
	size_t tail_len = left < BLOCK_LEN - 8 ? BLOCK_LEN : 2 * BLOCK_LEN;
	u32 h[8], k[ROUNDS];

	memcpy(h, initial, sizeof(h));
	round_constants(k);
	for (size_t i = 0; i + BLOCK_LEN <= len; i += BLOCK_LEN)
		add_block(h, p + i, k);
	if (left)
		memcpy(tail, p + len - left, left);
	tail[left] = 0x80;
	for (int i = 0; i < 8; i++)
		tail[tail_len - 1 - i] = (u64)len * 8 >> (8 * i);
	for (size_t i = 0; i < tail_len; i += BLOCK_LEN)
		add_block(h, tail + i, k);
	for (int i = 0; i < SHA256_LEN; i++)
		ret_digest[i] = h[i / 4] >> (24 - 8 * (i % 4));
}
