/*
 * BPF to x86-64, one instruction at a time.
 */
#include <errno.h>

#include "core/arena.h"
#include "isa/isa.h"
#include "jit/x86/x86.h"

/* Shifts by a register need the count in cl, and rcx is R4. x86 masks the count as BPF does. */
static void shift_reg(
	struct jit *jit, enum x86_shift op, bool w, enum x86_reg dst, enum x86_reg src, u32 idx)
{
	struct buf *out = &jit->out;
	const bool keeps_rcx = x86_is_live(jit, idx, BPF_REG_4);

	if (jit->features & X86_BMI2) {
		x86_shiftx(out, op, w, dst, dst, src);
	} else if (src == RCX && dst != RCX) {
		x86_shift_cl(out, op, w, dst);
	} else if (dst == RCX) { /* shift a copy */
		x86_mov_rr(out, true, TMP, RCX);
		x86_mov_rr(out, false, RCX, src);
		x86_shift_cl(out, op, w, TMP);
		x86_mov_rr(out, true, RCX, TMP);
	} else {
		if (keeps_rcx)
			x86_mov_rr(out, true, TMP, RCX);
		x86_mov_rr(out, false, RCX, src);
		x86_shift_cl(out, op, w, dst);
		if (keeps_rcx)
			x86_mov_rr(out, true, RCX, TMP);
	}
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

/* Between user space's addresses of the arena and the program's, which are the low 32 bits of them. */
static void emit_cast(
	struct jit *jit, const struct bpf_insn *insn, bool w, enum x86_reg dst, enum x86_reg src)
{
	const struct arena *arena = jit->code->arena;
	struct buf *out = &jit->out;
	u32 is_null;

	if (!arena || !w || (insn->imm != 1 && insn->imm != 1 << 16)) {
		jit->err = -EINVAL;
		return;
	}
	x86_mov_rr(out, false, dst, src);
	if (insn->imm == 1)
		return;
	x86_mov_ri(out, TMP, arena_user_start(arena) & ~(u64)UINT32_MAX);
	x86_test_rr(out, false, dst, dst);
	is_null = x86_jcc8(out, X86_E);
	x86_alu_rr(out, X86_OR, true, dst, TMP);
	x86_here8(out, is_null);
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
	case 0:
		if (dst != src || (!w && !(jit->zext & 1 << insn->dst_reg)))
			x86_mov_rr(out, w, dst, src);
		break;
	case 8:
	case 16:
	case 32: x86_movsx_rr(out, insn->off / 8, w, dst, src); break;
	case BPF_ADDR_SPACE_CAST: emit_cast(jit, insn, w, dst, src); break;
	default: jit->err = -EINVAL;
	}
}

static void emit_shift(struct jit *jit, const struct bpf_insn *insn, enum x86_shift op, bool w,
	enum x86_reg dst, enum x86_reg src, u32 idx)
{
	if (BPF_SRC(insn->code) == BPF_X)
		shift_reg(jit, op, w, dst, src, idx);
	else
		x86_shift_ri(&jit->out, op, w, dst, insn->imm & (w ? 63 : 31));
}

static void emit_two(struct buf *out, const struct bpf_insn *insn, enum x86_alu op, bool w,
	enum x86_reg dst, enum x86_reg src)
{
	if (BPF_SRC(insn->code) == BPF_X && op == X86_XOR && dst == src)
		x86_alu_rr(out, op, false, dst, dst);
	else if (BPF_SRC(insn->code) == BPF_X)
		x86_alu_rr(out, op, w, dst, src);
	else if (op == X86_AND && (insn->imm == 0xff || insn->imm == 0xffff))
		x86_movzx_rr(out, insn->imm == 0xff ? 1 : 2, dst, dst);
	else if (op == X86_AND && insn->imm >= 0)
		x86_alu_ri(out, op, false, dst, insn->imm);
	else
		x86_alu_ri(out, op, w, dst, insn->imm);
}

/* Addresses are added up in a cycle or two, a product takes three. */
void x86_multiply(struct jit *jit, bool w, enum x86_reg dst, enum x86_reg src, s32 imm)
{
	struct buf *out = &jit->out;

	if (!(jit->features & JIT_FUSE))
		x86_imul_rri(out, w, dst, src, imm);
	else if (imm == 3 || imm == 5 || imm == 9)
		x86_lea(out, w, dst,
			(struct x86_mem){.base = src, .index = src, .scale = (u8)(imm - 1)});
	else if (imm > 0 && !(imm & (imm - 1))) {
		if (dst != src || !w)
			x86_mov_rr(out, w, dst, src);
		if (imm > 1)
			x86_shift_ri(out, X86_SHL, w, dst, (u8)__builtin_ctz((u32)imm));
	} else {
		x86_imul_rri(out, w, dst, src, imm);
	}
}

static void emit_alu(struct jit *jit, const struct bpf_insn *insn, u32 idx)
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
	case BPF_LSH: emit_shift(jit, insn, X86_SHL, w, dst, src, idx); break;
	case BPF_RSH: emit_shift(jit, insn, X86_SHR, w, dst, src, idx); break;
	case BPF_ARSH: emit_shift(jit, insn, X86_SAR, w, dst, src, idx); break;
	case BPF_NEG: x86_unary(out, X86_NEG, w, dst); break;
	case BPF_DIV:
	case BPF_MOD: x86_divide(jit, insn, idx); break;
	case BPF_MOV: emit_mov(jit, insn, w, dst, src); break;
	case BPF_END: emit_end(jit, insn, dst); break;
	case BPF_MUL:
		if (BPF_SRC(insn->code) == BPF_X)
			x86_imul_rr(out, w, dst, src);
		else
			x86_multiply(jit, w, dst, dst, insn->imm);
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

	x86_lea(out, true, TMP3, mem); /* the base may be rax */
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

static void emit_atomic(struct jit *jit, const struct bpf_insn *insn, struct x86_mem mem)
{
	struct buf *out = &jit->out;
	u32 len = isa_access_len(insn);
	bool w = len == 8;
	enum x86_reg dst = x86_reg_of(insn->dst_reg), src = x86_reg_of(insn->src_reg);

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
	case BPF_LOAD_ACQ: x86_load(out, len, dst, mem); break;
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

u8 x86_cc_of(u8 code)
{
	return BPF_OP(code) >> 4 < ARRAY_SIZE(cc_of) ? cc_of[BPF_OP(code) >> 4] : 0;
}

void x86_compare(struct jit *jit, const struct bpf_insn *insn)
{
	const bool is_test = BPF_OP(insn->code) == BPF_JSET;
	const enum x86_reg dst = x86_reg_of(insn->dst_reg), src = x86_reg_of(insn->src_reg);
	struct buf *out = &jit->out;
	bool w = BPF_CLASS(insn->code) == BPF_JMP;

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
}

static void emit_cond(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	const u8 cc = x86_cc_of(insn->code);

	if (!cc) {
		jit->err = -EINVAL;
		return;
	}
	if (!insn->off)
		return;
	x86_compare(jit, insn);
	jit_add_fixup(jit, x86_jcc(&jit->out, cc), idx + 1 + (u32)insn->off, JIT_FIX_JUMP);
}

static void emit_jump(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		if (isa_jump_off(insn))
			jit_add_fixup(jit, x86_jmp(&jit->out), idx + 1 + (u32)isa_jump_off(insn),
				JIT_FIX_JUMP);
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

/* The arena's window at the low 32 bits of base: TMP2 + TMP + off, or the base in place of TMP where they are all. */
static struct x86_mem arena_mem(struct jit *jit, u8 base, s16 off)
{
	struct x86_mem mem = {.base = TMP2, .disp = off, .index = x86_reg_of(base), .scale = 1};

	if (!jit->code->arena) {
		jit->err = -EINVAL;
		return mem;
	}
	if (!(jit->zext & 1 << base)) {
		x86_mov_rr(&jit->out, false, TMP, mem.index);
		mem.index = TMP;
	}
	x86_mov_ri(&jit->out, TMP2, arena_window(jit->code->arena));
	return mem;
}

/* Of a load, a store, or an atomic operation. */
static struct x86_mem operand(struct jit *jit, const struct bpf_insn *insn)
{
	const u8 base = isa_is_read(insn) ? insn->src_reg : insn->dst_reg;

	if (isa_is_arena(insn))
		return arena_mem(jit, base, insn->off);
	return (struct x86_mem){.base = x86_reg_of(base), .disp = insn->off};
}

static void emit_mem(struct jit *jit, const struct bpf_insn *insn)
{
	const enum x86_reg dst = x86_reg_of(insn->dst_reg), src = x86_reg_of(insn->src_reg);
	const struct x86_mem mem = operand(jit, insn);
	const u32 len = isa_access_len(insn);
	struct buf *out = &jit->out;

	switch (insn->code & ~0x18) { /* class and mode; 0x18 is the size */
	case BPF_LDX | BPF_PROBE_MEM32:
	case BPF_LDX | BPF_MEM: x86_load(out, len, dst, mem); break;
	case BPF_LDX | BPF_PROBE_MEM32SX:
	case BPF_LDX | BPF_MEMSX: x86_load_sx(out, len, dst, mem); break;
	case BPF_STX | BPF_PROBE_MEM32:
	case BPF_STX | BPF_MEM: x86_store(out, len, mem, src); break;
	case BPF_ST | BPF_PROBE_MEM32:
	case BPF_ST | BPF_MEM: x86_store_imm(out, len, mem, insn->imm); break;
	case BPF_STX | BPF_PROBE_ATOMIC:
	case BPF_STX | BPF_ATOMIC: emit_atomic(jit, insn, mem); break;
	default: jit->err = -EINVAL;
	}
}

static void emit_one(struct jit *jit, u32 idx)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];
	struct buf *out = &jit->out;
	const enum x86_reg dst = x86_reg_of(insn->dst_reg);

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: emit_alu(jit, insn, idx); return;
	case BPF_JMP:
	case BPF_JMP32: emit_jump(jit, insn, idx); return;
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX: emit_mem(jit, insn); return;
	}
	switch (insn->code & ~0x18) { /* class and mode; 0x18 is the size */
	case BPF_LD | BPF_IMM:
		if (!isa_is_lddw(insn))
			jit->err = -EINVAL;
		else if (insn->src_reg == BPF_PSEUDO_FUNC)
			x86_load_func(jit, dst, (u32)insn->imm);
		else
			x86_mov_ri(out, dst, isa_imm64(insn));
		break;
	case BPF_LD | BPF_ABS:
	case BPF_LD | BPF_IND:
		if (jit->guarded)
			x86_check_packet(jit, insn, idx);
		else
			x86_load_packet(jit, insn);
		break;
	default: jit->err = -EINVAL;
	}
}

/* Registers whose upper half an instruction of class ALU64 leaves 0, given those before it. */
static bool alu64_clears(const struct jit *jit, const struct bpf_insn *insn)
{
	const bool is_const = BPF_SRC(insn->code) == BPF_K;

	switch (BPF_OP(insn->code)) {
	case BPF_MOV:
		if (!is_const && insn->off == BPF_ADDR_SPACE_CAST)
			return insn->imm == 1;
		return is_const ? insn->imm >= 0 : !insn->off && (jit->zext & 1 << insn->src_reg);
	case BPF_AND:
		return is_const ? insn->imm >= 0
				: jit->zext & (1 << insn->dst_reg | 1 << insn->src_reg);
	case BPF_RSH: return (is_const && insn->imm >= 32) || jit->zext & 1 << insn->dst_reg;
	case BPF_OR:
	case BPF_XOR:
		return jit->zext & 1 << insn->dst_reg &&
		       (is_const ? insn->imm >= 0 : jit->zext & 1 << insn->src_reg);
	case BPF_END: return insn->imm < 64;
	default: return false;
	}
}

static bool clears_upper(const struct jit *jit, const struct bpf_insn *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU: return BPF_OP(insn->code) != BPF_END || insn->imm < 64;
	case BPF_ALU64: return alu64_clears(jit, insn);
	case BPF_LDX:
		return isa_access_len(insn) < 8 &&
		       (BPF_MODE(insn->code) == BPF_MEM || BPF_MODE(insn->code) == BPF_PROBE_MEM32);
	case BPF_STX: return isa_access_len(insn) < 8;
	case BPF_LD:
		return isa_is_lddw(insn) && insn->src_reg != BPF_PSEUDO_FUNC &&
		       isa_imm64(insn) <= UINT32_MAX;
	default: return false; /* calls */
	}
}

static const struct map *map_of(const struct jit *jit, const struct bpf_insn *insn)
{
	if (isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_MAP_FD)
		return (const struct map *)(uintptr_t)isa_imm64(insn);
	if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) && !insn->off &&
		jit->known_maps & 1 << insn->src_reg)
		return jit->maps[insn->src_reg];
	return NULL;
}

static bool is_const(const struct bpf_insn *insn, u64 *ret_value)
{
	switch (insn->code) {
	case BPF_ALU64 | BPF_MOV | BPF_K: *ret_value = (u64)(s64)insn->imm; return true;
	case BPF_ALU | BPF_MOV | BPF_K: *ret_value = (u32)insn->imm; return true;
	case BPF_LD | BPF_IMM | BPF_DW: *ret_value = isa_imm64(insn); return !insn->src_reg;
	default: return false;
	}
}

/* What is known of registers behind the instruction at idx, whatever it became. */
static void learn(struct jit *jit, u32 idx)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];
	const u16 writes = jit->flow.writes[idx];
	const struct map *map;
	bool clears;

	if (!writes)
		return;
	clears = clears_upper(jit, insn);
	map = map_of(jit, insn);
	jit->zext = clears ? jit->zext | writes : jit->zext & ~writes;
	jit->known_maps &= ~writes;
	jit->known_consts &= ~writes;
	if (map) {
		jit->maps[insn->dst_reg] = map;
		jit->known_maps |= writes;
	} else if (is_const(insn, &jit->consts[insn->dst_reg])) {
		jit->known_consts |= writes;
	}
}

static u32 emit_insn(struct jit *jit, u32 idx)
{
	u32 len = jit->features & JIT_FUSE ? x86_fuse(jit, idx) : 0;

	if (!len) {
		emit_one(jit, idx);
		len = isa_is_lddw(&jit->code->insns[idx]) ? 2 : 1;
	}
	for (u32 i = 0; i < len; i++)
		learn(jit, idx + i);
	return len;
}

static u32 check_insn(struct jit *jit, u32 idx)
{
	return x86_check_insn(jit, idx, emit_insn);
}

static void jump(struct jit *jit, u32 idx)
{
	jit_add_fixup(jit, x86_jmp(&jit->out), idx, JIT_FIX_JUMP);
}

/* What the C library's start asked of the processor: asking again costs microseconds in a virtual machine. Old
 * compilers do not know MOVBE by name. */
static u32 detect(void)
{
	u32 features = __builtin_cpu_supports("bmi2") ? X86_BMI2 : 0;

#ifndef __clang__
	if (__builtin_cpu_supports("movbe"))
		features |= X86_MOVBE;
#endif
	return features;
}

/* What is emitted for it with TMP, TMP2 or TMP3; calls aside. What is not known here may. */
static bool needs_scratch(const struct jit *jit, const struct bpf_insn *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		switch (BPF_OP(insn->code)) {
		case BPF_DIV:
		case BPF_MOD: return true;
		case BPF_LSH:
		case BPF_RSH:
		case BPF_ARSH: return BPF_SRC(insn->code) == BPF_X && !(jit->features & X86_BMI2);
		case BPF_MOV: return insn->off == BPF_ADDR_SPACE_CAST;
		default: return false;
		}
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX: return BPF_MODE(insn->code) != BPF_MEM && BPF_MODE(insn->code) != BPF_MEMSX;
	case BPF_JMP:
	case BPF_JMP32: return BPF_OP(insn->code) == BPF_CALL || BPF_OP(insn->code) == BPF_JCOND;
	default: return !isa_is_lddw(insn);
	}
}

static const struct jit_target x86_target = {
	.name = "x86-64",
	.insn_len_max = 192,
	.spare_cnt = 3,
	.needs_scratch = needs_scratch,
	.detect = detect,
	.entry = x86_entry,
	.prologue = x86_prologue,
	.callback = x86_callback,
	.loop = x86_loop,
	.jump = jump,
	.insn = emit_insn,
	.check_insn = check_insn,
	.check_finish = x86_check_finish,
	.finish = x86_finish,
};

const struct jit_target *const jit_target = &x86_target;
