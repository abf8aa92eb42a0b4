/*
 * The table holds together: every row is found by its own encoding, every field it does not use must be
 * 0, and rows of one opcode are neighbours that their key tells apart.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "isa/isa.h"

/* insn[0] of a row with nothing set that it does not need. */
static void encode(const struct isa_op *op, struct bpf_insn insn[2])
{
	memset(insn, 0, 2 * sizeof(*insn));
	insn->code = op->code;
	if (op->key == ISA_KEY_OFF)
		insn->off = (s16)op->key_val;
	if (op->key == ISA_KEY_IMM || op->form == ISA_FORM_CAST)
		insn->imm = op->form == ISA_FORM_CAST ? 1 : op->key_val;
	if (op->key == ISA_KEY_SRC)
		insn->src_reg = op->key_val;
}

static bool is_for_loaders(const struct isa_op *op)
{
	return op->group != ISA_GROUP_CALLX && op->group != ISA_GROUP_INTERNAL;
}

static void every_row_is_found_by_its_own_encoding(void **state)
{
	struct bpf_insn insn[2];

	for (u32 id = 0; id < ISA_CNT; id++) {
		encode(isa_op(id), insn);
		assert_int_equal(isa_op(id)->id, id);
		assert_ptr_equal(isa_find(insn), isa_op(id));
		assert_ptr_equal(isa_decode(insn), is_for_loaders(isa_op(id)) ? isa_op(id) : NULL);
		assert_int_equal(
			isa_check(insn, 2, NULL), is_for_loaders(isa_op(id)) ? 0 : -EINVAL);
	}
	assert_null(isa_op(ISA_CNT));
}

static void rows_of_one_opcode_are_neighbours_with_one_key(void **state)
{
	for (u32 id = 1; id < ISA_CNT; id++) {
		const struct isa_op *op = isa_op(id), *before = isa_op(id - 1);

		if (op->code == before->code) {
			assert_int_equal(op->key, before->key);
			assert_int_not_equal(op->key, ISA_KEY_NONE);
			assert_int_not_equal(op->key_val, before->key_val);
		} else {
			assert_ptr_equal(isa_find_code(op->code), op);
		}
	}
}

static void a_field_that_is_not_in_use_must_be_zero(void **state)
{
	struct bpf_insn insn[2];

	for (u32 id = 0; id < ISA_CNT; id++) {
		const u8 uses = isa_op(id)->uses;

		for (u32 field = ISA_DST; field <= ISA_IMM; field <<= 1) {
			encode(isa_op(id), insn);
			if (uses & field)
				continue;
			insn->dst_reg = field == ISA_DST;
			insn->src_reg = field == ISA_SRC ? 1 : insn->src_reg;
			insn->off = field == ISA_OFF ? 1 : insn->off;
			insn->imm = field == ISA_IMM ? 1 : insn->imm;
			assert_null(isa_decode(insn));
			assert_int_equal(isa_check(insn, 2, NULL), -EINVAL);
		}
	}
}

static void refusals_have_the_kernels_words(void **state)
{
	const struct {
		struct bpf_insn insn;
		const char *words;
	} rows[] = {
		{{.code = 0x8f}, "unknown opcode 8f"},
		{{.code = 0x8d}, "unknown opcode 8d"},
		{{.code = 0x99}, "unknown opcode 99"},
		{{.code = 0x41}, "BPF_LDX uses reserved fields"},
		{{.code = 0x07, .off = 1}, "BPF_ALU uses reserved fields"},
		{{.code = 0xbf, .off = 3}, "BPF_MOV uses reserved fields"},
		{{.code = 0xbf, .off = -1}, "BPF_MOV uses reserved fields"},
		{{.code = 0xbf, .off = 1, .imm = 2},
			"addr_space_cast insn can only convert between address space 1 and 0"},
		{{.code = 0xdb, .imm = 0x20}, "BPF_ATOMIC uses invalid atomic opcode 20"},
		{{.code = 0xd3}, "invalid atomic operand size"},
		{{.code = 0xe5, .imm = 7}, "invalid may_goto imm 7"},
		{{.code = 0x18, .src_reg = 9}, "unrecognized bpf_ld_imm64 insn"},
		{{.code = 0x18, .off = 9}, "BPF_LD_IMM64 uses reserved fields"},
		{{.code = 0xbf, .dst_reg = 11}, "R11 is invalid"},
		{{.code = 0xbf, .src_reg = 15}, "R15 is invalid"},
	};
	struct buf why = BUF_INIT;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct bpf_insn insn[2] = {rows[i].insn};

		buf_reset(&why);
		assert_int_equal(isa_check(insn, 2, &why), -EINVAL);
		assert_string_equal(buf_text(&why), rows[i].words);
	}
	buf_done(&why);
}

static void a_wide_load_needs_its_second_slot(void **state)
{
	const struct bpf_insn insn[2] = {{.code = 0x18}, {.imm = 1}};

	assert_int_equal(isa_check(insn, 2, NULL), 0);
	assert_int_equal(isa_check(insn, 1, NULL), -EINVAL);
	assert_true(isa_imm64(insn) == 1ULL << 32);
}

static void registers_read_and_written(void **state)
{
	enum { R0 = 1, R1 = 2, R2 = 4, R6 = 64, R10 = 1024, ARGS = 0x3e, SAVED = 0x3f };
	const struct {
		struct bpf_insn insn;
		u16 read, written;
	} rows[] = {
		{{.code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = 1, .src_reg = 2}, R1 | R2, R1},
		{{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1}, R1, R1},
		{{.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 2}, R2, R1},
		{{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 1}, 0, R1},
		{{.code = BPF_LDX | BPF_W, .dst_reg = 1, .src_reg = 2}, 0, 0},
		{{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 1, .src_reg = 10}, R10, R1},
		{{.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 10, .src_reg = 2}, R10 | R2, 0},
		{{.code = BPF_STX | BPF_ATOMIC | BPF_W,
			 .dst_reg = 10,
			 .src_reg = 2,
			 .imm = BPF_XCHG},
			R10 | R2, R2},
		{{.code = BPF_STX | BPF_ATOMIC | BPF_W,
			 .dst_reg = 10,
			 .src_reg = 2,
			 .imm = BPF_CMPXCHG},
			R10 | R2 | R0, R0},
		{{.code = BPF_STX | BPF_ATOMIC | BPF_B,
			 .dst_reg = 1,
			 .src_reg = 2,
			 .imm = BPF_LOAD_ACQ},
			R2, R1},
		{{.code = BPF_JMP | BPF_CALL, .imm = 1}, ARGS, SAVED},
		{{.code = BPF_JMP | BPF_EXIT}, R0, 0},
		{{.code = BPF_JMP | BPF_JA}, 0, 0},
		{{.code = BPF_JMP | BPF_JEQ | BPF_X, .dst_reg = 1, .src_reg = 2}, R1 | R2, 0},
		{{.code = BPF_LD | BPF_IND | BPF_W, .src_reg = 2}, R6 | R2, SAVED},
		{{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2}, 0, R2},
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(isa_regs_read(&rows[i].insn), rows[i].read);
		assert_int_equal(isa_regs_written(&rows[i].insn), rows[i].written);
	}
}

static void helpers_have_the_names_of_linux_6_18(void **state)
{
	assert_null(isa_helper_name(0));
	assert_string_equal(isa_helper_name(1), "bpf_map_lookup_elem");
	assert_string_equal(isa_helper_name(51), "bpf_redirect_map");
	assert_string_equal(isa_helper_name(209), "bpf_user_ringbuf_drain");
	assert_string_equal(isa_helper_name(211), "bpf_cgrp_storage_delete");
	assert_null(isa_helper_name(212));
	assert_null(isa_helper_name(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_by_its_own_encoding),
		cmocka_unit_test(rows_of_one_opcode_are_neighbours_with_one_key),
		cmocka_unit_test(a_field_that_is_not_in_use_must_be_zero),
		cmocka_unit_test(refusals_have_the_kernels_words),
		cmocka_unit_test(a_wide_load_needs_its_second_slot),
		cmocka_unit_test(registers_read_and_written),
		cmocka_unit_test(helpers_have_the_names_of_linux_6_18),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
