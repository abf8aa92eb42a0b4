/*
 * The form of a program that no verifier has seen: every slot decodes to something an engine runs, and
 * jumps and calls land on instructions. After it an engine cannot leave the program's text, except by
 * running past its last instruction, which must therefore be an exit or a jump.
 */
#include "interp/interp.h"

#include <errno.h>

#include "isa/isa.h"

static int refuse(struct buf *why, u32 idx, const char *what)
{
	if (why)
		buf_printf(why, "insn %u: %s", idx, what);
	return -EINVAL;
}

/* Rows that a verifier rewrites, and what has no meaning without it */
static bool is_runnable(const struct isa_op *op)
{
	return op->group != ISA_GROUP_PACKET && op->id != ISA_CAST && op->id != ISA_PERCPU &&
	       op->id != ISA_CALL_KFUNC;
}

static int check_form(const struct prog_code *code, u32 idx, struct buf *why)
{
	const struct bpf_insn *insn = &code->insns[idx];
	const struct isa_op *op = isa_find(insn);
	struct buf words = BUF_INIT;
	int err = 0;

	if (op && op->id == ISA_CALLX && !insn->src_reg && !insn->off && !insn->imm &&
		insn->dst_reg < ISA_REG_CNT)
		return 0;
	if (isa_check(insn, code->insn_cnt - idx, &words))
		err = refuse(why, idx, buf_text(&words));
	else if (!is_runnable(op))
		err = refuse(why, idx, "needs a verifier that rewrites it");
	buf_done(&words);
	return err;
}

/* The second slot of an ld_imm64 has opcode 0, which no instruction has. */
static bool is_target(const struct prog_code *code, s64 idx)
{
	return idx >= 0 && idx < code->insn_cnt && code->insns[idx].code;
}

static int check_target(const struct prog_code *code, u32 idx, struct buf *why)
{
	const struct bpf_insn *insn = &code->insns[idx];
	const bool is_call = insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;

	if (isa_is_jump(insn) && !is_target(code, (s64)idx + 1 + isa_jump_off(insn)))
		return refuse(why, idx, "jumps out of the program");
	if (isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_FUNC &&
		!is_target(code, (u32)insn->imm))
		return refuse(why, idx, "names a function out of the program");
	if (is_call && !is_target(code, (s64)idx + 1 + insn->imm))
		return refuse(why, idx, "calls out of the program");
	return 0;
}

static bool is_end(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_EXIT) || insn->code == (BPF_JMP | BPF_JA) ||
	       insn->code == (BPF_JMP32 | BPF_JA);
}

int interp_check(const struct prog_code *code, struct buf *why)
{
	u32 last = 0;
	int err;

	if (!code->insn_cnt)
		return refuse(why, 0, "the program is empty");
	for (u32 idx = 0; idx < code->insn_cnt; idx++) {
		last = idx;
		err = check_form(code, idx, why);
		if (err)
			return err;
		err = check_target(code, idx, why);
		if (err)
			return err;
		if (isa_is_lddw(&code->insns[idx]))
			idx++;
	}
	if (!is_end(&code->insns[last]))
		return refuse(why, last, "the last instruction is not an exit or jump");
	return 0;
}
