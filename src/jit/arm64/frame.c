/*
 * The stack: C's entry, and the frame of each function.
 *
 *	x29, x30 | those of R6-R9 and R10 that it changes | <- R10  stack_depth bytes | outer boundary of
 *	exceptions | may_goto counter <- sp
 *
 * All of it is there only where the function needs it; x29 and x30 where it calls. sp is 16-byte aligned
 * always, as the machine demands.
 */
#include <errno.h>

#include "core/run.h"
#include "isa/isa.h"
#include "jit/arm64/arm64.h"

enum {
	WORD = 8,
	SAVED_MAX = 8,	      /* registers in a frame */
	ENTRY_LEN = 6 * WORD, /* x29, x30, run, R10, the outer run's tail calls, padding */
	ENTRY_RUN = 2 * WORD,
	ENTRY_TAILS = 4 * WORD,
};

/* The functions save what they change of the rest that C expects to keep. */
void a64_entry(struct jit *jit)
{
	const s32 tails = offsetof(struct run, tail_calls);
	struct buf *out = &jit->out;
	u32 call;

	a64_pair_moving(out, A64_STORE, A64_PRE, X29, X30, SP, -ENTRY_LEN);
	a64_add_imm(out, A64_ADD_IMM, true, X29, SP, 0);
	a64_pair(out, A64_STORE, RUN, X25, SP, ENTRY_RUN);
	a64_mov_rr(out, true, RUN, X1);
	if (jit->has_tail_call) {
		a64_emit_mem(out, A64_LOAD, 4, TMP, RUN, tails);
		a64_mem(out, A64_STORE, 4, TMP, SP, ENTRY_TAILS);
		a64_emit_mem(out, A64_STORE, 4, XZR, RUN, tails);
	}
	call = a64_bl(out);
	if (jit->has_tail_call) {
		a64_mem(out, A64_LOAD, 4, TMP, SP, ENTRY_TAILS);
		a64_emit_mem(out, A64_STORE, 4, TMP, RUN, tails);
	}
	a64_mov_rr(out, true, X0, a64_reg_of(BPF_REG_0));
	a64_pair(out, A64_LOAD, RUN, X25, SP, ENTRY_RUN);
	a64_pair_moving(out, A64_LOAD, A64_POST, X29, X30, SP, ENTRY_LEN);
	a64_ret(out);
	a64_patch(out, call, (u32)out->len); /* function 0 comes next */
}

static u32 list_saved(const struct jit *jit, u8 regs[SAVED_MAX])
{
	u32 cnt = 0;

	if (jit->has_call) {
		regs[cnt++] = X29;
		regs[cnt++] = X30;
	}
	for (unsigned r = BPF_REG_6; r <= BPF_REG_9; r++)
		if (jit->saved_regs & 1 << r)
			regs[cnt++] = a64_reg_of(r);
	if (jit->uses_stack)
		regs[cnt++] = a64_reg_of(BPF_REG_10);
	return cnt;
}

/* Bytes below what is saved. */
static u32 local_len(const struct jit *jit)
{
	const u32 depth = jit->uses_stack ? jit->stack_depth : 0;

	return ROUND_UP(
		depth + (jit->is_boundary ? 2 * WORD : 0) + (jit->has_may_goto ? WORD : 0), 16);
}

void a64_prologue(struct jit *jit)
{
	struct buf *out = &jit->out;
	u8 regs[SAVED_MAX];
	const u32 cnt = list_saved(jit, regs), local = local_len(jit);
	const s32 len = (s32)ROUND_UP(cnt * WORD, 16);

	for (u32 i = 0; i < cnt; i += 2) {
		if (i + 1 == cnt && !i)
			a64_mem_moving(out, A64_STORE, A64_PRE, regs[i], SP, -len);
		else if (i + 1 == cnt)
			a64_mem(out, A64_STORE, WORD, regs[i], SP, (s32)i * WORD);
		else if (!i)
			a64_pair_moving(out, A64_STORE, A64_PRE, regs[i], regs[i + 1], SP, -len);
		else
			a64_pair(out, A64_STORE, regs[i], regs[i + 1], SP, (s32)i * WORD);
	}
	if (jit->has_call)
		a64_add_imm(out, A64_ADD_IMM, true, X29, SP, 0);
	if (jit->uses_stack)
		a64_add_imm(out, A64_ADD_IMM, true, a64_reg_of(BPF_REG_10), SP, 0);
	if (local)
		a64_emit_add(out, true, SP, SP, -(s64)local);
	if (jit->has_may_goto) {
		a64_mov_ri(out, TMP, PROG_MAY_GOTO_MAX);
		a64_mem(out, A64_STORE, 4, TMP, SP, 0);
	}
	if (jit->is_boundary)
		a64_begin_boundary(jit, jit->has_may_goto ? WORD : 0);
}

void a64_drop_frame(struct jit *jit)
{
	struct buf *out = &jit->out;
	u8 regs[SAVED_MAX];
	const u32 cnt = list_saved(jit, regs), local = local_len(jit);
	const s32 len = (s32)ROUND_UP(cnt * WORD, 16);

	if (jit->is_boundary)
		a64_end_boundary(jit, jit->has_may_goto ? WORD : 0);
	if (local)
		a64_emit_add(out, true, SP, SP, local);
	for (u32 i = cnt ? (cnt - 1) / 2 * 2 : 0; i; i -= 2) {
		if (i + 1 == cnt)
			a64_mem(out, A64_LOAD, WORD, regs[i], SP, (s32)i * WORD);
		else
			a64_pair(out, A64_LOAD, regs[i], regs[i + 1], SP, (s32)i * WORD);
	}
	if (cnt == 1)
		a64_mem_moving(out, A64_LOAD, A64_POST, regs[0], SP, len);
	else if (cnt)
		a64_pair_moving(out, A64_LOAD, A64_POST, regs[0], regs[1], SP, len);
}

void a64_may_goto(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	struct buf *out = &jit->out;

	a64_mem(out, A64_LOAD, 4, TMP, SP, 0);
	a64_jump_zero(jit, false, false, TMP, idx, insn->off);
	a64_add_imm(out, A64_SUB_IMM, false, TMP, TMP, 1);
	a64_mem(out, A64_STORE, 4, TMP, SP, 0);
}
