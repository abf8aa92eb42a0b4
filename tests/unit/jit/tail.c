/*
 * Tail calls on every engine: interpreter, checked interpreter and JIT give the same numbers, which are
 * Linux's: 33 of them in a run, none where there is no program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/map.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"

enum { SLOT_CNT = 4, FUNC_CNT = 2 };

static u64 never(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	fail_msg("bpf_tail_call was called as a function");
	return 0;
}

static const struct hlp_proto tail_proto = {.id = BPF_FUNC_tail_call,
	.name = "tail_call",
	.fn = never,
	.args = {HLP_CTX, HLP_CONST_MAP_PTR, HLP_ANYTHING},
	.maps = 1ULL << BPF_MAP_TYPE_PROG_ARRAY};
static const struct hlp_proto *const helpers[] = {[BPF_FUNC_tail_call] = &tail_proto};

static const struct map_type type = {.type = BPF_MAP_TYPE_PROG_ARRAY, .name = "prog_array"};
static const struct map_ops ops = {0};

struct fixture {
	struct prog *slots[SLOT_CNT + 1]; /* one more than the array says */
	struct map_progs array;
	struct map *maps[1];
	struct prog progs[SLOT_CNT];
	struct prog_sub subs[SLOT_CNT][FUNC_CNT];
	struct skep inst;
};

static void setup(struct fixture *fix)
{
	memset(fix, 0, sizeof(*fix));
	fix->array = (struct map_progs){
		.map = {.type = &type, .ops = &ops, .max_entries = SLOT_CNT, .key_size = 4},
		.progs = fix->slots};
	fix->maps[0] = &fix->array.map;
	fix->inst = (struct skep){
		.helpers = helpers, .helper_cnt = ARRAY_SIZE(helpers), .cpu_cnt = 1};
}

/* A program from text, where "ARRAY" is the array's address; its second function begins at insn `second`. */
static struct prog *add(struct fixture *fix, u32 slot, const char *text, u32 second)
{
	struct prog *prog = &fix->progs[slot];
	struct buf err = BUF_INIT;
	u64 addr = (uintptr_t)&fix->array.map;

	if (isa_asm(text, &prog->code.insns, &prog->code.insn_cnt, &err))
		fail_msg("%s", buf_text(&err));
	buf_done(&err);
	for (u32 i = 0; i < prog->code.insn_cnt; i++) {
		struct bpf_insn *insn = &prog->code.insns[i];

		if (!isa_is_lddw(insn))
			continue;
		insn[0].imm = (s32)addr;
		insn[1].imm = (s32)(addr >> 32);
		i++;
	}
	fix->subs[slot][1].start = second;
	prog->code.subs = fix->subs[slot];
	prog->code.sub_cnt = second ? 2 : 1;
	prog->maps = fix->maps;
	prog->map_cnt = 1;
	assert_int_equal(jit_compile(&prog->code, &fix->inst, &prog->image), 0);
	fix->slots[slot] = prog;
	return prog;
}

static void teardown(struct fixture *fix)
{
	for (u32 i = 0; i < SLOT_CNT; i++) {
		jit_free(&fix->progs[i].image);
		mem_free(fix->progs[i].code.insns);
	}
}

static void expect(struct fixture *fix, struct prog *prog, u64 result)
{
	struct run run = {.inst = &fix->inst, .tail_calls = 7};
	u64 ctx = 0;

	run.regions[0] = (struct run_region){
		.name = "ctx", .start = (u8 *)&ctx, .len = sizeof(ctx), .can_write = true};
	run.region_cnt = 1;
	assert_int_equal(interp_run(&prog->code, &ctx, &run), result);
	ctx = 0;
	run.prog = prog;
	assert_int_equal(interp_run_checked(&prog->code, fix->maps, 1, &ctx, &run), result);
	assert_int_equal(run.fault.kind, RUN_FAULT_NONE);
	ctx = 0;
	assert_int_equal(prog->image.entry(&ctx, &run), result);
	assert_int_equal(run.tail_calls, 7); /* of the run that this one stands in */
}

static void a_chain_ends_after_33(void **state)
{
	struct fixture fix;

	setup(&fix);
	expect(&fix,
		add(&fix, 1,
			"ldxdw %r6, [%r1]\nadd %r6, 1\nstxdw [%r1], %r6\n"
			"lddw map_fd %r2, 0\nmov %r3, 1\ncall 12\n"
			"mov %r0, %r6\nexit\n",
			0),
		34);
	teardown(&fix);
}

static void no_program_means_going_on(void **state)
{
	static const char *const texts[] = {
		"lddw map_fd %r2, 0\nmov %r3, 3\ncall 12\nmov %r0, 5\nexit\n", /* empty */
		"lddw map_fd %r2, 0\nmov %r3, 4\ncall 12\nmov %r0, 5\nexit\n", /* past the end */
		"lddw map_fd %r2, 0\nmov %r3, -1\ncall 12\nmov %r0, 5\nexit\n",
	};
	struct fixture fix;

	for (u32 i = 0; i < ARRAY_SIZE(texts); i++) {
		setup(&fix);
		fix.slots[SLOT_CNT] = add(&fix, 1, "mov %r0, 9\nexit\n", 0);
		expect(&fix, add(&fix, 0, texts[i], 0), 5);
		teardown(&fix);
	}
}

static void the_index_has_32_bits(void **state)
{
	struct fixture fix;

	setup(&fix);
	add(&fix, 1, "mov %r0, 9\nexit\n", 0);
	expect(&fix,
		add(&fix, 0,
			"lddw map_fd %r2, 0\nmov %r3, 1\nlsh %r3, 32\nor %r3, 1\ncall 12\n"
			"mov %r0, 5\nexit\n",
			0),
		9);
	teardown(&fix);
}

/* The caller keeps r6-r9 and its stack, whatever the program that came in does with its own. */
static void a_function_that_tail_calls_returns_to_its_caller(void **state)
{
	struct fixture fix;

	setup(&fix);
	fix.subs[0][0].stack_depth = fix.subs[0][1].stack_depth = 16;
	fix.subs[1][0].stack_depth = 64;
	add(&fix, 1,
		"mov %r6, 0\nmov %r7, 0\nmov %r8, 0\nmov %r9, 0\nstdw [%r10-64], 0\n"
		"stdw [%r10-8], 0\nmov %r0, 1000\nexit\n",
		0);
	expect(&fix,
		add(&fix, 0,
			"mov %r6, 1\nmov %r7, 2\nstdw [%r10-8], 4\ncall local f\n"
			"add %r0, %r6\nadd %r0, %r7\nldxdw %r1, [%r10-8]\nadd %r0, %r1\nexit\n"
			"f:\n" /* index 9 */
			"mov %r8, 8\nstdw [%r10-16], 16\n"
			"lddw map_fd %r2, 0\nmov %r3, 1\ncall 12\nmov %r0, 1\nexit\n",
			9),
		1007);
	teardown(&fix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_ends_after_33),
		cmocka_unit_test(no_program_means_going_on),
		cmocka_unit_test(the_index_has_32_bits),
		cmocka_unit_test(a_function_that_tail_calls_returns_to_its_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
