/*
 * Functions of the program that helpers call back, kfuncs, and exceptions: each program gives the same on every
 * engine. "FUNC n" loads the function that begins at instruction n.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/kfunc.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"

enum { SUB_MAX = 4, BUDGET = 100000 };

/* ---- helper 1: loop(cnt, func, ctx); 2: seventh(func), the sum of arguments; 3: sum of two numbers ---- */

static u64 loop(u64 cnt, u64 func, u64 ctx, u64 r4, u64 r5, struct run *run)
{
	for (u64 i = 0; i < cnt; i++)
		if (run_callback(run, func, i, ctx, 0, 0, 0))
			return i + 1;
	return cnt;
}

static u64 five_args(u64 func, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return run_callback(run, func, 1, 20, 300, 4000, 50000);
}

static u64 add(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r1 + r2 + run->cpu;
}

static const struct hlp_proto loop_proto = {
	.fn = loop, .args = {HLP_ANYTHING, HLP_FUNC, HLP_ANYTHING}};
static const struct hlp_proto args_proto = {.fn = five_args, .args = {HLP_FUNC}};
static const struct hlp_proto *const helpers[] = {NULL, &loop_proto, &args_proto};

static const struct kfunc_proto add_kfunc = {
	.proto = {.name = "add", .fn = add, .args = {HLP_ANYTHING, HLP_ANYTHING}}};
static const struct kfunc_proto throw_kfunc = {
	.proto = {.name = "bpf_throw", .args = {HLP_ANYTHING}}, .kind = KFUNC_THROW};
static const struct kfunc_proto loop_kfunc = {
	.proto = {.name = "loop", .fn = loop, .args = {HLP_ANYTHING, HLP_FUNC, HLP_ANYTHING}}};
static const struct kfunc_proto *const kfuncs[] = {&add_kfunc, &throw_kfunc, &loop_kfunc};

static struct skep inst = {.helpers = helpers,
	.helper_cnt = ARRAY_SIZE(helpers),
	.kfuncs = kfuncs,
	.kfunc_cnt = ARRAY_SIZE(kfuncs),
	.cpu_cnt = 1};

struct row {
	const char *text;
	u64 result;
	u32 subs[SUB_MAX]; /* where the functions behind the first begin */
	u32 exception_sub;
	enum run_fault_kind fault; /* of checked engines; others do not run the program then */
};

static void run_interpreters(const struct row *row, const struct prog_code *code)
{
	struct run run = {.inst = &inst, .cpu = 7, .budget = BUDGET};
	u64 result = interp_run_checked(code, NULL, 0, NULL, &run);

	if (run.fault.kind != row->fault || result != row->result)
		fail_msg("%s\nchecked: %llu, fault %d at %u", row->text, (unsigned long long)result,
			run.fault.kind, run.fault.insn_idx);
	assert_false(run.is_stopped);
	if (row->fault)
		return;
	result = interp_run(code, NULL, &run);
	if (result != row->result)
		fail_msg("%s\ninterpreter: %llu", row->text, (unsigned long long)result);
	assert_false(run.is_stopped);
}

/* Registers that C keeps are as they were, whichever way the program ended: the compiler uses them here. */
static void run_jit(const struct row *row, const struct prog_code *code, bool is_plain)
{
	struct run run = {.inst = &inst, .cpu = 7, .unwind_sp = 1, .unwind_ip = 2};
	struct prog_image image = {0};
	int err = is_plain ? jit_compile_plain(code, &inst, &image)
			   : jit_compile(code, &inst, &image);
	u64 result;

	if (err)
		fail_msg("%s\nthe JIT refuses it: %d", row->text, err);
	for (volatile u32 i = 0; i < 3; i++) {
		result = image.entry(NULL, &run);
		if (result != row->result)
			fail_msg("%s\nJIT: %llu", row->text, (unsigned long long)result);
	}
	assert_false(run.is_stopped);
	assert_int_equal(run.unwind_sp, 1);
	assert_int_equal(run.unwind_ip, 2);
	jit_free(&image);
}

static void run_checked_jit(const struct row *row, const struct prog_code *code)
{
	const struct prog prog = {.code = *code};
	struct run run = {
		.inst = &inst, .cpu = 7, .budget = BUDGET, .unwind_sp = 1, .unwind_ip = 2};
	struct prog_image image = {0};
	int err = jit_compile_checked(&prog, &inst, &image);
	u64 result;

	if (err == -ENOSYS || (err == -EINVAL && row->fault))
		return;
	if (err)
		fail_msg("%s\nthe checked JIT refuses it: %d", row->text, err);
	for (volatile u32 i = 0; i < 3; i++) {
		result = image.entry(NULL, &run);
		if (result != row->result || run.fault.kind != row->fault)
			fail_msg("%s\nchecked JIT: %llu, fault %d at %u", row->text,
				(unsigned long long)result, run.fault.kind, run.fault.insn_idx);
	}
	assert_false(run.is_stopped);
	assert_int_equal(run.unwind_sp, 1);
	assert_int_equal(run.unwind_ip, 2);
	jit_free(&image);
}

static void check(const struct row *rows, u32 cnt)
{
	for (u32 i = 0; i < cnt; i++) {
		struct prog_sub subs[SUB_MAX + 1] = {{0, 64}};
		struct prog_code code = {.subs = subs, .exception_sub = rows[i].exception_sub};
		struct buf err = BUF_INIT;

		for (u32 s = 0; s < SUB_MAX && rows[i].subs[s]; s++, code.sub_cnt++)
			subs[s + 1] = (struct prog_sub){rows[i].subs[s], 32};
		code.sub_cnt++;
		if (isa_asm(rows[i].text, &code.insns, &code.insn_cnt, &err))
			fail_msg("%s\n%s", rows[i].text, buf_text(&err));
		buf_done(&err);
		run_interpreters(&rows[i], &code);
		if (!rows[i].fault) {
			run_jit(&rows[i], &code, false);
			run_jit(&rows[i], &code, true);
		}
		run_checked_jit(&rows[i], &code);
		mem_free(code.insns);
	}
}

static void a_function_is_called_back(void **state)
{
	static const struct row rows[] = {
		/* sum of 0 … 9 in the caller's frame */
		{"stdw [%r10-8], 0\nmov %r1, 10\nlddw func %r2, 9\nmov %r3, %r10\nadd %r3, -8\n"
		 "call 1\nldxdw %r0, [%r10-8]\nexit\n"
		 "ldxdw %r3, [%r2]\nadd %r3, %r1\nstxdw [%r2], %r3\nmov %r0, 0\nexit\n",
			45, {9}},
		/* until it gives 1 */
		{"mov %r1, 10\nlddw func %r2, 5\ncall 1\nexit\n"
		 "mov %r0, 0\njlt %r1, 3, +1\nmov %r0, 1\nexit\n",
			4, {5}},
		/* all five arguments arrive */
		{"lddw func %r1, 4\ncall 2\nexit\n"
		 "mov %r0, %r1\nadd %r0, %r2\nadd %r0, %r3\nadd %r0, %r4\nadd %r0, %r5\nexit\n",
			54321, {4}},
		/* it has a frame and registers of its own */
		{"stdw [%r10-8], 5\nmov %r6, 1\nmov %r7, 2\nmov %r8, 3\nmov %r9, 4\n"
		 "lddw func %r1, 14\ncall 2\nldxdw %r0, [%r10-8]\n"
		 "add %r0, %r6\nadd %r0, %r7\nadd %r0, %r8\nadd %r0, %r9\nexit\n"
		 "stdw [%r10-8], 0\nmov %r6, 0\nmov %r7, 0\nmov %r8, 0\nmov %r9, 0\nmov %r0, 0\n"
		 "exit\n",
			15, {14}},
		/* it calls a function, which has one called back */
		{"mov %r1, 4\nlddw func %r2, 9\nmov %r3, %r10\nadd %r3, -8\nstdw [%r10-8], 0\n"
		 "call 1\nldxdw %r0, [%r10-8]\nexit\n"
		 "mov %r1, %r2\ncall local +1\nexit\n"					   /* 9 */
		 "mov %r3, %r1\nmov %r1, 3\nlddw func %r2, 19\ncall 1\nmov %r0, 0\nexit\n" /* 12 */
		 "ldxdw %r3, [%r2]\nadd %r3, 1\nstxdw [%r2], %r3\nmov %r0, 0\nexit\n",	   /* 19 */
			12, {9, 12, 19}},
		/* through a kfunc too */
		{"mov %r1, 10\nlddw func %r2, 5\ncall kfunc 2, +0\nexit\n"
		 "mov %r0, 0\njlt %r1, 3, +1\nmov %r0, 1\nexit\n",
			4, {5}},
	};

	check(rows, ARRAY_SIZE(rows));
}

static void kfuncs_are_called_by_their_number(void **state)
{
	static const struct row rows[] = {
		{"mov %r1, 30\nmov %r2, 5\ncall kfunc 0, +0\nexit\n", 42},
		{"mov %r6, 1\nmov %r1, 30\nmov %r2, 5\ncall kfunc 0, +0\nadd %r0, %r6\nexit\n", 43},
		{"call kfunc 3, +0\nexit\n", .fault = RUN_FAULT_CALL},
		{"call kfunc -1, +0\nexit\n", .fault = RUN_FAULT_CALL},
	};

	check(rows, ARRAY_SIZE(rows));
}

static void an_exception_ends_the_program(void **state)
{
	static const struct row rows[] = {
		{"mov %r1, 9\ncall kfunc 1, +0\nmov %r0, 1\nexit\n", 9},
		/* not thrown */
		{"mov %r0, 3\njeq %r0, 3, +2\nmov %r1, 9\ncall kfunc 1, +0\nexit\n", 3},
		/* from a function's function, with registers in use */
		{"mov %r6, 1\nmov %r9, 2\ncall local +2\nmov %r0, 1\nexit\n"
		 "mov %r7, 1\ncall local +2\nmov %r0, 2\nexit\n"
		 "mov %r8, 1\nmov %r1, 77\ncall kfunc 1, +0\nmov %r0, 3\nexit\n",
			77, {5, 9}},
		/* from a callback: the helper stops, the program goes on no more */
		{"mov %r6, 1\nmov %r1, 10\nlddw func %r2, 7\ncall 1\nmov %r0, 5\nexit\n"
		 "mov %r0, 0\njlt %r1, 3, +1\ncall kfunc 1, +0\nexit\n",
			3, {7}},
		/* from a callback's callback */
		{"mov %r1, 10\nlddw func %r2, 6\ncall 1\nmov %r0, 5\nexit\n"
		 "mov %r1, 10\nlddw func %r2, 12\ncall 1\nmov %r0, 0\nexit\n"
		 "mov %r1, 1234\ncall kfunc 1, +0\nmov %r0, 0\nexit\n",
			1234, {6, 12}},
		/* the exception function has the last word, and a frame */
		{"mov %r1, 9\ncall local +1\nexit\n"
		 "add %r1, 1\ncall kfunc 1, +0\nexit\n"
		 "stxdw [%r10-8], %r1\nldxdw %r0, [%r10-8]\nmul %r0, 10\nexit\n",
			100, {3, 6}, 2},
		/* and is not called without one */
		{"mov %r0, 4\njeq %r0, 4, +2\nmov %r1, 9\ncall kfunc 1, +0\nexit\n"
		 "mov %r0, 0\nexit\n",
			4, {5}, 1},
		/* loops and a deep stack before it */
		{"stdw [%r10-64], 1\nmov %r6, 5\na: may_goto b\nadd %r6, -1\njne %r6, 0, a\n"
		 "b: ldxdw %r1, [%r10-64]\ncall kfunc 1, +0\nexit\n",
			1},
	};

	check(rows, ARRAY_SIZE(rows));
}

static void what_is_no_function_is_not_called(void **state)
{
	static const struct row rows[] = {
		{"mov %r1, 3\nmov %r2, 5\ncall 1\nexit\n", .fault = RUN_FAULT_ACCESS},
		{"mov %r1, 3\nmov %r2, %r10\ncall 1\nexit\n", .fault = RUN_FAULT_ACCESS},
		{"mov %r1, 3\nlddw func %r2, 99\ncall 1\nexit\n", .fault = RUN_FAULT_ACCESS},
		{"mov %r1, 3\nlddw func %r2, 2\ncall 1\nexit\n", .fault = RUN_FAULT_ACCESS},
		/* its faults are the program's, and the helper stops */
		{"mov %r1, 3\nlddw func %r2, 5\ncall 1\nexit\nldxdw %r0, [%r1]\nexit\n",
			.fault = RUN_FAULT_ACCESS},
		/* calling itself back */
		{"mov %r1, 3\nlddw func %r2, 0\ncall 1\nexit\n", .fault = RUN_FAULT_DEPTH},
		{"mov %r1, -1\nlddw func %r2, 5\ncall 1\nexit\nmov %r0, 0\nexit\n",
			.fault = RUN_FAULT_BUDGET},
	};

	check(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_is_called_back),
		cmocka_unit_test(kfuncs_are_called_by_their_number),
		cmocka_unit_test(an_exception_ends_the_program),
		cmocka_unit_test(what_is_no_function_is_not_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
