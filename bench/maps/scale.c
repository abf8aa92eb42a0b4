/*
 * What a second thread does to updates: nanoseconds from one finished update to the next, of both threads together,
 * beside those of one thread alone. Each thread is a CPU and updates keys all over the map, which are there.
 */
#include "bench.h"

#include <pthread.h>
#include <string.h>

#include "core/inst.h"
#include "core/map.h"
#include "maps/maps.h"

enum { ENTRIES = 1 << 14, CPUS = 2, RUN_OPS = 1 << 16, KEY_MAX = 8 };

struct worker {
	struct map *map;
	u32 cpu;
	const u32 *go;
};

static void make_key(const struct map *map, u32 idx, u8 key[KEY_MAX])
{
	u32 len = 32, word = idx * 2654435761U;

	memset(key, 0, KEY_MAX);
	if (map->type->type == BPF_MAP_TYPE_LPM_TRIE) {
		memcpy(key, &len, sizeof(len));
		memcpy(key + sizeof(len), &word, sizeof(word));
	} else {
		memcpy(key, &word, sizeof(word));
	}
}

static void *update(void *arg)
{
	const struct worker *worker = arg;
	u32 at = worker->cpu * 12345;
	u8 key[KEY_MAX];
	u64 value = 1;

	while (!__atomic_load_n(worker->go, __ATOMIC_ACQUIRE))
		;
	for (u32 i = 0; i < RUN_OPS; i++, at += 0x85ebca6b) {
		make_key(worker->map, at % ENTRIES, key);
		worker->map->ops->update(worker->map, key, &value, BPF_EXIST, worker->cpu);
	}
	return NULL;
}

static double run(struct map *map, u32 threads)
{
	struct worker workers[CPUS];
	pthread_t ids[CPUS];
	u32 go = 0, cnt = 0;
	u64 start;

	for (; cnt < threads; cnt++) {
		workers[cnt] = (struct worker){map, cnt, &go};
		if (pthread_create(&ids[cnt], NULL, update, &workers[cnt]))
			break;
	}
	start = now_ns();
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	for (u32 i = 0; i < cnt; i++)
		pthread_join(ids[i], NULL);
	return cnt ? (double)(now_ns() - start) / cnt / RUN_OPS : -1;
}

static struct map *make(struct skep *inst, u32 type)
{
	struct map_attr attr = {.type = type,
		.key_size = type == BPF_MAP_TYPE_LPM_TRIE ? 8 : 4,
		.value_size = 8,
		.max_entries = 2 * ENTRIES,
		.flags = type == BPF_MAP_TYPE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0};
	struct map *map;
	u8 key[KEY_MAX];
	u64 value = 1;

	if (map_new(inst, &attr, &map))
		return NULL;
	for (u32 i = 0; i < ENTRIES; i++) {
		make_key(map, i, key);
		map->ops->update(map, key, &value, BPF_ANY, 0);
	}
	return map;
}

struct figure bench_scale(u32 type, const char *name, u32 rounds)
{
	struct figure f = {.map = name,
		.op = "2 updaters",
		.key_size = type == BPF_MAP_TYPE_LPM_TRIE ? 8 : 4,
		.entries = ENTRIES,
		.peer = "one",
		.skep_ns = -1,
		.peer_ns = -1};
	struct inst_options opts = {.cpu_cnt = CPUS};
	double one[ROUNDS_MAX], two[ROUNDS_MAX];
	struct skep inst;
	struct map *map;

	if (inst_init(&inst, &opts))
		return f;
	inst.map_types = map_types;
	inst.map_type_cnt = map_types_cnt;
	map = make(&inst, type);
	for (u32 i = 0; map && i < rounds; i++) {
		one[i] = run(map, 1);
		two[i] = run(map, 2);
	}
	if (map) {
		f.skep_ns = least(two, rounds);
		f.peer_ns = least(one, rounds);
		obj_put(&map->obj);
	}
	inst_done(&inst);
	return f;
}
