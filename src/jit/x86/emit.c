/*
 * BPF to x86-64, one instruction at a time.
 */
#include <errno.h>

#include "isa/isa.h"
#include "jit/x86/x86.h"

/* Shifts by a register need the count in cl, and rcx is R4. x86 masks the count as BPF does. */
static void shift_reg(
	struct buf *out, enum x86_shift op, bool w, enum x86_reg dst, enum x86_reg src)
{
	if (src == RCX && dst != RCX) {
		x86_shift_cl(out, op, w, dst);
		return;
	}
	x86_mov_rr(out, true, TMP, dst == RCX ? dst : RCX);
	if (dst == RCX) { /* shift the copy */
		x86_mov_rr(out, false, RCX, src);
		x86_shift_cl(out, op, w, TMP);
	} else {
		x86_mov_rr(out, false, RCX, src);
		x86_shift_cl(out, op, w, dst);
	}
	x86_mov_rr(out, true, RCX, TMP);
}

/* The machine's division needs rax and rdx and faults on 0 and on the one signed overflow. BPF: x / 0 = 0,
 * x % 0 = x, and INT_MIN / -1 wraps. Divisor in TMP, rax and rdx kept in TMP2 and TMP3. */
static void divide(struct buf *out, bool w, bool is_mod, bool is_signed, enum x86_reg dst)
{
	enum x86_reg result = is_mod ? RDX : RAX;
	u32 to_zero, to_minus = 0, to_end_zero, to_end_minus = 0;

	x86_test_rr(out, w, TMP, TMP);
	to_zero = x86_jcc(out, X86_E);
	if (is_signed) {
		x86_alu_ri(out, X86_CMP, w, TMP, -1);
		to_minus = x86_jcc(out, X86_E);
	}
	x86_mov_rr(out, true, TMP2, RAX);
	x86_mov_rr(out, true, TMP3, RDX);
	x86_mov_rr(out, w, RAX, dst);
	if (is_signed)
		x86_cqo(out, w);
	else
		x86_alu_rr(out, X86_XOR, false, RDX, RDX);
	x86_unary(out, is_signed ? X86_IDIV : X86_DIV, w, TMP);
	x86_mov_rr(out, w, TMP, result);
	x86_mov_rr(out, true, RAX, TMP2);
	x86_mov_rr(out, true, RDX, TMP3);
	x86_mov_rr(out, w, dst, TMP);
	to_end_zero = x86_jmp(out);
	if (is_signed) {
		x86_patch(out, to_minus, out->len);
		if (is_mod)
			x86_alu_rr(out, X86_XOR, false, dst, dst);
		else
			x86_unary(out, X86_NEG, w, dst);
		to_end_minus = x86_jmp(out);
	}
	x86_patch(out, to_zero, out->len);
	if (!is_mod)
		x86_alu_rr(out, X86_XOR, false, dst, dst);
	else if (!w)
		x86_mov_rr(out, false, dst, dst);
	x86_patch(out, to_end_zero, out->len);
	if (is_signed)
		x86_patch(out, to_end_minus, out->len);
}

static void emit_div(
	struct buf *out, const struct bpf_insn *insn, bool w, enum x86_reg dst, enum x86_reg src)
{
	if (BPF_SRC(insn->code) == BPF_X)
		x86_mov_rr(out, true, TMP, src);
	else
		x86_mov_ri(out, TMP, (s64)insn->imm);
	divide(out, w, BPF_OP(insn->code) == BPF_MOD, insn->off == 1, dst);
}

static void emit_end(struct jit *jit, const struct bpf_insn *insn, enum x86_reg dst)
{
	struct buf *out = &jit->out;
	bool swaps = BPF_CLASS(insn->code) == BPF_ALU64 || BPF_SRC(insn->code) == BPF_TO_BE;

	switch (insn->imm) {
	case 16:
		if (swaps)
			x86_rol16_8(out, dst);
		x86_movzx_rr(out, 2, dst, dst);
		break;
	case 32:
		if (swaps)
			x86_bswap(out, false, dst);
		else
			x86_mov_rr(out, false, dst, dst);
		break;
	case 64:
		if (swaps)
			x86_bswap(out, true, dst);
		break;
	default: jit->err = -EINVAL;
	}
}

static void emit_mov(
	struct jit *jit, const struct bpf_insn *insn, bool w, enum x86_reg dst, enum x86_reg src)
{
	struct buf *out = &jit->out;

	if (BPF_SRC(insn->code) == BPF_K) {
		x86_mov_ri(out, dst, w ? (u64)(s64)insn->imm : (u32)insn->imm);
		return;
	}
	switch (insn->off) {
	case 0: x86_mov_rr(out, w, dst, src); break;
	case 8:
	case 16:
	case 32: x86_movsx_rr(out, insn->off / 8, w, dst, src); break;
	default: jit->err = -EINVAL; /* address spaces */
	}
}

static void emit_shift(struct buf *out, const struct bpf_insn *insn, enum x86_shift op, bool w,
	enum x86_reg dst, enum x86_reg src)
{
	if (BPF_SRC(insn->code) == BPF_X)
		shift_reg(out, op, w, dst, src);
	else
		x86_shift_ri(out, op, w, dst, insn->imm & (w ? 63 : 31));
}

static void emit_two(struct buf *out, const struct bpf_insn *insn, enum x86_alu op, bool w,
	enum x86_reg dst, enum x86_reg src)
{
	if (BPF_SRC(insn->code) == BPF_X)
		x86_alu_rr(out, op, w, dst, src);
	else
		x86_alu_ri(out, op, w, dst, insn->imm);
}

static void emit_alu(struct jit *jit, const struct bpf_insn *insn)
{
	struct buf *out = &jit->out;
	bool w = BPF_CLASS(insn->code) == BPF_ALU64;
	enum x86_reg dst = x86_reg_of(insn->dst_reg), src = x86_reg_of(insn->src_reg);

	switch (BPF_OP(insn->code)) {
	case BPF_ADD: emit_two(out, insn, X86_ADD, w, dst, src); break;
	case BPF_SUB: emit_two(out, insn, X86_SUB, w, dst, src); break;
	case BPF_AND: emit_two(out, insn, X86_AND, w, dst, src); break;
	case BPF_OR: emit_two(out, insn, X86_OR, w, dst, src); break;
	case BPF_XOR: emit_two(out, insn, X86_XOR, w, dst, src); break;
	case BPF_LSH: emit_shift(out, insn, X86_SHL, w, dst, src); break;
	case BPF_RSH: emit_shift(out, insn, X86_SHR, w, dst, src); break;
	case BPF_ARSH: emit_shift(out, insn, X86_SAR, w, dst, src); break;
	case BPF_NEG: x86_unary(out, X86_NEG, w, dst); break;
	case BPF_DIV:
	case BPF_MOD: emit_div(out, insn, w, dst, src); break;
	case BPF_MOV: emit_mov(jit, insn, w, dst, src); break;
	case BPF_END: emit_end(jit, insn, dst); break;
	case BPF_MUL:
		if (BPF_SRC(insn->code) == BPF_X)
			x86_imul_rr(out, w, dst, src);
		else
			x86_imul_rri(out, w, dst, dst, insn->imm);
		break;
	default: jit->err = -EINVAL;
	}
}

/* and, or, xor that give back the old value: compare and exchange until nobody came between. */
static void emit_fetch_loop(
	struct buf *out, enum x86_alu op, bool w, struct x86_mem mem, enum x86_reg src)
{
	enum x86_reg value = src;
	u32 loop, again;

	x86_lea(out, TMP3, mem); /* the base may be rax */
	mem = (struct x86_mem){.base = TMP3};
	x86_mov_rr(out, true, TMP, RAX);
	if (src == RAX)
		value = TMP;
	x86_load(out, w ? 8 : 4, RAX, mem);
	loop = out->len;
	x86_mov_rr(out, true, TMP2, RAX);
	x86_alu_rr(out, op, w, TMP2, value);
	x86_lock_cmpxchg(out, w, mem, TMP2);
	again = x86_jcc(out, X86_NE);
	x86_patch(out, again, loop);
	if (src == RAX) {
		if (!w)
			x86_mov_rr(out, false, RAX, RAX);
		return;
	}
	x86_mov_rr(out, w, src, RAX);
	x86_mov_rr(out, true, RAX, TMP);
}

static const u8 alu_of[] = {[BPF_ADD >> 4] = X86_ADD,
	[BPF_OR >> 4] = X86_OR,
	[BPF_AND >> 4] = X86_AND,
	[BPF_XOR >> 4] = X86_XOR};

static void emit_atomic(struct jit *jit, const struct bpf_insn *insn)
{
	struct buf *out = &jit->out;
	u32 len = isa_access_len(insn);
	bool w = len == 8;
	enum x86_reg dst = x86_reg_of(insn->dst_reg), src = x86_reg_of(insn->src_reg);
	struct x86_mem mem = {.base = dst, .disp = insn->off};

	switch (insn->imm) {
	case BPF_ADD:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR: x86_lock_alu(out, alu_of[insn->imm >> 4], w, mem, src); break;
	case BPF_ADD | BPF_FETCH: x86_lock_xadd(out, w, mem, src); break;
	case BPF_AND | BPF_FETCH:
	case BPF_OR | BPF_FETCH:
	case BPF_XOR | BPF_FETCH:
		emit_fetch_loop(out, alu_of[(insn->imm & ~BPF_FETCH) >> 4], w, mem, src);
		break;
	case BPF_XCHG: x86_xchg(out, w, mem, src); break;
	case BPF_CMPXCHG:
		x86_lock_cmpxchg(out, w, mem, src);
		if (!w) /* eax is not written when the values were equal */
			x86_mov_rr(out, false, RAX, RAX);
		break;
	/* x86 loads are acquires and stores are releases */
	case BPF_LOAD_ACQ: x86_load(out, len, dst, (struct x86_mem){src, insn->off}); break;
	case BPF_STORE_REL: x86_store(out, len, mem, src); break;
	default: jit->err = -EINVAL;
	}
}

static const u8 cc_of[] = {
	[BPF_JEQ >> 4] = X86_E,
	[BPF_JNE >> 4] = X86_NE,
	[BPF_JSET >> 4] = X86_NE,
	[BPF_JGT >> 4] = X86_A,
	[BPF_JGE >> 4] = X86_AE,
	[BPF_JLT >> 4] = X86_B,
	[BPF_JLE >> 4] = X86_BE,
	[BPF_JSGT >> 4] = X86_G,
	[BPF_JSGE >> 4] = X86_GE,
	[BPF_JSLT >> 4] = X86_L,
	[BPF_JSLE >> 4] = X86_LE,
};

static void emit_cond(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	struct buf *out = &jit->out;
	bool w = BPF_CLASS(insn->code) == BPF_JMP, is_test = BPF_OP(insn->code) == BPF_JSET;
	enum x86_reg dst = x86_reg_of(insn->dst_reg), src = x86_reg_of(insn->src_reg);
	u8 cc = BPF_OP(insn->code) >> 4 < ARRAY_SIZE(cc_of) ? cc_of[BPF_OP(insn->code) >> 4] : 0;

	if (!cc) {
		jit->err = -EINVAL;
		return;
	}
	if (BPF_SRC(insn->code) == BPF_X && is_test)
		x86_test_rr(out, w, dst, src);
	else if (BPF_SRC(insn->code) == BPF_X)
		x86_alu_rr(out, X86_CMP, w, dst, src);
	else if (is_test)
		x86_test_ri(out, w, dst, insn->imm);
	else if (!insn->imm)
		x86_test_rr(out, w, dst, dst);
	else
		x86_alu_ri(out, X86_CMP, w, dst, insn->imm);
	jit_add_fixup(jit, x86_jcc(out, cc), idx + 1 + insn->off, false);
}

static void emit_jump(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		jit_add_fixup(jit, x86_jmp(&jit->out), idx + 1 + isa_jump_off(insn), false);
		break;
	case BPF_CALL: x86_emit_call(jit, insn, idx); break;
	case BPF_JCOND: x86_may_goto(jit, insn, idx); break;
	case BPF_EXIT:
		x86_drop_frame(jit);
		x86_ret(&jit->out);
		break;
	default: emit_cond(jit, insn, idx);
	}
}

static void emit_insn(struct jit *jit, u32 idx)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];
	struct buf *out = &jit->out;
	struct x86_mem dst_mem = {.disp = insn->off}, src_mem = {.disp = insn->off};
	enum x86_reg dst;

	if (insn->dst_reg > BPF_REG_10 || insn->src_reg > BPF_REG_10) {
		jit->err = -EINVAL;
		return;
	}
	dst = x86_reg_of(insn->dst_reg);
	dst_mem.base = dst;
	src_mem.base = x86_reg_of(insn->src_reg);
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
		else
			x86_mov_ri(out, dst, isa_imm64(insn));
		break;
	case BPF_LDX | BPF_MEM: x86_load(out, isa_access_len(insn), dst, src_mem); break;
	case BPF_LDX | BPF_MEMSX: x86_load_sx(out, isa_access_len(insn), dst, src_mem); break;
	case BPF_STX | BPF_MEM: x86_store(out, isa_access_len(insn), dst_mem, src_mem.base); break;
	case BPF_ST | BPF_MEM: x86_store_imm(out, isa_access_len(insn), dst_mem, insn->imm); break;
	case BPF_STX | BPF_ATOMIC: emit_atomic(jit, insn); break;
	default: jit->err = -EINVAL;
	}
}

static void patch(struct jit *jit, const struct jit_fixup *fixup, u32 dest)
{
	x86_patch(&jit->out, fixup->at, dest);
}

static const struct jit_target x86_target = {
	.name = "x86-64",
	.entry = x86_entry,
	.prologue = x86_prologue,
	.insn = emit_insn,
	.patch = patch,
};

const struct jit_target *const jit_target = &x86_target;
