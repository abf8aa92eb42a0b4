/*
 * What random programs do not reach: calls of helpers and functions, the registers they keep, refusals,
 * memory that is never writable and executable, and running out of memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/inst.h"
#include "isa/isa.h"
#include "jit/jit.h"

static u64 sum_args(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r1 + 2 * r2 + 3 * r3 + 4 * r4 + 5 * r5 + run->cpu;
}

static u64 is_aligned(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (uintptr_t)__builtin_frame_address(0) % 16 == 0;
}

static const struct hlp_proto sum_proto = {.id = 1, .name = "sum", .fn = sum_args};
static const struct hlp_proto aligned_proto = {.id = 2, .name = "aligned", .fn = is_aligned};
static const struct hlp_proto absent_proto = {.id = 3, .name = "absent"};
static const struct hlp_proto *const helpers[] = {NULL, &sum_proto, &aligned_proto, &absent_proto};
static const struct skep inst = {.helpers = helpers, .helper_cnt = ARRAY_SIZE(helpers)};

static int compile(
	const char *text, struct prog_sub *subs, u32 sub_cnt, struct prog_image *ret_image)
{
	struct prog_code code = {.subs = subs, .sub_cnt = sub_cnt};
	struct buf err = BUF_INIT;
	int res = isa_asm(text, &code.insns, &code.insn_cnt, &err);

	if (res)
		fail_msg("%s", buf_text(&err));
	buf_done(&err);
	res = jit_compile(&code, &inst, ret_image);
	mem_free(code.insns);
	return res;
}

/* One function, or two where the second begins at insn `second` (0: none). */
static u64 result_of(const char *text, u32 second)
{
	struct prog_sub subs[2] = {{0, 512}, {second, 8}};
	struct prog_image image = {0};
	struct run run = {.cpu = 1000};
	u64 res;

	assert_int_equal(compile(text, subs, second ? 2 : 1, &image), 0);
	res = image.entry((void *)7, &run);
	jit_free(&image);
	return res;
}

static void helpers_get_five_arguments_and_the_run(void **state)
{
	assert_int_equal(result_of("mov %r1, 1\nmov %r2, 2\nmov %r3, 3\nmov %r4, 4\nmov %r5, "
				   "5\ncall 1\nexit\n",
				 0),
		1 + 4 + 9 + 16 + 25 + 1000);
}

static void helpers_called_by_register_get_the_same(void **state)
{
	assert_int_equal(result_of("mov %r1, 1\nmov %r2, 2\nmov %r3, 3\nmov %r4, 4\nmov %r5, 5\n"
				   "mov %r7, 1\ncall %r7\nexit\n",
				 0),
		1 + 4 + 9 + 16 + 25 + 1000);
	assert_int_equal(result_of("mov %r1, 1\nmov %r2, 2\nmov %r3, 3\nmov %r4, 4\nmov %r5, 1\n"
				   "call %r5\nexit\n",
				 0),
		1 + 4 + 9 + 16 + 5 + 1000);
	assert_int_equal(
		result_of("mov %r0, 2\ncall %r0\nexit\n", 0), 1); /* the stack is aligned */
}

static void helpers_find_the_stack_aligned(void **state)
{
	/* with none, one and two registers saved, in the first function and in one it calls */
	assert_int_equal(result_of("call 2\nexit\n", 0), 1);
	assert_int_equal(result_of("mov %r6, 1\ncall 2\nexit\n", 0), 1);
	assert_int_equal(result_of("mov %r6, 1\nmov %r7, 1\ncall 2\nexit\n", 0), 1);
	assert_int_equal(result_of("mov %r6, 1\ncall local f\nexit\nf:\ncall 2\nexit\n", 3), 1);
	assert_int_equal(result_of("call local f\nexit\nf:\nmov %r9, 1\ncall 2\nexit\n", 2), 1);
}

static void context_arrives_in_r1(void **state)
{
	assert_int_equal(result_of("mov %r0, %r1\nexit\n", 0), 7);
}

static void functions_keep_r6_to_r9_and_have_their_own_stack(void **state)
{
	const char *text = "mov %r6, 6\nmov %r7, 7\nmov %r8, 8\nmov %r9, 9\n"
			   "stdw [%r10-8], 100\n"
			   "mov %r1, 1\n"
			   "call local f\n" /* index 6 */
			   "add %r0, %r6\nadd %r0, %r7\nadd %r0, %r8\nadd %r0, %r9\n"
			   "ldxdw %r1, [%r10-8]\nadd %r0, %r1\nexit\n"
			   "f:\n" /* index 14 */
			   "mov %r6, 0\nmov %r7, 0\nmov %r8, 0\nmov %r9, 0\n"
			   "stdw [%r10-8], 0\n"
			   "mov %r0, %r1\nexit\n";

	assert_int_equal(result_of(text, 14), 1 + 6 + 7 + 8 + 9 + 100);
}

static void what_cannot_be_compiled_is_refused(void **state)
{
	struct prog_sub sub = {0, 0};
	struct prog_image image = {0};

	assert_int_equal(
		compile("call 3\nexit\n", &sub, 1, &image), -EINVAL); /* no function behind it */
	assert_int_equal(compile("call 0\nexit\n", &sub, 1, &image), -EINVAL);
	assert_int_equal(compile("call 99\nexit\n", &sub, 1, &image), -EINVAL);
	assert_int_equal(compile("call local f\nf:\nexit\n", &sub, 1, &image),
		-EINVAL); /* no such function */
	assert_null(image.jit);
}

static void no_memory_is_writable_and_executable(void **state)
{
	struct prog_sub sub = {0, 0};
	struct prog_image image = {0};
	char line[512];
	bool is_seen = false;
	FILE *maps;

	assert_int_equal(compile("mov %r0, 1\nexit\n", &sub, 1, &image), 0);
	maps = fopen("/proc/self/maps", "r");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		assert_null(strstr(line, " rwx"));
		is_seen |= strstr(line, "skep-jit") && strstr(line, " r-x");
	}
	fclose(maps);
	assert_true(is_seen);
	jit_free(&image);
}

static void every_failing_allocation_is_enomem(void **state)
{
	const char *text = "mov %r0, 1\njeq %r0, 2, +1\nmov %r0, 3\nexit\n";
	struct prog_sub sub = {0, 0};
	struct prog_code code = {.subs = &sub, .sub_cnt = 1};
	struct prog_image image = {0};
	int res = -ENOMEM, cnt = 0;

	assert_int_equal(isa_asm(text, &code.insns, &code.insn_cnt, NULL), 0);
	for (; res; cnt++) {
		mem_fail_at(cnt + 1);
		res = jit_compile(&code, &inst, &image);
		if (res)
			assert_int_equal(res, -ENOMEM);
		assert_int_equal(res != 0, mem_did_fail());
	}
	mem_fail_at(0);
	assert_true(cnt > 4);
	assert_int_equal(image.entry(NULL, NULL), 3);
	jit_free(&image);
	mem_free(code.insns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(helpers_get_five_arguments_and_the_run),
		cmocka_unit_test(helpers_called_by_register_get_the_same),
		cmocka_unit_test(helpers_find_the_stack_aligned),
		cmocka_unit_test(context_arrives_in_r1),
		cmocka_unit_test(functions_keep_r6_to_r9_and_have_their_own_stack),
		cmocka_unit_test(what_cannot_be_compiled_is_refused),
		cmocka_unit_test(no_memory_is_writable_and_executable),
		cmocka_unit_test(every_failing_allocation_is_enomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
