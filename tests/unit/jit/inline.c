/*
 * What the JIT does in place of a helper's call. Lookups: for every type and size it gives the address that the
 * map's own lookup gives, on each CPU, and NULL where that does. Random numbers and checksums: what the helper gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/map.h"
#include "isa/isa.h"
#include "jit/jit.h"
#include "vm/vm.h"

enum { CPU_CNT = 3, KEY_MAX = 40, ENTRY_CNT = 5, TRIES = 12 };

static const struct {
	u32 type, key_size, value_size, flags;
} kinds[] = {
	{BPF_MAP_TYPE_ARRAY, 4, 8},
	{BPF_MAP_TYPE_ARRAY, 4, 1},
	{BPF_MAP_TYPE_ARRAY, 4, 12},
	{BPF_MAP_TYPE_ARRAY, 4, 20},
	{BPF_MAP_TYPE_ARRAY, 4, 4096},
	{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8},
	{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 20},
	{BPF_MAP_TYPE_HASH, 4, 8},
	{BPF_MAP_TYPE_HASH, 8, 24},
	{BPF_MAP_TYPE_HASH, 16, 8},
	{BPF_MAP_TYPE_HASH, 12, 8},
	{BPF_MAP_TYPE_HASH, 5, 3},
	{BPF_MAP_TYPE_PERCPU_HASH, 4, 8},
	{BPF_MAP_TYPE_LPM_TRIE, 8, 8, BPF_F_NO_PREALLOC},
};

/* r1 the key: what the lookup in map gives */
static void compile(struct skep *inst, const struct map *map, struct prog_image *ret_image)
{
	struct prog_sub sub = {0, 0};
	struct prog_code code = {.subs = &sub, .sub_cnt = 1};
	const u64 addr = (uintptr_t)map;

	assert_int_equal(isa_asm("mov %r2, %r1\nlddw map_fd %r1, 0\ncall 1\nexit\n", &code.insns,
				 &code.insn_cnt, NULL),
		0);
	code.insns[1].imm = (s32)addr;
	code.insns[2].imm = (s32)(addr >> 32);
	assert_int_equal(jit_compile(&code, inst, ret_image), 0);
	mem_free(code.insns);
}

static void fill_key(u8 *key, u32 type, u32 num)
{
	memset(key, 0, KEY_MAX);
	if (type == BPF_MAP_TYPE_LPM_TRIE) {
		memcpy(key, &(u32){32}, sizeof(u32));
		key[4] = (u8)num;
		return;
	}
	memcpy(key, &num, sizeof(num));
	key[15] = (u8)num;
}

static void check_map(struct skep *inst, struct map *map)
{
	struct prog_image image = {0};
	u8 key[KEY_MAX], value[8192] = {0};

	for (u32 num = 0; num < ENTRY_CNT; num++) {
		fill_key(key, map->type->type, num);
		assert_int_equal(map_user_update(map, key, value, BPF_ANY), 0);
	}
	compile(inst, map, &image);
	for (u32 cpu = 0; cpu < CPU_CNT; cpu++) {
		for (u32 num = 0; num < TRIES; num++) {
			const void *expected;

			fill_key(key, map->type->type, num == TRIES - 1 ? UINT32_MAX : num);
			expected = map->ops->lookup(map, key, cpu);
			assert_int_equal(expected != NULL, num < ENTRY_CNT);
			assert_ptr_equal(
				(void *)(uintptr_t)image.entry(key, &inst->runs[cpu]), expected);
		}
	}
	jit_free(&image);
}

static void lookups_in_place_are_those_of_the_map(void **state)
{
	const struct inst_options opts = {.cpu_cnt = CPU_CNT};
	struct skep inst;

	assert_int_equal(vm_inst_init(&inst, &opts), 0);
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct map_attr attr = {.type = kinds[i].type,
			.key_size = kinds[i].key_size,
			.value_size = kinds[i].value_size,
			.flags = kinds[i].flags,
			.max_entries = ENTRY_CNT};
		struct map *map;

		assert_int_equal(map_new(&inst, &attr, &map), 0);
		check_map(&inst, map);
		obj_put(&map->obj);
	}
	inst_done(&inst);
}

static void a_program_knows_its_cpu(void **state)
{
	const struct inst_options opts = {.cpu_cnt = CPU_CNT};
	struct prog_sub sub = {0, 0};
	struct prog_code code = {.subs = &sub, .sub_cnt = 1};
	struct prog_image image = {0};
	struct skep inst;

	assert_int_equal(vm_inst_init(&inst, &opts), 0);
	assert_int_equal(isa_asm("call 8\nexit\n", &code.insns, &code.insn_cnt, NULL), 0);
	assert_int_equal(jit_compile(&code, &inst, &image), 0);
	for (u32 cpu = 0; cpu < CPU_CNT; cpu++)
		assert_int_equal(image.entry(NULL, &inst.runs[cpu]), cpu);
	jit_free(&image);
	mem_free(code.insns);
	inst_done(&inst);
}

/* Not what it is for, but what would be seen first if the generator stood still. */
static void random_numbers_differ(void **state)
{
	const struct inst_options opts = {.cpu_cnt = CPU_CNT};
	u32 ones = 0, last = 0, same = 0;
	struct skep inst;

	assert_int_equal(vm_inst_init(&inst, &opts), 0);
	for (u32 i = 0; i < 1000; i++) {
		const u32 num = inst_prandom(&inst.runs[i % CPU_CNT]);

		ones += (u32)__builtin_popcount(num);
		same += num == last;
		last = num;
	}
	assert_in_range(ones, 15000, 17000);
	assert_true(same < 3);
	inst_done(&inst);
}

static void compile_text(
	const char *text, struct skep *inst, bool plain, struct prog_image *ret_image)
{
	struct prog_sub sub = {0, 0};
	struct prog_code code = {.subs = &sub, .sub_cnt = 1};

	assert_int_equal(isa_asm(text, &code.insns, &code.insn_cnt, NULL), 0);
	assert_int_equal((plain ? jit_compile_plain : jit_compile)(&code, inst, ret_image), 0);
	mem_free(code.insns);
}

static void random_numbers_in_place_are_those_of_the_instance(void **state)
{
	for (u32 replay = 0; replay < 2; replay++) {
		const struct inst_options opts = {.cpu_cnt = CPU_CNT,
			.clock = replay ? INST_CLOCK_REPLAY : INST_CLOCK_REAL,
			.seed = 9};
		struct prog_image image = {0};
		struct skep inst, twin;

		assert_int_equal(vm_inst_init(&inst, &opts), 0);
		assert_int_equal(vm_inst_init(&twin, &opts), 0);
		compile_text("call 7\nexit\n", &inst, false, &image);
		for (u32 cpu = 0; cpu < CPU_CNT; cpu++)
			twin.runs[cpu].rand_state = inst.runs[cpu].rand_state;
		for (u32 i = 0; i < 1000; i++)
			assert_int_equal(image.entry(NULL, &inst.runs[i % CPU_CNT]),
				inst_prandom(&twin.runs[i % CPU_CNT]));
		jit_free(&image);
		inst_done(&twin);
		inst_done(&inst);
	}
}

enum { SUM_LEN_MAX = 36 };

struct sums {
	u32 from[SUM_LEN_MAX / 4], to[SUM_LEN_MAX / 4];
	u64 seed;
};

/* Words that make sums 0, all ones and everything between. */
static u32 draw_word(u64 *num)
{
	static const u32 words[] = {
		0, 0, 1, 0xfffffffe, 0xffffffff, 0xffffffff, 0xffff, 0xffff0000};

	*num = *num * 6364136223846793005 + 1442695040888963407;
	return *num >> 60 < 6 ? (u32)(*num >> 20) : words[*num >> 40 & 7];
}

static void check_sums(struct skep *inst, u32 from_len, u32 to_len)
{
	struct prog_image fused = {0}, plain = {0};
	struct sums sums;
	u64 num = from_len << 8 | to_len;
	char text[300];

	snprintf(text, sizeof(text),
		"mov %%r3, %%r1\nadd %%r3, %zu\nldxdw %%r5, [%%r1+%zu]\nmov32 %%r2, %u\nmov %%r4, "
		"%u\n"
		"call 28\nexit\n",
		offsetof(struct sums, to), offsetof(struct sums, seed), from_len, to_len);
	compile_text(text, inst, false, &fused);
	compile_text(text, inst, true, &plain);
	for (u32 round = 0; round < 400; round++) {
		const bool is_zero = round % 16 == 0;

		for (u32 i = 0; i < SUM_LEN_MAX / 4; i++) {
			sums.from[i] = draw_word(&num);
			sums.to[i] = is_zero ? 0 : draw_word(&num);
		}
		sums.seed = is_zero ? 0 : (u64)draw_word(&num) << 32 | draw_word(&num);
		assert_int_equal(
			fused.entry(&sums, &inst->runs[0]), plain.entry(&sums, &inst->runs[0]));
	}
	jit_free(&plain);
	jit_free(&fused);
}

static void checksums_in_place_are_those_of_the_helper(void **state)
{
	const struct inst_options opts = {.cpu_cnt = CPU_CNT};
	struct skep inst;

	assert_int_equal(vm_inst_init(&inst, &opts), 0);
	for (u32 from_len = 0; from_len <= SUM_LEN_MAX; from_len += 2)
		for (u32 to_len = 0; to_len <= SUM_LEN_MAX; to_len += 2)
			check_sums(&inst, from_len, to_len);
	inst_done(&inst);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookups_in_place_are_those_of_the_map),
		cmocka_unit_test(a_program_knows_its_cpu),
		cmocka_unit_test(random_numbers_differ),
		cmocka_unit_test(random_numbers_in_place_are_those_of_the_instance),
		cmocka_unit_test(checksums_in_place_are_those_of_the_helper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
