/*
 * Maps under eight threads that look up, update, add, delete, take and walk at once, as programs and as user space.
 *
 *	threads [SECONDS [NAME]]: that long for each test, or for the one of that name
 *
 * What must hold meanwhile:
 *
 *   - a key that is never deleted is always found;
 *   - what user space reads are the bytes of one update of that very key;
 *   - what a program finds is a value that some key had: never bytes of nothing;
 *   - every add and delete of a thread's own keys answers as if the thread were alone, also when all
 *     threads together fill the map to its last entry;
 *   - an own key has the value that the thread wrote last, until it writes another;
 *   - afterwards the map holds exactly the keys that the threads left, each once.
 *
 * Meant to run under the thread sanitizer as well.
 */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
	THREADS = 8,
	CPUS = THREADS, /* a thread each: programs have their CPU for themselves */
	ROUNDS = 40000,
	SHARED = 8, /* keys that stay and that everybody updates */
	OWN = 60,   /* keys of each thread, which come and go */
	KEYS = SHARED + THREADS * OWN,
	WORDS = 3,
	TAG = 0x5eed,
};

/* A value: the key's number, a counter, and both mixed. */
struct value {
	u64 word[WORDS];
};

static struct value value_of(u32 number, u64 counter)
{
	u64 tag = (u64)TAG << 32 | number;

	return (struct value){{tag, counter, tag ^ counter}};
}

static u64 run_ns; /* a test; 0: ROUNDS */

static void start(struct skep *inst)
{
	struct inst_options opts = {.cpu_cnt = CPUS};

	assert_int_equal(inst_init(inst, &opts), 0);
	inst->map_types = map_types;
	inst->map_type_cnt = map_types_cnt;
}

struct worker {
	struct map *map;
	u32 index;
	u64 rng, ends_ns, rounds;
	u64 own[OWN]; /* the counter of the own key's value, 0: it is not there */
	const char *failure;
	u32 got;
};

static u32 rnd(struct worker *worker, u32 below)
{
	worker->rng ^= worker->rng << 13;
	worker->rng ^= worker->rng >> 7;
	worker->rng ^= worker->rng << 17;
	return (u32)(worker->rng >> 24) % below;
}

/* Prefixes of a trie hang below each other, and are so many that it has tables: an even number's covers the odd one
 * that follows. */
static void make_key(const struct map *map, u32 number, u8 key[8])
{
	u32 len = number % 2 ? 26 : 25;

	memset(key, 0, 8);
	if (map->type->type == BPF_MAP_TYPE_LPM_TRIE) {
		memcpy(key, &len, sizeof(len));
		key[4] = 10;
		key[6] = (u8)(number >> 2);
		key[5] = (u8)(number >> 10);
		key[7] = (u8)(number << 6);
	} else {
		memcpy(key, &number, sizeof(number));
	}
}

#define CHECK(cond, what, number)                                                                  \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			worker->failure = (what);                                                  \
			worker->got = (u32)(number);                                               \
			return;                                                                    \
		}                                                                                  \
	} while (0)

static void check_lookup(struct worker *worker, u32 number)
{
	u8 key[8];
	const u64 *found;
	u64 tag;

	make_key(worker->map, number, key);
	found = worker->map->ops->lookup(worker->map, key, worker->index);
	CHECK(found, "a key that stays is not found", number);
	tag = __atomic_load_n(found, __ATOMIC_ACQUIRE);
	CHECK(tag >> 32 == TAG && (u32)tag < KEYS, "a value of no key", tag);
}

static void check_copy(struct worker *worker, u32 number)
{
	struct value values[CPUS];
	u8 key[8];
	int err;

	make_key(worker->map, number, key);
	err = map_user_lookup(worker->map, key, values, 0);
	CHECK(!err, "a key that stays cannot be copied", err);
	for (u32 cpu = 0; cpu < map_user_value_len(worker->map) / sizeof(struct value); cpu++) {
		CHECK((u32)values[cpu].word[0] == number, "the value of another key",
			values[cpu].word[0]);
		CHECK(values[cpu].word[2] == (values[cpu].word[0] ^ values[cpu].word[1]),
			"a value of two updates", number);
	}
}

/* As user space or as a program on the worker's CPU. */
static int write_own(struct worker *worker, const u8 *key, const struct value *values, u64 flags)
{
	struct map *map = worker->map;

	if (rnd(worker, 2))
		return map_user_update(map, key, values, flags);
	return map->ops->update(map, key, values, flags, worker->index);
}

/* What only this thread writes is what it wrote. */
static void check_own(struct worker *worker, u32 slot)
{
	u32 number = SHARED + worker->index * OWN + slot;
	struct value values[CPUS];
	u8 key[8];
	int err;

	make_key(worker->map, number, key);
	err = map_user_lookup(worker->map, key, values, 0);
	if (worker->map->type->type == BPF_MAP_TYPE_LPM_TRIE && !err &&
		(u32)values[0].word[0] != number)
		err = -ENOENT; /* a shorter prefix's */
	CHECK(err == (worker->own[slot] ? 0 : -ENOENT), "an own key came or went", err);
	CHECK(err || values[worker->map->type->is_percpu ? worker->index : 0].word[1] ==
				worker->own[slot],
		"an own update is lost", number);
}

static void take_own(struct worker *worker, const u8 *key, u32 slot)
{
	struct value values[CPUS];
	int err = map_user_take(worker->map, key, values, 0);

	CHECK(!err, "an own key cannot be taken", err);
	CHECK(values[worker->map->type->is_percpu ? worker->index : 0].word[1] == worker->own[slot],
		"another value is taken", slot);
}

static void change_own(struct worker *worker)
{
	u32 slot = rnd(worker, OWN), number = SHARED + worker->index * OWN + slot;
	u64 counter = ++worker->rounds;
	struct value value = value_of(number, counter), values[CPUS];
	struct map *map = worker->map;
	u8 key[8];
	int err;

	make_key(map, number, key);
	for (u32 cpu = 0; cpu < CPUS; cpu++)
		values[cpu] = value;
	if (worker->own[slot] && rnd(worker, 2)) {
		err = write_own(worker, key, values, BPF_EXIST);
		CHECK(!err, "an own key cannot be updated", err);
		worker->own[slot] = counter;
	} else if (worker->own[slot]) {
		err = write_own(worker, key, values, BPF_NOEXIST);
		CHECK(err == -EEXIST, "an own key is gone", err);
		if (map->ops->take_out && rnd(worker, 2)) {
			take_own(worker, key, slot);
		} else {
			err = map->ops->remove(map, key);
			CHECK(!err, "an own key cannot be deleted", err);
		}
		worker->own[slot] = 0;
	} else {
		err = write_own(worker, key, values, BPF_EXIST);
		CHECK(err == -ENOENT, "a deleted key is there", err);
		err = write_own(worker, key, values, BPF_NOEXIST);
		CHECK(!err, "no room for a key that has its place", err);
		worker->own[slot] = counter;
	}
	if (!worker->failure)
		check_own(worker, slot);
}

static void update_shared(struct worker *worker)
{
	struct value values[CPUS];
	u32 number = rnd(worker, SHARED);
	u8 key[8];
	int err;

	for (u32 cpu = 0; cpu < CPUS; cpu++)
		values[cpu] = value_of(number, rnd(worker, 1000));
	make_key(worker->map, number, key);
	/* in place, so by the CPU it belongs to alone */
	if (worker->map->type->is_percpu)
		err = worker->map->ops->update(worker->map, key, values, BPF_EXIST, worker->index);
	else
		err = map_user_update(worker->map, key, values, BPF_EXIST);
	CHECK(!err, "a key that stays cannot be updated", err);
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static bool goes_on(const struct worker *worker, u32 round)
{
	if (worker->failure)
		return false;
	return run_ns ? round % 64 || now_ns() < worker->ends_ns : round < ROUNDS;
}

static void walk_some(struct worker *worker)
{
	u8 key[8], next[8], keys[8 * KEYS];
	u32 cnt;

	make_key(worker->map, rnd(worker, KEYS), key);
	map_user_next_key(worker->map, key, next);
	if (worker->map->ops->bucket_keys)
		worker->map->ops->bucket_keys(worker->map, rnd(worker, 256), KEYS, keys, &cnt);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	worker->ends_ns = now_ns() + run_ns;
	for (u32 round = 0; goes_on(worker, round); round++) {
		switch (rnd(worker, 8)) {
		case 0:
		case 1: check_lookup(worker, rnd(worker, SHARED)); break;
		case 2: check_copy(worker, rnd(worker, SHARED)); break;
		case 3: check_own(worker, rnd(worker, OWN)); break;
		case 4:
		case 5: change_own(worker); break;
		case 6: update_shared(worker); break;
		case 7: walk_some(worker); break;
		}
	}
	return NULL;
}

static u32 number_of(const struct map *map, const u8 key[8])
{
	u32 number;

	memcpy(&number, key, sizeof(number));
	if (map->type->type == BPF_MAP_TYPE_LPM_TRIE)
		number = (u32)key[5] << 10 | (u32)key[6] << 2 | key[7] >> 6;
	return number;
}

/* Each key once. */
static u32 count_keys(struct map *map)
{
	bool seen[KEYS] = {false};
	u8 keys[2][8];
	u32 cnt = 0, number;

	while (!map_user_next_key(map, cnt ? keys[(cnt - 1) % 2] : NULL, keys[cnt % 2])) {
		number = number_of(map, keys[cnt++ % 2]);
		assert_in_range(number, 0, KEYS - 1);
		assert_false(seen[number]);
		seen[number] = true;
	}
	return cnt;
}

static void run_threads(u32 type, u32 flags)
{
	struct worker workers[THREADS] = {0};
	struct value values[CPUS];
	pthread_t threads[THREADS];
	u32 expected = SHARED;
	struct skep inst;
	struct map *map;
	u8 key[8];

	start(&inst);
	map = map_make(&inst, type, 8, sizeof(struct value), KEYS, flags);
	for (u32 number = 0; number < SHARED; number++) {
		for (u32 cpu = 0; cpu < CPUS; cpu++)
			values[cpu] = value_of(number, cpu);
		make_key(map, number, key);
		assert_int_equal(map_user_update(map, key, values, BPF_NOEXIST), 0);
	}
	for (u32 i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.map = map, .index = i, .rng = 0x9e3779b97f4a7c15 * (i + 1)};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (u32 i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (workers[i].failure)
			fail_msg("thread %u: %s (%#x)", i, workers[i].failure, workers[i].got);
		for (u32 slot = 0; slot < OWN; slot++)
			expected += workers[i].own[slot] != 0;
	}
	assert_int_equal(count_keys(map), expected);
	obj_put(&map->obj);
	inst_done(&inst);
}

static void hash(void **state)
{
	run_threads(BPF_MAP_TYPE_HASH, 0);
}

static void hash_not_preallocated(void **state)
{
	run_threads(BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC);
}

static void percpu_hash(void **state)
{
	run_threads(BPF_MAP_TYPE_PERCPU_HASH, 0);
}

static void lpm_trie(void **state)
{
	run_threads(BPF_MAP_TYPE_LPM_TRIE, 0);
}

static void lru_hash(void **state)
{
	run_threads(BPF_MAP_TYPE_LRU_HASH, 0);
}

static void lru_percpu_hash(void **state)
{
	run_threads(BPF_MAP_TYPE_LRU_PERCPU_HASH, 0);
}

enum { ROOM = 64, CROWD = 512 };

/* Eight times as many keys as there is room for: entries go all the time. */
static void *crowd(void *arg)
{
	struct worker *worker = arg;
	struct value values[CPUS];
	struct map *map = worker->map;
	const u64 *found;
	u32 number;
	u8 key[8];
	u64 tag;
	int err;

	worker->ends_ns = now_ns() + run_ns;
	for (u32 round = 0; goes_on(worker, round); round++) {
		number = rnd(worker, CROWD);
		make_key(map, number, key);
		if (rnd(worker, 2)) {
			found = map->ops->lookup(map, key, worker->index);
			tag = found ? __atomic_load_n(found, __ATOMIC_ACQUIRE) : 0;
			/* a new entry's values of other CPUs are zero */
			if (tag ? tag >> 32 != TAG : found && !map->type->is_percpu)
				worker->failure = "a value of no key";
			continue;
		}
		values[0] = value_of(number, round);
		err = rnd(worker, 4) ? map->ops->update(map, key, values, BPF_ANY, worker->index)
				     : map_user_delete(map, key);
		if (err && err != -ENOENT) {
			worker->got = (u32)-err;
			worker->failure = "an LRU hash is full";
		}
	}
	return NULL;
}

static void run_crowd(u32 type, u32 flags)
{
	struct worker workers[THREADS] = {0};
	pthread_t threads[THREADS];
	bool seen[CROWD] = {false};
	u8 key[8], next[8];
	struct skep inst;
	struct map *map;
	u32 cnt = 0, number;

	start(&inst);
	map = map_make(&inst, type, 8, sizeof(struct value), ROOM, flags);
	for (u32 i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.map = map, .index = i, .rng = 0x9e3779b97f4a7c15 * (i + 1)};
		assert_int_equal(pthread_create(&threads[i], NULL, crowd, &workers[i]), 0);
	}
	for (u32 i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	for (u32 i = 0; i < THREADS; i++) {
		if (workers[i].failure)
			fail_msg("thread %u: %s (%u), flags 0x%x", i, workers[i].failure,
				workers[i].got, flags);
	}
	while (!map_user_next_key(map, cnt++ ? key : NULL, next)) {
		memcpy(key, next, sizeof(key));
		memcpy(&number, key, sizeof(number));
		assert_in_range(number, 0, CROWD - 1);
		assert_false(seen[number]);
		seen[number] = true;
	}
	/* who ran last deleted others' entries, and has a part of the room for his own */
	assert_in_range(cnt - 1, flags & BPF_F_NO_COMMON_LRU ? ROOM / THREADS / 2 : ROOM / 4, ROOM);
	obj_put(&map->obj);
	inst_done(&inst);
}

static void lru_hash_under_pressure(void **state)
{
	run_crowd(BPF_MAP_TYPE_LRU_HASH, 0);
	run_crowd(BPF_MAP_TYPE_LRU_HASH, BPF_F_NO_COMMON_LRU);
}

static void lru_percpu_hash_under_pressure(void **state)
{
	run_crowd(BPF_MAP_TYPE_LRU_PERCPU_HASH, 0);
	run_crowd(BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_F_NO_COMMON_LRU);
}

/* Half of the threads push numbers, the others pop them: each number comes out once, in a queue in the
 * order in which its thread pushed it. */
static void *push_numbers(void *arg)
{
	struct worker *worker = arg;
	u64 value;

	for (u32 i = 1; i <= ROUNDS; i++) {
		value = (u64)worker->index << 32 | i;
		while (worker->map->ops->push(worker->map, &value, 0))
			sched_yield();
	}
	return NULL;
}

static void *pop_numbers(void *arg)
{
	struct worker *worker = arg;
	u64 value, last[THREADS] = {0};

	for (u32 i = 0; i < ROUNDS && !worker->failure; i++) {
		while (worker->map->ops->pop(worker->map, &value))
			sched_yield();
		worker->rng += (u32)value; /* the sum */
		if (worker->map->type->type == BPF_MAP_TYPE_QUEUE &&
			(u32)value <= last[value >> 32])
			worker->failure = "out of order";
		last[value >> 32] = (u32)value;
	}
	return NULL;
}

static void run_queue(u32 type)
{
	struct worker workers[THREADS] = {0};
	pthread_t threads[THREADS];
	struct skep inst;
	struct map *map;
	u64 value, sum = 0;

	start(&inst);
	map = map_make(&inst, type, 0, 8, 16, 0);
	for (u32 i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.map = map, .index = i};
		assert_int_equal(pthread_create(&threads[i], NULL,
					 i % 2 ? pop_numbers : push_numbers, &workers[i]),
			0);
	}
	for (u32 i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (workers[i].failure)
			fail_msg("thread %u: %s", i, workers[i].failure);
		sum += workers[i].rng;
	}
	assert_int_equal(sum, THREADS / 2 * ((u64)ROUNDS * (ROUNDS + 1) / 2));
	assert_int_equal(map->ops->pop(map, &value), -ENOENT);
	obj_put(&map->obj);
	inst_done(&inst);
}

static void queue_and_stack(void **state)
{
	run_queue(BPF_MAP_TYPE_QUEUE);
	run_queue(BPF_MAP_TYPE_STACK);
}

/* Words of an array change in place, each of them whole. */
static void *write_array(void *arg)
{
	struct worker *worker = arg;
	struct map *map = worker->map;
	u64 values[CPUS], tag;
	const u64 *found;
	u32 number;

	worker->ends_ns = now_ns() + run_ns;
	for (u32 round = 0; goes_on(worker, round); round++) {
		number = rnd(worker, SHARED);
		for (u32 cpu = 0; cpu < CPUS; cpu++)
			values[cpu] = (u64)TAG << 32 | number;
		switch (rnd(worker, 3)) {
		case 0: map->ops->update(map, &number, values, BPF_ANY, worker->index); break;
		case 1:
			if (map_user_lookup(map, &number, values, 0) ||
				(values[0] && (u32)values[0] != number))
				worker->failure = "the value of another index";
			break;
		default:
			found = map->ops->lookup(map, &number, worker->index);
			tag = __atomic_load_n(found, __ATOMIC_ACQUIRE);
			if (tag && tag >> 32 != TAG)
				worker->failure = "a value that nobody wrote";
		}
	}
	return NULL;
}

/* What was added is found from then on. */
static void *fill_bloom(void *arg)
{
	struct worker *worker = arg;
	struct map *map = worker->map;

	worker->ends_ns = now_ns() + run_ns;
	for (u32 round = 0; goes_on(worker, round); round++) {
		u64 value = (u64)worker->index << 32 | round % 512;

		map->ops->push(map, &value, 0);
		if (map->ops->peek(map, &value))
			worker->failure = "a value is lost";
	}
	return NULL;
}

static void run_simple(u32 type, u32 key_size, void *(*fn)(void *arg))
{
	struct worker workers[THREADS] = {0};
	pthread_t threads[THREADS];
	struct skep inst;
	struct map *map;

	start(&inst);
	map = map_make(&inst, type, key_size, 8, key_size ? SHARED : 4096, 0);
	for (u32 i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.map = map, .index = i, .rng = 0x9e3779b97f4a7c15 * (i + 1)};
		assert_int_equal(pthread_create(&threads[i], NULL, fn, &workers[i]), 0);
	}
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (u32 i = 0; i < THREADS; i++)
		if (workers[i].failure)
			fail_msg("thread %u: %s", i, workers[i].failure);
	obj_put(&map->obj);
	inst_done(&inst);
}

static void arrays(void **state)
{
	run_simple(BPF_MAP_TYPE_ARRAY, 4, write_array);
	run_simple(BPF_MAP_TYPE_PERCPU_ARRAY, 4, write_array);
}

static void bloom_filter(void **state)
{
	run_simple(BPF_MAP_TYPE_BLOOM_FILTER, 0, fill_bloom);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash),
		cmocka_unit_test(hash_not_preallocated),
		cmocka_unit_test(percpu_hash),
		cmocka_unit_test(lpm_trie),
		cmocka_unit_test(lru_hash),
		cmocka_unit_test(lru_percpu_hash),
		cmocka_unit_test(lru_hash_under_pressure),
		cmocka_unit_test(lru_percpu_hash_under_pressure),
		cmocka_unit_test(queue_and_stack),
		cmocka_unit_test(arrays),
		cmocka_unit_test(bloom_filter),
	};

	if (argc > 1)
		run_ns = (u64)(strtod(argv[1], NULL) * 1e9);
	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
