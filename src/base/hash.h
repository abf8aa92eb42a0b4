/*
 * Hashing of short keys: 64-bit multiply-and-fold over 8-byte words, seeded. Fast for the 4- to
 * 64-byte keys of maps; the seed keeps an adversary who picks keys from choosing the bucket.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <string.h>

#include "base/types.h"

static inline u64 hash_mix(u64 a, u64 b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (u64)product ^ (u64)(product >> 64);
}

static inline u64 hash_bytes(const void *key, size_t len, u64 seed)
{
	const u64 k0 = 0x9e3779b97f4a7c15, k1 = 0xd6e8feb86659fd93;
	const u8 *p = key;
	u64 h = seed ^ k0 ^ len, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = hash_mix(h ^ word, k1);
	}
	if (len) {
		word = 0;
		memcpy(&word, p, len);
		h = hash_mix(h ^ word, k1);
	}
	return hash_mix(h ^ k1, k0);
}

#endif
