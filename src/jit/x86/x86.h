/*
 * What the files of this machine share: where BPF's registers live and what is free for scratch.
 *
 * R0-R5 are where C wants a result and five arguments, so helpers are called without moving anything; the
 * sixth argument, the run, is kept in r12.
 *
 *	R0 rax   R1 rdi   R2 rsi   R3 rdx   R4 rcx   R5 r8	caller-saved
 *	R6 rbx   R7 r13   R8 r14   R9 r15			callee-saved
 *	R10 rbp  run r12  scratch r9, r10, r11, which slots.c takes where nothing needs them
 */
#ifndef JIT_X86_X86_H
#define JIT_X86_X86_H

#include "jit/target.h"
#include "jit/x86/asm.h"

/* Extensions, as bits of jit->features. */
enum { X86_BMI2 = JIT_FEATURE_MACHINE, X86_MOVBE = JIT_FEATURE_MACHINE << 1 };

#define RUN  R12
#define TMP  R11
#define TMP2 R10
#define TMP3 R9

static inline enum x86_reg x86_reg_of(unsigned bpf_reg)
{
	static const u8 regs[] = {
		RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP, TMP3, TMP2, TMP};

	return regs[bpf_reg];
}

static inline bool x86_is_live(const struct jit *jit, u32 idx, unsigned bpf_reg)
{
	return jit->flow.live[idx] & 1 << bpf_reg;
}

/* What emit.c tells the other files of comparisons: 0 when the operation is none. */
u8 x86_cc_of(u8 code);
/* The comparison of a conditional jump. */
void x86_compare(struct jit *jit, const struct bpf_insn *insn);

/* fuse.c, merge.c, branch.c: several instructions at once. Return the slots taken, 0: none. */
u32 x86_fuse(struct jit *jit, u32 idx);
u32 x86_merge_loads(struct jit *jit, u32 idx);
u32 x86_fuse_jump(struct jit *jit, u32 idx);
/* Is it this operation, BPF_K or BPF_X, in 32 or 64 bits? */
bool x86_is_alu(const struct bpf_insn *insn, u8 op);
/* emit.c: dst = src * imm */
void x86_multiply(struct jit *jit, bool w, enum x86_reg dst, enum x86_reg src, s32 imm);
/* The instruction n after idx, or NULL where a jump may arrive between or the function ends. */
const struct bpf_insn *x86_next(const struct jit *jit, u32 idx, u32 n);

/* divide.c */
void x86_divide(struct jit *jit, const struct bpf_insn *insn, u32 idx);

/* inline.c: a helper's work in place of its call; false: it is called. */
bool x86_inline_helper(struct jit *jit, const struct hlp_proto *proto);
/* call.c: a call of C code, direct if it can be */
void x86_call_address(struct jit *jit, const void *addr);

/* relax.c */
void x86_loop(struct jit *jit);
int x86_finish(struct jit *jit, u32 *offs[], const u32 cnts[], u32 array_cnt);

/* frame.c: the stack of a function. */
void x86_entry(struct jit *jit);
void x86_prologue(struct jit *jit);
/* Undoes the prologue up to the return address. */
void x86_drop_frame(struct jit *jit);
void x86_may_goto(struct jit *jit, const struct bpf_insn *insn, u32 idx);

/* callback.c: what C calls, what it calls back, and exceptions. */
void x86_callback(struct jit *jit);
/* dst = the door of the function that begins at instruction target */
void x86_load_func(struct jit *jit, enum x86_reg dst, u32 target);
/* Around the call of a helper that may call back. */
void x86_note_code(struct jit *jit);
void x86_after_callbacks(struct jit *jit);
void x86_throw(struct jit *jit);
/* In the frame of the function that exceptions end in: frame_len bytes lie between rsp and rbp. */
void x86_begin_boundary(struct jit *jit, struct x86_mem slot, u32 frame_len);
void x86_end_boundary(struct jit *jit, struct x86_mem slot);

/* check.c: the same for checked code, which the functions of other files are that jit->guarded sends there. */
void x86_check_entry(struct jit *jit);
void x86_check_prologue(struct jit *jit);
void x86_check_drop_frame(struct jit *jit);
void x86_check_may_goto(struct jit *jit, const struct bpf_insn *insn, u32 idx);
void x86_check_callback(struct jit *jit);
void x86_check_call(struct jit *jit, const struct bpf_insn *insn, u32 idx);
void x86_check_packet(struct jit *jit, const struct bpf_insn *insn, u32 idx);
/* An instruction, which emit emits, with what must come before it. */
u32 x86_check_insn(struct jit *jit, u32 idx, u32 (*emit)(struct jit *jit, u32 idx));
void x86_check_finish(struct jit *jit, u32 *cold);

/* call.c: every form of call. */
void x86_emit_call(struct jit *jit, const struct bpf_insn *insn, u32 idx);
/* ld_abs, ld_ind */
void x86_load_packet(struct jit *jit, const struct bpf_insn *insn);

#endif
