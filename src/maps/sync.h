/*
 * What lets readers of map memory run without locks: word-wise copies that never tear a word, and a
 * small lock for writers.
 *
 * Readers may look at memory that a writer is recycling. So all of it is read and written as aligned
 * 8-byte (and 4-byte) words with acquire and release order; a reader that sees a new word also sees
 * every word written before it. On x86-64 these are plain loads and stores.
 */
#ifndef MAPS_SYNC_H
#define MAPS_SYNC_H

#include <sched.h>
#include <string.h>

#include "base/types.h"

enum { MAP_SPIN_MAX = 64 };

static inline void map_lock(u32 *lock)
{
	u32 tries = 0;

	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) {
		if (++tries % MAP_SPIN_MAX == 0)
			sched_yield();
	}
}

static inline void map_unlock(u32 *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

static inline u32 map_load(const u32 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void map_store(u32 *word, u32 value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Into the map; to is 8-byte aligned. Exactly len bytes are written. */
static inline void map_put(void *to, const void *from, u32 len)
{
	const u8 *src = from;
	u8 *dst = to;
	u64 word;

	for (; len >= 8; len -= 8, src += 8, dst += 8) {
		memcpy(&word, src, 8);
		__atomic_store_n((u64 *)dst, word, __ATOMIC_RELEASE);
	}
	for (; len; len--)
		__atomic_store_n(dst++, *src++, __ATOMIC_RELEASE);
}

/* Out of the map; from is 8-byte aligned and readable up to the next multiple of 8. */
static inline void map_get(void *to, const void *from, u32 len)
{
	const u8 *src = from;
	u8 *dst = to;
	u64 word;

	for (; len >= 8; len -= 8, src += 8, dst += 8) {
		word = __atomic_load_n((const u64 *)src, __ATOMIC_ACQUIRE);
		memcpy(dst, &word, 8);
	}
	for (; len; len--)
		*dst++ = __atomic_load_n(src++, __ATOMIC_ACQUIRE);
}

static inline void map_zero(void *to, u32 len)
{
	u8 *dst = to;

	for (; len >= 8; len -= 8, dst += 8)
		__atomic_store_n((u64 *)dst, 0, __ATOMIC_RELEASE);
	for (; len; len--)
		__atomic_store_n(dst++, 0, __ATOMIC_RELEASE);
}

/* Is the key in the map (8-byte aligned) this one? */
static inline bool map_equals(const void *in_map, const void *key, u32 len)
{
	const u8 *a = in_map, *b = key;
	u64 word;
	u32 half;

	for (; len >= 8; len -= 8, a += 8, b += 8) {
		memcpy(&word, b, 8);
		if (__atomic_load_n((const u64 *)a, __ATOMIC_ACQUIRE) != word)
			return false;
	}
	if (len >= 4) {
		memcpy(&half, b, 4);
		if (__atomic_load_n((const u32 *)a, __ATOMIC_ACQUIRE) != half)
			return false;
		len -= 4, a += 4, b += 4;
	}
	for (; len; len--) {
		if (__atomic_load_n(a++, __ATOMIC_ACQUIRE) != *b++)
			return false;
	}
	return true;
}

#endif
