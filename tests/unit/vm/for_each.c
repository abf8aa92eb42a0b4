/*
 * bpf_for_each_map_elem and bpf_loop over real maps: every element once, this CPU's value, elements that the
 * callback removes, and what is refused, on interpreter, checked interpreter and JIT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "base/mem.h"
#include "core/map.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"
#include "vm/vm.h"

enum { CPU_CNT = 3, CPU = 2, ENTRY_CNT = 50, SUBS_MAX = 2, BUDGET = 1000000 };
enum engine { INTERP, CHECKED, JIT, ENGINE_CNT };

static const u32 types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_HASH,
	BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY};

/* Key k has value 100 + k on CPU. */
static struct map *make_map(struct skep *inst, u32 type)
{
	const struct map_attr attr = {
		.type = type, .key_size = 4, .value_size = 8, .max_entries = ENTRY_CNT};
	struct map *map = NULL;

	assert_int_equal(map_new(inst, &attr, &map), 0);
	for (u32 key = 0; key < ENTRY_CNT; key++)
		assert_int_equal(map->ops->update(map, &key, &(u64){100 + key}, BPF_ANY, CPU), 0);
	return map;
}

/* The program's result; "lddw map_fd" loads map's address. */
static u64 run_text(
	struct skep *inst, struct map *map, const char *text, u32 second, enum engine engine)
{
	struct prog_sub subs[SUBS_MAX] = {{0, 64}, {second, 64}};
	struct prog_code code = {.subs = subs, .sub_cnt = second ? 2 : 1};
	struct prog_image image = {0};
	struct run *run = vm_run_get(inst, CPU);
	const u64 addr = (uintptr_t)map;
	u64 result = 0;

	assert_int_equal(isa_asm(text, &code.insns, &code.insn_cnt, NULL), 0);
	for (u32 i = 0; i < code.insn_cnt; i++) {
		if (!isa_is_lddw(&code.insns[i]) || code.insns[i].src_reg != BPF_PSEUDO_MAP_FD)
			continue;
		code.insns[i].imm = (s32)addr;
		code.insns[i + 1].imm = (s32)(addr >> 32);
	}
	run->budget = BUDGET;
	run->fault.kind = RUN_FAULT_NONE;
	switch (engine) {
	case INTERP: result = interp_run(&code, NULL, run); break;
	case CHECKED: result = interp_run_checked(&code, &map, 1, NULL, run); break;
	default:
		assert_int_equal(jit_compile(&code, inst, &image), 0);
		result = image.entry(NULL, run);
		jit_free(&image);
	}
	assert_int_equal(run->fault.kind, RUN_FAULT_NONE);
	assert_int_equal(run->region_cnt, 0);
	vm_run_put(run);
	mem_free(code.insns);
	return result;
}

struct row {
	const char *text;
	u32 second;	  /* where the callback begins */
	s64 result;	  /* of hash tables */
	s64 array_result; /* of arrays */
};

static void check(const struct row *row)
{
	const struct inst_options opts = {.cpu_cnt = CPU_CNT};
	struct skep inst;
	struct map *map;
	u64 result, want;

	assert_int_equal(vm_inst_init(&inst, &opts), 0);
	for (u32 t = 0; t < ARRAY_SIZE(types); t++)
		for (u32 e = 0; e < ENGINE_CNT; e++) {
			map = make_map(&inst, types[t]);
			result = run_text(&inst, map, row->text, row->second, e);
			want = (u64)(t < 4 ? row->result : row->array_result);
			if (result != want)
				fail_msg("%s\ntype %u, engine %u: %lld", row->text, types[t], e,
					(long long)result);
			obj_put(&map->obj);
		}
	inst_done(&inst);
}

static void every_element_is_seen_once(void **state)
{
	/* the sum of keys and values, and how many there were */
	static const struct row row = {"stdw [%r10-8], 0\nlddw map_fd %r1, 0\nlddw func %r2, 13\n"
				       "mov %r3, %r10\nadd %r3, -8\nmov %r4, 0\ncall 164\n"
				       "ldxdw %r1, [%r10-8]\nmul %r0, 100000\nadd %r0, %r1\nexit\n"
				       "ldxw %r0, [%r2]\nldxdw %r3, [%r3]\nadd %r0, %r3\n"
				       "ldxdw %r3, [%r4]\nadd %r3, %r0\nstxdw [%r4], %r3\n"
				       "mov %r0, 0\nexit\n",
		13, 50 * 100000 + 49 * 50 + 5000, 50 * 100000 + 49 * 50 + 5000};

	check(&row);
}

static void the_map_is_the_first_argument(void **state)
{
	/* each element is removed by its callback: none is left for the second round */
	static const struct row row = {
		"lddw map_fd %r1, 0\nlddw func %r2, 18\nmov %r3, 0\nmov %r4, 0\ncall 164\n"
		"mov %r6, %r0\n"
		"lddw map_fd %r1, 0\nlddw func %r2, 18\nmov %r3, 0\nmov %r4, 0\ncall 164\n"
		"mul %r0, 1000\nadd %r0, %r6\nexit\n"
		"call 3\nmov %r0, 0\nexit\n",
		18, 50, 50 * 1000 + 50};

	check(&row);
}

static void it_ends_where_the_callback_says(void **state)
{
	static const struct row row = {
		"stdw [%r10-8], 0\nlddw map_fd %r1, 0\nlddw func %r2, 10\nmov %r3, %r10\n"
		"add %r3, -8\nmov %r4, 0\ncall 164\nexit\n"
		"ldxdw %r3, [%r4]\nadd %r3, 1\nstxdw [%r4], %r3\nmov %r0, 0\njlt %r3, 7, +1\n"
		"mov %r0, 1\nexit\n",
		10, 7, 7};

	check(&row);
}

static void flags_and_too_many_loops_are_refused(void **state)
{
	static const struct row rows[] = {
		{"lddw map_fd %r1, 0\nlddw func %r2, 8\nmov %r3, 0\nmov %r4, 1\ncall 164\nexit\n"
		 "mov %r0, 0\nexit\n",
			8, -EINVAL, -EINVAL},
		{"mov %r1, 8388609\nlddw func %r2, 7\nmov %r3, 0\nmov %r4, 0\ncall 181\nexit\n"
		 "mov %r0, 0\nexit\n",
			7, -E2BIG, -E2BIG},
		{"mov %r1, 3\nlddw func %r2, 7\nmov %r3, 0\nmov %r4, 2\ncall 181\nexit\n"
		 "mov %r0, 0\nexit\n",
			7, -EINVAL, -EINVAL},
		/* the count has 32 bits */
		{"lddw %r1, 0x100000003\nlddw func %r2, 8\nmov %r3, 0\nmov %r4, 0\ncall 181\n"
		 "exit\nmov %r0, 0\nexit\n",
			8, 3, 3},
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_element_is_seen_once),
		cmocka_unit_test(the_map_is_the_first_argument),
		cmocka_unit_test(it_ends_where_the_callback_says),
		cmocka_unit_test(flags_and_too_many_loops_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
