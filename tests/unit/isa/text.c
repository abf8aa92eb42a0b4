/*
 * Text in both directions: the kernel's notation word for word, every row through both notations and
 * back, and what the assembler says of text that is no program.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "isa/isa.h"

static void the_kernels_notation(void **state)
{
	const struct {
		struct bpf_insn insn[2];
		const char *text;
	} rows[] = {
		{{{.code = 0x07, .dst_reg = 3, .imm = 14}}, "(07) r3 += 14"},
		{{{.code = 0x04, .dst_reg = 3, .imm = -14}}, "(04) w3 += -14"},
		{{{.code = 0x2d, .dst_reg = 3, .src_reg = 2, .off = 48}},
			"(2d) if r3 > r2 goto pc+48"},
		{{{.code = 0x56, .dst_reg = 3, .imm = -1, .off = -4}},
			"(56) if w3 != 0xffffffff goto pc-4"},
		{{{.code = 0x18, .dst_reg = 1, .imm = 0x55667788}, {.imm = 0x11223344}},
			"(18) r1 = 0x1122334455667788"},
		{{{.code = 0x85, .imm = 1}}, "(85) call bpf_map_lookup_elem#1"},
		{{{.code = 0x85, .imm = 9999}}, "(85) call unknown#9999"},
		{{{.code = 0x85, .src_reg = 1, .imm = 3}}, "(85) call pc+3"},
		{{{.code = 0x85, .src_reg = 2, .imm = 77}}, "(85) call kernel-function#77"},
		{{{.code = 0x95}}, "(95) exit"},
		{{{.code = 0x05, .off = -1}}, "(05) goto pc-1"},
		{{{.code = 0x06, .imm = 70000}}, "(06) gotol pc+70000"},
		{{{.code = 0xe5, .off = 2}}, "(e5) may_goto pc+2"},
		{{{.code = 0xbf, .dst_reg = 1, .src_reg = 2, .off = 8}}, "(bf) r1 = (s8)r2"},
		{{{.code = 0xbc, .dst_reg = 1, .src_reg = 2, .off = 16}}, "(bc) w1 = (s16)w2"},
		{{{.code = 0x3f, .dst_reg = 1, .src_reg = 2, .off = 1}}, "(3f) r1 s/= r2"},
		{{{.code = 0x94, .dst_reg = 1, .imm = 7, .off = 1}}, "(94) w1 s%= 7"},
		{{{.code = 0xc4, .dst_reg = 1, .imm = 7}}, "(c4) w1 s>>= 7"},
		{{{.code = 0x84, .dst_reg = 1}}, "(84) w1 = -w1"},
		{{{.code = 0xd4, .dst_reg = 1, .imm = 16}}, "(d4) r1 = le16 r1"},
		{{{.code = 0xdc, .dst_reg = 1, .imm = 64}}, "(dc) r1 = be64 r1"},
		{{{.code = 0xd7, .dst_reg = 1, .imm = 32}}, "(d7) r1 = bswap32 r1"},
		{{{.code = 0x71, .dst_reg = 1, .src_reg = 2, .off = 3}},
			"(71) r1 = *(u8 *)(r2 +3)"},
		{{{.code = 0x91, .dst_reg = 1, .src_reg = 2, .off = -3}},
			"(91) r1 = *(s8 *)(r2 -3)"},
		{{{.code = 0x7a, .dst_reg = 10, .off = -8, .imm = 5}}, "(7a) *(u64 *)(r10 -8) = 5"},
		{{{.code = 0x6b, .dst_reg = 10, .off = -8, .src_reg = 5}},
			"(6b) *(u16 *)(r10 -8) = r5"},
		{{{.code = 0xdb, .src_reg = 1}}, "(db) lock *(u64 *)(r0 +0) += r1"},
		{{{.code = 0xc3, .src_reg = 1, .imm = BPF_XOR}}, "(c3) lock *(u32 *)(r0 +0) ^= r1"},
		{{{.code = 0xdb, .src_reg = 1, .imm = BPF_OR | BPF_FETCH}},
			"(db) r1 = atomic64_fetch_or((u64 *)(r0 +0), r1)"},
		{{{.code = 0xc3, .src_reg = 1, .imm = BPF_XCHG}},
			"(c3) r1 = atomic_xchg((u32 *)(r0 +0), r1)"},
		{{{.code = 0xdb, .dst_reg = 2, .src_reg = 1, .imm = BPF_CMPXCHG}},
			"(db) r0 = atomic64_cmpxchg((u64 *)(r2 +0), r0, r1)"},
		{{{.code = 0xd3, .dst_reg = 2, .src_reg = 1, .imm = BPF_LOAD_ACQ}},
			"(d3) r2 = load_acquire((u8 *)(r1 +0))"},
		{{{.code = 0xcb, .dst_reg = 2, .src_reg = 1, .imm = BPF_STORE_REL}},
			"(cb) store_release((u16 *)(r2 +0), r1)"},
		{{{.code = 0xbf, .dst_reg = 2, .src_reg = 1, .off = 1, .imm = 1 << 16}},
			"(bf) r2 = addr_space_cast(r1, 1, 0)"},
		{{{.code = 0x28, .imm = 12}}, "(28) r0 = *(u16 *)skb[12]"},
		{{{.code = 0x50, .src_reg = 3, .imm = -2}}, "(50) r0 = *(u8 *)skb[r3 + -2]"},
		{{{.code = 0xdb, .imm = 0x20}}, "BUG_db"},
		{{{.code = 0x00}}, "BUG_00"},
	};
	struct buf out = BUF_INIT;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		buf_reset(&out);
		assert_int_equal(isa_disasm(&out, rows[i].insn, NULL), 0);
		assert_string_equal(buf_text(&out), rows[i].text);
	}
	buf_done(&out);
}

static bool name_call(void *arg, const struct bpf_insn *insn, struct buf *out)
{
	if (insn->src_reg == BPF_PSEUDO_CALL)
		buf_printf(out, "+%d#bpf_prog_f", insn->imm);
	else if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		buf_str(out, arg);
	else
		return false;
	return true;
}

static bool name_imm(void *arg, const struct bpf_insn *insn, u64 imm, struct buf *out)
{
	if (insn->src_reg != BPF_PSEUDO_MAP_FD)
		return false;
	buf_printf(out, "map[id:%d]", insn->imm);
	return true;
}

static void callers_name_calls_and_constants(void **state)
{
	const struct isa_names names = {
		.arg = "bpf_dynptr_from_xdp", .call = name_call, .imm = name_imm};
	const struct isa_names hidden = {.hide_addresses = true};
	const struct {
		const struct isa_names *names;
		struct bpf_insn insn[2];
		const char *text;
	} rows[] = {
		{&names, {{.code = 0x85, .src_reg = 1, .imm = 3}}, "(85) call pc+3#bpf_prog_f"},
		{&names, {{.code = 0x85, .src_reg = 2, .imm = 9}},
			"(85) call bpf_dynptr_from_xdp#9"},
		{&names, {{.code = 0x85, .imm = 2}}, "(85) call bpf_map_update_elem#2"},
		{&names, {{.code = 0x85, .imm = 300}}, "(85) call unknown#300"},
		{&names, {{.code = 0x18, .src_reg = 1, .imm = 2504}}, "(18) r0 = map[id:2504]"},
		{&names, {{.code = 0x18, .imm = 2504}}, "(18) r0 = 0x9c8"},
		{&hidden, {{.code = 0x18, .src_reg = 1, .imm = 2504}}, "(18) r0 = 0x0"},
		{&hidden, {{.code = 0x18, .src_reg = 4, .imm = 3}}, "(18) r0 = 0x3"},
		{&hidden, {{.code = 0x18, .imm = 2504}}, "(18) r0 = 0x9c8"},
	};
	struct buf out = BUF_INIT;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		buf_reset(&out);
		assert_int_equal(isa_disasm(&out, rows[i].insn, rows[i].names), 0);
		assert_string_equal(buf_text(&out), rows[i].text);
	}
	buf_done(&out);
}

/* Fields in use get values that no other field has. */
static void fill(const struct isa_op *op, u32 variant, struct bpf_insn insn[2])
{
	const bool has_high = op->form == ISA_FORM_LDDW;

	memset(insn, 0, 2 * sizeof(*insn));
	insn->code = op->code;
	if (op->uses & ISA_DST)
		insn->dst_reg = variant ? 10 : 3;
	if (op->uses & ISA_SRC)
		insn->src_reg = variant ? 9 : 4;
	if (op->uses & ISA_OFF && op->form != ISA_FORM_EXIT)
		insn->off = variant ? -32768 : 16;
	if (op->uses & ISA_IMM)
		insn->imm = variant ? INT32_MIN : 77;
	if (has_high)
		insn[1].imm = variant ? -1 : 5;
	if (op->key == ISA_KEY_OFF)
		insn->off = (s16)op->key_val;
	if (op->key == ISA_KEY_IMM)
		insn->imm = op->key_val;
	if (op->key == ISA_KEY_SRC)
		insn->src_reg = op->key_val;
	if (op->form == ISA_FORM_CAST)
		insn->imm = variant ? 1 << 16 : 1;
}

static void reassemble(const struct isa_op *op, const struct bpf_insn *insn, const char *text)
{
	const u32 cnt = op->form == ISA_FORM_LDDW ? 2 : 1;
	struct buf err = BUF_INIT;
	struct bpf_insn *back;
	u32 back_cnt;

	if (isa_asm(text, &back, &back_cnt, &err))
		fail_msg("%s: %s", text, buf_text(&err));
	if (back_cnt != cnt || memcmp(back, insn, cnt * sizeof(*insn)))
		fail_msg("%s: %02x becomes another instruction", text, insn->code);
	mem_free(back);
	buf_done(&err);
}

static void every_row_survives_the_trip_through_text(void **state)
{
	struct buf out = BUF_INIT;
	struct bpf_insn insn[2];

	for (u32 id = 0; id < ISA_CNT; id++) {
		for (u32 variant = 0; variant < 2; variant++) {
			fill(isa_op(id), variant, insn);
			assert_ptr_equal(isa_find(insn), isa_op(id));
			if (isa_decode(insn)) {
				buf_reset(&out);
				assert_int_equal(isa_disasm_text(&out, insn), 0);
				reassemble(isa_op(id), insn, buf_text(&out));
			}
			/* the kernel's plain text of a pseudo load does not say that it is one, nor the offset
			 * of a kernel function */
			if ((isa_is_lddw(insn) && insn->src_reg) || id == ISA_CALL_KFUNC)
				continue;
			buf_reset(&out);
			assert_int_equal(isa_disasm(&out, insn, NULL), 0);
			reassemble(isa_op(id), insn, buf_text(&out));
		}
	}
	buf_done(&out);
}

static void labels_count_slots_from_the_next_instruction(void **state)
{
	static const char text[] = "start: ja32 end ; forward\n"
				   "  lddw %r1, 5   # two slots\n"
				   "  lddw func %r2, f\n"
				   "here: there: jeq %r1, 1, start\n"
				   "if w1 == 0x1 goto there\n"
				   "call local f\n"
				   "call f\n"
				   "end:\n"
				   "exit\n"
				   "f: goto exit\n";
	const s32 imms[] = {8, 5, 0, 6, 0, 1, 1, 2, 1, 0, 0},
		  offs[] = {[5] = -6, [6] = -2, [10] = -2};
	struct bpf_insn *insns;
	u32 cnt;

	assert_int_equal(isa_asm(text, &insns, &cnt, NULL), 0);
	assert_int_equal(cnt, ARRAY_SIZE(imms));
	for (u32 i = 0; i < cnt; i++) {
		assert_int_equal(insns[i].imm, imms[i]);
		assert_int_equal(insns[i].off, offs[i]);
	}
	mem_free(insns);
}

static void numbers_are_what_their_field_holds(void **state)
{
	const struct {
		const char *text;
		s32 imm;
		s16 off;
	} rows[] = {
		{"mov %r1, 0xffffffff", -1, 0},
		{"mov %r1, 4294967295", -1, 0},
		{"mov %r1, -2147483648", INT32_MIN, 0},
		{"mov %r1, -0x80000000", INT32_MIN, 0},
		{"ja +32767", 0, 32767},
		{"ja -32768", 0, -32768},
		{"ldxb %r1, [%r2+0x10]", 0, 16},
		{"ldxb %r1, [%r2 -1]", 0, -1},
	};
	struct bpf_insn *insns;
	u32 cnt;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(isa_asm(rows[i].text, &insns, &cnt, NULL), 0);
		assert_int_equal(insns->imm, rows[i].imm);
		assert_int_equal(insns->off, rows[i].off);
		mem_free(insns);
	}
}

static void what_is_no_program_is_named_with_its_line(void **state)
{
	const struct {
		const char *text, *words;
	} rows[] = {
		{"mov %r1, 1\nfrob %r1, %r2\n", "line 2: not an instruction: 'frob %r1, %r2'"},
		{"mov %r11, 1", "line 1: not an instruction: 'mov %r11, 1'"},
		{"mov %r1, 4294967296", "line 1: not an instruction: 'mov %r1, 4294967296'"},
		{"mov %r1, -2147483649", "line 1: not an instruction: 'mov %r1, -2147483649'"},
		{"mov %r1", "line 1: not an instruction: 'mov %r1'"},
		{"mov %r1, 1 2", "line 1: not an instruction: 'mov %r1, 1 2'"},
		{"mov %r1, 0x", "line 1: not an instruction: 'mov %r1, 0x'"},
		{"lddw %r1, 0x10000000000000000",
			"line 1: not an instruction: 'lddw %r1, 0x10000000000000000'"},
		{"ldxb %r1, [%r2+40000]", "line 1: not an instruction: 'ldxb %r1, [%r2+40000]'"},
		{"ldxb %r1, [%r2", "line 1: not an instruction: 'ldxb %r1, [%r2'"},
		{"r1 = -r2", "line 1: not an instruction: 'r1 = -r2'"},
		{"r0 = -r2", "line 1: not an instruction: 'r0 = -r2'"},
		{"r1 += w2", "line 1: not an instruction: 'r1 += w2'"},
		{"(0f) r1 += 2", "line 1: not an instruction: 'r1 += 2'"},
		{"call bpf_no_such_helper", "line 1: no such label: 'bpf_no_such_helper'"},
		{"\n\nja nowhere", "line 3: no such label: 'nowhere'"},
		{"ja exit", "line 1: no such label: 'exit'"},
		{"a: exit\na: exit", "line 2: label set twice: 'a'"},
	};
	struct bpf_insn *insns = NULL;
	u32 cnt = 0;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf err = BUF_INIT;

		assert_int_equal(isa_asm(rows[i].text, &insns, &cnt, &err), -EINVAL);
		assert_string_equal(buf_text(&err), rows[i].words);
		assert_null(insns);
		buf_done(&err);
	}
}

static void a_short_jump_does_not_reach_a_far_label(void **state)
{
	struct buf text = BUF_INIT, err = BUF_INIT;
	struct bpf_insn *insns = NULL;
	u32 cnt = 0;

	buf_str(&text, "ja32 end\nja end\n");
	for (u32 i = 0; i < 32768; i++)
		buf_str(&text, "exit\n");
	buf_str(&text, "end: exit\n");
	assert_int_equal(isa_asm(buf_text(&text), &insns, &cnt, &err), -EINVAL);
	assert_string_equal(buf_text(&err), "line 2: label too far: 'end'");
	buf_done(&text);
	buf_done(&err);
}

static void every_failing_allocation_is_reported(void **state)
{
	static const char text[] = "a: ja a\nb: ja b\nlddw %r1, 1\nexit\n";
	struct bpf_insn *insns = NULL;
	u32 cnt = 0;
	int err = -ENOMEM;

	for (u32 nth = 1; err; nth++) {
		mem_fail_at(nth);
		err = isa_asm(text, &insns, &cnt, NULL);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(err == 0, insns != NULL);
		assert_true(nth < 10);
	}
	mem_fail_at(0);
	assert_int_equal(cnt, 5);
	mem_free(insns);
}

static u64 next_random(u64 *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 20;
}

static void any_eight_bytes_have_a_text(void **state)
{
	struct buf out = BUF_INIT;
	struct bpf_insn insn[2];
	u64 seed = 7, word;

	for (u32 i = 0; i < 200000; i++) {
		word = next_random(&seed) << 20 ^ next_random(&seed);
		memcpy(&insn[0], &word, sizeof(word));
		memset(&insn[1], (int)(word & 0xff), sizeof(insn[1]));
		buf_reset(&out);
		assert_int_equal(isa_disasm(&out, insn, NULL), 0);
		assert_true(out.len > 5);
		isa_disasm_text(&out, insn);
		isa_check(insn, 1 + (u32)(word & 1), &out);
	}
	buf_done(&out);
}

/* Lines of words that programs are made of, in any order: a program or a complaint, nothing else. */
static void any_text_is_a_program_or_named(void **state)
{
	static const char *const words[] = {"r0", "%r1", "w10", "=", "+=", "s>>=", "*(u64 *)(",
		"r2 +8)", "-4", "0x10", ",", "[%r10-8]", "mov", "lddw", "func", "call", "local",
		"exit", "goto", "pc+1", "L:", "L", "(07)", "3:", "lock", "fetch", "add", "\n", "\n",
		"#", ";", "s8", "(", "call bpf_map_lookup_elem#", "99999999999999999999", "\t",
		"if", "s<", "may_goto", "%"};
	struct buf text = BUF_INIT, err = BUF_INIT;
	struct bpf_insn *insns;
	u64 seed = 9, programs = 0;
	u32 cnt;
	int ret;

	for (u32 i = 0; i < 20000; i++) {
		buf_reset(&text);
		buf_reset(&err);
		for (u32 left = (u32)next_random(&seed) % 8; left; left--)
			buf_printf(&text, "%s ", words[next_random(&seed) % ARRAY_SIZE(words)]);
		ret = isa_asm(buf_text(&text), &insns, &cnt, &err);
		assert_true(ret ? ret == -EINVAL && err.len : !err.len);
		if (ret)
			continue;
		programs += cnt > 0;
		mem_free(insns);
	}
	assert_true(programs > 100);
	buf_done(&text);
	buf_done(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernels_notation),
		cmocka_unit_test(callers_name_calls_and_constants),
		cmocka_unit_test(every_row_survives_the_trip_through_text),
		cmocka_unit_test(labels_count_slots_from_the_next_instruction),
		cmocka_unit_test(numbers_are_what_their_field_holds),
		cmocka_unit_test(what_is_no_program_is_named_with_its_line),
		cmocka_unit_test(a_short_jump_does_not_reach_a_far_label),
		cmocka_unit_test(every_failing_allocation_is_reported),
		cmocka_unit_test(any_eight_bytes_have_a_text),
		cmocka_unit_test(any_text_is_a_program_or_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
