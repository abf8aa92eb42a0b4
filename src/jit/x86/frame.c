/*
 * The stack: C's entry, and the frame of each function.
 *
 *	return address | saved rbp <- rbp = R10 | stack_depth bytes | may_goto counter | outer boundary of
 *	exceptions | saved R6-R9
 *
 * All of it but the return address is there only where the function needs it. Where a function calls,
 * rsp is 16-byte aligned after the prologue.
 */
#include "core/run.h"
#include "isa/isa.h"
#include "jit/x86/x86.h"

static const struct x86_mem run_tail_calls = {
	.base = RUN, .disp = offsetof(struct run, tail_calls)};

/*
 * Functions save what they write, so the entry saves only where the run is; without a call nothing asks for that,
 * and the entry is function 0. One word behind the return address leaves rsp aligned for the call, as do three:
 * the tail calls of a run that this one stands in are kept.
 */
void x86_entry(struct jit *jit)
{
	if (jit->guarded) {
		x86_check_entry(jit);
		return;
	}
	struct buf *out = &jit->out;
	u32 call;

	if (!jit->needs_run)
		return;
	x86_push(out, RUN);
	x86_mov_rr(out, true, RUN, RSI);
	if (jit->has_tail_call) {
		x86_load(out, 4, RAX, run_tail_calls);
		x86_push(out, RAX);
		x86_push(out, RAX);
		x86_store_imm(out, 4, run_tail_calls, 0);
	}
	call = x86_call(out);
	if (jit->has_tail_call) {
		x86_pop(out, RCX);
		x86_pop(out, RCX);
		x86_store(out, 4, run_tail_calls, RCX);
	}
	x86_pop(out, RUN);
	x86_ret(out);
	x86_patch(out, call, out->len); /* function 0 comes next */
}

static u32 saved_cnt(const struct jit *jit)
{
	return (u32)__builtin_popcount(jit->saved_regs);
}

static struct x86_mem may_goto_slot(const struct jit *jit)
{
	const s32 depth = (s32)jit->stack_depth;

	return (struct x86_mem){.base = RBP, .disp = -(s32)ROUND_UP(depth, 8) - 8};
}

/* Two words below the may_goto counter's place. */
static struct x86_mem boundary_slot(const struct jit *jit)
{
	struct x86_mem slot = may_goto_slot(jit);

	slot.disp -= 16;
	return slot;
}

static bool has_frame(const struct jit *jit)
{
	return jit->uses_stack || jit->has_may_goto || jit->is_boundary;
}

/* Bytes below rbp, or below the return address without a frame, that are not pushes of R6-R9. */
static u32 local_len(const struct jit *jit)
{
	u32 depth = jit->uses_stack ? ROUND_UP(jit->stack_depth, 8) : 0;
	u32 words = saved_cnt(jit) + 1;

	if (jit->has_may_goto)
		depth = (u32)-may_goto_slot(jit).disp;
	if (jit->is_boundary)
		depth = (u32)-boundary_slot(jit).disp;
	words += has_frame(jit) + depth / 8;
	return jit->has_call && words % 2 ? depth + 8 : depth;
}

void x86_prologue(struct jit *jit)
{
	if (jit->guarded) {
		x86_check_prologue(jit);
		return;
	}
	struct buf *out = &jit->out;
	u32 depth = local_len(jit);

	if (has_frame(jit)) {
		x86_push(out, RBP);
		x86_mov_rr(out, true, RBP, RSP);
	}
	if (depth == 8)
		x86_push(out, RAX);
	else if (depth)
		x86_alu_ri(out, X86_SUB, true, RSP, (s32)depth);
	if (jit->has_may_goto)
		x86_store_imm(out, 4, may_goto_slot(jit), PROG_MAY_GOTO_MAX);
	for (unsigned r = BPF_REG_6; r <= BPF_REG_9; r++)
		if (jit->saved_regs & 1 << r)
			x86_push(out, x86_reg_of(r));
	if (jit->is_boundary)
		x86_begin_boundary(jit, boundary_slot(jit), depth + saved_cnt(jit) * 8);
}

void x86_drop_frame(struct jit *jit)
{
	if (jit->guarded) {
		x86_check_drop_frame(jit);
		return;
	}
	struct buf *out = &jit->out;
	u32 depth = local_len(jit);

	if (jit->is_boundary)
		x86_end_boundary(jit, boundary_slot(jit));
	for (unsigned r = BPF_REG_9; r >= BPF_REG_6; r--)
		if (jit->saved_regs & 1 << r)
			x86_pop(out, x86_reg_of(r));
	if (has_frame(jit))
		x86_leave(out);
	else if (depth)
		x86_alu_ri(out, X86_ADD, true, RSP, (s32)depth);
}

void x86_may_goto(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	if (jit->guarded) {
		x86_check_may_goto(jit, insn, idx);
		return;
	}
	struct buf *out = &jit->out;

	x86_load(out, 4, TMP, may_goto_slot(jit));
	x86_test_rr(out, false, TMP, TMP);
	jit_add_fixup(jit, x86_jcc(out, X86_E), idx + 1 + (u32)insn->off, JIT_FIX_JUMP);
	x86_alu_ri(out, X86_SUB, false, TMP, 1);
	x86_store(out, 4, may_goto_slot(jit), TMP);
}
