/*
 * Callbacks and exceptions. A function that C may call has a door: C's calling convention outside, BPF's inside,
 * which differ only in the registers that are kept and in where the run is.
 *
 * An exception goes from boundary to boundary: run->unwind_sp and unwind_ip say where the innermost one goes on.
 * Boundaries are the first function of a program that throws, which ends with the cookie or with what its
 * exception function makes of it, and each door, which ends with result 1 so that the helper in between stops.
 * Behind the helper the exception goes on, because run->is_stopped is set.
 * Invariant: who makes a boundary puts the outer one back on every way out.
 */
#include "isa/isa.h"
#include "jit/x86/x86.h"

static const u8 door_saved[] = {RBP, RBX, R12, R13, R14, R15};

static const struct x86_mem run_code = {.base = RUN, .disp = offsetof(struct run, code)};
static const struct x86_mem run_stopped = {.base = RUN, .disp = offsetof(struct run, is_stopped)};
static const struct x86_mem run_cookie = {.base = RUN, .disp = offsetof(struct run, cookie)};
static const struct x86_mem run_sp = {.base = RUN, .disp = offsetof(struct run, unwind_sp)};
static const struct x86_mem run_ip = {.base = RUN, .disp = offsetof(struct run, unwind_ip)};

void x86_load_func(struct jit *jit, enum x86_reg dst, u32 target)
{
	jit_add_fixup(jit, x86_lea_here(&jit->out, dst), target, JIT_FIX_FUNC);
}

void x86_note_code(struct jit *jit)
{
	x86_mov_ri(&jit->out, TMP, (uintptr_t)jit->loaded);
	x86_store(&jit->out, 8, run_code, TMP);
}

/* On to the innermost boundary. */
static void unwind(struct jit *jit)
{
	struct buf *out = &jit->out;

	x86_load(out, 8, RSP, run_sp);
	x86_load(out, 8, TMP, run_ip);
	x86_jmp_reg(out, TMP);
}

void x86_throw(struct jit *jit)
{
	struct buf *out = &jit->out;

	x86_store(out, 8, run_cookie, x86_reg_of(BPF_REG_1));
	x86_store_imm(out, 1, run_stopped, 1);
	unwind(jit);
}

void x86_after_callbacks(struct jit *jit)
{
	struct buf *out = &jit->out;
	u32 goes_on;

	if (!jit->has_throw)
		return;
	x86_load(out, 1, TMP, run_stopped);
	x86_test_rr(out, false, TMP, TMP);
	goes_on = x86_jcc8(out, X86_E);
	unwind(jit);
	x86_here8(out, goes_on);
}

/* The outer boundary is kept in two words at slot. The way of an exception stands here, jumped over. */
void x86_begin_boundary(struct jit *jit, struct x86_mem slot, u32 frame_len)
{
	const struct prog_code *code = jit->code;
	struct x86_mem upper = slot;
	struct buf *out = &jit->out;
	u32 pad, over;

	upper.disp += 8;
	x86_load(out, 8, TMP, run_sp);
	x86_store(out, 8, slot, TMP);
	x86_load(out, 8, TMP, run_ip);
	x86_store(out, 8, upper, TMP);
	x86_store(out, 8, run_sp, RSP);
	pad = x86_lea_here(out, TMP);
	x86_store(out, 8, run_ip, TMP);
	over = x86_jmp8(out);
	x86_patch(out, pad, out->len);
	x86_lea(out, true, RBP, (struct x86_mem){.base = RSP, .disp = (s32)frame_len});
	x86_store_imm(out, 1, run_stopped, 0);
	x86_load(out, 8, RAX, run_cookie);
	if (code->exception_sub) {
		x86_mov_rr(out, true, x86_reg_of(BPF_REG_1), RAX);
		jit_add_fixup(
			jit, x86_call(out), code->subs[code->exception_sub].start, JIT_FIX_CALL);
	}
	x86_drop_frame(jit);
	x86_ret(out);
	x86_here8(out, over);
}

void x86_end_boundary(struct jit *jit, struct x86_mem slot)
{
	struct x86_mem upper = slot;
	struct buf *out = &jit->out;

	upper.disp += 8;
	x86_load(out, 8, TMP, slot);
	x86_store(out, 8, run_sp, TMP);
	x86_load(out, 8, TMP, upper);
	x86_store(out, 8, run_ip, TMP);
}

/* Six pushes and the return address leave rsp misaligned by 8; the boundary takes three words more. */
void x86_callback(struct jit *jit)
{
	if (jit->guarded) {
		x86_check_callback(jit);
		return;
	}
	struct buf *out = &jit->out;
	u32 pad = 0;

	for (u32 i = 0; i < ARRAY_SIZE(door_saved); i++)
		x86_push(out, door_saved[i]);
	x86_mov_rr(out, true, RUN, R9);
	if (jit->has_throw) {
		x86_load(out, 8, TMP, run_sp);
		x86_push(out, TMP);
		x86_load(out, 8, TMP, run_ip);
		x86_push(out, TMP);
		pad = x86_lea_here(out, TMP);
		x86_store(out, 8, run_ip, TMP);
	}
	x86_push(out, RAX);
	if (jit->has_throw)
		x86_store(out, 8, run_sp, RSP);
	jit_add_fixup(jit, x86_call(out), jit->code->subs[jit->sub].start, JIT_FIX_CALL);
	if (jit->has_throw) {
		const u32 done = x86_jmp8(out);

		x86_patch(out, pad, out->len);
		x86_mov_ri(out, RAX, 1);
		x86_here8(out, done);
	}
	x86_pop(out, RCX);
	if (jit->has_throw) {
		x86_pop(out, TMP);
		x86_store(out, 8, run_ip, TMP);
		x86_pop(out, TMP);
		x86_store(out, 8, run_sp, TMP);
	}
	for (u32 i = ARRAY_SIZE(door_saved); i-- > 0;)
		x86_pop(out, door_saved[i]);
	x86_ret(out);
}
