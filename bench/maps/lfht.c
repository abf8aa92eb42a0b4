/*
 * A HASH of 8-byte keys beside liburcu's lock-free resizable hash table, both called from C: what a lookup of a key
 * that is there costs, with the same keys in the same order. The table gets the hash that the map uses, and as many
 * buckets as entries; its nodes are allocated one after the other.
 */
#include "bench.h"

#include <stdlib.h>
#include <urcu.h>
#include <urcu/rculfhash.h>

#include "base/hash.h"
#include "core/inst.h"
#include "core/map.h"
#include "maps/maps.h"

struct entry {
	struct cds_lfht_node node;
	u64 key, value;
};

static u64 key_of(u32 idx)
{
	return idx * 0x9e3779b97f4a7c15ull;
}

static int match(struct cds_lfht_node *node, const void *key)
{
	return caa_container_of(node, struct entry, node)->key == *(const u64 *)key;
}

static double look_up_lfht(struct cds_lfht *table, u32 seed, u32 mask)
{
	u64 start = now_ns(), sum = 0;
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	for (u32 i = 0; i < LOOPS; i++, seed += 0x85ebca6b) {
		u64 key = key_of(seed & mask);

		rcu_read_lock();
		cds_lfht_lookup(table, hash_bytes(&key, sizeof(key), 1), match, &key, &iter);
		node = cds_lfht_iter_get_node(&iter);
		sum += node ? caa_container_of(node, struct entry, node)->value : 0;
		rcu_read_unlock();
	}
	return sum ? (double)(now_ns() - start) / LOOPS : -1;
}

static double look_up_map(struct map *map, map_lookup_fn lookup, u32 seed, u32 mask)
{
	u64 start = now_ns(), sum = 0;
	const u64 *found;

	for (u32 i = 0; i < LOOPS; i++, seed += 0x85ebca6b) {
		u64 key = key_of(seed & mask);

		found = lookup(map, &key, 0);
		sum += found ? *found : 0;
	}
	return sum ? (double)(now_ns() - start) / LOOPS : -1;
}

static void measure(struct map *map, struct cds_lfht *table, u32 rounds, struct figure *f)
{
	map_lookup_fn lookup = map->ops->lookup_fn ? map->ops->lookup_fn(map) : map->ops->lookup;
	double ours[ROUNDS_MAX], theirs[ROUNDS_MAX];

	for (u32 i = 0; i < rounds; i++) {
		ours[i] = look_up_map(map, lookup, i * 0x9e3779b9, f->entries - 1);
		theirs[i] = look_up_lfht(table, i * 0x9e3779b9, f->entries - 1);
	}
	f->skep_ns = least(ours, rounds);
	f->peer_ns = least(theirs, rounds);
}

static void put(struct map *map, struct cds_lfht *table, struct entry *entry, u32 idx)
{
	*entry = (struct entry){.key = key_of(idx), .value = idx};
	map->ops->update(map, &entry->key, &entry->value, BPF_ANY, 0);
	cds_lfht_node_init(&entry->node);
	rcu_read_lock();
	cds_lfht_add(table, hash_bytes(&entry->key, sizeof(entry->key), 1), &entry->node);
	rcu_read_unlock();
}

struct figure bench_lfht(u32 entries, u32 rounds)
{
	struct figure f = {.map = "HASH",
		.op = "lookup in C",
		.key_size = 8,
		.entries = entries,
		.peer = "lfht",
		.skep_ns = -1,
		.peer_ns = -1};
	struct map_attr attr = {
		.type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 8, .max_entries = entries};
	struct inst_options opts = {.cpu_cnt = 1};
	struct entry *nodes = calloc(entries, sizeof(*nodes));
	struct cds_lfht *table;
	struct skep inst;
	struct map *map;

	rcu_register_thread();
	table = cds_lfht_new(entries, entries, 0, 0, NULL);
	if (nodes && table && !inst_init(&inst, &opts)) {
		inst.map_types = map_types;
		inst.map_type_cnt = map_types_cnt;
		if (!map_new(&inst, &attr, &map)) {
			for (u32 i = 0; i < entries; i++)
				put(map, table, &nodes[i], i);
			measure(map, table, rounds, &f);
			obj_put(&map->obj);
		}
		inst_done(&inst);
	}
	rcu_unregister_thread();
	return f; /* the table and its nodes stay until the process ends */
}
