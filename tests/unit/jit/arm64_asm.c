/*
 * Each form of instruction that the JIT of arm64 emits has the bytes that LLVM's assembler gives its text;
 * constants are loaded as what they are; numbers that a form cannot hold are refused. The encodings are
 * the same on every machine, so this runs on all.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "jit/arm64/asm.h"

enum {
	LOGIC_CNT = 5334, /* logical immediates there are, of 64 bits */
	ROUNDS = 200000,
};

static u32 word_at(const struct buf *out, size_t at)
{
	const u8 *bytes = (const u8 *)out->data + at;

	return bytes[0] | (u32)bytes[1] << 8 | (u32)bytes[2] << 16 | (u32)bytes[3] << 24;
}

/* ---- against an assembler ---- */

struct listing {
	struct buf text; /* a line an instruction */
	struct buf code;
	u32 cnt;
};

static void add(struct listing *list, const char *text)
{
	buf_printf(&list->text, "%s\n", text);
	list->cnt++;
	assert_int_equal(list->code.len, (size_t)list->cnt * 4);
}

#define FORM(text, call)                                                                           \
	do {                                                                                       \
		call;                                                                              \
		add(list, text);                                                                   \
	} while (0)

static void add_arithmetic(struct listing *list)
{
	struct buf *out = &list->code;

	FORM("add x1, x2, x3", a64_alu(out, A64_ADD, true, X1, X2, X3));
	FORM("add w1, w2, w3", a64_alu(out, A64_ADD, false, X1, X2, X3));
	FORM("sub x30, x29, x25", a64_alu(out, A64_SUB, true, X30, X29, X25));
	FORM("neg w7, w7", a64_alu(out, A64_SUB, false, X7, XZR, X7));
	FORM("cmp x19, x22", a64_alu(out, A64_SUBS, true, XZR, X19, X22));
	FORM("and x1, x2, x3", a64_alu(out, A64_AND, true, X1, X2, X3));
	FORM("orr w1, w2, w3", a64_alu(out, A64_ORR, false, X1, X2, X3));
	FORM("mvn x10, x3", a64_alu(out, A64_ORN, true, X10, XZR, X3));
	FORM("eor x1, x2, x3", a64_alu(out, A64_EOR, true, X1, X2, X3));
	FORM("tst w1, w2", a64_alu(out, A64_ANDS, false, XZR, X1, X2));
	FORM("udiv x1, x2, x3", a64_alu(out, A64_UDIV, true, X1, X2, X3));
	FORM("sdiv w1, w2, w3", a64_alu(out, A64_SDIV, false, X1, X2, X3));
	FORM("lsl x1, x2, x3", a64_alu(out, A64_LSLV, true, X1, X2, X3));
	FORM("lsr w1, w2, w3", a64_alu(out, A64_LSRV, false, X1, X2, X3));
	FORM("asr x1, x2, x3", a64_alu(out, A64_ASRV, true, X1, X2, X3));
	FORM("mul x1, x2, x3", a64_muladd(out, A64_MADD, true, X1, X2, X3, XZR));
	FORM("msub w1, w2, w3, w4", a64_muladd(out, A64_MSUB, false, X1, X2, X3, X4));
	FORM("mov x7, x0", a64_mov_rr(out, true, X7, X0));
	FORM("mov w7, w0", a64_mov_rr(out, false, X7, X0));
	FORM("add x1, x2, #4095", a64_add_imm(out, A64_ADD_IMM, true, X1, X2, 4095));
	FORM("add w1, w2, #1, lsl #12", a64_add_imm(out, A64_ADD_IMM, false, X1, X2, 4096));
	FORM("sub sp, sp, #528", a64_add_imm(out, A64_SUB_IMM, true, SP, SP, 528));
	FORM("mov x29, sp", a64_add_imm(out, A64_ADD_IMM, true, X29, SP, 0));
	FORM("cmp w1, #0xfff, lsl #12", a64_add_imm(out, A64_SUBS_IMM, false, XZR, X1, 0xfff000));
	FORM("cmn x1, #5", a64_add_imm(out, A64_ADDS_IMM, true, XZR, X1, 5));
}

static void add_moves(struct listing *list)
{
	struct buf *out = &list->code;

	FORM("orr x1, x2, #0xff00", a64_logic_imm(out, A64_ORR_IMM, true, X1, X2, 0xff00));
	FORM("eor w1, w2, #0x80000000",
		a64_logic_imm(out, A64_EOR_IMM, false, X1, X2, 0xffffffff80000000));
	FORM("tst x1, #0x5555555555555555",
		a64_logic_imm(out, A64_ANDS_IMM, true, XZR, X1, 0x5555555555555555));
	FORM("movz x1, #0x1234, lsl #48", a64_mov_wide(out, A64_MOVZ, true, X1, 0x1234, 3));
	FORM("movn w1, #0xffff", a64_mov_wide(out, A64_MOVN, false, X1, 0xffff, 0));
	FORM("movk x1, #0x1234, lsl #16", a64_mov_wide(out, A64_MOVK, true, X1, 0x1234, 1));
	FORM("lsl x1, x2, #0", a64_shift_imm(out, A64_LSL, true, X1, X2, 0));
	FORM("lsl x1, x2, #63", a64_shift_imm(out, A64_LSL, true, X1, X2, 63));
	FORM("lsl w1, w2, #5", a64_shift_imm(out, A64_LSL, false, X1, X2, 5));
	FORM("lsr x1, x2, #7", a64_shift_imm(out, A64_LSR, true, X1, X2, 7));
	FORM("lsr w1, w2, #31", a64_shift_imm(out, A64_LSR, false, X1, X2, 31));
	FORM("asr x1, x2, #1", a64_shift_imm(out, A64_ASR, true, X1, X2, 1));
	FORM("asr w1, w2, #0", a64_shift_imm(out, A64_ASR, false, X1, X2, 0));
	FORM("sxtb x1, w2", a64_sxt(out, 1, true, X1, X2));
	FORM("sxtb w1, w2", a64_sxt(out, 1, false, X1, X2));
	FORM("sxth x1, w2", a64_sxt(out, 2, true, X1, X2));
	FORM("sxth w1, w2", a64_sxt(out, 2, false, X1, X2));
	FORM("sxtw x1, w2", a64_sxt(out, 4, true, X1, X2));
	FORM("uxth w1, w2", a64_uxth(out, X1, X2));
	FORM("rev16 w1, w2", a64_rev16(out, X1, X2));
	FORM("rev w1, w2", a64_rev(out, false, X1, X2));
	FORM("rev x1, x2", a64_rev(out, true, X1, X2));
}

static void add_memory(struct listing *list)
{
	struct buf *out = &list->code;

	FORM("ldr x1, [x2]", a64_mem(out, A64_LOAD, 8, X1, X2, 0));
	FORM("ldr x1, [sp, #32760]", a64_mem(out, A64_LOAD, 8, X1, SP, 32760));
	FORM("ldur x1, [x2, #7]", a64_mem(out, A64_LOAD, 8, X1, X2, 7));
	FORM("ldur w1, [x25, #-256]", a64_mem(out, A64_LOAD, 4, X1, X25, -256));
	FORM("ldr w1, [x2, #4]", a64_mem(out, A64_LOAD, 4, X1, X2, 4));
	FORM("ldrh w1, [x2, #8190]", a64_mem(out, A64_LOAD, 2, X1, X2, 8190));
	FORM("ldrb w1, [x2, #4095]", a64_mem(out, A64_LOAD, 1, X1, X2, 4095));
	FORM("ldurb w1, [x2, #-1]", a64_mem(out, A64_LOAD, 1, X1, X2, -1));
	FORM("ldrsb x1, [x2, #1]", a64_mem(out, A64_LOAD_SX, 1, X1, X2, 1));
	FORM("ldursh x1, [x2, #-2]", a64_mem(out, A64_LOAD_SX, 2, X1, X2, -2));
	FORM("ldrsw x1, [x2, #8]", a64_mem(out, A64_LOAD_SX, 4, X1, X2, 8));
	FORM("str x1, [x2, #8]", a64_mem(out, A64_STORE, 8, X1, X2, 8));
	FORM("str wzr, [x2, #8]", a64_mem(out, A64_STORE, 4, XZR, X2, 8));
	FORM("strh w1, [x2]", a64_mem(out, A64_STORE, 2, X1, X2, 0));
	FORM("sturb w1, [x2, #-3]", a64_mem(out, A64_STORE, 1, X1, X2, -3));
	FORM("ldr x1, [x2, x3]", a64_mem_reg(out, A64_LOAD, 8, X1, X2, X3));
	FORM("ldrsh x1, [x2, x3]", a64_mem_reg(out, A64_LOAD_SX, 2, X1, X2, X3));
	FORM("strb w1, [x2, x3]", a64_mem_reg(out, A64_STORE, 1, X1, X2, X3));
	FORM("str x25, [sp, #-16]!", a64_mem_moving(out, A64_STORE, A64_PRE, X25, SP, -16));
	FORM("ldr x25, [sp], #16", a64_mem_moving(out, A64_LOAD, A64_POST, X25, SP, 16));
	FORM("stp x29, x30, [sp, #-48]!",
		a64_pair_moving(out, A64_STORE, A64_PRE, X29, X30, SP, -48));
	FORM("ldp x29, x30, [sp], #48", a64_pair_moving(out, A64_LOAD, A64_POST, X29, X30, SP, 48));
	FORM("stp x19, x20, [sp, #16]", a64_pair(out, A64_STORE, X19, X20, SP, 16));
	FORM("ldp x19, x20, [sp, #-512]", a64_pair(out, A64_LOAD, X19, X20, SP, -512));
}

static void add_atomics(struct listing *list)
{
	struct buf *out = &list->code;

	FORM("ldxr x1, [x2]", a64_ordered(out, A64_LDXR, 8, X1, X2));
	FORM("ldxr w1, [x2]", a64_ordered(out, A64_LDXR, 4, X1, X2));
	FORM("ldar x1, [x2]", a64_ordered(out, A64_LDAR, 8, X1, X2));
	FORM("ldarh w1, [x2]", a64_ordered(out, A64_LDAR, 2, X1, X2));
	FORM("ldarb w1, [x2]", a64_ordered(out, A64_LDAR, 1, X1, X2));
	FORM("stlr w1, [x2]", a64_ordered(out, A64_STLR, 4, X1, X2));
	FORM("stlrb w1, [x2]", a64_ordered(out, A64_STLR, 1, X1, X2));
	FORM("stxr w12, x1, [x2]", a64_stxr(out, false, 8, X12, X1, X2));
	FORM("stlxr w12, w1, [x2]", a64_stxr(out, true, 4, X12, X1, X2));
	FORM("ldaddal x1, x2, [x3]", a64_lse(out, A64_LDADD, true, true, X1, X2, X3));
	FORM("stadd w1, [x3]", a64_lse(out, A64_LDADD, false, false, X1, XZR, X3));
	FORM("ldclral w1, w2, [x3]", a64_lse(out, A64_LDCLR, false, true, X1, X2, X3));
	FORM("ldeoral x1, x2, [x3]", a64_lse(out, A64_LDEOR, true, true, X1, X2, X3));
	FORM("stset x1, [x3]", a64_lse(out, A64_LDSET, true, false, X1, XZR, X3));
	FORM("swpal w1, w2, [x3]", a64_lse(out, A64_SWP, false, true, X1, X2, X3));
	FORM("casal x7, x1, [x2]", a64_casal(out, true, X7, X1, X2));
	FORM("casal w7, w1, [x2]", a64_casal(out, false, X7, X1, X2));
	FORM("dmb ish", a64_dmb_ish(out));
}

/* A jump at the end of out, by dist bytes. */
static void jump(struct buf *out, u32 at, s64 dist)
{
	assert_true(a64_patch(out, at, (s64)at + dist));
}

static void add_jumps(struct listing *list)
{
	struct buf *out = &list->code;

	FORM("b #134217724", jump(out, a64_b(out), 134217724));
	FORM("b #-8", jump(out, a64_b(out), -8));
	FORM("bl #-134217728", jump(out, a64_bl(out), -134217728));
	FORM("b.eq #1048572", jump(out, a64_bcc(out, A64_EQ), 1048572));
	FORM("b.ne #-1048576", jump(out, a64_bcc(out, A64_NE), -1048576));
	FORM("b.hs #8", jump(out, a64_bcc(out, A64_HS), 8));
	FORM("b.lo #8", jump(out, a64_bcc(out, A64_LO), 8));
	FORM("b.hi #8", jump(out, a64_bcc(out, A64_HI), 8));
	FORM("b.ls #8", jump(out, a64_bcc(out, A64_LS), 8));
	FORM("b.ge #8", jump(out, a64_bcc(out, A64_GE), 8));
	FORM("b.lt #8", jump(out, a64_bcc(out, A64_LT), 8));
	FORM("b.gt #8", jump(out, a64_bcc(out, A64_GT), 8));
	FORM("b.le #8", jump(out, a64_bcc(out, A64_LE), 8));
	FORM("cbz x1, #16", jump(out, a64_cbz(out, true, false, X1), 16));
	FORM("cbnz w1, #-16", jump(out, a64_cbz(out, false, true, X1), -16));
	FORM("br x16", a64_br(out, X16));
	FORM("blr x16", a64_blr(out, X16));
	FORM("ret", a64_ret(out));
}

/* As the manual's DecodeBitMasks. The fields stand in bits 22-10 of an instruction. */
static u64 decode_logic(u32 word)
{
	const u32 n = word >> 22 & 1, immr = word >> 16 & 63, imms = word >> 10 & 63;
	const u32 size_bits = n << 6 | (~imms & 63);
	const u32 size = 1u << (31 - __builtin_clz(size_bits));
	const u32 s = imms & (size - 1), r = immr & (size - 1);
	u64 elem = ~(u64)0 >> (63 - s), out = 0;

	if (r)
		elem = (elem >> r | elem << (size - r)) & (~(u64)0 >> (64 - size));
	for (u32 at = 0; at < 64; at += size)
		out |= elem << at;
	return out;
}

static int compare_u64(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

/* All of them, sorted. */
static void list_logic(u64 imms[LOGIC_CNT])
{
	u32 cnt = 0;

	for (u32 size = 2; size <= 64; size *= 2)
		for (u32 ones = 1; ones < size; ones++)
			for (u32 rot = 0; rot < size; rot++)
				imms[cnt++] = decode_logic(
					(u32)(size == 64) << 22 | rot << 16 |
					((~(size * 2 - 1) & 63) | (ones - 1)) << 10);
	assert_int_equal(cnt, LOGIC_CNT);
	qsort(imms, cnt, sizeof(*imms), compare_u64);
}

static void add_logic(struct listing *list)
{
	static u64 imms[LOGIC_CNT];
	char text[64];

	list_logic(imms);
	for (u32 i = 0; i < LOGIC_CNT; i++) {
		snprintf(text, sizeof(text), "and x1, x2, #%#" PRIx64, imms[i]);
		FORM(text, a64_logic_imm(&list->code, A64_AND_IMM, true, X1, X2, imms[i]));
	}
}

/* Lines that name an encoding, "[0x41,0x00,0x03,0x8b]", one an instruction, in order. */
static void compare(const struct listing *list, FILE *pipe)
{
	const char *text = buf_text(&list->text);
	char line[256];
	u8 want[4], *got;
	u32 cnt = 0;

	while (fgets(line, sizeof(line), pipe)) {
		const char *at = strstr(line, "encoding: [");

		if (!at)
			continue;
		assert_int_equal(sscanf(at, "encoding: [%hhx,%hhx,%hhx,%hhx]", &want[0], &want[1],
					 &want[2], &want[3]),
			4);
		got = (u8 *)list->code.data + (size_t)cnt * 4;
		if (cnt < list->cnt && memcmp(got, want, 4))
			fail_msg("%.*s: %02x%02x%02x%02x, the assembler has %02x%02x%02x%02x",
				(int)strcspn(text, "\n"), text, got[3], got[2], got[1], got[0],
				want[3], want[2], want[1], want[0]);
		text += strcspn(text, "\n") + 1;
		cnt++;
	}
	assert_int_equal(cnt, list->cnt);
}

static void forms_have_the_assemblers_bytes(void **state)
{
	struct listing all = {.text = BUF_INIT}, *list = &all;
	char path[] = "/tmp/skep-a64-XXXXXX", command[128];
	int fd;
	FILE *pipe;

	if (system("command -v llvm-mc >/dev/null 2>&1")) {
		print_message("skipped: llvm-mc (package llvm) is not there\n");
		skip();
	}
	add_arithmetic(list);
	add_moves(list);
	add_memory(list);
	add_atomics(list);
	add_jumps(list);
	add_logic(list);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, buf_text(&all.text), all.text.len), all.text.len);
	close(fd);
	snprintf(command, sizeof(command), "llvm-mc -triple=aarch64 -mattr=+lse -show-encoding %s",
		path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	compare(list, pipe);
	assert_int_equal(pclose(pipe), 0);
	unlink(path);
	buf_done(&all.text);
	buf_done(&all.code);
}

/* ---- constants ---- */

/* What a sequence that loads a constant into x5 leaves there. */
static u64 run_moves(const struct buf *out)
{
	u64 value = 0;

	for (size_t at = 0; at < out->len; at += 4) {
		const u32 word = word_at(out, at), shift = (word >> 21 & 3) * 16;
		const u64 imm = (u64)(word >> 5 & 0xffff) << shift;

		assert_int_equal(word & 31, X5);
		switch (word & 0x7f800000) {
		case A64_MOVZ: value = imm; break;
		case A64_MOVN: value = ~imm; break;
		case A64_MOVK: value = (value & ~((u64)0xffff << shift)) | imm; break;
		default:
			assert_int_equal(word & 0xff8003e0, 0xb20003e0); /* orr x5, xzr, #imm */
			value = decode_logic(word);
		}
		if (!(word >> 31))
			value = (u32)value;
	}
	return value;
}

static u32 words_of(u64 imm)
{
	struct buf out = BUF_INIT;
	u32 cnt;

	a64_mov_ri(&out, X5, imm);
	assert_int_equal(out.err, 0);
	assert_int_equal(run_moves(&out), imm);
	cnt = (u32)out.len / 4;
	buf_done(&out);
	return cnt;
}

static u64 next_random(u64 *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed ^ *seed >> 29;
}

/* Numbers whose halves are often 0 or all ones. */
static u64 random_halves(u64 *seed)
{
	u64 imm = 0;

	for (u32 half = 0; half < 4; half++) {
		const u64 what = next_random(seed) >> 40;

		imm = imm << 16 | (what % 3 == 0 ? 0 : what % 3 == 1 ? 0xffff : what >> 4 & 0xffff);
	}
	return imm;
}

static void constants_are_loaded_as_they_are(void **state)
{
	u64 seed = 1;

	for (u32 i = 0; i < ROUNDS; i++) {
		assert_true(words_of(next_random(&seed)) <= 4);
		assert_true(words_of(random_halves(&seed)) <= 4);
	}
}

static void constants_are_loaded_in_few_words(void **state)
{
	static const struct {
		u64 imm;
		u32 words;
	} rows[] = {
		{0, 1},
		{~(u64)0, 1},
		{0xffffffff, 1},
		{0x1234, 1},
		{0x12340000, 1},
		{0xffffffff00000000, 1},
		{-(u64)1000, 1},
		{0xfffffff0, 1},
		{0x8001ffff, 1},
		{0xffff8001, 1},
		{0x5555555555555555, 1},
		{0x12345678, 2},
		{0xffffffff12345678, 2},
		{0x7f1234567890, 3},
		{0x123456789abcdef0, 4},
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(words_of(rows[i].imm), rows[i].words);
}

static void exactly_the_logical_immediates_are_taken(void **state)
{
	static u64 imms[LOGIC_CNT];
	struct buf out = BUF_INIT;
	u64 seed = 2;

	list_logic(imms);
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 imm = random_halves(&seed);
		bool is_one;

		imm ^= (u64)(i & 1) << (imm & 63);
		is_one = bsearch(&imm, imms, LOGIC_CNT, sizeof(imm), compare_u64);
		buf_reset(&out);
		assert_int_equal(a64_logic_imm(&out, A64_AND_IMM, true, X1, X2, imm), is_one);
		assert_int_equal(out.len, is_one ? 4 : 0);
		if (is_one)
			assert_true(decode_logic(word_at(&out, 0)) == imm);
	}
	buf_done(&out);
}

static void what_a_form_cannot_hold_adds_nothing(void **state)
{
	struct buf out = BUF_INIT;
	u32 at;

	assert_false(a64_add_imm(&out, A64_ADD_IMM, true, X1, X1, 4097));
	assert_false(a64_add_imm(&out, A64_ADD_IMM, true, X1, X1, 1 << 24));
	assert_false(a64_mem(&out, A64_LOAD, 8, X1, X2, -257));
	assert_false(a64_mem(&out, A64_LOAD, 8, X1, X2, 260));
	assert_false(a64_mem(&out, A64_LOAD, 8, X1, X2, 32768));
	assert_false(a64_mem(&out, A64_LOAD, 1, X1, X2, 4096));
	assert_int_equal(out.len, 0);
	at = a64_bcc(&out, A64_EQ);
	assert_false(a64_patch(&out, at, 1 << 20));
	assert_false(a64_patch(&out, at, -(1 << 20) - 4));
	at = a64_b(&out);
	assert_false(a64_patch(&out, at, at + (1LL << 27)));
	assert_false(a64_patch(&out, at, at - (1LL << 27) - 4));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_have_the_assemblers_bytes),
		cmocka_unit_test(constants_are_loaded_as_they_are),
		cmocka_unit_test(constants_are_loaded_in_few_words),
		cmocka_unit_test(exactly_the_logical_immediates_are_taken),
		cmocka_unit_test(what_a_form_cannot_hold_adds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
