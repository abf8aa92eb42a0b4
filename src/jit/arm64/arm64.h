/*
 * What the files of this machine share: where BPF's registers live and what is free for scratch.
 *
 * R1-R5 are where C wants its first five arguments; R0 is not in x0, so that a call of a helper costs
 * one move before it (the run, C's sixth argument) and one behind it, whatever R1 holds.
 *
 *	R0 x7    R1 x0    R2 x1    R3 x2    R4 x3    R5 x4	caller-saved
 *	R6 x19   R7 x20   R8 x21   R9 x22			callee-saved
 *	R10 x25  run x24  scratch x9-x12, addresses of calls x16, slots of the stack (slots.c) x13-x15
 */
#ifndef JIT_ARM64_ARM64_H
#define JIT_ARM64_ARM64_H

#include "jit/arm64/asm.h"
#include "jit/target.h"

#define RUN  X24
#define TMP  X9
#define TMP2 X10
#define TMP3 X11
#define TMP4 X12
#define CALL X16

enum { A64_HAS_LSE = JIT_FEATURE_MACHINE };

static inline enum a64_reg a64_reg_of(unsigned bpf_reg)
{
	static const u8 regs[] = {X7, X0, X1, X2, X3, X4, X19, X20, X21, X22, X25, X13, X14, X15};

	return regs[bpf_reg];
}

/* emit.c: rd = rn + imm for any imm; rd and rn may be SP when imm has at most 24 bits. Uses TMP. */
void a64_emit_add(struct buf *out, bool w, enum a64_reg rd, enum a64_reg rn, s64 imm);
/* len bytes at rn + off for any off. Uses TMP2 when off is far. */
void a64_emit_mem(
	struct buf *out, enum a64_mem op, u32 len, enum a64_reg rt, enum a64_reg rn, s32 off);
/* A jump to instruction target if cc holds (jump_cc), or if rt is 0 (jump_zero; is_nz: is not). */
void a64_jump_cc(struct jit *jit, enum a64_cc cc, u32 idx, s32 off);
void a64_jump_zero(struct jit *jit, bool w, bool is_nz, enum a64_reg rt, u32 idx, s32 off);

/* frame.c: the stack of a function. */
void a64_entry(struct jit *jit);
void a64_prologue(struct jit *jit);
/* Undoes the prologue: what follows is ret, or a jump to another prologue. */
void a64_drop_frame(struct jit *jit);
void a64_may_goto(struct jit *jit, const struct bpf_insn *insn, u32 idx);

/* callback.c: what C calls, what it calls back, and exceptions. */
void a64_callback(struct jit *jit);
/* rd = the door of the function that begins at instruction target */
void a64_load_func(struct jit *jit, enum a64_reg rd, u32 target);
/* Around the call of a helper that may call back. */
void a64_note_code(struct jit *jit);
void a64_after_callbacks(struct jit *jit);
void a64_throw(struct jit *jit);
/* In the frame of the function that exceptions end in; slot is an offset from sp. */
void a64_begin_boundary(struct jit *jit, s32 slot);
void a64_end_boundary(struct jit *jit, s32 slot);

/* call.c: every form of call. */
void a64_emit_call(struct jit *jit, const struct bpf_insn *insn, u32 idx);
/* ld_abs, ld_ind */
void a64_load_packet(struct jit *jit, const struct bpf_insn *insn);

/* atomic.c: atomic instructions, with the large system extensions where the host has them. */
void a64_emit_atomic(struct jit *jit, const struct bpf_insn *insn);

#endif
