/*
 * x86-64 encoding: one function a form of instruction, nothing of BPF. `w` is true for 64-bit operands.
 * Registers are machine numbers 0-15. Source: Intel SDM volume 2, chapter 2 and the instruction pages.
 */
#ifndef JIT_X86_ASM_H
#define JIT_X86_ASM_H

#include "base/buf.h"
#include "base/types.h"

enum x86_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* Opcodes of `op r/m, reg`; the number in the middle of the byte is also the /digit of the immediate form. */
enum x86_alu {
	X86_ADD = 0x01,
	X86_OR = 0x09,
	X86_AND = 0x21,
	X86_SUB = 0x29,
	X86_XOR = 0x31,
	X86_CMP = 0x39
};

/* /digit of the shift group */
enum x86_shift { X86_ROL = 0, X86_SHL = 4, X86_SHR = 5, X86_SAR = 7 };

/* /digit of the group of one-operand arithmetic (opcode f7) */
enum x86_unary { X86_NEG = 3, X86_MUL = 4, X86_DIV = 6, X86_IDIV = 7 };

/* Condition codes, as in jcc 0f 80+cc */
enum x86_cc {
	X86_B = 0x2,
	X86_AE = 0x3,
	X86_E = 0x4,
	X86_NE = 0x5,
	X86_BE = 0x6,
	X86_A = 0x7,
	X86_S = 0x8,
	X86_NS = 0x9,
	X86_L = 0xc,
	X86_GE = 0xd,
	X86_LE = 0xe,
	X86_G = 0xf,
};

/* [base + index * scale + disp]; scale 0: no index */
struct x86_mem {
	enum x86_reg base;
	s32 disp;
	enum x86_reg index; /* not rsp */
	u8 scale;	    /* 1, 2, 4 or 8 */
};

void x86_alu_rr(struct buf *out, enum x86_alu op, bool w, enum x86_reg dst, enum x86_reg src);
void x86_alu_ri(struct buf *out, enum x86_alu op, bool w, enum x86_reg dst, s32 imm);
/* dst op= [mem] */
void x86_alu_rm(struct buf *out, enum x86_alu op, bool w, enum x86_reg dst, struct x86_mem mem);
/* [mem] op= src, of len (1, 2, 4, 8) bytes */
void x86_alu_mr(struct buf *out, enum x86_alu op, u32 len, struct x86_mem mem, enum x86_reg src);
void x86_alu_mi(struct buf *out, enum x86_alu op, u32 len, struct x86_mem mem, s32 imm);
void x86_test_rr(struct buf *out, bool w, enum x86_reg a, enum x86_reg b);
void x86_test_ri(struct buf *out, bool w, enum x86_reg a, s32 imm);
void x86_test_mi(struct buf *out, u32 len, struct x86_mem mem, s32 imm);
void x86_mov_rr(struct buf *out, bool w, enum x86_reg dst, enum x86_reg src);
/* The shortest form that loads the 64-bit value. */
void x86_mov_ri(struct buf *out, enum x86_reg dst, u64 imm);
void x86_imul_rr(struct buf *out, bool w, enum x86_reg dst, enum x86_reg src);
void x86_imul_rri(struct buf *out, bool w, enum x86_reg dst, enum x86_reg src, s32 imm);
void x86_unary(struct buf *out, enum x86_unary op, bool w, enum x86_reg reg);
/* Sign-extends rax into rdx (w) or eax into edx, for IDIV. */
void x86_cqo(struct buf *out, bool w);
void x86_shift_ri(struct buf *out, enum x86_shift op, bool w, enum x86_reg dst, u8 imm);
/* By cl. */
void x86_shift_cl(struct buf *out, enum x86_shift op, bool w, enum x86_reg dst);
void x86_rol16_8(struct buf *out, enum x86_reg dst);
void x86_bswap(struct buf *out, bool w, enum x86_reg dst);
/* BMI2: dst = src shifted by count; dst = src rotated right; rdx * src into hi and lo (the same: hi). */
void x86_shiftx(struct buf *out, enum x86_shift op, bool w, enum x86_reg dst, enum x86_reg src,
	enum x86_reg count);
void x86_rorx(struct buf *out, bool w, enum x86_reg dst, enum x86_reg src, u8 imm);
void x86_mulx(struct buf *out, bool w, enum x86_reg hi, enum x86_reg lo, enum x86_reg src);
/* Low len (1, 2, 4) bytes of src, extended to 64 (w) or 32 bits. */
void x86_movzx_rr(struct buf *out, u32 len, enum x86_reg dst, enum x86_reg src);
void x86_movsx_rr(struct buf *out, u32 len, bool w, enum x86_reg dst, enum x86_reg src);
/* Loads of len (1, 2, 4, 8) bytes, extended to 64 bits. */
void x86_load(struct buf *out, u32 len, enum x86_reg dst, struct x86_mem mem);
/* MOVBE: len 2 (upper bits of dst kept), 4, 8 */
void x86_load_be(struct buf *out, u32 len, enum x86_reg dst, struct x86_mem mem);
void x86_load_sx(struct buf *out, u32 len, enum x86_reg dst, struct x86_mem mem);
void x86_store(struct buf *out, u32 len, struct x86_mem mem, enum x86_reg src);
void x86_store_imm(struct buf *out, u32 len, struct x86_mem mem, s32 imm);
/* xmm0 = 0; 16 bytes of it */
void x86_zero_xmm0(struct buf *out);
void x86_store_xmm0(struct buf *out, struct x86_mem mem);
void x86_lea(struct buf *out, bool w, enum x86_reg dst, struct x86_mem mem);
/* lock op [mem], src */
void x86_lock_alu(struct buf *out, enum x86_alu op, bool w, struct x86_mem mem, enum x86_reg src);
void x86_lock_xadd(struct buf *out, bool w, struct x86_mem mem, enum x86_reg src);
void x86_xchg(struct buf *out, bool w, struct x86_mem mem, enum x86_reg src);
void x86_lock_cmpxchg(struct buf *out, bool w, struct x86_mem mem, enum x86_reg src);
/* dst = the address at a distance that is filled in later; returns the offset of the distance. */
u32 x86_lea_here(struct buf *out, enum x86_reg dst);
void x86_push(struct buf *out, enum x86_reg reg);
void x86_pop(struct buf *out, enum x86_reg reg);
void x86_leave(struct buf *out);
void x86_ret(struct buf *out);
/* Fills len bytes with instructions that do nothing. */
void x86_nops(u8 *at, u32 len);
void x86_call_reg(struct buf *out, enum x86_reg reg);
void x86_jmp_reg(struct buf *out, enum x86_reg reg);
/* Jumps over less than 128 bytes: return the offset of the distance, for x86_patch8. */
u32 x86_jmp8(struct buf *out);
u32 x86_jcc8(struct buf *out, enum x86_cc cc);
/* The jump at `at` leads to what comes next. */
void x86_here8(struct buf *out, u32 at);
void x86_patch8(struct buf *out, u32 at, u32 dest);
/* Jumps and calls with a 32-bit distance that is filled in later; return the offset of the distance. */
u32 x86_jmp(struct buf *out);
u32 x86_jcc(struct buf *out, enum x86_cc cc);
u32 x86_call(struct buf *out);
/* Fills in the distance at offset `at` so that it leads to offset dest. */
void x86_patch(struct buf *out, u32 at, u32 dest);

#endif
