/*
 * Calls: of functions of the program, of helpers, of a helper whose number a register holds, and tail
 * calls, which drop the frame and jump.
 */
#include <errno.h>

#include "core/tail.h"
#include "isa/isa.h"
#include "jit/arm64/arm64.h"

/* Code is put near the library, so that one instruction mostly reaches its functions. */
static bool is_near(const struct jit *jit, const void *addr)
{
	const s64 first = (s64)((uintptr_t)addr - (uintptr_t)jit->base);
	const s64 last = first - (s64)jit->room;

	return first < A64_B_MAX && first >= -A64_B_MAX && last >= -A64_B_MAX;
}

static void call_address(struct jit *jit, const void *addr)
{
	if (is_near(jit, addr)) {
		jit_add_fixup(jit, a64_bl(&jit->out), (uintptr_t)addr, JIT_FIX_ADDR);
		return;
	}
	a64_mov_ri(&jit->out, CALL, (uintptr_t)addr);
	a64_blr(&jit->out, CALL);
}

/* R2 the array, R3 the index: see tail_call_target(). */
static void tail_call(struct jit *jit)
{
	const enum a64_reg array = a64_reg_of(BPF_REG_2), idx = a64_reg_of(BPF_REG_3);
	const s32 calls = offsetof(struct run, tail_calls);
	struct buf *out = &jit->out;
	u32 past_end, too_many, empty;

	a64_emit_mem(out, A64_LOAD, 4, TMP, array, offsetof(struct map_progs, map.max_entries));
	a64_alu(out, A64_SUBS, false, XZR, idx, TMP);
	past_end = a64_bcc(out, A64_HS);
	a64_emit_mem(out, A64_LOAD, 4, TMP, RUN, calls);
	a64_add_imm(out, A64_SUBS_IMM, false, XZR, TMP, TAIL_CALL_MAX);
	too_many = a64_bcc(out, A64_HS);
	a64_emit_mem(out, A64_LOAD, 8, TMP3, array, offsetof(struct map_progs, progs));
	a64_mov_rr(out, false, TMP4, idx); /* the index has 32 bits */
	a64_shift_imm(out, A64_LSL, true, TMP4, TMP4, 3);
	a64_mem_reg(out, A64_LOAD, 8, CALL, TMP3, TMP4);
	empty = a64_cbz(out, true, false, CALL);
	a64_add_imm(out, A64_ADD_IMM, false, TMP, TMP, 1);
	a64_emit_mem(out, A64_STORE, 4, TMP, RUN, calls);
	a64_emit_mem(out, A64_LOAD, 8, CALL, CALL, offsetof(struct prog, image.func0));
	a64_drop_frame(jit);
	a64_br(out, CALL);
	a64_patch(out, past_end, (u32)out->len);
	a64_patch(out, too_many, (u32)out->len);
	a64_patch(out, empty, (u32)out->len);
}

/* Asks C for the function while R1-R5 wait on the stack. */
static void call_register(struct jit *jit, enum a64_reg reg)
{
	struct buf *out = &jit->out;

	a64_pair_moving(out, A64_STORE, A64_PRE, X0, X1, SP, -48);
	a64_pair(out, A64_STORE, X2, X3, SP, 16);
	a64_mem(out, A64_STORE, 8, X4, SP, 32);
	a64_mov_rr(out, true, TMP, reg);
	a64_mov_ri(out, X0, (uintptr_t)jit->inst);
	a64_mov_rr(out, true, X1, TMP);
	call_address(jit, (const void *)(uintptr_t)jit_find_helper);
	a64_mov_rr(out, true, CALL, X0);
	a64_mem(out, A64_LOAD, 8, X4, SP, 32);
	a64_pair(out, A64_LOAD, X2, X3, SP, 16);
	a64_pair_moving(out, A64_LOAD, A64_POST, X0, X1, SP, 48);
	a64_mov_rr(out, true, X5, RUN);
	a64_blr(out, CALL);
	a64_mov_rr(out, true, a64_reg_of(BPF_REG_0), X0);
}

static void call_proto(struct jit *jit, const struct hlp_proto *proto)
{
	const bool takes_func = hlp_takes_func(proto);

	if (takes_func)
		a64_note_code(jit);
	a64_mov_rr(&jit->out, true, X5, RUN);
	call_address(jit, (const void *)(uintptr_t)proto->fn);
	a64_mov_rr(&jit->out, true, a64_reg_of(BPF_REG_0), X0);
	if (takes_func)
		a64_after_callbacks(jit);
}

static void call_kfunc(struct jit *jit, const struct kfunc_proto *kfunc)
{
	if (!kfunc)
		jit->err = -EINVAL;
	else if (kfunc->kind == KFUNC_THROW)
		a64_throw(jit);
	else
		call_proto(jit, &kfunc->proto);
}

void a64_emit_call(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	const struct hlp_proto *proto;
	struct buf *out = &jit->out;

	if (BPF_SRC(insn->code) == BPF_X) {
		call_register(jit, a64_reg_of(insn->dst_reg));
		return;
	}
	if (insn->src_reg == BPF_PSEUDO_CALL) {
		jit_add_fixup(jit, a64_bl(out), idx + 1 + (u32)insn->imm, JIT_FIX_CALL);
		return;
	}
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
		call_kfunc(jit, jit_kfunc(jit, insn->imm));
		return;
	}
	proto = jit_helper(jit, insn->imm);
	if (insn->src_reg || !proto)
		jit->err = -EINVAL;
	else if (insn->imm == BPF_FUNC_tail_call)
		tail_call(jit);
	else
		call_proto(jit, proto);
}

void a64_load_packet(struct jit *jit, const struct bpf_insn *insn)
{
	const enum a64_reg r0 = a64_reg_of(BPF_REG_0);
	struct buf *out = &jit->out;
	u32 is_there;

	if (BPF_MODE(insn->code) == BPF_IND)
		a64_emit_add(out, false, X1, a64_reg_of(insn->src_reg), insn->imm);
	else
		a64_mov_ri(out, X1, (u32)insn->imm);
	a64_mov_rr(out, true, X0, a64_reg_of(BPF_REG_6));
	a64_mov_ri(out, X2, isa_access_len(insn));
	call_address(jit, (const void *)(uintptr_t)jit_load_packet);
	a64_mov_rr(out, true, r0, X0);
	a64_alu(out, A64_SUBS, true, XZR, r0, XZR);
	is_there = a64_bcc(out, A64_GE);
	a64_mov_ri(out, r0, 0);
	a64_drop_frame(jit);
	a64_ret(out);
	a64_patch(out, is_there, (u32)out->len);
}
