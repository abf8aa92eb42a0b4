/*
 * The table against the running kernel: what it refuses by form, in which words, and how it prints what
 * it takes. Every opcode is asked with every field varied alone. Skips without bpf(2).
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isa/isa.h"

enum { LOG_LEN = 1 << 16, BEFORE_CNT = 16, AFTER_CNT = 3 };

static char kernel_log[LOG_LEN];

/* -errno of the load, or 0; the words are in kernel_log. */
static int load(const struct bpf_insn *insns, u32 cnt)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = cnt,
		.insns = (u64)(uintptr_t)insns,
		.license = (u64)(uintptr_t) "GPL",
		.log_level = 2,
		.log_size = LOG_LEN,
		.log_buf = (u64)(uintptr_t)kernel_log,
	};
	int fd;

	kernel_log[0] = 0;
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void need_bpf(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	int err = load(insns, 2);

	if (err) {
		print_message("skipped: bpf(2) is not available: %s\n", strerror(-err));
		skip();
	}
}

/*
 * insn (two slots for ld_imm64) between slots that set all registers and 16 bytes of stack, and slots
 * that may be jumped to: each is reached by a jump of its own, so the flow check has nothing to say.
 */
static u32 surround(const struct bpf_insn *insn, u32 insn_cnt, struct bpf_insn *prog)
{
	u32 cnt = 0;

	prog[cnt++] = (struct bpf_insn){
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1};
	for (u32 reg = 0; reg < 10; reg++)
		if (reg != 6)
			prog[cnt++] = (struct bpf_insn){
				.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = reg, .imm = 1};
	for (s16 off = -16; off < 0; off += 8)
		prog[cnt++] = (struct bpf_insn){
			.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = off};
	for (u32 i = 0; i <= AFTER_CNT; i++)
		prog[cnt++] = (struct bpf_insn){.code = BPF_JMP | BPF_JEQ | BPF_K,
			.dst_reg = 6,
			.off = (s16)(AFTER_CNT + insn_cnt)};
	assert_int_equal(cnt, BEFORE_CNT);
	memcpy(&prog[cnt], insn, insn_cnt * sizeof(*insn));
	cnt += insn_cnt;
	for (u32 i = 0; i < AFTER_CNT; i++)
		prog[cnt++] = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1};
	prog[cnt++] = (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
	return cnt;
}

/* The kernel's refusals by form alone */
static const char *const form_words[] = {"uses reserved fields", "unknown opcode", "R11 is invalid",
	"R12 is invalid", "invalid bpf_ld_imm64 insn", "unrecognized bpf_ld_imm64 insn",
	"invalid may_goto imm", "invalid atomic opcode", "invalid atomic operand",
	"insn can only convert", "invalid BPF_", "BUG_"};

static bool is_refused_by_form(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(form_words); i++)
		if (strstr(kernel_log, form_words[i]))
			return true;
	return false;
}

struct tally {
	u32 asked, refused, same_words, printed;
};

/* The line of the log that shows slot BEFORE_CNT, cut before the state; NULL: not reached. */
static const char *shown_text(char *text, size_t len)
{
	char *line, *end;

	snprintf(text, len, "\n%d: (", BEFORE_CNT);
	line = strstr(kernel_log, text);
	if (!line)
		return NULL;
	line = strchr(line, '(');
	end = line + strcspn(line, "\n;");
	while (end > line && end[-1] == ' ')
		end--;
	snprintf(text, len, "%.*s", (int)(end - line), line);
	return text;
}

static void show(const struct bpf_insn *insn, const char *what, const char *ours)
{
	char text[256];

	fail_msg("%02x dst %u src %u off %d imm %d: %s\n ours: %s\n kernel: %s", insn->code,
		insn->dst_reg, insn->src_reg, insn->off, insn->imm, what, ours,
		shown_text(text, sizeof(text)) ? text : kernel_log);
}

/* Kernel functions and addresses print as what the kernel knows of them. */
static bool is_named_by_kernel(const struct bpf_insn *insn)
{
	return (isa_is_lddw(insn) && insn->src_reg) ||
	       (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL);
}

static void compare_text(const struct bpf_insn *insn, struct tally *tally)
{
	const struct isa_names names = {.hide_addresses = false};
	struct buf ours = BUF_INIT;
	char theirs[256];

	if (!shown_text(theirs, sizeof(theirs)))
		return;
	isa_disasm(&ours, insn, &names);
	if (strcmp(buf_text(&ours), theirs))
		show(insn, "another text", buf_text(&ours));
	tally->printed++;
	buf_done(&ours);
}

/* One question: both refuse, or both do not; what is printed is the same. */
static void ask(const struct bpf_insn *insn, u32 cnt, struct tally *tally)
{
	struct bpf_insn prog[BEFORE_CNT + 2 + AFTER_CNT + 1];
	struct buf why = BUF_INIT;
	const int ours = isa_check(insn, cnt, &why);
	const int theirs = load(prog, surround(insn, cnt, prog));

	tally->asked++;
	assert_true(ours == 0 || ours == -EINVAL);
	if (!ours && is_refused_by_form())
		show(insn, "we take it, the kernel does not", "");
	if (ours && !theirs)
		show(insn, "we refuse it, the kernel does not", buf_text(&why));
	if (ours) {
		tally->refused++;
		tally->same_words += strstr(kernel_log, buf_text(&why)) != NULL;
	} else if (!is_named_by_kernel(insn)) {
		compare_text(insn, tally);
	}
	buf_done(&why);
}

static const int dsts[] = {0, 1, 6, 10, 11}, srcs[] = {0, 1, 2, 3, 4, 6, 7, 10, 12};
static const int offs[] = {0, 1, 2, -1, -8, 8, 16, 32, 64};
static const int imms[] = {0, 1, 2, 8, 16, 32, 64, -1, 0x10, 0x11, 0x40, 0x41, 0x50, 0x51, 0xa0,
	0xa1, 0xe0, 0xe1, 0xf0, 0xf1, 0x100, 0x110, 0x120, 1 << 16, INT32_MAX, INT32_MIN};

/* All values of each field, one field at a time, from base. */
static void vary(struct bpf_insn base[2], u32 cnt, struct tally *tally)
{
	struct bpf_insn insn[2];

	for (u32 i = 0; i < ARRAY_SIZE(dsts); i++) {
		memcpy(insn, base, sizeof(insn));
		insn->dst_reg = dsts[i];
		ask(insn, cnt, tally);
	}
	for (u32 i = 0; i < ARRAY_SIZE(srcs); i++) {
		memcpy(insn, base, sizeof(insn));
		insn->src_reg = srcs[i];
		ask(insn, cnt, tally);
	}
	for (u32 i = 0; i < ARRAY_SIZE(offs); i++) {
		memcpy(insn, base, sizeof(insn));
		insn->off = offs[i];
		ask(insn, cnt, tally);
	}
	for (u32 i = 0; i < ARRAY_SIZE(imms); i++) {
		memcpy(insn, base, sizeof(insn));
		insn->imm = imms[i];
		ask(insn, cnt, tally);
	}
}

static void report(const struct tally *tally)
{
	print_message("%u instructions asked: %u refused (%u in the same words), %u printed\n",
		tally->asked, tally->refused, tally->same_words, tally->printed);
	/* of two defects the kernel may name the other */
	assert_true(tally->same_words * 100ULL >= tally->refused * 97ULL);
	assert_true(tally->printed > 1000 && tally->refused > 1000);
}

static void every_opcode_is_refused_and_printed_as_by_the_kernel(void **state)
{
	struct tally tally = {0};
	struct bpf_insn base[2];

	need_bpf();
	for (u32 code = 0; code < 256; code++) {
		memset(base, 0, sizeof(base));
		base[0].code = (u8)code;
		vary(base, isa_is_lddw(base) ? 2 : 1, &tally);
		base[0].dst_reg = 10;
		base[0].src_reg = 1;
		base[0].off = -8;
		vary(base, isa_is_lddw(base) ? 2 : 1, &tally);
	}
	report(&tally);
}

static void every_row_varied_is_refused_and_printed_as_by_the_kernel(void **state)
{
	struct tally tally = {0};
	struct bpf_insn base[2];
	const struct isa_op *op;

	need_bpf();
	for (u32 id = 0; id < ISA_CNT; id++) {
		op = isa_op(id);
		memset(base, 0, sizeof(base));
		base[0].code = op->code;
		if (op->key == ISA_KEY_OFF)
			base[0].off = (s16)op->key_val;
		if (op->key == ISA_KEY_IMM)
			base[0].imm = op->key_val;
		if (op->key == ISA_KEY_SRC)
			base[0].src_reg = op->key_val;
		vary(base, isa_is_lddw(base) ? 2 : 1, &tally);
		if (!(op->uses & ISA_OFF) || op->key == ISA_KEY_OFF)
			continue;
		base[0].dst_reg = 10;
		base[0].off = -8;
		vary(base, 1, &tally);
	}
	report(&tally);
}

static void the_second_slot_of_a_wide_load_is_checked_as_by_the_kernel(void **state)
{
	const struct bpf_insn seconds[] = {{.imm = 5}, {.code = 1}, {.dst_reg = 1}, {.src_reg = 1},
		{.off = 1}, {.code = BPF_JMP | BPF_EXIT}};
	struct tally tally = {0};
	struct bpf_insn insn[2];

	need_bpf();
	for (u32 i = 0; i < ARRAY_SIZE(seconds); i++) {
		insn[0] = (struct bpf_insn){
			.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 3, .imm = -2};
		insn[1] = seconds[i];
		ask(insn, 2, &tally);
	}
	assert_int_equal(tally.refused, ARRAY_SIZE(seconds) - 1);
	assert_int_equal(tally.same_words, tally.refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_opcode_is_refused_and_printed_as_by_the_kernel),
		cmocka_unit_test(every_row_varied_is_refused_and_printed_as_by_the_kernel),
		cmocka_unit_test(the_second_slot_of_a_wide_load_is_checked_as_by_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
