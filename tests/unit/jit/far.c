/*
 * Jumps over a megabyte of code, forwards and backwards, with each kind of condition, taken and not: where
 * the machine's conditional jumps do not reach that far, they still lead where they should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "jit/jit.h"

enum {
	FILL_CNT = 32000,	 /* calls by register: the longest instruction there is */
	FIRST_CNT = 8,		 /* instructions before them */
	IMAGE_LEN_MIN = 1 << 20, /* what a conditional jump of arm64 reaches */
};

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
		assert_int_equal(jit_compile(&code, NULL, 0, &image), 0);
		assert_true(image.len > IMAGE_LEN_MIN);
		assert_int_equal(image.entry((void *)7, &run), rows[row].is_taken ? 11 : 2);
		jit_free(&image);
	}
	mem_free(code.insns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(far_jumps_lead_where_near_ones_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
