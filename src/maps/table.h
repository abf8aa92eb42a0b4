/*
 * The chained hash table under the hash maps: buckets and slots in one stretch of memory, linked by
 * index. Lookups take no lock; changes lock one bucket.
 *
 *   memory:  | buckets (16 bytes each) | slots, number 0 unused | stack of free slots | spares |
 *   slot:    | next 4 | hash 4 | key, rounded up to 8 | what the map adds |
 *
 * Invariants
 * 1. A slot is filled before it is linked, and its hash is written last: a reader that sees the hash
 *    sees the key and the value that belong to it. So what a lookup finds was in the map.
 * 2. A slot leaves its chain (deleted or replaced) between two steps of the bucket's `seq`, which is odd
 *    meanwhile. A reader may stand on a slot that left and was taken again, and go astray from there;
 *    then seq has moved since it began. So a lookup that finds nothing counts only if seq is even and
 *    did not move; else it looks again, and after LOOKUP_TRIES under the bucket's lock.
 * 3. An update that replaces puts the new slot where the old one was, with one store: a reader finds
 *    one of the two.
 * 4. Zeroed memory is an empty table: slot 0 does not exist and ends every chain.
 * 5. cnt <= max_entries; slot_cnt leaves spares for updates that replace, which hold two slots of a key
 *    for a moment. Who finds no free slot waits for one: another update is about to give one back.
 */
#ifndef MAPS_TABLE_H
#define MAPS_TABLE_H

#include "base/hash.h"
#include "core/map.h"
#include "maps/sync.h"

enum {
	MAP_SLOT_LIVE = 1U << 31, /* in a slot's hash; a slot without it matches nothing */
	MAP_LOOKUP_TRIES = 16,
};

struct map_bucket {
	u32 lock;
	u32 head;
	u32 seq;
	u32 unused;
};

struct map_slot {
	u32 next;
	u32 hash;
	u64 key[];
};

struct map_table {
	u8 *mem;
	size_t mem_len;
	struct map_bucket *buckets;
	u8 *slots;
	u32 *free_slots;
	u8 *spares; /* a slot number a CPU, a cache line apart */
	u64 seed;
	u32 bucket_mask;
	u32 key_size;
	u32 value_off; /* in a slot: after the key */
	u32 slot_len;
	u32 slot_cnt; /* with the unused slot 0 */
	u32 max_entries;
	u32 cpu_cnt;
	u32 cnt;       /* entries; atomic */
	u32 free_lock; /* over free_cnt and fresh */
	u32 free_cnt;
	u32 fresh; /* slots from here on were never used; read without the lock by owns */
};

/* room: bytes that the map wants in each slot after the key. -E2BIG, -ENOMEM. */
int map_table_init(
	struct map_table *table, struct skep *inst, const struct map_attr *attr, u32 room);
void map_table_done(struct map_table *table);

/* Where a key belongs: the bucket's number and what a slot of it holds as hash. */
struct map_place {
	u32 bucket, hash;
};

static inline u64 map_hash(const void *key, u32 len, u64 seed)
{
	switch (len) { /* constant lengths make the loop go away */
	case 4: return hash_bytes(key, 4, seed);
	case 8: return hash_bytes(key, 8, seed);
	case 16: return hash_bytes(key, 16, seed);
	default: return hash_bytes(key, len, seed);
	}
}

static inline struct map_place map_table_place(const struct map_table *table, const void *key)
{
	u64 hash = map_hash(key, table->key_size, table->seed);

	return (struct map_place){
		(u32)hash & table->bucket_mask, (u32)(hash >> 32) | MAP_SLOT_LIVE};
}

static inline struct map_slot *map_table_slot(const struct map_table *table, u32 num)
{
	return (struct map_slot *)(table->slots + (u64)num * table->slot_len);
}

static inline bool map_slot_is(
	const struct map_table *table, const struct map_slot *slot, u32 hash, const void *key)
{
	if (map_load(&slot->hash) != hash)
		return false;
	switch (table->key_size) {
	case 4: return map_equals(slot->key, key, 4);
	case 8: return map_equals(slot->key, key, 8);
	case 16: return map_equals(slot->key, key, 16);
	default: return map_equals(slot->key, key, table->key_size);
	}
}

/* The slot of a key in its chain, or 0. */
static inline u32 map_chain_find(
	const struct map_table *table, struct map_place place, const void *key)
{
	u32 num = map_load(&table->buckets[place.bucket].head);
	const struct map_slot *slot;

	for (; num; num = map_load(&slot->next)) {
		slot = map_table_slot(table, num);
		if (map_slot_is(table, slot, place.hash, key))
			break;
	}
	return num;
}

/* The same with the bucket locked. */
u32 map_table_find_locked(struct map_table *table, struct map_place place, const void *key);

/* The slot of a key, or 0. */
static inline u32 map_table_find(struct map_table *table, const void *key)
{
	struct map_place place = map_table_place(table, key);
	const u32 *seq = &table->buckets[place.bucket].seq;
	u32 num, before;

	for (int i = 0; i < MAP_LOOKUP_TRIES; i++) {
		before = map_load(seq);
		num = map_chain_find(table, place, key);
		if (likely(num || (!(before & 1) && map_load(seq) == before)))
			return num;
	}
	return map_table_find_locked(table, place, key);
}

/*
 * Keys of 4, 8 or 16 bytes, a number known at compile time: the same hash and the same comparison, on
 * registers. The key is read as words of 4 bytes: programs write them so, and a wider read would wait until
 * the writes have reached the cache.
 */
static inline u32 map_key_word(const void *key, u32 num)
{
	u32 word;

	memcpy(&word, (const u8 *)key + num * sizeof(word), sizeof(word));
	__asm__("" : "+r"(word)); /* or the compiler makes one read of two */
	return word;
}

static inline u64 map_key_pair(const void *key, u32 num)
{
	return map_key_word(key, 2 * num) | (u64)map_key_word(key, 2 * num + 1) << 32;
}

static inline __attribute__((always_inline)) u32 map_table_find_len(
	struct map_table *table, const void *key, u32 len)
{
	const u64 k0 = 0x9e3779b97f4a7c15, k1 = 0xd6e8feb86659fd93; /* those of hash_bytes */
	const u64 low = len == 4 ? map_key_word(key, 0) : map_key_pair(key, 0);
	const u64 high = len == 16 ? map_key_pair(key, 1) : 0;
	u64 hash = hash_mix(table->seed ^ k0 ^ len ^ low, k1);
	const struct map_bucket *bucket;
	const struct map_slot *slot;
	struct map_place place;
	u32 num, before;

	if (len == 16)
		hash = hash_mix(hash ^ high, k1);
	hash = hash_mix(hash ^ k1, k0);
	place = (struct map_place){
		(u32)hash & table->bucket_mask, (u32)(hash >> 32) | MAP_SLOT_LIVE};
	bucket = &table->buckets[place.bucket];
	for (int i = 0; i < MAP_LOOKUP_TRIES; i++) {
		before = map_load(&bucket->seq);
		for (num = map_load(&bucket->head); num; num = map_load(&slot->next)) {
			slot = map_table_slot(table, num);
			if (map_load(&slot->hash) != place.hash)
				continue;
			if (len == 4 ? map_load((const u32 *)slot->key) == low
				     : __atomic_load_n(&slot->key[0], __ATOMIC_ACQUIRE) == low &&
						(len == 8 || __atomic_load_n(&slot->key[1],
								     __ATOMIC_ACQUIRE) == high))
				return num;
		}
		if (likely(!(before & 1) && map_load(&bucket->seq) == before))
			return 0;
	}
	return map_table_find_locked(table, place, key);
}

static inline void *map_table_value(const struct map_table *table, u32 num)
{
	return table->slots + (u64)num * table->slot_len + table->value_off;
}

/* A key whose bucket is locked, with its slot (0: none) and the word that links to it. Ended by
 * map_table_unlock. */
struct map_entry {
	struct map_place place;
	u32 num;
	u32 *link;
};

struct map_entry map_table_lock(struct map_table *table, const void *key);
void map_table_unlock(struct map_table *table, const struct map_entry *entry);
/* Of the three flags of an update: -EINVAL, -EEXIST, -ENOENT. */
int map_update_check(u64 flags);
int map_entry_check(const struct map_entry *entry, u64 flags);

/* With the entry locked: a slot for its key, key filled in, not yet to be found. -E2BIG when full. */
int map_table_take(struct map_table *table, const struct map_entry *entry, const void *key, u32 cpu,
	u32 *ret_num);
/* The parts of it, for maps that count entries themselves: any free slot, and a key put into it. */
u32 map_table_pop(struct map_table *table);
void map_table_push(struct map_table *table, u32 num);
void map_table_fill(struct map_table *table, u32 num, const void *key);
/* The entry's slot, which must exist, leaves its chain and is the caller's. */
void map_table_cut(struct map_table *table, const struct map_entry *entry);
/* The same, and the slot is free: for maps whose entries the table counts. Unlocks. */
void map_table_drop(struct map_table *table, const struct map_entry *entry);
/* The slot takes the place of the entry's, or is added. Gives back the old slot. */
void map_table_link(struct map_table *table, const struct map_entry *entry, u32 num, u32 cpu);
/* -ENOENT. */
int map_table_remove(struct map_table *table, const void *key);
int map_table_next_key(struct map_table *table, const void *key, void *ret_next);
/* map_ops.bucket_keys */
int map_table_bucket_keys(
	struct map_table *table, u32 bucket, u32 cap, void *ret_keys, u32 *ret_cnt);
/* Is addr at offset off of some used slot's len bytes from value_off on? Gives the offset. */
bool map_table_owns(const struct map_table *table, const void *addr, size_t len, u32 value_size);
/* Bytes as Linux counts them. extra: without per-CPU values, slots beside max_entries. */
u64 map_table_usage(
	const struct map *map, const struct map_table *table, bool is_percpu, u32 extra);

#endif
