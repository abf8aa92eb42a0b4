/*
 * A64 encodings. Every instruction is a little-endian word: the operation's constant, rd or rt in bits
 * 0-4, rn in 5-9, and what the form has besides.
 */
#include "jit/arm64/asm.h"

static void put(struct buf *out, u32 word)
{
	const u8 bytes[] = {(u8)word, (u8)(word >> 8), (u8)(word >> 16), (u8)(word >> 24)};

	buf_add(out, bytes, sizeof(bytes));
}

/* Bit 31: 64-bit operands */
static u32 sf(bool w)
{
	return (u32)w << 31;
}

static u32 log2_of(u32 len)
{
	return (u32)__builtin_ctz(len);
}

void a64_alu(
	struct buf *out, enum a64_alu op, bool w, enum a64_reg rd, enum a64_reg rn, enum a64_reg rm)
{
	put(out, op | sf(w) | (u32)rm << 16 | (u32)rn << 5 | rd);
}

bool a64_add_imm(
	struct buf *out, enum a64_add_imm op, bool w, enum a64_reg rd, enum a64_reg rn, u32 imm)
{
	u32 shifted = 0;

	if (imm > 0xfff && !(imm & 0xfff)) {
		shifted = 1;
		imm >>= 12;
	}
	if (imm > 0xfff)
		return false;
	put(out, op | sf(w) | shifted << 22 | imm << 10 | (u32)rn << 5 | rd);
	return true;
}

/*
 * N, immr and imms of a logical immediate, as in bits 22-10. Such a number is an element of 2, 4 ... 64
 * bits, repeated; an element is a run of ones, rotated right by immr. imms has the length of the run,
 * less one, below ones that tell the element's size.
 */
static bool encode_logic(u64 imm, u32 *ret_bits)
{
	u32 size = 64, ones, start, immr;
	u64 mask, run;

	if (!imm || !~imm)
		return false;
	while (size > 2 && !((imm ^ imm >> size / 2) & (~(u64)0 >> (64 - size / 2))))
		size /= 2;
	mask = ~(u64)0 >> (64 - size);
	run = imm & mask;
	ones = (u32)__builtin_popcountll(run);
	/* the run starts at its lowest bit, unless it goes round the end of the element */
	if (run & 1 && run >> (size - 1) & 1)
		start = size - (u32)__builtin_clzll(~(run << (64 - size)));
	else
		start = (u32)__builtin_ctzll(run);
	immr = (size - start) % size;
	run = (run >> start | run << immr) & mask;
	if (run != ~(u64)0 >> (64 - ones))
		return false;
	*ret_bits = (u32)(size == 64) << 22 | immr << 16 |
		    (((~(size * 2 - 1) & 0x3f) | (ones - 1)) << 10);
	return true;
}

bool a64_logic_imm(
	struct buf *out, enum a64_logic_imm op, bool w, enum a64_reg rd, enum a64_reg rn, u64 imm)
{
	u32 bits;

	if (!w)
		imm = imm << 32 | (u32)imm;
	if (!encode_logic(imm, &bits))
		return false;
	put(out, op | sf(w) | bits | (u32)rn << 5 | rd);
	return true;
}

void a64_mov_wide(struct buf *out, enum a64_wide op, bool w, enum a64_reg rd, u16 imm, u32 half)
{
	put(out, op | sf(w) | half << 21 | (u32)imm << 5 | rd);
}

void a64_mov_rr(struct buf *out, bool w, enum a64_reg rd, enum a64_reg rm)
{
	a64_alu(out, A64_ORR, w, rd, XZR, rm);
}

/* What one instruction other than movz and movn x loads. */
static bool mov_one(struct buf *out, enum a64_reg rd, u64 imm)
{
	if (a64_logic_imm(out, A64_ORR_IMM, true, rd, XZR, imm))
		return true;
	if (imm >> 32 || ((u16)imm != 0xffff && (u16)(imm >> 16) != 0xffff))
		return false;
	if ((u16)imm == 0xffff)
		a64_mov_wide(out, A64_MOVN, false, rd, (u16) ~(imm >> 16), 1);
	else
		a64_mov_wide(out, A64_MOVN, false, rd, (u16)~imm, 0);
	return true;
}

void a64_mov_ri(struct buf *out, enum a64_reg rd, u64 imm)
{
	enum a64_wide first = A64_MOVZ, op;
	u32 zeros = 0, ones = 0;
	u16 skip = 0;

	for (u32 half = 0; half < 4; half++) {
		zeros += (u16)(imm >> 16 * half) == 0;
		ones += (u16)(imm >> 16 * half) == 0xffff;
	}
	if (zeros < 3 && ones < 3 && mov_one(out, rd, imm))
		return;
	if (ones > zeros) {
		first = A64_MOVN;
		skip = 0xffff;
	}
	op = first;
	for (u32 half = 0; half < 4; half++) {
		const u16 part = (u16)(imm >> 16 * half);

		if (part == skip)
			continue;
		a64_mov_wide(out, op, true, rd, op == A64_MOVN ? (u16)~part : part, half);
		op = A64_MOVK;
	}
	if (op == first)
		a64_mov_wide(out, first, true, rd, 0, 0);
}

/* Bitfield moves; immr and imms as in the manual */
static void bitfield(struct buf *out, bool is_signed, bool w, enum a64_reg rd, enum a64_reg rn,
	u32 immr, u32 imms)
{
	put(out, (is_signed ? 0x13000000u : 0x53000000u) | sf(w) | (u32)w << 22 | immr << 16 |
			 imms << 10 | (u32)rn << 5 | rd);
}

void a64_shift_imm(
	struct buf *out, enum a64_shift op, bool w, enum a64_reg rd, enum a64_reg rn, u32 cnt)
{
	const u32 top = w ? 63 : 31;

	if (op == A64_LSL)
		bitfield(out, false, w, rd, rn, -cnt & top, top - cnt);
	else
		bitfield(out, op == A64_ASR, w, rd, rn, cnt, top);
}

void a64_sxt(struct buf *out, u32 len, bool w, enum a64_reg rd, enum a64_reg rn)
{
	bitfield(out, true, w, rd, rn, 0, len * 8 - 1);
}

void a64_uxth(struct buf *out, enum a64_reg rd, enum a64_reg rn)
{
	bitfield(out, false, false, rd, rn, 0, 15);
}

void a64_rev16(struct buf *out, enum a64_reg rd, enum a64_reg rn)
{
	put(out, 0x5ac00400u | (u32)rn << 5 | rd);
}

void a64_rev(struct buf *out, bool w, enum a64_reg rd, enum a64_reg rn)
{
	put(out, (w ? 0xdac00c00u : 0x5ac00800u) | (u32)rn << 5 | rd);
}

void a64_muladd(struct buf *out, enum a64_muladd op, bool w, enum a64_reg rd, enum a64_reg rn,
	enum a64_reg rm, enum a64_reg ra)
{
	put(out, op | sf(w) | (u32)rm << 16 | (u32)ra << 10 | (u32)rn << 5 | rd);
}

/* Size in bits 30-31, direction and extension in 22-23 */
static u32 mem_bits(enum a64_mem op, u32 len)
{
	return log2_of(len) << 30 | (u32)(op == A64_LOAD_SX && len == 8 ? A64_LOAD : op) << 22;
}

bool a64_mem(struct buf *out, enum a64_mem op, u32 len, enum a64_reg rt, enum a64_reg rn, s32 off)
{
	const u32 regs = mem_bits(op, len) | (u32)rn << 5 | rt;

	if (off >= 0 && off % (s32)len == 0 && off / (s32)len <= 0xfff)
		put(out, 0x39000000u | regs | (u32)off / len << 10);
	else if (off >= -256 && off <= 255)
		put(out, 0x38000000u | regs | ((u32)off & 0x1ff) << 12);
	else
		return false;
	return true;
}

void a64_mem_reg(struct buf *out, enum a64_mem op, u32 len, enum a64_reg rt, enum a64_reg rn,
	enum a64_reg rm)
{
	put(out, 0x38206800u | mem_bits(op, len) | (u32)rm << 16 | (u32)rn << 5 | rt);
}

void a64_mem_moving(struct buf *out, enum a64_mem op, enum a64_index index, enum a64_reg rt,
	enum a64_reg rn, s32 off)
{
	put(out, 0x38000000u | mem_bits(op, 8) | ((u32)off & 0x1ff) << 12 | (u32)index << 10 |
			 (u32)rn << 5 | rt);
}

/* mode: bits 23-24 */
static void pair(struct buf *out, u32 mode, enum a64_mem op, enum a64_reg rt, enum a64_reg rt2,
	enum a64_reg rn, s32 off)
{
	put(out, 0xa8000000u | mode << 23 | (u32)op << 22 | ((u32)off / 8 & 0x7f) << 15 |
			 (u32)rt2 << 10 | (u32)rn << 5 | rt);
}

void a64_pair_moving(struct buf *out, enum a64_mem op, enum a64_index index, enum a64_reg rt,
	enum a64_reg rt2, enum a64_reg rn, s32 off)
{
	pair(out, index, op, rt, rt2, rn, off);
}

void a64_pair(struct buf *out, enum a64_mem op, enum a64_reg rt, enum a64_reg rt2, enum a64_reg rn,
	s32 off)
{
	pair(out, 2, op, rt, rt2, rn, off);
}

void a64_ordered(struct buf *out, enum a64_order op, u32 len, enum a64_reg rt, enum a64_reg rn)
{
	put(out, op | log2_of(len) << 30 | (u32)rn << 5 | rt);
}

void a64_stxr(
	struct buf *out, bool releases, u32 len, enum a64_reg rs, enum a64_reg rt, enum a64_reg rn)
{
	put(out, 0x08007c00u | (u32)releases << 15 | log2_of(len) << 30 | (u32)rs << 16 |
			 (u32)rn << 5 | rt);
}

void a64_lse(struct buf *out, enum a64_lse op, bool w, bool is_full, enum a64_reg rs,
	enum a64_reg rt, enum a64_reg rn)
{
	put(out, op | (w ? 3u : 2u) << 30 | (is_full ? 3u : 0u) << 22 | (u32)rs << 16 |
			 (u32)rn << 5 | rt);
}

void a64_casal(struct buf *out, bool w, enum a64_reg rs, enum a64_reg rt, enum a64_reg rn)
{
	put(out, 0x08e0fc00u | (w ? 3u : 2u) << 30 | (u32)rs << 16 | (u32)rn << 5 | rt);
}

void a64_dmb_ish(struct buf *out)
{
	put(out, 0xd5033bbfu);
}

static u32 put_jump(struct buf *out, u32 word)
{
	const u32 at = (u32)out->len;

	put(out, word);
	return at;
}

u32 a64_b(struct buf *out)
{
	return put_jump(out, 0x14000000u);
}

u32 a64_bl(struct buf *out)
{
	return put_jump(out, 0x94000000u);
}

u32 a64_bcc(struct buf *out, enum a64_cc cc)
{
	return put_jump(out, 0x54000000u | cc);
}

u32 a64_cbz(struct buf *out, bool w, bool is_nz, enum a64_reg rt)
{
	return put_jump(out, 0x34000000u | sf(w) | (u32)is_nz << 24 | rt);
}

u32 a64_adr(struct buf *out, enum a64_reg rd)
{
	return put_jump(out, 0x10000000u | rd);
}

void a64_br(struct buf *out, enum a64_reg rn)
{
	put(out, 0xd61f0000u | (u32)rn << 5);
}

void a64_blr(struct buf *out, enum a64_reg rn)
{
	put(out, 0xd63f0000u | (u32)rn << 5);
}

void a64_ret(struct buf *out)
{
	put(out, 0xd65f03c0u);
}

/* b and bl have 26 bits of distance in words, at bit 0; b.cc, cbz, cbnz and adr of a word have 19 at bit 5. */
bool a64_patch(struct buf *out, u32 at, s64 dest)
{
	const s64 words = (dest - (s64)at) / 4;
	u8 *bytes = (u8 *)out->data + at;
	u32 word;

	if (out->err) /* at may lie past what there is */
		return true;
	word = bytes[0] | (u32)bytes[1] << 8 | (u32)bytes[2] << 16 | (u32)bytes[3] << 24;
	if ((word & 0x7c000000u) == 0x14000000u) {
		if (words < -A64_B_MAX / 4 || words >= A64_B_MAX / 4)
			return false;
		word = (word & 0xfc000000u) | ((u32)words & 0x3ffffff);
	} else {
		if (words < -A64_BCC_MAX / 4 || words >= A64_BCC_MAX / 4)
			return false;
		word = (word & 0xff00001fu) | ((u32)words & 0x7ffff) << 5;
	}
	for (u32 i = 0; i < 4; i++)
		bytes[i] = (u8)(word >> 8 * i);
	return true;
}
