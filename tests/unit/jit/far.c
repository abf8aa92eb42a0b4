/*
 * Jumps over a megabyte of code, forwards and backwards, with each kind of condition, taken and not: where
 * the machine's conditional jumps do not reach that far, they still lead where they should. And calls of
 * functions near the library and far from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/inst.h"
#include "jit/jit.h"

enum {
	FILL_CNT = 32000,	 /* calls by register: the longest instruction there is */
	FIRST_CNT = 8,		 /* instructions before them */
	IMAGE_LEN_MIN = 1 << 20, /* what a conditional jump of arm64 reaches */
};

/* Where neither programs nor libraries are put. */
#define HINT ((void *)(1UL << 45))
#define FAR  (1UL << 33)

#define K(op) (BPF_JMP | (op) | BPF_K)
#define W(op) (BPF_JMP32 | (op) | BPF_K)
#define X(op) (BPF_JMP | (op) | BPF_X)

static const struct {
	u8 code;
	s32 imm;
	s32 value; /* of R2, which is compared with imm or with R1 = 7 */
	bool is_taken;
} rows[] = {
	{K(BPF_JEQ), 0, 0, true},
	{K(BPF_JEQ), 0, 1, false},
	{K(BPF_JNE), 0, 1, true},
	{W(BPF_JNE), 0, 0, false},
	{K(BPF_JEQ), -5, -5, true},
	{W(BPF_JGT), 4095, 4096, true},
	{K(BPF_JSLT), 0x12345, 0x12345, false},
	{K(BPF_JSET), 0xf0, 0x0f, false},
	{W(BPF_JSET), 5, 4, true},
	{X(BPF_JGE), 0, 7, true},
	{X(BPF_JGT), 0, 7, false},
	{X(BPF_JSLE), 0, -1, true},
	{BPF_JMP | BPF_JCOND, 0, 0, false}, /* may_goto, in its first round */
	{BPF_JMP | BPF_JA, 0, 0, true},
};

static struct bpf_insn mov(u8 reg, s32 imm)
{
	return (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = reg, .imm = imm};
}

/* R0 = 11 if the jump of the row is taken, else 2. */
static void write_program(struct bpf_insn *insns, u32 row)
{
	const u8 code = rows[row].code;
	const bool has_src = BPF_SRC(code) == BPF_X, has_dst = BPF_OP(code) != BPF_JCOND;
	struct bpf_insn exit = {.code = BPF_JMP | BPF_EXIT}, *far = insns + FIRST_CNT + FILL_CNT;

	insns[0] = (struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = 2};
	insns[1] = (struct bpf_insn){.code = BPF_ALU64 | BPF_ADD | BPF_K, .imm = 10};
	insns[2] = exit;
	insns[3] = mov(0, 1);
	insns[4] = mov(2, rows[row].value);
	insns[5] = (struct bpf_insn){.code = code,
		.dst_reg = has_dst && BPF_OP(code) != BPF_JA ? 2 : 0,
		.src_reg = has_src ? 1 : 0,
		.off = FILL_CNT + 2,
		.imm = rows[row].imm};
	insns[6] = mov(0, 2);
	insns[7] = exit;
	for (u32 i = 0; i < FILL_CNT; i++)
		insns[FIRST_CNT + i] = (struct bpf_insn){
			.code = BPF_JMP | BPF_CALL | BPF_X, .dst_reg = 3};
	far[0] = (struct bpf_insn){
		.code = K(BPF_JSGT), .off = (s16)(1 - (FIRST_CNT + FILL_CNT + 1))};
	far[1] = exit;
}

static void far_jumps_lead_where_near_ones_do(void **state)
{
	struct prog_sub sub = {0, 0};
	struct prog_code code = {.insn_cnt = FIRST_CNT + FILL_CNT + 2, .subs = &sub, .sub_cnt = 1};
	struct prog_image image = {0};
	struct run run = {0};

	code.insns = mem_array(code.insn_cnt, sizeof(*code.insns));
	assert_non_null(code.insns);
	for (u32 row = 0; row < ARRAY_SIZE(rows); row++) {
		write_program(code.insns, row);
		assert_int_equal(jit_compile(&code, NULL, &image), 0);
		assert_true(image.len > IMAGE_LEN_MIN);
		assert_int_equal(image.entry((void *)7, &run), rows[row].is_taken ? 11 : 2);
		jit_free(&image);
	}
	mem_free(code.insns);
}

static u64 negate(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return -r1;
}

/* The same function a second time: the code around it is mapped again, farther than any call reaches. */
static hlp_fn map_far_away(hlp_fn fn)
{
	const uintptr_t at = (uintptr_t)fn;
	unsigned long start = 0, end = 0, off = 0;
	char line[512], path[256] = "";
	FILE *maps = fopen("/proc/self/maps", "r");
	u8 *far;
	int fd;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %255s", &start, &end, &off, path) == 4 &&
			at >= start && at < end)
			break;
	fclose(maps);
	assert_true(at >= start && at < end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	far = mmap(HINT, end - start, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, (off_t)off);
	close(fd);
	assert_true(far != MAP_FAILED);
	assert_true(far > (u8 *)end + FAR || far + FAR < (u8 *)start);
	return (hlp_fn)(uintptr_t)(far + (at - start));
}

static void helpers_are_called_near_and_far(void **state)
{
	const struct hlp_proto protos[] = {{.fn = negate}, {.fn = map_far_away(negate)}};
	const struct hlp_proto *const helpers[] = {NULL, &protos[0], &protos[1]};
	const struct skep inst = {.helpers = helpers, .helper_cnt = ARRAY_SIZE(helpers)};
	struct bpf_insn insns[] = {
		mov(1, -41), {.code = BPF_JMP | BPF_CALL}, {.code = BPF_JMP | BPF_EXIT}};
	struct prog_sub sub = {0, 0};
	struct prog_code code = {insns, ARRAY_SIZE(insns), &sub, 1};
	struct prog_image images[2] = {{0}, {0}};
	struct run run = {0};

	for (u32 i = 0; i < ARRAY_SIZE(images); i++) {
		insns[1].imm = (s32)i + 1;
		assert_int_equal(jit_compile(&code, &inst, &images[i]), 0);
		assert_int_equal(images[i].entry(NULL, &run), 41);
	}
	assert_true(images[1].len > images[0].len);
	jit_free(&images[0]);
	jit_free(&images[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(far_jumps_lead_where_near_ones_do),
		cmocka_unit_test(helpers_are_called_near_and_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
