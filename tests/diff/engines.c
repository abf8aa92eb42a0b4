/*
 * The interpreter and the JIT agree: random programs made from the instruction table (every arithmetic,
 * move, jump, load, store and atomic row) run in both, and all registers are folded into the result.
 *
 * A program first fills R0-R9 and 64 bytes of stack with random numbers. Jumps go forward only. Memory is
 * reached through R10, which no instruction writes, at offsets inside those 64 bytes.
 *
 *	engines [COUNT [SEED]]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "core/inst.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"

enum { BODY_MAX = 40, STACK_LEN = 64, PROG_LEN_MAX = 2 * 10 + 2 * 8 + 2 * BODY_MAX + 32 };

struct gen {
	struct bpf_insn insns[PROG_LEN_MAX];
	u32 cnt;
	u64 state;
	u32 used[ISA_CNT];
};

static u64 next(struct gen *gen)
{
	gen->state += 0x9e3779b97f4a7c15;
	return hash_mix(gen->state, 0xd6e8feb86659fd93);
}

/* Numbers where arithmetic is interesting come as often as others. */
static u64 number(struct gen *gen)
{
	static const u64 edges[] = {0, 1, 2, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
		0x8000000000000000, 0xffffffff80000000, ~0ull};
	u64 r = next(gen);

	return r & 1 ? edges[(r >> 8) % ARRAY_SIZE(edges)] : r >> (next(gen) % 64);
}

static struct bpf_insn *add(struct gen *gen, u8 code, u8 dst, u8 src, s16 off, s32 imm)
{
	struct bpf_insn *insn = &gen->insns[gen->cnt++];

	*insn = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
	return insn;
}

static void add_const(struct gen *gen, u8 dst, u64 value)
{
	add(gen, BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, value);
	add(gen, 0, 0, 0, 0, value >> 32);
}

static bool is_memory(const struct isa_op *op)
{
	u8 class = BPF_CLASS(op->code);

	return class == BPF_LDX || class == BPF_ST || class == BPF_STX;
}

static bool is_usable(const struct isa_op *op)
{
	if (op->group == ISA_GROUP_CALLX || op->group == ISA_GROUP_INTERNAL ||
		op->group == ISA_GROUP_PACKET)
		return false;
	switch (op->form) {
	case ISA_FORM_CALL:
	case ISA_FORM_CALL_LOCAL:
	case ISA_FORM_CALL_KFUNC:
	case ISA_FORM_EXIT:
	case ISA_FORM_CAST:
	case ISA_FORM_MAY_GOTO: return false;
	case ISA_FORM_LDDW: return op->id == ISA_LDDW;
	default: return true;
	}
}

static void add_random(struct gen *gen, const struct isa_op *op)
{
	struct bpf_insn *insn = add(gen, op->code, next(gen) % 10, 0, 0, 0);
	s16 mem_off = -(s16)(8 * (1 + next(gen) % (STACK_LEN / 8)));

	gen->used[op->id]++;
	if (op->uses & ISA_SRC)
		insn->src_reg = next(gen) % 10;
	if (op->uses & ISA_IMM)
		insn->imm = number(gen);
	if (is_memory(op)) {
		insn->off = mem_off;
		if (op->form == ISA_FORM_LDX || op->form == ISA_FORM_LOAD_ACQ)
			insn->src_reg = BPF_REG_10;
		else
			insn->dst_reg = BPF_REG_10;
	}
	if (op->key == ISA_KEY_OFF)
		insn->off = op->key_val;
	if (op->key == ISA_KEY_IMM)
		insn->imm = op->key_val;
	if (op->key == ISA_KEY_SRC)
		insn->src_reg = op->key_val;
	if (op->form == ISA_FORM_LDDW)
		add(gen, 0, 0, 0, 0, next(gen));
	/* shifts by a constant stay inside the width, division by a constant 0 is not loadable */
	if (op->form == ISA_FORM_ALU_K &&
		(BPF_OP(op->code) == BPF_LSH || BPF_OP(op->code) == BPF_RSH ||
			BPF_OP(op->code) == BPF_ARSH))
		insn->imm &= BPF_CLASS(op->code) == BPF_ALU64 ? 63 : 31;
	if (op->form == ISA_FORM_ALU_K &&
		(BPF_OP(op->code) == BPF_DIV || BPF_OP(op->code) == BPF_MOD))
		insn->imm |= 1;
}

/* Jumps go to a later instruction of the body or to its end. */
static void aim_jumps(struct gen *gen, u32 body, u32 end)
{
	for (u32 i = body; i < end; i++) {
		struct bpf_insn *insn = &gen->insns[i];
		u32 to = i + 1 + next(gen) % (end - i);

		if (isa_is_lddw(insn)) {
			i++;
			continue;
		}
		if (!isa_is_jump(insn))
			continue;
		if (to < end && !gen->insns[to].code) /* the second slot of ld_imm64 */
			to++;
		if (insn->code == (BPF_JMP32 | BPF_JA))
			insn->imm = to - i - 1;
		else
			insn->off = to - i - 1;
	}
}

static void generate(struct gen *gen)
{
	const struct isa_op *op;
	u32 body, end;

	gen->cnt = 0;
	for (u32 i = 0; i < STACK_LEN / 8; i++) {
		add_const(gen, BPF_REG_0, number(gen));
		add(gen, BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_0, -8 * (s16)(i + 1), 0);
	}
	for (u8 r = 0; r < 10; r++)
		add_const(gen, r, number(gen));
	body = gen->cnt;
	while (gen->cnt < body + BODY_MAX) {
		op = isa_op(next(gen) % ISA_CNT);
		if (is_usable(op))
			add_random(gen, op);
	}
	end = gen->cnt;
	aim_jumps(gen, body, end);
	for (u8 r = 1; r < 10; r++) { /* R0 = R0 * 31 + Rn, so that order matters */
		add(gen, BPF_ALU64 | BPF_MUL | BPF_K, BPF_REG_0, 0, 0, 31);
		add(gen, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_0, r, 0, 0);
	}
	for (u32 i = 0; i < STACK_LEN / 8; i++) {
		add(gen, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_10, -8 * (s16)(i + 1), 0);
		add(gen, BPF_ALU64 | BPF_MUL | BPF_K, BPF_REG_0, 0, 0, 31);
		add(gen, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_0, BPF_REG_1, 0, 0);
	}
	add(gen, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void print_program(const struct gen *gen)
{
	struct buf text = BUF_INIT;

	for (u32 i = 0; i < gen->cnt; i++) {
		buf_printf(&text, "%4u: ", i);
		isa_disasm(&text, &gen->insns[i], NULL);
		buf_str(&text, "\n");
		if (isa_is_lddw(&gen->insns[i]))
			i++;
	}
	fputs(buf_text(&text), stderr);
	buf_done(&text);
}

/* Three engines, one answer. */
static bool agree(struct gen *gen, struct run *run)
{
	struct prog_sub sub = {.stack_depth = STACK_LEN};
	struct prog_code code = {
		.insns = gen->insns, .insn_cnt = gen->cnt, .subs = &sub, .sub_cnt = 1};
	struct prog_image image = {0};
	u64 interp, checked, jit;
	int err = jit_compile(&code, NULL, 0, &image);

	if (err && err != -ENOSYS) {
		fprintf(stderr, "jit_compile: %s\n", strerror(-err));
		return false;
	}
	interp = interp_run(&code, NULL, run);
	run->fault = (struct run_fault){0};
	run->budget = 0;
	checked = interp_run_checked(&code, NULL, 0, NULL, run);
	jit = err ? interp : image.entry(NULL, run);
	jit_free(&image);
	if (interp == jit && interp == checked && !run->fault.kind)
		return true;
	fprintf(stderr, "interpreter %#llx, checked %#llx (fault %d), JIT %#llx:\n",
		(unsigned long long)interp, (unsigned long long)checked, run->fault.kind,
		(unsigned long long)jit);
	return false;
}

int main(int argc, char **argv)
{
	u64 cnt = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct gen *gen = calloc(1, sizeof(*gen));
	struct skep inst;
	u32 rows = 0;

	if (!gen || inst_init(&inst, &(struct inst_options){.cpu_cnt = 1}))
		return 1;
	for (u64 i = 0; i < cnt; i++) {
		gen->state = seed + i;
		generate(gen);
		if (agree(gen, &inst.runs[0]))
			continue;
		fprintf(stderr, "seed %llu\n", (unsigned long long)(seed + i));
		print_program(gen);
		return 1;
	}
	for (u32 id = 0; id < ISA_CNT; id++) {
		if (!is_usable(isa_op(id)))
			continue;
		rows++;
		if (gen->used[id] || cnt < 1000)
			continue;
		fprintf(stderr, "no program used %s\n", isa_op(id)->name);
		return 1;
	}
	printf("%llu programs from seed %llu, %u rows of the instruction table: interpreter = "
	       "checked = JIT\n",
		(unsigned long long)cnt, (unsigned long long)seed, rows);
	inst_done(&inst);
	free(gen);
	return 0;
}
