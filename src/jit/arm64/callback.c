/*
 * Callbacks and exceptions: doors and boundaries as on x86 (x86/callback.c has the idea and its invariant).
 */
#include "isa/isa.h"
#include "jit/arm64/arm64.h"

enum {
	WORD = 8,
	DOOR_LEN = 10 * WORD, /* x29, x30, run, R10, the outer boundary, R6-R9 */
	DOOR_RUN = 2 * WORD,
	DOOR_BOUNDARY = 4 * WORD,
	DOOR_KEPT = 6 * WORD,
	RUN_CODE = offsetof(struct run, code),
	RUN_STOPPED = offsetof(struct run, is_stopped),
	RUN_COOKIE = offsetof(struct run, cookie),
	RUN_SP = offsetof(struct run, unwind_sp),
	RUN_IP = offsetof(struct run, unwind_ip),
};

void a64_load_func(struct jit *jit, enum a64_reg rd, u32 target)
{
	jit_add_fixup(jit, a64_adr(&jit->out, rd), target, JIT_FIX_FUNC);
}

void a64_note_code(struct jit *jit)
{
	a64_mov_ri(&jit->out, TMP, (uintptr_t)jit->loaded);
	a64_emit_mem(&jit->out, A64_STORE, WORD, TMP, RUN, RUN_CODE);
}

static void unwind(struct jit *jit)
{
	struct buf *out = &jit->out;

	a64_emit_mem(out, A64_LOAD, WORD, TMP, RUN, RUN_SP);
	a64_add_imm(out, A64_ADD_IMM, true, SP, TMP, 0);
	a64_emit_mem(out, A64_LOAD, WORD, CALL, RUN, RUN_IP);
	a64_br(out, CALL);
}

void a64_throw(struct jit *jit)
{
	struct buf *out = &jit->out;

	a64_emit_mem(out, A64_STORE, WORD, a64_reg_of(BPF_REG_1), RUN, RUN_COOKIE);
	a64_mov_ri(out, TMP, 1);
	a64_emit_mem(out, A64_STORE, 1, TMP, RUN, RUN_STOPPED);
	unwind(jit);
}

void a64_after_callbacks(struct jit *jit)
{
	struct buf *out = &jit->out;
	u32 goes_on;

	if (!jit->has_throw)
		return;
	a64_emit_mem(out, A64_LOAD, 1, TMP, RUN, RUN_STOPPED);
	goes_on = a64_cbz(out, false, false, TMP);
	unwind(jit);
	a64_patch(out, goes_on, (u32)out->len);
}

/* Keeps the outer boundary in two words at sp + slot and makes one here, which goes on at the adr's target. */
static u32 enter(struct jit *jit, s32 slot)
{
	struct buf *out = &jit->out;
	u32 pad;

	a64_emit_mem(out, A64_LOAD, WORD, TMP, RUN, RUN_SP);
	a64_mem(out, A64_STORE, WORD, TMP, SP, slot);
	a64_emit_mem(out, A64_LOAD, WORD, TMP, RUN, RUN_IP);
	a64_mem(out, A64_STORE, WORD, TMP, SP, slot + WORD);
	a64_add_imm(out, A64_ADD_IMM, true, TMP, SP, 0);
	a64_emit_mem(out, A64_STORE, WORD, TMP, RUN, RUN_SP);
	pad = a64_adr(out, TMP);
	a64_emit_mem(out, A64_STORE, WORD, TMP, RUN, RUN_IP);
	return pad;
}

void a64_begin_boundary(struct jit *jit, s32 slot)
{
	const struct prog_code *code = jit->code;
	struct buf *out = &jit->out;
	u32 pad = enter(jit, slot), over;

	over = a64_b(out);
	a64_patch(out, pad, (u32)out->len);
	a64_emit_mem(out, A64_STORE, 1, XZR, RUN, RUN_STOPPED);
	a64_emit_mem(out, A64_LOAD, WORD, a64_reg_of(BPF_REG_0), RUN, RUN_COOKIE);
	if (code->exception_sub) {
		a64_mov_rr(out, true, a64_reg_of(BPF_REG_1), a64_reg_of(BPF_REG_0));
		jit_add_fixup(
			jit, a64_bl(out), code->subs[code->exception_sub].start, JIT_FIX_CALL);
	}
	a64_drop_frame(jit);
	a64_ret(out);
	a64_patch(out, over, (u32)out->len);
}

void a64_end_boundary(struct jit *jit, s32 slot)
{
	struct buf *out = &jit->out;

	a64_mem(out, A64_LOAD, WORD, TMP, SP, slot);
	a64_emit_mem(out, A64_STORE, WORD, TMP, RUN, RUN_SP);
	a64_mem(out, A64_LOAD, WORD, TMP, SP, slot + WORD);
	a64_emit_mem(out, A64_STORE, WORD, TMP, RUN, RUN_IP);
}

/* The functions save what they change of the rest that C expects to keep; those that an exception ends do not
 * bring it back, so the door of such a program saves it too. */
void a64_callback(struct jit *jit)
{
	struct buf *out = &jit->out;
	u32 pad = 0, over;

	a64_pair_moving(out, A64_STORE, A64_PRE, X29, X30, SP, -DOOR_LEN);
	a64_add_imm(out, A64_ADD_IMM, true, X29, SP, 0);
	a64_pair(out, A64_STORE, RUN, X25, SP, DOOR_RUN);
	a64_mov_rr(out, true, RUN, X5);
	if (jit->has_throw) {
		a64_pair(out, A64_STORE, X19, X20, SP, DOOR_KEPT);
		a64_pair(out, A64_STORE, X21, X22, SP, DOOR_KEPT + 2 * WORD);
		pad = enter(jit, DOOR_BOUNDARY);
	}
	jit_add_fixup(jit, a64_bl(out), jit->code->subs[jit->sub].start, JIT_FIX_CALL);
	if (jit->has_throw) {
		over = a64_b(out);
		a64_patch(out, pad, (u32)out->len);
		a64_pair(out, A64_LOAD, X19, X20, SP, DOOR_KEPT);
		a64_pair(out, A64_LOAD, X21, X22, SP, DOOR_KEPT + 2 * WORD);
		a64_mov_ri(out, a64_reg_of(BPF_REG_0), 1);
		a64_patch(out, over, (u32)out->len);
		a64_end_boundary(jit, DOOR_BOUNDARY);
	}
	a64_mov_rr(out, true, X0, a64_reg_of(BPF_REG_0));
	a64_pair(out, A64_LOAD, RUN, X25, SP, DOOR_RUN);
	a64_pair_moving(out, A64_LOAD, A64_POST, X29, X30, SP, DOOR_LEN);
	a64_ret(out);
}
