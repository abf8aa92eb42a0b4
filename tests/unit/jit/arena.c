/*
 * Arena pointers as rewritten: casts between user space's addresses and the program's, and accesses of every size and
 * kind through the low 32 bits of a pointer. Every engine gives the same result and leaves the same bytes in the
 * arena's window, wherever the address lies in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/arena.h"
#include "core/inst.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"

enum { PAGE_CNT = 4, BUDGET = 100000, SEEN = 64, STACK = 64 };

static const u64 user_start = 0x7e1100008000ull;

static struct skep inst = {.cpu_cnt = 1};

/* The first SEEN bytes of the arena are 1, 2, 3, ... before each run, and R1 is user_start. after: after_len of them
 * at after_off behind the run, as a number. */
struct row {
	const char *text;
	u64 result;
	u32 after_off, after_len;
	u64 after;
};

enum engine { CHECKED, FREE, PLAIN_JIT, FUSED_JIT, CHECKED_JIT, ENGINE_CNT };
static const char *const engine_names[] = {
	"checked interpreter", "interpreter", "plain JIT", "JIT", "checked JIT"};

/* -ENOSYS, -EINVAL: a machine whose JIT does not have it. */
static int run_jit(
	enum engine engine, const struct prog_code *code, struct run *run, u64 *ret_result)
{
	const struct prog prog = {.code = *code};
	struct prog_image image = {0};
	int err = engine == PLAIN_JIT	? jit_compile_plain(code, &inst, &image)
		  : engine == FUSED_JIT ? jit_compile(code, &inst, &image)
					: jit_compile_checked(&prog, &inst, &image);

	if (err)
		return err;
	*ret_result = image.entry((void *)(uintptr_t)user_start, run);
	jit_free(&image);
	return 0;
}

static int run_on(enum engine engine, const struct prog_code *code, u64 *ret_result)
{
	struct run run = {.inst = &inst, .budget = BUDGET};
	void *ctx = (void *)(uintptr_t)user_start;
	int err = 0;

	if (engine == CHECKED)
		*ret_result = interp_run_checked(code, NULL, 0, ctx, &run);
	else if (engine == FREE)
		*ret_result = interp_run(code, ctx, &run);
	else
		err = run_jit(engine, code, &run, ret_result);
	if (!err && run.fault.kind)
		fail_msg("%s: fault %d at %u", engine_names[engine], run.fault.kind,
			run.fault.insn_idx);
	return err;
}

static u8 *arena_bytes(const struct arena *arena)
{
	return (u8 *)(uintptr_t)(arena_window(arena) + (u32)user_start);
}

static bool is_optional(enum engine engine)
{
#ifdef __x86_64__
	return false;
#else
	return engine >= PLAIN_JIT;
#endif
}

static void check_engine(enum engine engine, const struct row *row, const struct prog_code *code)
{
	u8 *bytes = arena_bytes(code->arena);
	u64 result = 0, after = 0;
	int err;

	for (u32 i = 0; i < SEEN; i++)
		bytes[i] = (u8)(i + 1);
	err = run_on(engine, code, &result);
	if ((err == -EINVAL || err == -ENOSYS) && is_optional(engine))
		return;
	if (err)
		fail_msg("%s\n%s: error %d", row->text, engine_names[engine], err);
	memcpy(&after, bytes + row->after_off, row->after_len);
	if (result != row->result || after != row->after)
		fail_msg("%s\n%s: %#llx, then %#llx", row->text, engine_names[engine],
			(unsigned long long)result, (unsigned long long)after);
}

static struct bpf_insn *assemble(const char *text, u32 *ret_cnt)
{
	struct bpf_insn *insns = NULL;
	struct buf err = BUF_INIT;

	if (isa_asm(text, &insns, ret_cnt, &err))
		fail_msg("%s\n%s", text, buf_text(&err));
	buf_done(&err);
	return insns;
}

static void check(const struct row *rows, u32 cnt)
{
	struct prog_sub sub = {0, STACK};
	struct prog_code code = {.subs = &sub, .sub_cnt = 1};

	assert_int_equal(arena_new(PAGE_CNT, user_start, &code.arena), 0);
	for (u32 i = 0; i < cnt; i++) {
		code.insns = assemble(rows[i].text, &code.insn_cnt);
		for (enum engine engine = 0; engine < ENGINE_CNT; engine++)
			check_engine(engine, &rows[i], &code);
		mem_free(code.insns);
	}
	arena_free(code.arena);
}

static void a_cast_goes_both_ways_and_null_stays_null(void **state)
{
	static const struct row rows[] = {
		{"addr_space_cast %r0, %r1, 0, 1\nexit\n", 0x8000},
		{"addr_space_cast %r1, %r1, 0, 1\nmov %r0, %r1\nexit\n", 0x8000},
		{"mov %r0, 0x8000\naddr_space_cast %r0, %r0, 1, 0\nexit\n", 0x7e1100008000},
		{"mov %r6, 0x1234\naddr_space_cast %r7, %r6, 1, 0\nmov %r0, %r7\nexit\n",
			0x7e1100001234},
		/* upper halves are the arena's, whatever they were */
		{"lddw %r2, 0xdeadbeef00008008\naddr_space_cast %r0, %r2, 1, 0\nexit\n",
			0x7e1100008008},
		{"lddw %r2, 0xdeadbeef80008008\naddr_space_cast %r0, %r2, 0, 1\nexit\n",
			0x80008008},
		{"lddw %r2, 0xdeadbeefffffffff\naddr_space_cast %r0, %r2, 1, 0\nexit\n",
			0x7e11ffffffff},
		{"mov %r0, 0\naddr_space_cast %r0, %r0, 1, 0\nexit\n", 0},
		{"lddw %r2, 0xdeadbeef00000000\naddr_space_cast %r0, %r2, 1, 0\nexit\n", 0},
		{"lddw %r2, 0xdeadbeef00000000\naddr_space_cast %r0, %r2, 0, 1\nexit\n", 0},
		/* and the source stays */
		{"mov %r2, 0x8000\naddr_space_cast %r3, %r2, 1, 0\nmov %r0, %r2\nexit\n", 0x8000},
	};

	check(rows, ARRAY_SIZE(rows));
}

/* User space's address is a base too: only its low half counts. */
#define BASE  "mov %r2, %r1\n"
#define CAST  "addr_space_cast %r2, %r1, 0, 1\n"
#define DIRTY "lddw %r2, 0xffffffff00008000\n"

static void loads_take_every_size_sign_and_offset(void **state)
{
	static const struct row rows[] = {
		{CAST "arena ldxb %r0, [%r2+1]\nexit\n", 0x02},
		{CAST "arena ldxh %r0, [%r2+1]\nexit\n", 0x0302},
		{CAST "arena ldxw %r0, [%r2+1]\nexit\n", 0x05040302},
		{CAST "arena ldxdw %r0, [%r2+1]\nexit\n", 0x0908070605040302},
		{BASE "arena ldxdw %r0, [%r2]\nexit\n", 0x0807060504030201},
		{DIRTY "arena ldxdw %r0, [%r2+8]\nexit\n", 0x100f0e0d0c0b0a09},
		{"arena ldxw %r1, [%r1+4]\nmov %r0, %r1\nexit\n", 0x08070605},
		{BASE "add %r2, 32\narena ldxb %r0, [%r2-32]\nexit\n", 0x01},
		{CAST "add %r2, 32\narena ldxdw %r0, [%r2-1]\nexit\n", 0x2726252423222120},
		{CAST "arena stdw [%r2+8], -2\narena ldxsb %r0, [%r2+8]\nexit\n",
			0xfffffffffffffffe},
		{CAST "arena stdw [%r2+8], -2\narena ldxsh %r0, [%r2+8]\nexit\n",
			0xfffffffffffffffe},
		{CAST "arena stdw [%r2+8], -2\narena ldxsw %r0, [%r2+8]\nexit\n",
			0xfffffffffffffffe},
		{DIRTY "arena ldxsw %r0, [%r2]\nexit\n", 0x04030201},
		/* bytes that could be one load, and a sum in place */
		{CAST "arena ldxb %r0, [%r2]\narena ldxb %r3, [%r2+1]\nlsh %r3, 8\nor %r0, %r3\n"
		      "exit\n",
			0x0201},
		{CAST "arena ldxdw %r3, [%r2]\nadd %r3, 1\narena stxdw [%r2], %r3\nmov %r0, "
		      "0\nexit\n",
			0, 0, 8, 0x0807060504030202},
		{CAST "arena ldxw %r3, [%r2]\njeq32 %r3, 0x04030201, +2\nmov %r0, 1\nexit\n"
		      "mov %r0, 2\nexit\n",
			2},
		/* base + offset does not wrap: around the 4 GiB lies scratch memory */
		{"mov32 %r2, -1\narena stb [%r2+1], 7\narena ldxb %r0, [%r2+1]\nexit\n", 7},
		{"mov %r2, 0\narena stb [%r2-1], 9\narena ldxb %r0, [%r2-1]\nexit\n", 9},
		{"mov %r2, 0\narena stdw [%r2-32768], 9\narena ldxdw %r0, [%r2-32768]\nexit\n", 9},
		{"mov32 %r2, -1\narena stdw [%r2+32767], 9\narena ldxdw %r0, [%r2+32767]\nexit\n",
			9},
	};

	check(rows, ARRAY_SIZE(rows));
}

static void a_base_may_be_any_register(void **state)
{
	for (u32 reg = 0; reg < BPF_REG_10; reg++) {
		char text[256];
		const struct row rows[] = {{text, 0x06, 8, 8, 0x1122}, {text, 0x01, 8, 8, 0x1122}};
		const u32 other = (reg + 1) % BPF_REG_10;

		snprintf(text, sizeof(text),
			"mov %%r%u, %%r1\nmov %%r%u, 0x1122\narena stxdw [%%r%u+8], %%r%u\n"
			"arena ldxb %%r0, [%%r%u+5]\nexit\n",
			reg, other, reg, other, reg);
		check(rows, 1);
		snprintf(text, sizeof(text),
			"lddw %%r%u, 0x5555555500008000\nmov %%r%u, 0x1122\n"
			"arena stxw [%%r%u+8], %%r%u\narena stw [%%r%u+12], 0\n"
			"arena ldxb %%r%u, [%%r%u]\nmov %%r0, %%r%u\nexit\n",
			reg, other, reg, other, reg, other, reg, other);
		check(rows + 1, 1);
	}
}

static void stores_change_their_bytes_alone(void **state)
{
	static const struct row rows[] = {
		{CAST "mov %r0, 0\narena stb [%r2+1], -1\nexit\n", 0, 0, 8, 0x080706050403ff01},
		{CAST "mov %r0, 0\narena sth [%r2+1], -1\nexit\n", 0, 0, 8, 0x0807060504ffff01},
		{CAST "mov %r0, 0\narena stw [%r2+1], -2\nexit\n", 0, 0, 8, 0x080706fffffffe01},
		{CAST "mov %r0, 0\narena stdw [%r2], -2\nexit\n", 0, 0, 8, 0xfffffffffffffffe},
		{DIRTY "mov %r0, -1\narena stxb [%r2+1], %r0\nexit\n", -1, 0, 8,
			0x080706050403ff01},
		{DIRTY "mov %r0, -1\narena stxh [%r2+1], %r0\nexit\n", -1, 0, 8,
			0x0807060504ffff01},
		{DIRTY "mov %r0, -1\narena stxw [%r2+1], %r0\nexit\n", -1, 0, 8,
			0x080706ffffffff01},
		{BASE "add %r2, 16\nmov %r0, -1\narena stxdw [%r2-16], %r0\nexit\n", -1, 0, 8,
			0xffffffffffffffff},
		/* the pointer itself, and R10's neighbour on the stack stays */
		{"stdw [%r10-8], 5\narena stxdw [%r1+8], %r1\nldxdw %r0, [%r10-8]\nexit\n", 5, 8, 8,
			0x7e1100008000},
	};

	check(rows, ARRAY_SIZE(rows));
}

static void atomic_operations_do_what_they_do_elsewhere(void **state)
{
	static const struct row rows[] = {
		{DIRTY "mov %r0, 3\narena lock add [%r2], %r0\nexit\n", 3, 0, 8,
			0x0807060504030204},
		{DIRTY "mov %r0, 6\narena lock or [%r2], %r0\nexit\n", 6, 0, 8, 0x0807060504030207},
		{DIRTY "mov %r0, 6\narena lock and [%r2+8], %r0\nexit\n", 6, 8, 8, 0},
		{DIRTY "mov %r0, 6\narena lock xor [%r2], %r0\nexit\n", 6, 0, 8,
			0x0807060504030207},
		{DIRTY "mov %r0, -1\narena lock add32 [%r2], %r0\nexit\n", -1, 0, 8,
			0x0807060504030200},
		{CAST "mov %r0, 3\narena lock fetch add [%r2], %r0\nexit\n", 0x0807060504030201, 0,
			8, 0x0807060504030204},
		{BASE "mov %r0, 6\narena lock fetch or [%r2], %r0\nexit\n", 0x0807060504030201, 0,
			8, 0x0807060504030207},
		{BASE "mov %r6, 6\narena lock fetch and [%r2], %r6\nmov %r0, %r6\nexit\n",
			0x0807060504030201, 0, 8, 0},
		{DIRTY "mov %r6, 6\narena lock fetch xor32 [%r2+4], %r6\nmov %r0, %r6\nexit\n",
			0x08070605, 0, 8, 0x0807060304030201},
		{"mov %r0, %r1\nmov %r6, 1\narena lock fetch xor [%r0+8], %r6\nmov %r0, "
		 "%r6\nexit\n",
			0x100f0e0d0c0b0a09, 8, 8, 0x100f0e0d0c0b0a08},
		/* base and operand in one register */
		{"arena lock fetch or [%r1], %r1\nmov %r0, %r1\nexit\n", 0x0807060504030201, 0, 8,
			0x0807060504030201 | 0x7e1100008000},
		{DIRTY "mov %r0, 7\narena lock xchg [%r2], %r0\nexit\n", 0x0807060504030201, 0, 8,
			7},
		{DIRTY "mov %r0, 7\narena lock xchg32 [%r2], %r0\nexit\n", 0x04030201, 0, 8,
			0x0807060500000007},
		{DIRTY "lddw %r0, 0x0807060504030201\nmov %r3, 7\narena lock cmpxchg [%r2], %r3\n"
		       "exit\n",
			0x0807060504030201, 0, 8, 7},
		{DIRTY "mov %r0, 1\nmov %r3, 7\narena lock cmpxchg [%r2], %r3\nexit\n",
			0x0807060504030201, 0, 8, 0x0807060504030201},
		{DIRTY "lddw %r0, 0xffffffff04030201\nmov %r3, 7\narena lock cmpxchg32 [%r2], %r3\n"
		       "exit\n",
			0x04030201, 0, 8, 0x0807060500000007},
		{CAST "arena ldacqdw %r0, [%r2]\nexit\n", 0x0807060504030201},
		{DIRTY "arena ldacqw %r0, [%r2+4]\nexit\n", 0x08070605},
		{DIRTY "arena ldacqh %r0, [%r2+2]\nexit\n", 0x0403},
		{BASE "add %r2, 8\narena ldacqb %r0, [%r2-8]\nexit\n", 0x01},
		{DIRTY "mov %r0, -1\narena streldw [%r2], %r0\nexit\n", -1, 0, 8, -1},
		{DIRTY "mov %r0, -1\narena strelw [%r2], %r0\nexit\n", -1, 0, 8,
			0x08070605ffffffff},
		{DIRTY "mov %r0, -1\narena strelh [%r2], %r0\nexit\n", -1, 0, 8,
			0x080706050403ffff},
		{DIRTY "mov %r0, -1\narena strelb [%r2], %r0\nexit\n", -1, 0, 8,
			0x08070605040302ff},
	};

	check(rows, ARRAY_SIZE(rows));
}

#ifdef __x86_64__
static void what_is_not_aligned_is_changed_too(void **state)
{
	static const struct row rows[] = {
		{DIRTY "mov %r0, 1\narena lock fetch add [%r2+1], %r0\nexit\n", 0x0908070605040302,
			1, 8, 0x0908070605040303},
		{DIRTY "mov %r0, 1\narena lock fetch or32 [%r2+3], %r0\nexit\n", 0x07060504, 3, 4,
			0x07060505},
		{DIRTY "mov %r0, 1\narena lock xchg32 [%r2+2], %r0\nexit\n", 0x06050403, 2, 4, 1},
	};

	check(rows, ARRAY_SIZE(rows));
}
#endif

static void the_engine_keeps_its_registers(void **state)
{
	static const struct row rows[] = {
		/* the budget of checked code, over a loop of atomic operations */
		{CAST "mov %r0, 0\nmov %r6, 100\na: mov %r3, 1\narena lock fetch and [%r2+8], %r3\n"
		      "add %r6, -1\njne %r6, 0, a\nmov %r0, %r6\nexit\n",
			0, 8, 8, 1},
		/* slots of the stack that could be registers, beside arena accesses */
		{"stdw [%r10-8], 1\nstdw [%r10-16], 2\nstdw [%r10-24], 3\n"
		 "arena ldxb %r0, [%r1+3]\nldxdw %r2, [%r10-8]\nldxdw %r3, [%r10-16]\n"
		 "ldxdw %r4, [%r10-24]\nadd %r0, %r2\nadd %r0, %r3\nadd %r0, %r4\nexit\n",
			10},
		{"stdw [%r10-8], 1\nstdw [%r10-16], 2\nstdw [%r10-24], 3\nmov %r0, 1\n"
		 "addr_space_cast %r0, %r0, 1, 0\nldxdw %r2, [%r10-8]\nldxdw %r3, [%r10-16]\n"
		 "ldxdw %r4, [%r10-24]\nadd %r0, %r2\nadd %r0, %r3\nadd %r0, %r4\nexit\n",
			0x7e1100000007},
	};

	check(rows, ARRAY_SIZE(rows));
}

static const char *const internal[] = {
	"arena ldxb %r0, [%r1]\nexit\n",
	"arena ldxdw %r0, [%r1]\nexit\n",
	"arena ldxsw %r0, [%r1]\nexit\n",
	"arena stw [%r1], 1\nmov %r0, 0\nexit\n",
	"mov %r0, 0\narena stxh [%r1], %r0\nexit\n",
	"mov %r0, 0\narena lock add [%r1], %r0\nexit\n",
	"arena ldacqb %r0, [%r1]\nexit\n",
};

static void no_loader_may_pass_what_a_verifier_writes(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(internal); i++) {
		struct prog_code code = {0};
		bool is_internal = false;

		code.insns = assemble(internal[i], &code.insn_cnt);
		for (u32 k = 0; k < code.insn_cnt; k++) {
			const bool is_arena = isa_is_arena(&code.insns[k]);

			is_internal |= is_arena;
			assert_int_equal(!isa_decode(&code.insns[k]), is_arena);
			assert_int_equal(
				isa_check(&code.insns[k], code.insn_cnt - k, NULL) == -EINVAL,
				is_arena);
		}
		assert_true(is_internal);
		assert_int_equal(interp_check(&code, NULL), -EINVAL);
		mem_free(code.insns);
	}
}

/* What no verifier has seen touches nothing: the checked interpreter stops it, and no JIT compiles it. */
static void without_an_arena_there_is_no_such_access(void **state)
{
	static const char cast[] = "addr_space_cast %r0, %r1, 1, 0\nexit\n";
	struct prog_sub sub = {0, 0};

	for (u32 i = 0; i <= ARRAY_SIZE(internal); i++) {
		struct prog_code code = {.subs = &sub, .sub_cnt = 1};
		struct run run = {.inst = &inst, .budget = BUDGET};
		struct prog_image image = {0};
		struct prog prog;

		code.insns = assemble(i ? internal[i - 1] : cast, &code.insn_cnt);
		prog = (struct prog){.code = code};
		assert_int_equal(interp_run_checked(&code, NULL, 0, NULL, &run), 0);
		assert_int_equal(run.fault.kind, RUN_FAULT_INSN);
		assert_int_equal(jit_compile(&code, &inst, &image), -EINVAL);
		assert_true(jit_compile_checked(&prog, &inst, &image) < 0);
		mem_free(code.insns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cast_goes_both_ways_and_null_stays_null),
		cmocka_unit_test(loads_take_every_size_sign_and_offset),
		cmocka_unit_test(a_base_may_be_any_register),
		cmocka_unit_test(stores_change_their_bytes_alone),
		cmocka_unit_test(atomic_operations_do_what_they_do_elsewhere),
#ifdef __x86_64__
		cmocka_unit_test(what_is_not_aligned_is_changed_too),
#endif
		cmocka_unit_test(the_engine_keeps_its_registers),
		cmocka_unit_test(no_loader_may_pass_what_a_verifier_writes),
		cmocka_unit_test(without_an_arena_there_is_no_such_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
