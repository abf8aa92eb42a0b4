/*
 * Checked mode, interpreter and machine code: what a program that no verifier saw may do, and the fault it ends
 * with when it does something else. Each case is a program in text and the fault expected; a result is expected where
 * there is none.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/map.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"

enum { CTX_LEN = 16, MAP_LEN = 24, HELPER_CNT = 9, BUDGET = 1000, SUB_MAX = 16 };

/* A map of one value of MAP_LEN bytes, enough for what the interpreter asks of maps. */
struct toy_map {
	struct map map;
	_Alignas(8) u8 value[MAP_LEN];
};

static bool toy_owns(const struct map *map, const void *addr, size_t len)
{
	const struct toy_map *toy = container_of(map, struct toy_map, map);
	const u64 start = (u64)(uintptr_t)toy->value, at = (u64)(uintptr_t)addr;

	return at >= start && at <= start + MAP_LEN && len <= start + MAP_LEN - at;
}

static const struct map_ops toy_ops = {.owns = toy_owns};
static const struct map_type toy_type = {
	.type = BPF_MAP_TYPE_ARRAY, .name = "toy", .ops = &toy_ops};

/* ---- helpers: each shows the interpreter another kind of argument ---- */

static u64 sum(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r1 + r2 + r3 + r4 + r5;
}

static u64 fill(u64 mem, u64 len, u64 r3, u64 r4, u64 r5, struct run *run)
{
	if (mem)
		memset((void *)(uintptr_t)mem, 0x11, len);
	return 1;
}

static u64 lookup(u64 map, u64 key, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u64)(uintptr_t)container_of((struct map *)(uintptr_t)map, struct toy_map, map)
		->value;
}

static u64 length(u64 text, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return strlen((const char *)(uintptr_t)text);
}

static const struct hlp_proto protos[HELPER_CNT] = {
	[1] = {.fn = sum,
		.args = {HLP_ANYTHING, HLP_ANYTHING, HLP_ANYTHING, HLP_ANYTHING, HLP_ANYTHING}},
	[8] = {.fn = fill, .args = {HLP_MEM | HLP_UNINIT, HLP_CONST_SIZE}},
	[2] = {.fn = fill, .args = {HLP_MEM | HLP_UNINIT | HLP_MAYBE_NULL, HLP_CONST_SIZE_OR_ZERO}},
	[3] = {.fn = lookup,
		.args = {HLP_CONST_MAP_PTR, HLP_MAP_KEY},
		.maps = 1 << BPF_MAP_TYPE_ARRAY},
	[4] = {.fn = length, .args = {HLP_CONST_STR}},
	[5] = {.fn = sum, .args = {HLP_CTX, HLP_ANYTHING}},
	[6] = {.name = "known, not available"},
	[7] = {.fn = sum, .args = {HLP_MEM | HLP_FIXED_SIZE}, .arg_size = {[0] = 8}},
};

struct fixture {
	struct skep inst;
	const struct hlp_proto *helpers[HELPER_CNT];
	struct toy_map toy;
	struct map *maps[1];
	_Alignas(8) u8 ctx[CTX_LEN], packet[CTX_LEN];
	struct prog prog;
	struct run run;
};

static void set_up(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	for (u32 i = 1; i < HELPER_CNT; i++)
		f->helpers[i] = &protos[i];
	f->inst = (struct skep){.helpers = f->helpers, .helper_cnt = HELPER_CNT};
	f->toy.map = (struct map){
		.type = &toy_type, .ops = &toy_ops, .key_size = 4, .value_size = MAP_LEN};
	f->maps[0] = &f->toy.map;
	memcpy(f->packet, "packet\0more", 12);
	f->run = (struct run){.inst = &f->inst,
		.budget = BUDGET,
		.regions = {{"ctx", f->ctx, CTX_LEN, true}, {"packet", f->packet, CTX_LEN, false}},
		.region_cnt = 2};
	for (u32 i = 0; i < 8; i++)
		f->ctx[i] = (u8)((u64)(uintptr_t)f->packet >> 8 * i);
}

/* The program; the two words MAP and PACKET in it stand for addresses. */
static void assemble(const struct fixture *f, const char *text, struct prog_code *code)
{
	struct buf out = BUF_INIT, err = BUF_INIT;
	const char *at;

	for (at = text; *at; at++) {
		if (!strncmp(at, "MAP", 3))
			buf_printf(&out, "%#llx", (unsigned long long)(uintptr_t)f->maps[0]);
		else if (!strncmp(at, "PKT", 3))
			buf_printf(&out, "%#llx", (unsigned long long)(uintptr_t)f->packet);
		else {
			buf_add(&out, at, 1);
			continue;
		}
		at += 2;
	}
	memset(code, 0, sizeof(*code));
	if (isa_asm(buf_text(&out), &code->insns, &code->insn_cnt, &err))
		fail_msg("%s", buf_text(&err));
	buf_done(&out);
	buf_done(&err);
}

struct row {
	const char *text;
	u64 result;
	enum run_fault_kind kind;
	u32 insn_idx, len;
	bool is_write;
};

enum engine { INTERP, JIT, ENGINE_CNT };
static const char *const engine_names[] = {"interpreter", "JIT"};

/* Functions begin where calls lead to. */
static void find_subs(struct prog_code *code, struct prog_sub *subs)
{
	code->subs = subs;
	code->sub_cnt = 0;
	for (u32 i = 0; i < code->insn_cnt; i++) {
		bool is_start = !i;

		for (u32 k = 0; k < code->insn_cnt; k++) {
			const struct bpf_insn *insn = &code->insns[k];

			is_start |= insn->code == (BPF_JMP | BPF_CALL) &&
				    insn->src_reg == BPF_PSEUDO_CALL && k + 1 + (u32)insn->imm == i;
			is_start |= isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_FUNC &&
				    (u32)insn->imm == i;
		}
		if (is_start && code->sub_cnt < SUB_MAX)
			subs[code->sub_cnt++] = (struct prog_sub){i, PROG_STACK_MAX};
	}
}

/* -EINVAL: the JIT refuses it; else the result, and run->fault. */
static int run_engine(
	struct fixture *f, enum engine engine, struct prog_code *code, u64 *ret_result)
{
	struct prog_image image = {0};
	struct prog_sub subs[SUB_MAX];
	int err;

	f->prog = (struct prog){.maps = f->maps, .map_cnt = 1};
	if (engine == INTERP) {
		*ret_result = interp_run_checked(code, f->maps, 1, f->ctx, &f->run);
		return 0;
	}
	find_subs(code, subs);
	f->prog.code = *code;
	err = jit_compile_checked(&f->prog, &f->inst, &image);
	if (err)
		return err;
	*ret_result = image.entry(f->ctx, &f->run);
	jit_free(&image);
	return 0;
}

static void check_row(const struct row *row, enum engine engine)
{
	struct prog_code code;
	struct fixture f;
	u64 result = 0;
	int err;

	set_up(&f);
	assemble(&f, row->text, &code);
	err = run_engine(&f, engine, &code, &result);
	mem_free(code.insns);
	if (err == -ENOSYS || (err == -EINVAL && row->kind == RUN_FAULT_INSN))
		return;
	/* machine code counts whole rounds of a loop, at any of its jumps */
	if (engine == JIT && row->kind == RUN_FAULT_BUDGET)
		f.run.fault.insn_idx = row->insn_idx;
	if (err || f.run.fault.kind != row->kind || result != row->result ||
		f.run.fault.insn_idx != row->insn_idx || f.run.fault.len != row->len ||
		f.run.fault.is_write != row->is_write)
		fail_msg("%s\n %s: error %d, result %#llx fault %u at insn %u, len %u, write %d",
			row->text, engine_names[engine], err, (unsigned long long)result,
			f.run.fault.kind, f.run.fault.insn_idx, f.run.fault.len,
			f.run.fault.is_write);
}

static void check_rows(const struct row *rows, u32 cnt)
{
	for (u32 i = 0; i < cnt; i++)
		for (enum engine engine = 0; engine < ENGINE_CNT; engine++)
			check_row(&rows[i], engine);
}

static void memory_that_is_the_programs(void **state)
{
	static const struct row rows[] = {
		{"stdw [%r10-8], 5\nldxdw %r0, [%r10-8]\nexit", .result = 5},
		{"stdw [%r10-512], 5\nldxdw %r0, [%r10-512]\nexit", .result = 5},
		{"ldxdw %r0, [%r10-512]\nexit", .result = 0},
		{"stxdw [%r1+8], %r2\nldxw %r0, [%r1+12]\nexit", .result = 0},
		{"ldxdw %r1, [%r1]\nldxb %r0, [%r1]\nexit", .result = 'p'},
		{"lddw %r1, MAP\nmov %r2, %r10\nadd %r2, -4\nstw [%r2], 0\ncall 3\n"
		 "stdw [%r0+16], 9\nldxdw %r0, [%r0+16]\nexit",
			.result = 9},
		/* a callee may use its caller's frame */
		{"stdw [%r10-8], 1\nmov %r1, %r10\ncall local f\nldxdw %r0, [%r10-8]\nexit\n"
		 "f: stdw [%r1-8], 7\nldxdw %r0, [%r1-8]\nexit",
			.result = 7},
		/* a fresh frame holds nothing of the one before it */
		{"call local f\ncall local f\nexit\nf: ldxdw %r0, [%r10-8]\nstdw [%r10-8], 3\nexit",
			.result = 0},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void memory_that_is_not(void **state)
{
	static const struct row rows[] = {
		{"ldxdw %r0, [%r10+0]\nexit", 0, RUN_FAULT_ACCESS, 0, 8, false},
		{"stb [%r10+0], 1\nexit", 0, RUN_FAULT_ACCESS, 0, 1, true},
		{"ldxdw %r0, [%r10-4]\nexit", 0, RUN_FAULT_ACCESS, 0, 8, false},
		{"stdw [%r10-513], 1\nexit", 0, RUN_FAULT_ACCESS, 0, 8, true},
		{"mov %r1, 0\nldxb %r0, [%r1]\nexit", 0, RUN_FAULT_ACCESS, 1, 1, false},
		{"mov %r1, -1\nldxw %r0, [%r1]\nexit", 0, RUN_FAULT_ACCESS, 1, 4, false},
		{"lddw %r1, 0xdeadbeef00000000\nstdw [%r1], 1\nexit", 0, RUN_FAULT_ACCESS, 2, 8,
			true},
		{"ldxh %r0, [%r1-1]\nexit", 0, RUN_FAULT_ACCESS, 0, 2, false},
		{"ldxh %r0, [%r1+15]\nexit", 0, RUN_FAULT_ACCESS, 0, 2, false},
		/* the packet is not for writing */
		{"ldxdw %r1, [%r1]\nstb [%r1], 0\nexit", 0, RUN_FAULT_ACCESS, 1, 1, true},
		{"ldxdw %r1, [%r1]\nmov %r2, 1\nlock add [%r1], %r2\nexit", 0, RUN_FAULT_ACCESS, 2,
			8, true},
		{"lddw %r1, PKT\nldacqw %r0, [%r1+0]\nmov %r0, 1\nexit", .result = 1},
		/* a map's own bookkeeping is not its value */
		{"lddw %r1, MAP\nldxdw %r0, [%r1]\nexit", 0, RUN_FAULT_ACCESS, 2, 8, false},
		/* a frame is gone after its return */
		{"call local f\nldxdw %r0, [%r0]\nexit\nf: mov %r0, %r10\nadd %r0, -8\nexit", 0,
			RUN_FAULT_ACCESS, 1, 8, false},
		{"stdw [%r10-8], 0\nmov %r1, 1\nlock add [%r10-7], %r1\nexit", 0, RUN_FAULT_ALIGN,
			2, 8, true},
		{"ldacqw %r0, [%r10-6]\nexit", 0, RUN_FAULT_ALIGN, 0, 4, false},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void programs_that_do_not_end_well(void **state)
{
	static const struct row rows[] = {
		{"a: ja a", 0, RUN_FAULT_BUDGET, 0},
		{"a: may_goto b\nja a\nb: exit", 0, RUN_FAULT_BUDGET, 0},
		{"mov %r0, 1", 0, RUN_FAULT_INSN, 1},
		{"ja +5\nexit", 0, RUN_FAULT_INSN, 0},
		{"ja -2\nexit", 0, RUN_FAULT_INSN, 0},
		{"ja32 -2147483648\nexit", 0, RUN_FAULT_INSN, 0},
		{"ja +1\nlddw %r0, 1\nexit", 0, RUN_FAULT_INSN, 2},
		{"call local +1000000\nexit", 0, RUN_FAULT_INSN, 0},
		{"f: call local f\nexit", 0, RUN_FAULT_DEPTH, 0},
		{"ldabsw 0\nexit", 0, RUN_FAULT_ACCESS, 0, 1},
		{"call kfunc 1, +0\nexit", 0, RUN_FAULT_CALL, 0},
		{"addr_space_cast %r1, %r1, 0, 1\nexit", 0, RUN_FAULT_INSN, 0},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void helpers_get_what_they_may_trust(void **state)
{
	static const struct row rows[] = {
		{"mov %r1, 1\nmov %r2, 2\nmov %r3, 3\nmov %r4, 4\nmov %r5, 5\ncall 1\nexit",
			.result = 15},
		{"mov %r6, 6\ncall 1\nmov %r0, %r6\nexit", .result = 6},
		{"call 1\nmov %r0, %r1\nexit", .result = 0x5ca1ab1e},
		{"call 0\nexit", 0, RUN_FAULT_CALL, 0},
		{"call 6\nexit", 0, RUN_FAULT_CALL, 0},
		{"call 9\nexit", 0, RUN_FAULT_CALL, 0},
		{"call -1\nexit", 0, RUN_FAULT_CALL, 0},
		{"lddw %r1, 0x100000001\ncall %r1\nexit", 0, RUN_FAULT_CALL, 2},
		{"mov %r1, %r10\nadd %r1, -8\nmov %r2, 8\ncall 2\nldxb %r0, [%r10-1]\nexit",
			.result = 0x11},
		{"mov %r1, %r10\nadd %r1, -8\nmov %r2, 9\ncall 2\nexit", 0, RUN_FAULT_ACCESS, 3, 9,
			true},
		{"mov %r1, %r10\nadd %r1, -8\nmov %r2, -1\ncall 2\nexit", 0, RUN_FAULT_ACCESS, 3,
			UINT32_MAX, true},
		{"mov %r1, 0\nmov %r2, 0\ncall 2\nexit", .result = 1},
		{"mov %r1, 0\nmov %r2, 4\ncall 2\nexit", 0, RUN_FAULT_ACCESS, 2, 4, true},
		{"mov %r1, 1\nmov %r2, 0\ncall 2\nexit", .result = 1},
		/* a size that must not be 0 */
		{"mov %r1, %r10\nadd %r1, -8\nmov %r2, 0\ncall 8\nexit", 0, RUN_FAULT_ACCESS, 3, 0,
			false},
		{"lddw %r1, PKT\nmov %r2, 4\ncall 2\nexit", 0, RUN_FAULT_ACCESS, 3, 4, true},
		{"mov %r1, 99\ncall 3\nexit", 0, RUN_FAULT_ACCESS, 1, 0, false},
		{"lddw %r1, MAP\nmov %r2, %r10\nadd %r2, -3\ncall 3\nexit", 0, RUN_FAULT_ACCESS, 4,
			4, false},
		{"lddw %r1, PKT\ncall 4\nexit", .result = 6},
		{"stw [%r10-4], -1\nmov %r1, %r10\nadd %r1, -4\ncall 4\nexit", 0, RUN_FAULT_ACCESS,
			3, 4, false},
		{"add %r1, 1\nmov %r2, 0\ncall 5\nexit", 0, RUN_FAULT_ACCESS, 1 + 1, 0, false},
		{"mov %r1, %r10\nadd %r1, -7\ncall 7\nexit", 0, RUN_FAULT_ACCESS, 2, 8, false},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void a_read_only_map_is_not_written(void **state)
{
	static const char text[] =
		"lddw %r1, MAP\nmov %r2, %r10\nadd %r2, -4\ncall 3\nstb [%r0], 1\nexit";
	struct prog_code code;
	struct fixture f;

	set_up(&f);
	f.toy.map.flags = BPF_F_RDONLY_PROG;
	assemble(&f, text, &code);
	assert_int_equal(interp_run_checked(&code, f.maps, 1, f.ctx, &f.run), 0);
	assert_int_equal(f.run.fault.kind, RUN_FAULT_ACCESS);
	assert_int_equal(f.run.fault.addr, (u64)(uintptr_t)f.toy.value);
	assert_true(f.run.fault.is_write);
	mem_free(code.insns);
}

static void a_budget_is_for_one_run_and_none_is_no_limit(void **state)
{
	static const char text[] = "mov %r0, 0\na: add %r0, 1\njlt %r0, 499, a\nexit";
	struct prog_code code;
	struct fixture f;

	set_up(&f);
	assemble(&f, text, &code);
	f.run.budget = 1 + 2 * 499 + 1;
	assert_int_equal(interp_run_checked(&code, NULL, 0, f.ctx, &f.run), 499);
	assert_int_equal(interp_run_checked(&code, NULL, 0, f.ctx, &f.run), 499);
	f.run.budget--;
	assert_int_equal(interp_run_checked(&code, NULL, 0, f.ctx, &f.run), 0);
	assert_int_equal(f.run.fault.kind, RUN_FAULT_BUDGET);
	f.run.budget = 0;
	assert_int_equal(interp_run_checked(&code, NULL, 0, f.ctx, &f.run), 499);
	assert_int_equal(f.run.fault.kind, RUN_FAULT_NONE);
	mem_free(code.insns);
}

/* Any eight bytes, many at once: the host never faults, whatever the run says. */
static void random_bytes_do_no_harm(void **state)
{
	enum { CNT = 40, ROUNDS = 20000 };
	struct bpf_insn insns[CNT + 1];
	struct prog_code code = {.insns = insns, .insn_cnt = CNT};
	u64 seed = 42, ended = 0, result;
	struct fixture f;

	for (u32 round = 0; round < ROUNDS; round++) {
		set_up(&f);
		for (u32 i = 0; i < CNT; i++) {
			const struct isa_op *op;

			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			memcpy(&insns[i], &seed, sizeof(seed));
			op = isa_op((u32)(seed >> 33) % ISA_CNT);
			if (seed >> 60) {
				insns[i].code = op->code;
				insns[i].dst_reg = insns[i].dst_reg % ISA_REG_CNT;
				insns[i].off %= 32;
				insns[i].imm = op->key == ISA_KEY_IMM ? op->key_val
								      : insns[i].imm % 64;
			}
			if (seed >> 62)
				insns[i].src_reg = op->key == ISA_KEY_SRC ? op->key_val : 10;
		}
		run_engine(&f, INTERP, &code, &result);
		ended += f.run.fault.kind == RUN_FAULT_NONE;
	}
	assert_true(ended > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_is_the_programs),
		cmocka_unit_test(memory_that_is_not),
		cmocka_unit_test(programs_that_do_not_end_well),
		cmocka_unit_test(helpers_get_what_they_may_trust),
		cmocka_unit_test(a_read_only_map_is_not_written),
		cmocka_unit_test(a_budget_is_for_one_run_and_none_is_no_limit),
		cmocka_unit_test(random_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
