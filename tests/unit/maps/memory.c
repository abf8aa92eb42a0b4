/*
 * When there is no memory: making a map fails cleanly at every allocation, and operations on a map
 * allocate nothing, so they cannot fail for it.
 */
#include "fixture.h"

#include <errno.h>

#include "base/mem.h"

static const struct map_attr kinds[] = {
	{BPF_MAP_TYPE_HASH, 4, 8, 4},
	{BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_NO_PREALLOC},
	{BPF_MAP_TYPE_ARRAY, 4, 8, 4},
	{BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_MMAPABLE},
	{BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4},
	{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4},
	{BPF_MAP_TYPE_LPM_TRIE, 8, 8, 4, BPF_F_NO_PREALLOC},
	{BPF_MAP_TYPE_LRU_HASH, 4, 8, 4},
	{BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 4},
	{BPF_MAP_TYPE_QUEUE, 0, 8, 4},
	{BPF_MAP_TYPE_STACK, 0, 8, 4},
	{BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 4},
};

/* Maps that stand for things outside, whose operations are tried elsewhere. */
static const struct map_attr outer_kinds[] = {
	{BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4},
	{BPF_MAP_TYPE_STACK_TRACE, 4, 80, 4},
	{BPF_MAP_TYPE_SOCKHASH, 4, 8, 4},
	{BPF_MAP_TYPE_CGROUP_STORAGE, 8, 8, 0},
	{BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, 8, 8, 0},
	{BPF_MAP_TYPE_RINGBUF, 0, 0, 4096},
	{BPF_MAP_TYPE_ARENA, 0, 0, 4, BPF_F_MMAPABLE, 1 << 20},
	{BPF_MAP_TYPE_SK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC, .btf_key_type_id = 1,
		.btf_value_type_id = 1},
};

static void try_all(const struct map_attr *attrs, u32 cnt)
{
	struct skep inst;

	inst_start(&inst);
	for (u32 i = 0; i < cnt; i++) {
		struct map *map = NULL;
		u64 nth = 0;
		int err;

		do {
			mem_fail_at(++nth);
			err = map_new(&inst, &attrs[i], &map);
			if (mem_did_fail()) {
				assert_int_equal(err, -ENOMEM);
				assert_null(map);
			}
		} while (mem_did_fail());
		mem_fail_at(0);
		assert_int_equal(err, 0);
		assert_true(nth > 1);
		obj_put(&map->obj);
	}
	inst_done(&inst);
}

static void every_allocation_may_fail(void **state)
{
	try_all(kinds, ARRAY_SIZE(kinds));
	try_all(outer_kinds, ARRAY_SIZE(outer_kinds));
}

static void operations_allocate_nothing(void **state)
{
	u64 value[FIXTURE_CPUS] = {1};
	struct skep inst;

	inst_start(&inst);
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		bool is_array = kinds[i].flags & BPF_F_MMAPABLE ||
				kinds[i].type == BPF_MAP_TYPE_ARRAY ||
				kinds[i].type == BPF_MAP_TYPE_PERCPU_ARRAY;
		u32 key[2] = {0, 0}, next[2];
		struct map *map;

		assert_int_equal(map_new(&inst, &kinds[i], &map), 0);
		mem_fail_at(1);
		if (map->ops->push) {
			assert_int_equal(map->ops->push(map, value, 0), 0);
			assert_int_equal(map->ops->peek(map, value), 0);
			assert_false(mem_did_fail());
			mem_fail_at(0);
			obj_put(&map->obj);
			continue;
		}
		for (key[0] = 0; key[0] < 4; key[0]++) {
			assert_int_equal(map->ops->update(map, key, value, 0, 0), 0);
			assert_int_equal(map_user_update(map, key, value, BPF_EXIST), 0);
			assert_non_null(map->ops->lookup(map, key, 0));
			assert_int_equal(map_user_lookup(map, key, value, 0), 0);
		}
		assert_int_equal(map_user_next_key(map, NULL, next), 0);
		assert_int_equal(map_user_delete(map, next), is_array ? -EINVAL : 0);
		assert_false(mem_did_fail());
		mem_fail_at(0);
		obj_put(&map->obj);
	}
	inst_done(&inst);
}

static void maps_stay_below_the_instances_limit(void **state)
{
	struct inst_options opts = {.cpu_cnt = 2, .map_mem_max = 10000};
	const struct map_attr small = {BPF_MAP_TYPE_ARRAY, 4, 8, 250}; /* 16 bytes an entry */
	const struct map_attr percpu = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 250};
	const struct map_attr big = {BPF_MAP_TYPE_HASH, 16, 1000, 10};
	const struct map_attr huge = {BPF_MAP_TYPE_ARRAY, 4, INT32_MAX, UINT32_MAX};
	struct map *map, *other, *refused = NULL;
	struct skep inst;

	assert_int_equal(inst_init(&inst, &opts), 0);
	inst.map_types = map_types;
	inst.map_type_cnt = map_types_cnt;
	assert_int_equal(map_new(&inst, &big, &refused), -ENOMEM);
	assert_int_equal(map_new(&inst, &huge, &refused), -ENOMEM);
	assert_null(refused);
	assert_int_equal(map_new(&inst, &small, &map), 0);
	assert_int_equal(map_new(&inst, &percpu, &other), 0);
	assert_int_equal(inst.map_mem, 4000 + 6000);
	assert_int_equal(map_new(&inst, &small, &refused), -ENOMEM);
	obj_put(&map->obj);
	assert_int_equal(map_new(&inst, &small, &map), 0);
	obj_put(&map->obj);
	obj_put(&other->obj);
	assert_int_equal(inst.map_mem, 0);
	inst_done(&inst);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(operations_allocate_nothing),
		cmocka_unit_test(maps_stay_below_the_instances_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
