/*
 * The chained hash table under the hash maps: buckets and slots in one stretch of memory, linked by
 * index. Lookups take no lock; changes lock one bucket.
 *
 *   memory:  | buckets (8 bytes each) | slots, number 0 unused | stack of free slots | spares |
 *   slot:    | next 4 | hash 4 | key, rounded up to 8 | what the map adds |
 *
 * Invariants
 * 1. A slot is filled before it is linked, and its hash is written last: a reader that sees the hash
 *    sees the key and the value that belong to it. So what a lookup finds was in the map.
 * 2. A bucket's `state` is a lock bit and a number, seq; only who holds the lock changes it, so that one atomic
 *    operation opens a bucket. A slot leaves its chain (deleted or replaced) between two steps of seq, which is odd
 *    meanwhile. A reader may stand on a slot that left and was taken again, and go astray from there;
 *    then seq has moved since it began. So a lookup that finds nothing counts only if seq is even and
 *    did not move; else it looks again, and after LOOKUP_TRIES under the bucket's lock.
 * 3. An update that replaces puts the new slot where the old one was, with one store: a reader finds
 *    one of the two.
 * 4. Zeroed memory is an empty table: slot 0 does not exist and ends every chain.
 * 5. Each CPU has a spare slot for its next update that replaces, and only the program that runs on it takes it;
 *    user space shares another.
 * 6. cnt <= max_entries; slot_cnt leaves spares for updates that replace, which hold two slots of a key
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
	MAP_CPU_USER = UINT32_MAX, /* in place of a CPU's number: user space */
};

enum { MAP_BUCKET_LOCKED = 1, MAP_BUCKET_STEP = 2 /* of seq */ };

struct map_bucket {
	u32 head;
	u32 state;
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
	u8 *spares; /* a slot number a CPU, a cache line apart; the last is user space's */
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
/* map_ops.recover: what is in chains is in the map; all other slots are free. */
int map_table_recover(struct map_table *table);

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

static inline void map_bucket_lock(struct map_bucket *bucket)
{
	u32 tries = 0, state = __atomic_load_n(&bucket->state, __ATOMIC_RELAXED);

	while (unlikely(state & MAP_BUCKET_LOCKED) ||
		unlikely(!__atomic_compare_exchange_n(&bucket->state, &state,
			state | MAP_BUCKET_LOCKED, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
		if (++tries % MAP_SPIN_MAX == 0)
			sched_yield();
		state = __atomic_load_n(&bucket->state, __ATOMIC_RELAXED);
	}
}

static inline void map_bucket_unlock(struct map_bucket *bucket)
{
	u32 state = __atomic_load_n(&bucket->state, __ATOMIC_RELAXED);

	map_store(&bucket->state, state & ~(u32)MAP_BUCKET_LOCKED);
}

/* Did no slot leave the bucket since its state was `before`? */
static inline bool map_bucket_is_same(const struct map_bucket *bucket, u32 before)
{
	return !(before & MAP_BUCKET_STEP) &&
	       !((map_load(&bucket->state) ^ before) & ~(u32)MAP_BUCKET_LOCKED);
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
	const struct map_bucket *bucket = &table->buckets[place.bucket];
	u32 num, before;

	for (int i = 0; i < MAP_LOOKUP_TRIES; i++) {
		before = map_load(&bucket->state);
		num = map_chain_find(table, place, key);
		if (likely(num || map_bucket_is_same(bucket, before)))
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

/* A key in registers, with its place. */
struct map_short_key {
	u64 low, high;
	struct map_place place;
};

static inline __attribute__((always_inline)) struct map_short_key map_short_key(
	const struct map_table *table, const void *key, u32 len)
{
	const u64 k0 = 0x9e3779b97f4a7c15, k1 = 0xd6e8feb86659fd93; /* those of hash_bytes */
	const u64 low = len == 4 ? map_key_word(key, 0) : map_key_pair(key, 0);
	const u64 high = len == 16 ? map_key_pair(key, 1) : 0;
	u64 hash = hash_mix(table->seed ^ k0 ^ len ^ low, k1);

	if (len == 16)
		hash = hash_mix(hash ^ high, k1);
	hash = hash_mix(hash ^ k1, k0);
	return (struct map_short_key){
		low, high, {(u32)hash & table->bucket_mask, (u32)(hash >> 32) | MAP_SLOT_LIVE}};
}

static inline __attribute__((always_inline)) bool map_slot_is_short(
	const struct map_slot *slot, const struct map_short_key *key, u32 len)
{
	if (map_load(&slot->hash) != key->place.hash)
		return false;
	if (len == 4)
		return map_load((const u32 *)slot->key) == key->low;
	return __atomic_load_n(&slot->key[0], __ATOMIC_ACQUIRE) == key->low &&
	       (len == 8 || __atomic_load_n(&slot->key[1], __ATOMIC_ACQUIRE) == key->high);
}

static inline __attribute__((always_inline)) u32 map_table_find_len(
	struct map_table *table, const void *key, u32 len)
{
	const struct map_short_key in = map_short_key(table, key, len);
	const struct map_bucket *bucket = &table->buckets[in.place.bucket];
	const struct map_slot *slot;
	u32 num, before;

	for (int i = 0; i < MAP_LOOKUP_TRIES; i++) {
		before = map_load(&bucket->state);
		for (num = map_load(&bucket->head); num; num = map_load(&slot->next)) {
			slot = map_table_slot(table, num);
			if (map_slot_is_short(slot, &in, len))
				return num;
		}
		if (likely(map_bucket_is_same(bucket, before)))
			return 0;
	}
	return map_table_find_locked(table, in.place, key);
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

/* The same for keys of 4, 8 or 16 bytes, a number known at compile time; 0: of any length. */
static inline __attribute__((always_inline)) struct map_entry map_table_lock_len(
	struct map_table *table, const void *key, u32 len)
{
	struct map_short_key in = {0};
	struct map_bucket *bucket;
	struct map_entry entry;
	struct map_slot *slot;

	if (!len)
		return map_table_lock(table, key);
	in = map_short_key(table, key, len);
	entry.place = in.place;
	bucket = &table->buckets[in.place.bucket];
	map_bucket_lock(bucket);
	entry.link = &bucket->head;
	for (; (entry.num = *entry.link); entry.link = &slot->next) {
		slot = map_table_slot(table, entry.num);
		if (map_slot_is_short(slot, &in, len))
			break;
	}
	return entry;
}

static inline void map_table_unlock(struct map_table *table, const struct map_entry *entry)
{
	map_bucket_unlock(&table->buckets[entry->place.bucket]);
}

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
/* map_ops.copy_out of tables with one value an entry. */
int map_table_copy_out(const struct map *map, struct map_table *table, const void *key,
	void *ret_value, u64 flags);
/* map_ops.bucket_keys */
int map_table_bucket_keys(
	struct map_table *table, u32 bucket, u32 cap, void *ret_keys, u32 *ret_cnt);
/* Is addr at offset off of some used slot's len bytes from value_off on? Gives the offset. */
bool map_table_owns(const struct map_table *table, const void *addr, size_t len, u32 value_size);
/* Bytes as Linux counts them. extra: without per-CPU values, slots beside max_entries. */
u64 map_table_usage(
	const struct map *map, const struct map_table *table, bool is_percpu, u32 extra);

#endif
