/*
 * BPF to A64, one instruction at a time. Division needs no care: a quotient by 0 is 0, the smallest number
 * by -1 wraps, and the remainder is what these leave, all as BPF has it. Shifts by a register take the
 * count modulo the width, as BPF does.
 */
#include <asm/hwcap.h>
#include <errno.h>
#include <sys/auxv.h>

#include "isa/isa.h"
#include "jit/arm64/arm64.h"

enum {
	INSN_LEN_MAX = 160, /* bytes of code for one instruction, a prologue before it included */
	NEAR_MAX = A64_BCC_MAX / INSN_LEN_MAX, /* what a conditional jump reaches in any case */
};

void a64_emit_add(struct buf *out, bool w, enum a64_reg rd, enum a64_reg rn, s64 imm)
{
	const enum a64_add_imm op = imm < 0 ? A64_SUB_IMM : A64_ADD_IMM;
	const u64 size = imm < 0 ? -(u64)imm : (u64)imm;

	if (size < 1 << 24 && (size <= 0xfff || !(size & 0xfff))) {
		a64_add_imm(out, op, w, rd, rn, (u32)size);
		return;
	}
	if (rd == SP || rn == SP) {
		a64_add_imm(out, op, w, rd, rn, (u32)size & 0xfff000);
		a64_add_imm(out, op, w, rd, rd, (u32)size & 0xfff);
		return;
	}
	a64_mov_ri(out, TMP, (u64)imm);
	a64_alu(out, A64_ADD, w, rd, rn, TMP);
}

void a64_emit_mem(
	struct buf *out, enum a64_mem op, u32 len, enum a64_reg rt, enum a64_reg rn, s32 off)
{
	if (a64_mem(out, op, len, rt, rn, off))
		return;
	a64_mov_ri(out, TMP2, (u64)(s64)off);
	a64_mem_reg(out, op, len, rt, rn, TMP2);
}

/* A conditional jump reaches 1 MiB; farther, the inverted one goes round a plain jump of 128 MiB. */
static bool is_near(s32 off)
{
	return off >= -NEAR_MAX && off <= NEAR_MAX;
}

void a64_jump_cc(struct jit *jit, enum a64_cc cc, u32 idx, s32 off)
{
	struct buf *out = &jit->out;
	u32 round;

	if (is_near(off)) {
		jit_add_fixup(jit, a64_bcc(out, cc), idx + 1 + (u32)off, JIT_FIX_JUMP);
		return;
	}
	round = a64_bcc(out, cc ^ 1);
	jit_add_fixup(jit, a64_b(out), idx + 1 + (u32)off, JIT_FIX_JUMP);
	a64_patch(out, round, (u32)out->len);
}

void a64_jump_zero(struct jit *jit, bool w, bool is_nz, enum a64_reg rt, u32 idx, s32 off)
{
	struct buf *out = &jit->out;
	u32 round;

	if (is_near(off)) {
		jit_add_fixup(jit, a64_cbz(out, w, is_nz, rt), idx + 1 + (u32)off, JIT_FIX_JUMP);
		return;
	}
	round = a64_cbz(out, w, !is_nz, rt);
	jit_add_fixup(jit, a64_b(out), idx + 1 + (u32)off, JIT_FIX_JUMP);
	a64_patch(out, round, (u32)out->len);
}

/* ---- arithmetic ---- */

static void emit_add(
	struct buf *out, const struct bpf_insn *insn, bool w, enum a64_reg dst, enum a64_reg src)
{
	const bool is_sub = BPF_OP(insn->code) == BPF_SUB;

	if (BPF_SRC(insn->code) == BPF_X)
		a64_alu(out, is_sub ? A64_SUB : A64_ADD, w, dst, dst, src);
	else
		a64_emit_add(out, w, dst, dst, is_sub ? -(s64)insn->imm : insn->imm);
}

static void emit_logic(
	struct buf *out, const struct bpf_insn *insn, bool w, enum a64_reg dst, enum a64_reg src)
{
	enum a64_alu op = A64_AND;
	enum a64_logic_imm imm_op = A64_AND_IMM;

	if (BPF_OP(insn->code) == BPF_OR) {
		op = A64_ORR;
		imm_op = A64_ORR_IMM;
	} else if (BPF_OP(insn->code) == BPF_XOR) {
		op = A64_EOR;
		imm_op = A64_EOR_IMM;
	}
	if (BPF_SRC(insn->code) == BPF_X) {
		a64_alu(out, op, w, dst, dst, src);
		return;
	}
	if (a64_logic_imm(out, imm_op, w, dst, dst, (u64)(s64)insn->imm))
		return;
	a64_mov_ri(out, TMP, (u64)(s64)insn->imm);
	a64_alu(out, op, w, dst, dst, TMP);
}

static void emit_shift(
	struct buf *out, const struct bpf_insn *insn, bool w, enum a64_reg dst, enum a64_reg src)
{
	enum a64_shift op = A64_LSL;
	enum a64_alu reg_op = A64_LSLV;

	if (BPF_OP(insn->code) == BPF_RSH) {
		op = A64_LSR;
		reg_op = A64_LSRV;
	} else if (BPF_OP(insn->code) == BPF_ARSH) {
		op = A64_ASR;
		reg_op = A64_ASRV;
	}
	if (BPF_SRC(insn->code) == BPF_X)
		a64_alu(out, reg_op, w, dst, dst, src);
	else
		a64_shift_imm(out, op, w, dst, dst, (u32)insn->imm & (w ? 63 : 31));
}

static void emit_muldiv(
	struct buf *out, const struct bpf_insn *insn, bool w, enum a64_reg dst, enum a64_reg src)
{
	const enum a64_alu div = insn->off == 1 ? A64_SDIV : A64_UDIV;

	if (BPF_SRC(insn->code) == BPF_K) {
		a64_mov_ri(out, TMP, (u64)(s64)insn->imm);
		src = TMP;
	}
	switch (BPF_OP(insn->code)) {
	case BPF_MUL: a64_muladd(out, A64_MADD, w, dst, dst, src, XZR); break;
	case BPF_DIV: a64_alu(out, div, w, dst, dst, src); break;
	default:
		a64_alu(out, div, w, TMP2, dst, src);
		a64_muladd(out, A64_MSUB, w, dst, TMP2, src, dst);
	}
}

static void emit_end(struct jit *jit, const struct bpf_insn *insn, enum a64_reg dst)
{
	struct buf *out = &jit->out;
	bool swaps = BPF_CLASS(insn->code) == BPF_ALU64 || BPF_SRC(insn->code) == BPF_TO_BE;

	switch (insn->imm) {
	case 16:
		if (swaps)
			a64_rev16(out, dst, dst);
		a64_uxth(out, dst, dst);
		break;
	case 32:
		if (swaps)
			a64_rev(out, false, dst, dst);
		else
			a64_mov_rr(out, false, dst, dst);
		break;
	case 64:
		if (swaps)
			a64_rev(out, true, dst, dst);
		break;
	default: jit->err = -EINVAL;
	}
}

static void emit_mov(
	struct jit *jit, const struct bpf_insn *insn, bool w, enum a64_reg dst, enum a64_reg src)
{
	struct buf *out = &jit->out;

	if (BPF_SRC(insn->code) == BPF_K) {
		a64_mov_ri(out, dst, w ? (u64)(s64)insn->imm : (u32)insn->imm);
		return;
	}
	switch (insn->off) {
	case 0: a64_mov_rr(out, w, dst, src); break;
	case 8:
	case 16: a64_sxt(out, (u32)insn->off / 8, w, dst, src); break;
	case 32:
		if (w)
			a64_sxt(out, 4, true, dst, src);
		else
			jit->err = -EINVAL;
		break;
	default: jit->err = -EINVAL; /* address spaces */
	}
}

static void emit_alu(struct jit *jit, const struct bpf_insn *insn)
{
	struct buf *out = &jit->out;
	bool w = BPF_CLASS(insn->code) == BPF_ALU64;
	enum a64_reg dst = a64_reg_of(insn->dst_reg), src = a64_reg_of(insn->src_reg);

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
	case BPF_SUB: emit_add(out, insn, w, dst, src); break;
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR: emit_logic(out, insn, w, dst, src); break;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH: emit_shift(out, insn, w, dst, src); break;
	case BPF_MUL:
	case BPF_DIV:
	case BPF_MOD: emit_muldiv(out, insn, w, dst, src); break;
	case BPF_NEG: a64_alu(out, A64_SUB, w, dst, XZR, dst); break;
	case BPF_MOV: emit_mov(jit, insn, w, dst, src); break;
	case BPF_END: emit_end(jit, insn, dst); break;
	default: jit->err = -EINVAL;
	}
}

/* ---- jumps ---- */

/* Condition codes plus 1, so that 0 says there is none. */
static const u8 cc_of[] = {
	[BPF_JEQ >> 4] = A64_EQ + 1,
	[BPF_JNE >> 4] = A64_NE + 1,
	[BPF_JSET >> 4] = A64_NE + 1,
	[BPF_JGT >> 4] = A64_HI + 1,
	[BPF_JGE >> 4] = A64_HS + 1,
	[BPF_JLT >> 4] = A64_LO + 1,
	[BPF_JLE >> 4] = A64_LS + 1,
	[BPF_JSGT >> 4] = A64_GT + 1,
	[BPF_JSGE >> 4] = A64_GE + 1,
	[BPF_JSLT >> 4] = A64_LT + 1,
	[BPF_JSLE >> 4] = A64_LE + 1,
};

/* Sets the flags for dst compared to, or tested with, a constant. Comparing with -n is adding n. */
static void compare_imm(struct buf *out, bool is_test, bool w, enum a64_reg dst, s32 imm)
{
	const u32 size = imm < 0 ? -(u32)imm : (u32)imm;

	if (is_test && a64_logic_imm(out, A64_ANDS_IMM, w, XZR, dst, (u64)(s64)imm))
		return;
	if (!is_test && a64_add_imm(out, imm < 0 ? A64_ADDS_IMM : A64_SUBS_IMM, w, XZR, dst, size))
		return;
	a64_mov_ri(out, TMP, (u64)(s64)imm);
	a64_alu(out, is_test ? A64_ANDS : A64_SUBS, w, XZR, dst, TMP);
}

static void emit_cond(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	struct buf *out = &jit->out;
	bool w = BPF_CLASS(insn->code) == BPF_JMP, is_test = BPF_OP(insn->code) == BPF_JSET;
	enum a64_reg dst = a64_reg_of(insn->dst_reg), src = a64_reg_of(insn->src_reg);
	u8 cc = BPF_OP(insn->code) >> 4 < ARRAY_SIZE(cc_of) ? cc_of[BPF_OP(insn->code) >> 4] : 0;

	if (!cc) {
		jit->err = -EINVAL;
		return;
	}
	cc--;
	if (BPF_SRC(insn->code) == BPF_K && !insn->imm && !is_test && cc <= A64_NE) {
		a64_jump_zero(jit, w, cc == A64_NE, dst, idx, insn->off);
		return;
	}
	if (BPF_SRC(insn->code) == BPF_X)
		a64_alu(out, is_test ? A64_ANDS : A64_SUBS, w, XZR, dst, src);
	else
		compare_imm(out, is_test, w, dst, insn->imm);
	a64_jump_cc(jit, cc, idx, insn->off);
}

static void jump(struct jit *jit, u32 idx)
{
	jit_add_fixup(jit, a64_b(&jit->out), idx, JIT_FIX_JUMP);
}

static void emit_jump(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	switch (BPF_OP(insn->code)) {
	case BPF_JA: jump(jit, idx + 1 + (u32)isa_jump_off(insn)); break;
	case BPF_CALL: a64_emit_call(jit, insn, idx); break;
	case BPF_JCOND: a64_may_goto(jit, insn, idx); break;
	case BPF_EXIT:
		a64_drop_frame(jit);
		a64_ret(&jit->out);
		break;
	default: emit_cond(jit, insn, idx);
	}
}

/* ---- memory ---- */

static void emit_store_imm(struct buf *out, const struct bpf_insn *insn, enum a64_reg base)
{
	enum a64_reg value = XZR;

	if (insn->imm) {
		value = TMP;
		a64_mov_ri(out, value, (u64)(s64)insn->imm);
	}
	a64_emit_mem(out, A64_STORE, isa_access_len(insn), value, base, insn->off);
}

static void emit_one(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	const u32 len = isa_access_len(insn);
	struct buf *out = &jit->out;
	const enum a64_reg dst = a64_reg_of(insn->dst_reg), src = a64_reg_of(insn->src_reg);

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: emit_alu(jit, insn); return;
	case BPF_JMP:
	case BPF_JMP32: emit_jump(jit, insn, idx); return;
	}
	switch (insn->code & ~0x18) { /* class and mode; 0x18 is the size */
	case BPF_LD | BPF_IMM:
		if (!isa_is_lddw(insn))
			jit->err = -EINVAL;
		else if (insn->src_reg == BPF_PSEUDO_FUNC)
			a64_load_func(jit, dst, (u32)insn->imm);
		else
			a64_mov_ri(out, dst, isa_imm64(insn));
		break;
	case BPF_LDX | BPF_MEM: a64_emit_mem(out, A64_LOAD, len, dst, src, insn->off); break;
	case BPF_LDX | BPF_MEMSX: a64_emit_mem(out, A64_LOAD_SX, len, dst, src, insn->off); break;
	case BPF_STX | BPF_MEM: a64_emit_mem(out, A64_STORE, len, src, dst, insn->off); break;
	case BPF_ST | BPF_MEM: emit_store_imm(out, insn, dst); break;
	case BPF_STX | BPF_ATOMIC: a64_emit_atomic(jit, insn); break;
	case BPF_LD | BPF_ABS:
	case BPF_LD | BPF_IND: a64_load_packet(jit, insn); break;
	default: jit->err = -EINVAL;
	}
}

static u32 emit_insn(struct jit *jit, u32 idx)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];

	emit_one(jit, insn, idx);
	return isa_is_lddw(insn) ? 2 : 1;
}

/* Every instruction has one length, so nothing moves. */
static int finish(struct jit *jit, u32 *offs[], const u32 cnts[], u32 array_cnt)
{
	for (u32 i = 0; i < jit->fixup_cnt; i++) {
		const struct jit_fixup *fixup = &jit->fixups[i];
		s64 dest = (s64)fixup->target;

		if (fixup->kind == JIT_FIX_ADDR)
			dest -= (s64)(uintptr_t)jit->base;
		if (!a64_patch(&jit->out, fixup->at, dest))
			return -EINVAL;
	}
	return 0;
}

/* Processors since Armv8.1 have atomic operations as single instructions. */
static u32 detect(void)
{
	return getauxval(AT_HWCAP) & HWCAP_ATOMICS ? A64_HAS_LSE : 0;
}

static const struct jit_target arm64_target = {
	.name = "arm64",
	.insn_len_max = INSN_LEN_MAX,
	.spare_cnt = 3,
	.detect = detect,
	.entry = a64_entry,
	.prologue = a64_prologue,
	.callback = a64_callback,
	.jump = jump,
	.insn = emit_insn,
	.finish = finish,
};

const struct jit_target *const jit_target = &arm64_target;
