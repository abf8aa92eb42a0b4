/*
 * Stack slots in registers: which functions get them, seen by the frame that others have, and that what is
 * computed is the same as without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "isa/isa.h"
#include "jit/jit.h"

struct row {
	const char *text;
	u32 second; /* where a second function begins; 0: there is none */
	u64 result;
	bool has_frame; /* some of its stack is memory */
};

static const struct row rows[] = {
	{"mov %r1, 5\nstxdw [%r10-8], %r1\nldxdw %r0, [%r10-8]\nexit\n", 0, 5, false},
	{"stdw [%r10-16], -3\nldxdw %r0, [%r10-16]\nexit\n", 0, (u64)-3, false},
	/* three registers are to be had */
	{"stdw [%r10-8], 1\nstdw [%r10-16], 2\nstdw [%r10-24], 4\nldxdw %r0, [%r10-8]\n"
	 "ldxdw %r1, [%r10-16]\nadd %r0, %r1\nldxdw %r1, [%r10-24]\nadd %r0, %r1\nexit\n",
		0, 7, false},
	{"stdw [%r10-8], 1\nstdw [%r10-16], 2\nstdw [%r10-24], 4\nstdw [%r10-32], 8\n"
	 "ldxdw %r0, [%r10-8]\nldxdw %r1, [%r10-16]\nadd %r0, %r1\nldxdw %r1, [%r10-24]\n"
	 "add %r0, %r1\nldxdw %r1, [%r10-32]\nadd %r0, %r1\nexit\n",
		0, 15, true},
	/* over a loop */
	{"stdw [%r10-8], 0\nmov %r1, 10\nldxdw %r0, [%r10-8]\nadd %r0, %r1\n"
	 "stxdw [%r10-8], %r0\nadd %r1, -1\njne %r1, 0, -5\nldxdw %r0, [%r10-8]\nexit\n",
		0, 55, false},
	/* a part of it, or two at once, is something else */
	{"stdw [%r10-8], 257\nldxb %r0, [%r10-7]\nexit\n", 0, 1, true},
	{"stdw [%r10-16], 257\nstdw [%r10-8], 0\nldxdw %r0, [%r10-12]\nexit\n", 0, 0, true},
	{"stdw [%r10-8], -1\nstw [%r10-8], 0\nldxdw %r0, [%r10-8]\nexit\n", 0, 0xffffffff00000000,
		true},
	/* its address is known elsewhere */
	{"stdw [%r10-8], 9\nmov %r1, %r10\nldxdw %r0, [%r1-8]\nexit\n", 0, 9, true},
	{"stxdw [%r10-8], %r10\nldxdw %r1, [%r10-8]\nstdw [%r1-16], 3\n"
	 "ldxdw %r0, [%r10-16]\nexit\n",
		0, 3, true},
	/* the registers are needed */
	{"stdw [%r10-8], 40\nldxdw %r0, [%r10-8]\nmov %r1, 0\ndiv %r0, %r1\nexit\n", 0, 0, true},
	{"stdw [%r10-8], 4\nlock fetch add [%r10-8], %r1\nldxdw %r0, [%r10-8]\nexit\n", 0, 11,
		true},
	/* a function that calls keeps its slots in memory, the one it calls does not need to */
	{"stdw [%r10-8], 4\ncall local f\nldxdw %r1, [%r10-8]\nadd %r0, %r1\nexit\n"
	 "f:\nstdw [%r10-8], 30\nldxdw %r0, [%r10-8]\nexit\n",
		5, 34, true},
};

typedef int (*compile_fn)(
	const struct prog_code *code, const struct skep *inst, struct prog_image *ret_image);

/* Is the function's first instruction `push %rbp`? On other machines than x86-64 nothing is known. */
static bool has_frame(const struct prog_image *image, bool otherwise)
{
#ifdef __x86_64__
	enum { PUSH_RBP = 0x55 };

	return *(const u8 *)image->func0 == PUSH_RBP;
#else
	return otherwise;
#endif
}

static void check(const struct row *row, compile_fn compile, bool expects_frame)
{
	struct prog_sub subs[] = {{0, 64}, {row->second, 64}};
	struct prog_code code = {.subs = subs, .sub_cnt = row->second ? 2 : 1};
	struct prog_image image = {0};
	struct run run = {0};

	if (isa_asm(row->text, &code.insns, &code.insn_cnt, NULL))
		fail_msg("no program: %s", row->text);
	assert_int_equal(compile(&code, NULL, &image), 0);
	if (image.entry((void *)7, &run) != row->result)
		fail_msg("%s gives %llx", row->text,
			(unsigned long long)image.entry((void *)7, &run));
	if (has_frame(&image, expects_frame) != expects_frame)
		fail_msg("%s: %s", row->text, expects_frame ? "no frame" : "a frame");
	jit_free(&image);
	mem_free(code.insns);
}

static void whole_slots_of_functions_without_calls_are_registers(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i], jit_compile, rows[i].has_frame);
}

static void plain_code_has_them_in_memory(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i], jit_compile_plain, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_slots_of_functions_without_calls_are_registers),
		cmocka_unit_test(plain_code_has_them_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
