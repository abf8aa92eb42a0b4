/*
 * Encoding: REX prefix, opcode, ModRM, SIB, displacement, immediate, in this order.
 *
 *	REX    0100 W R X B	W: 64-bit operand; R, X, B: high bits of reg, index, base
 *	ModRM  mod reg r/m	mod 11: register, 10: base + disp32, 01: base + disp8, 00: base
 *
 * Two irregular bases: rsp/r12 need a SIB byte, rbp/r13 have no mod 00.
 */
#include "jit/x86/asm.h"

#include <string.h>

enum {
	REX = 0x40,
	REX_W = 8,
	REX_R = 4,
	REX_X = 2,
	REX_B = 1,
	LOCK = 0xf0,
	OPERAND16 = 0x66,
	TWO_BYTE = 0x0f
};

/* Most of the code is added byte by byte: where there is room, without a call. */
static void byte(struct buf *out, u8 b)
{
	if (unlikely(out->err || out->len + 1 >= out->cap)) {
		buf_add(out, &b, 1);
		return;
	}
	out->data[out->len++] = (char)b;
	out->data[out->len] = '\0';
}

static void imm32(struct buf *out, s32 imm)
{
	buf_add(out, &imm, sizeof(imm));
}

/* need: emit even an empty prefix, which turns byte registers 4-7 from ah..bh into spl..dil */
static void rex(struct buf *out, bool w, u8 reg, u8 rm, bool need)
{
	u8 bits = (w ? REX_W : 0) | (reg & 8 ? REX_R : 0) | (rm & 8 ? REX_B : 0);

	if (bits || need)
		byte(out, REX | bits);
}

static void modrm_reg(struct buf *out, u8 reg, u8 rm)
{
	byte(out, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* The prefix of an operand in memory. */
static void rex_mem(struct buf *out, bool w, u8 reg, struct x86_mem mem, bool need)
{
	u8 bits = (w ? REX_W : 0) | (reg & 8 ? REX_R : 0) | (mem.base & 8 ? REX_B : 0);

	if (mem.scale && mem.index & 8)
		bits |= REX_X;
	if (bits || need)
		byte(out, REX | bits);
}

static void modrm_mem(struct buf *out, u8 reg, struct x86_mem mem)
{
	u8 base = mem.base & 7, mod = 2;

	if (!mem.disp && base != (RBP & 7))
		mod = 0;
	else if (mem.disp == (s8)mem.disp)
		mod = 1;
	if (mem.scale) {
		byte(out, mod << 6 | (reg & 7) << 3 | RSP);
		byte(out, __builtin_ctz(mem.scale) << 6 | (mem.index & 7) << 3 | base);
	} else {
		byte(out, mod << 6 | (reg & 7) << 3 | base);
		if (base == RSP)
			byte(out, 0x24);
	}
	if (mod == 1)
		byte(out, mem.disp);
	else if (mod == 2)
		imm32(out, mem.disp);
}

static void op_rr(struct buf *out, bool w, u8 op, u8 reg, u8 rm)
{
	rex(out, w, reg, rm, false);
	byte(out, op);
	modrm_reg(out, reg, rm);
}

static void op_mem(struct buf *out, bool w, u8 op, u8 reg, struct x86_mem mem)
{
	rex_mem(out, w, reg, mem, false);
	byte(out, op);
	modrm_mem(out, reg, mem);
}

static void op2_mem(struct buf *out, bool w, u8 op, u8 reg, struct x86_mem mem)
{
	rex_mem(out, w, reg, mem, false);
	byte(out, TWO_BYTE);
	byte(out, op);
	modrm_mem(out, reg, mem);
}

void x86_alu_rr(struct buf *out, enum x86_alu op, bool w, enum x86_reg dst, enum x86_reg src)
{
	op_rr(out, w, op, src, dst);
}

void x86_alu_ri(struct buf *out, enum x86_alu op, bool w, enum x86_reg dst, s32 imm)
{
	bool is_short = imm == (s8)imm;

	op_rr(out, w, is_short ? 0x83 : 0x81, op >> 3, dst);
	if (is_short)
		byte(out, imm);
	else
		imm32(out, imm);
}

void x86_alu_rm(struct buf *out, enum x86_alu op, bool w, enum x86_reg dst, struct x86_mem mem)
{
	op_mem(out, w, op | 2, dst, mem);
}

void x86_alu_mr(struct buf *out, enum x86_alu op, u32 len, struct x86_mem mem, enum x86_reg src)
{
	if (len == 2)
		byte(out, OPERAND16);
	rex_mem(out, len == 8, src, mem, len == 1 && src >= RSP);
	byte(out, len == 1 ? op & ~1 : op);
	modrm_mem(out, src, mem);
}

void x86_alu_mi(struct buf *out, enum x86_alu op, u32 len, struct x86_mem mem, s32 imm)
{
	bool is_short = len == 1 || imm == (s8)imm;

	if (len == 2)
		byte(out, OPERAND16);
	op_mem(out, len == 8, len == 1 ? 0x80 : is_short ? 0x83 : 0x81, op >> 3, mem);
	buf_add(out, &imm, is_short ? 1 : MIN(len, 4u));
}

void x86_test_rr(struct buf *out, bool w, enum x86_reg a, enum x86_reg b)
{
	op_rr(out, w, 0x85, b, a);
}

void x86_test_ri(struct buf *out, bool w, enum x86_reg a, s32 imm)
{
	if (imm >= 0 && imm <= INT8_MAX) { /* the sign bit of the byte is 0, as that of the whole */
		rex(out, false, 0, a, a >= RSP);
		byte(out, 0xf6);
		modrm_reg(out, 0, a);
		byte(out, imm);
		return;
	}
	w = w && imm < 0;
	op_rr(out, w, 0xf7, 0, a);
	imm32(out, imm);
}

void x86_test_mi(struct buf *out, u32 len, struct x86_mem mem, s32 imm)
{
	if (len == 2)
		byte(out, OPERAND16);
	op_mem(out, len == 8, len == 1 ? 0xf6 : 0xf7, 0, mem);
	buf_add(out, &imm, MIN(len, 4u));
}

void x86_mov_rr(struct buf *out, bool w, enum x86_reg dst, enum x86_reg src)
{
	op_rr(out, w, 0x89, src, dst);
}

void x86_mov_ri(struct buf *out, enum x86_reg dst, u64 imm)
{
	if (!imm) {
		x86_alu_rr(out, X86_XOR, false, dst, dst);
	} else if (imm == (u32)imm) {
		rex(out, false, 0, dst, false);
		byte(out, 0xb8 | (dst & 7));
		imm32(out, imm);
	} else if (imm == (u64)(s64)(s32)imm) {
		op_rr(out, true, 0xc7, 0, dst);
		imm32(out, imm);
	} else {
		rex(out, true, 0, dst, false);
		byte(out, 0xb8 | (dst & 7));
		buf_add(out, &imm, sizeof(imm));
	}
}

void x86_imul_rr(struct buf *out, bool w, enum x86_reg dst, enum x86_reg src)
{
	rex(out, w, dst, src, false);
	byte(out, TWO_BYTE);
	byte(out, 0xaf);
	modrm_reg(out, dst, src);
}

void x86_imul_rri(struct buf *out, bool w, enum x86_reg dst, enum x86_reg src, s32 imm)
{
	bool is_short = imm == (s8)imm;

	op_rr(out, w, is_short ? 0x6b : 0x69, dst, src);
	if (is_short)
		byte(out, imm);
	else
		imm32(out, imm);
}

void x86_unary(struct buf *out, enum x86_unary op, bool w, enum x86_reg reg)
{
	op_rr(out, w, 0xf7, op, reg);
}

void x86_cqo(struct buf *out, bool w)
{
	rex(out, w, 0, 0, false);
	byte(out, 0x99);
}

void x86_shift_ri(struct buf *out, enum x86_shift op, bool w, enum x86_reg dst, u8 imm)
{
	op_rr(out, w, 0xc1, op, dst);
	byte(out, imm);
}

void x86_shift_cl(struct buf *out, enum x86_shift op, bool w, enum x86_reg dst)
{
	op_rr(out, w, 0xd3, op, dst);
}

void x86_rol16_8(struct buf *out, enum x86_reg dst)
{
	byte(out, OPERAND16);
	x86_shift_ri(out, X86_ROL, false, dst, 8);
}

void x86_bswap(struct buf *out, bool w, enum x86_reg dst)
{
	rex(out, w, 0, dst, false);
	byte(out, TWO_BYTE);
	byte(out, 0xc8 | (dst & 7));
}

/* Three-byte VEX: map 2 is 0f 38, map 3 is 0f 3a; pp 1, 2, 3 stands for 66, f3, f2. */
static void vex(struct buf *out, u8 map, u8 pp, bool w, u8 reg, u8 vvvv, u8 rm)
{
	byte(out, 0xc4);
	byte(out, (reg & 8 ? 0 : 0x80) | 0x40 | (rm & 8 ? 0 : 0x20) | map);
	byte(out, (w ? 0x80 : 0) | (~vvvv & 15) << 3 | pp);
}

void x86_shiftx(struct buf *out, enum x86_shift op, bool w, enum x86_reg dst, enum x86_reg src,
	enum x86_reg count)
{
	vex(out, 2, op == X86_SHL ? 1 : op == X86_SHR ? 3 : 2, w, dst, count, src);
	byte(out, 0xf7);
	modrm_reg(out, dst, src);
}

void x86_rorx(struct buf *out, bool w, enum x86_reg dst, enum x86_reg src, u8 imm)
{
	vex(out, 3, 3, w, dst, 0, src);
	byte(out, 0xf0);
	modrm_reg(out, dst, src);
	byte(out, imm);
}

void x86_mulx(struct buf *out, bool w, enum x86_reg hi, enum x86_reg lo, enum x86_reg src)
{
	vex(out, 2, 3, w, hi, lo, src);
	byte(out, 0xf6);
	modrm_reg(out, hi, src);
}

void x86_movzx_rr(struct buf *out, u32 len, enum x86_reg dst, enum x86_reg src)
{
	if (len == 4) {
		x86_mov_rr(out, false, dst, src);
		return;
	}
	rex(out, false, dst, src, len == 1 && src >= RSP);
	byte(out, TWO_BYTE);
	byte(out, len == 1 ? 0xb6 : 0xb7);
	modrm_reg(out, dst, src);
}

void x86_movsx_rr(struct buf *out, u32 len, bool w, enum x86_reg dst, enum x86_reg src)
{
	if (len == 4) {
		op_rr(out, w, 0x63, dst, src);
		return;
	}
	rex(out, w, dst, src, len == 1 && src >= RSP);
	byte(out, TWO_BYTE);
	byte(out, len == 1 ? 0xbe : 0xbf);
	modrm_reg(out, dst, src);
}

void x86_load(struct buf *out, u32 len, enum x86_reg dst, struct x86_mem mem)
{
	if (len >= 4)
		op_mem(out, len == 8, 0x8b, dst, mem);
	else
		op2_mem(out, false, len == 1 ? 0xb6 : 0xb7, dst, mem);
}

void x86_load_be(struct buf *out, u32 len, enum x86_reg dst, struct x86_mem mem)
{
	if (len == 2)
		byte(out, OPERAND16);
	rex_mem(out, len == 8, dst, mem, false);
	byte(out, TWO_BYTE);
	byte(out, 0x38);
	byte(out, 0xf0);
	modrm_mem(out, dst, mem);
}

void x86_load_sx(struct buf *out, u32 len, enum x86_reg dst, struct x86_mem mem)
{
	if (len == 4)
		op_mem(out, true, 0x63, dst, mem);
	else
		op2_mem(out, true, len == 1 ? 0xbe : 0xbf, dst, mem);
}

void x86_store(struct buf *out, u32 len, struct x86_mem mem, enum x86_reg src)
{
	if (len == 2)
		byte(out, OPERAND16);
	rex_mem(out, len == 8, src, mem, len == 1 && src >= RSP);
	byte(out, len == 1 ? 0x88 : 0x89);
	modrm_mem(out, src, mem);
}

void x86_store_imm(struct buf *out, u32 len, struct x86_mem mem, s32 imm)
{
	if (len == 2)
		byte(out, OPERAND16);
	op_mem(out, len == 8, len == 1 ? 0xc6 : 0xc7, 0, mem);
	buf_add(out, &imm, MIN(len, 4u));
}

void x86_zero_xmm0(struct buf *out)
{
	byte(out, TWO_BYTE);
	byte(out, 0x57); /* xorps */
	modrm_reg(out, 0, 0);
}

void x86_store_xmm0(struct buf *out, struct x86_mem mem)
{
	op2_mem(out, false, 0x11, 0, mem); /* movups */
}

void x86_lea(struct buf *out, bool w, enum x86_reg dst, struct x86_mem mem)
{
	op_mem(out, w, 0x8d, dst, mem);
}

static u32 distance(struct buf *out)
{
	imm32(out, 0);
	return out->len - sizeof(s32);
}

u32 x86_lea_here(struct buf *out, enum x86_reg dst)
{
	rex(out, true, dst, 0, false);
	byte(out, 0x8d);
	byte(out, (u8)(0x05 | (dst & 7) << 3)); /* rip and a distance */
	return distance(out);
}

void x86_lock_alu(struct buf *out, enum x86_alu op, bool w, struct x86_mem mem, enum x86_reg src)
{
	byte(out, LOCK);
	op_mem(out, w, op, src, mem);
}

void x86_lock_xadd(struct buf *out, bool w, struct x86_mem mem, enum x86_reg src)
{
	byte(out, LOCK);
	op2_mem(out, w, 0xc1, src, mem);
}

void x86_xchg(struct buf *out, bool w, struct x86_mem mem, enum x86_reg src)
{
	op_mem(out, w, 0x87, src, mem);
}

void x86_lock_cmpxchg(struct buf *out, bool w, struct x86_mem mem, enum x86_reg src)
{
	byte(out, LOCK);
	op2_mem(out, w, 0xb1, src, mem);
}

void x86_push(struct buf *out, enum x86_reg reg)
{
	rex(out, false, 0, reg, false);
	byte(out, 0x50 | (reg & 7));
}

void x86_pop(struct buf *out, enum x86_reg reg)
{
	rex(out, false, 0, reg, false);
	byte(out, 0x58 | (reg & 7));
}

void x86_leave(struct buf *out)
{
	byte(out, 0xc9);
}

void x86_ret(struct buf *out)
{
	byte(out, 0xc3);
}

/* The forms that the manual recommends for each length: few long ones take less time than many short ones. */
void x86_nops(u8 *at, u32 len)
{
	static const u8 forms[][9] = {{0x90}, {0x66, 0x90}, {0x0f, 0x1f, 0x00},
		{0x0f, 0x1f, 0x40, 0x00}, {0x0f, 0x1f, 0x44, 0x00, 0x00},
		{0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00}, {0x0f, 0x1f, 0x80}, {0x0f, 0x1f, 0x84, 0x00},
		{0x66, 0x0f, 0x1f, 0x84, 0x00}};

	for (u32 cnt; len; at += cnt, len -= cnt) {
		cnt = MIN(len, (u32)ARRAY_SIZE(forms));
		memcpy(at, forms[cnt - 1], cnt);
	}
}

void x86_call_reg(struct buf *out, enum x86_reg reg)
{
	op_rr(out, false, 0xff, 2, reg);
}

void x86_jmp_reg(struct buf *out, enum x86_reg reg)
{
	op_rr(out, false, 0xff, 4, reg);
}

u32 x86_jmp8(struct buf *out)
{
	byte(out, 0xeb);
	byte(out, 0);
	return out->len - 1;
}

u32 x86_jcc8(struct buf *out, enum x86_cc cc)
{
	byte(out, 0x70 | cc);
	byte(out, 0);
	return out->len - 1;
}

void x86_patch8(struct buf *out, u32 at, u32 dest)
{
	if (!out->err)
		out->data[at] = (char)(dest - (at + 1));
}

void x86_here8(struct buf *out, u32 at)
{
	x86_patch8(out, at, out->len);
}

u32 x86_jmp(struct buf *out)
{
	byte(out, 0xe9);
	return distance(out);
}

u32 x86_jcc(struct buf *out, enum x86_cc cc)
{
	byte(out, TWO_BYTE);
	byte(out, 0x80 | cc);
	return distance(out);
}

u32 x86_call(struct buf *out)
{
	byte(out, 0xe8);
	return distance(out);
}

void x86_patch(struct buf *out, u32 at, u32 dest)
{
	s32 dist = dest - (at + sizeof(dist));

	if (!out->err)
		memcpy(out->data + at, &dist, sizeof(dist));
}
