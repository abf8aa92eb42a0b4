/*
 * A64 encoding: one function a form of instruction, nothing of BPF. `w` is true for 64-bit operands.
 * Registers are machine numbers; 31 is the zero register or the stack pointer, as the form says. A
 * function that returns bool adds nothing and returns false where the form cannot hold its numbers.
 * Source: Arm Architecture Reference Manual for A-profile, C4.1 (A64 encoding) and C6.2.
 */
#ifndef JIT_ARM64_ASM_H
#define JIT_ARM64_ASM_H

#include "base/buf.h"
#include "base/types.h"

enum a64_reg {
	X0,
	X1,
	X2,
	X3,
	X4,
	X5,
	X6,
	X7,
	X9 = 9,
	X10,
	X11,
	X12,
	X13,
	X14,
	X15,
	X16 = 16,
	X19 = 19,
	X20,
	X21,
	X22,
	X24 = 24,
	X25,
	X29 = 29,
	X30,
	XZR = 31,
	SP = 31,
};

/* op rd, rn, rm, in the 32-bit form */
enum a64_alu {
	A64_ADD = 0x0b000000,
	A64_SUB = 0x4b000000,
	A64_SUBS = 0x6b000000,
	A64_AND = 0x0a000000,
	A64_ORR = 0x2a000000,
	A64_ORN = 0x2a200000,
	A64_EOR = 0x4a000000,
	A64_ANDS = 0x6a000000,
	A64_UDIV = 0x1ac00800,
	A64_SDIV = 0x1ac00c00,
	A64_LSLV = 0x1ac02000,
	A64_LSRV = 0x1ac02400,
	A64_ASRV = 0x1ac02800,
};

/* op rd, rn, #imm: 12 bits, perhaps shifted left by 12 */
enum a64_add_imm {
	A64_ADD_IMM = 0x11000000,
	A64_ADDS_IMM = 0x31000000,
	A64_SUB_IMM = 0x51000000,
	A64_SUBS_IMM = 0x71000000,
};

/* op rd, rn, #imm: a run of ones, rotated and repeated */
enum a64_logic_imm {
	A64_AND_IMM = 0x12000000,
	A64_ORR_IMM = 0x32000000,
	A64_EOR_IMM = 0x52000000,
	A64_ANDS_IMM = 0x72000000,
};

enum a64_wide { A64_MOVN = 0x12800000, A64_MOVZ = 0x52800000, A64_MOVK = 0x72800000 };

enum a64_shift { A64_LSL, A64_LSR, A64_ASR };

enum a64_muladd { A64_MADD = 0x1b000000, A64_MSUB = 0x1b008000 };

enum a64_mem { A64_STORE, A64_LOAD, A64_LOAD_SX }; /* A64_LOAD_SX: sign-extended to 64 bits */

enum a64_index { A64_POST = 1, A64_PRE = 3 };

/* Of exclusive and ordered accesses, the form of one byte */
enum a64_order {
	A64_LDXR = 0x085f7c00,
	A64_LDAR = 0x08dffc00,
	A64_STLR = 0x089ffc00,
};

/* Of the large system extensions: [rn] = [rn] op rs, rt = what was there */
enum a64_lse {
	A64_LDADD = 0x38200000,
	A64_LDCLR = 0x38201000,
	A64_LDEOR = 0x38202000,
	A64_LDSET = 0x38203000,
	A64_SWP = 0x38208000,
};

enum { A64_B_MAX = 1 << 27, A64_BCC_MAX = 1 << 20 }; /* bytes that jumps reach */

/* Condition codes; the lowest bit inverts */
enum a64_cc {
	A64_EQ = 0x0,
	A64_NE = 0x1,
	A64_HS = 0x2,
	A64_LO = 0x3,
	A64_HI = 0x8,
	A64_LS = 0x9,
	A64_GE = 0xa,
	A64_LT = 0xb,
	A64_GT = 0xc,
	A64_LE = 0xd,
};

void a64_alu(struct buf *out, enum a64_alu op, bool w, enum a64_reg rd, enum a64_reg rn,
	enum a64_reg rm);
/* rn, and rd without flags, may be SP. */
bool a64_add_imm(
	struct buf *out, enum a64_add_imm op, bool w, enum a64_reg rd, enum a64_reg rn, u32 imm);
/* rd may be SP, but for A64_ANDS_IMM. Of imm the low 32 bits count without w. */
bool a64_logic_imm(
	struct buf *out, enum a64_logic_imm op, bool w, enum a64_reg rd, enum a64_reg rn, u64 imm);
/* imm at bit 16 * half */
void a64_mov_wide(struct buf *out, enum a64_wide op, bool w, enum a64_reg rd, u16 imm, u32 half);
void a64_mov_rr(struct buf *out, bool w, enum a64_reg rd, enum a64_reg rm);
/* The shortest sequence that loads the 64-bit value: one to four instructions. */
void a64_mov_ri(struct buf *out, enum a64_reg rd, u64 imm);
void a64_shift_imm(
	struct buf *out, enum a64_shift op, bool w, enum a64_reg rd, enum a64_reg rn, u32 cnt);
/* The low len (1, 2, 4) bytes of rn, sign-extended to 64 (w) or 32 bits; 4 only with w. */
void a64_sxt(struct buf *out, u32 len, bool w, enum a64_reg rd, enum a64_reg rn);
/* The low 2 bytes of rn. */
void a64_uxth(struct buf *out, enum a64_reg rd, enum a64_reg rn);
/* The bytes of each 16 bits, or of the whole register, in reverse order. */
void a64_rev16(struct buf *out, enum a64_reg rd, enum a64_reg rn);
void a64_rev(struct buf *out, bool w, enum a64_reg rd, enum a64_reg rn);
/* rd = ra + rn * rm, or ra - rn * rm */
void a64_muladd(struct buf *out, enum a64_muladd op, bool w, enum a64_reg rd, enum a64_reg rn,
	enum a64_reg rm, enum a64_reg ra);

/* len bytes (1, 2, 4, 8) at rn + off; rn may be SP. */
bool a64_mem(struct buf *out, enum a64_mem op, u32 len, enum a64_reg rt, enum a64_reg rn, s32 off);
/* At rn + rm. */
void a64_mem_reg(struct buf *out, enum a64_mem op, u32 len, enum a64_reg rt, enum a64_reg rn,
	enum a64_reg rm);
/* 8 bytes, or two times 8; rn, which may be SP, moves by off (-256 to 248, a multiple of 8). */
void a64_mem_moving(struct buf *out, enum a64_mem op, enum a64_index index, enum a64_reg rt,
	enum a64_reg rn, s32 off);
void a64_pair_moving(struct buf *out, enum a64_mem op, enum a64_index index, enum a64_reg rt,
	enum a64_reg rt2, enum a64_reg rn, s32 off);
void a64_pair(struct buf *out, enum a64_mem op, enum a64_reg rt, enum a64_reg rt2, enum a64_reg rn,
	s32 off);

void a64_ordered(struct buf *out, enum a64_order op, u32 len, enum a64_reg rt, enum a64_reg rn);
/* rs = 0 if rt was stored, which must be another register than both. */
void a64_stxr(
	struct buf *out, bool releases, u32 len, enum a64_reg rs, enum a64_reg rt, enum a64_reg rn);
/* Without is_full nothing is ordered by it. rt may be XZR then. */
void a64_lse(struct buf *out, enum a64_lse op, bool w, bool is_full, enum a64_reg rs,
	enum a64_reg rt, enum a64_reg rn);
/* If [rn] equals rs, rt is stored; rs = what was there. Acquires and releases. */
void a64_casal(struct buf *out, bool w, enum a64_reg rs, enum a64_reg rt, enum a64_reg rn);
void a64_dmb_ish(struct buf *out);

/* Jumps whose distance is filled in later; they return their own offset. */
u32 a64_b(struct buf *out);
u32 a64_bl(struct buf *out);
u32 a64_bcc(struct buf *out, enum a64_cc cc);
u32 a64_cbz(struct buf *out, bool w, bool is_nz, enum a64_reg rt);
/* rd = the address at a distance of up to 1 MiB. */
u32 a64_adr(struct buf *out, enum a64_reg rd);
void a64_br(struct buf *out, enum a64_reg rn);
void a64_blr(struct buf *out, enum a64_reg rn);
void a64_ret(struct buf *out);
/* Makes the jump at offset `at` lead to offset dest. False: out of its range. */
bool a64_patch(struct buf *out, u32 at, s64 dest);

#endif
