/*
 * Drawing programs: rows of the instruction table one by one, patterns that a JIT turns into fewer instructions,
 * and calls of helpers. A jump may land on every instruction but those inside of something that stays together.
 */
#include "draw.h"

#include <string.h>

enum {
	BODY_ROOM = 250, /* for a function without what begins and ends it */
	FUNC_ROOM = 30,	 /* for a pattern */
	BODY_CNT = 50,	 /* draws a function */
	SLOT_CNT = 8,	 /* stack slots of 8 bytes a function uses */
	KEY_OFF = -(SLOT_CNT + 1) * 8,
	VALUE_OFF = KEY_OFF - VALUE_LEN,
};

static u32 draw_u32(struct draw *d)
{
	d->seed = d->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(d->seed >> 32);
}

static u32 below(struct draw *d, u32 limit)
{
	return draw_u32(d) % limit;
}

/* Numbers near the edges as often as any. */
static s32 draw_imm(struct draw *d)
{
	static const s32 edges[] = {0, 1, -1, 2, 7, 31, 32, 63, 64, 127, 128, 255, 0x7fff, 0x8000,
		0xffff, INT32_MAX, INT32_MIN, INT32_MIN + 1};

	return below(d, 2) ? edges[below(d, ARRAY_SIZE(edges))] : (s32)draw_u32(d);
}

static void emit(struct draw *d, struct bpf_insn insn)
{
	d->insns[d->cnt++] = insn;
}

static void emit_mov(struct draw *d, u32 reg)
{
	emit(d, (struct bpf_insn){.code = (below(d, 4) ? BPF_ALU64 : BPF_ALU) | BPF_MOV | BPF_K,
			.dst_reg = reg,
			.imm = draw_imm(d)});
}

static void emit_lddw(struct draw *d, u32 reg)
{
	emit(d, (struct bpf_insn){
			.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = reg, .imm = draw_imm(d)});
	d->no_target[d->cnt] = true;
	emit(d, (struct bpf_insn){.imm = draw_imm(d)});
}

/* ld_imm64 or a plain constant */
static void emit_const(struct draw *d, u32 reg)
{
	if (below(d, 2))
		emit_lddw(d, reg);
	else
		emit_mov(d, reg);
}

static u32 log2_of(u32 len)
{
	return (u32)__builtin_ctz(len);
}

static s16 draw_slot(struct draw *d, u32 len)
{
	return (s16) - (s32)((1 + below(d, SLOT_CNT * 8 >> log2_of(len))) << log2_of(len));
}

static void fix_constant(struct draw *d, struct bpf_insn *insn)
{
	const u8 op = BPF_OP(insn->code);
	const u32 width = BPF_CLASS(insn->code) == BPF_ALU64 ? 64 : 32;

	if ((op == BPF_DIV || op == BPF_MOD) && !insn->imm)
		insn->imm = 3;
	if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
		insn->imm = (s32)below(d, width);
}

/* A call, and new values for the registers it leaves without. */
static void emit_call(struct draw *d, u32 func)
{
	if (func + 1 >= FUNC_CNT)
		return;
	d->calls[d->call_cnt].at = d->cnt;
	d->calls[d->call_cnt++].callee = func + 1 + below(d, FUNC_CNT - func - 1);
	emit(d, (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL});
	for (u32 reg = 1; reg <= 5; reg++) {
		d->no_target[d->cnt] = d->is_kept[d->cnt] = true;
		emit_mov(d, reg);
	}
}

/* The instruction after a plain jump is reached by a conditional one before it. */
static void emit_jump(struct draw *d, const struct isa_op *op)
{
	const s32 off = (s32)below(d, 6);
	struct bpf_insn insn = {.code = op->code};

	emit(d, (struct bpf_insn){.code = BPF_JMP32 | BPF_JGT | BPF_K,
			.dst_reg = below(d, 10),
			.imm = draw_imm(d),
			.off = 1});
	d->no_target[d->cnt] = true;
	if (op->form == ISA_FORM_JA32)
		insn.imm = off;
	else
		insn.off = (s16)off;
	emit(d, insn);
}

/* Draws one instruction of row op, or nothing if the row is not for such programs. */
static void emit_row(struct draw *d, const struct isa_op *op, u32 func)
{
	struct bpf_insn insn = {.code = op->code, .dst_reg = below(d, 10), .src_reg = below(d, 10)};

	if (op->group == ISA_GROUP_INTERNAL)
		return;
	if (op->key == ISA_KEY_OFF)
		insn.off = (s16)op->key_val;
	if (op->key == ISA_KEY_IMM)
		insn.imm = op->key_val;
	if (d->has_no_fetch && (op->form == ISA_FORM_FETCH || op->form == ISA_FORM_XCHG ||
				       op->form == ISA_FORM_CMPXCHG))
		return;
	switch (op->form) {
	case ISA_FORM_MOV_K:
	case ISA_FORM_ALU_K:
		insn.src_reg = 0;
		insn.imm = draw_imm(d);
		fix_constant(d, &insn);
		break;
	case ISA_FORM_JMP_K:
		insn.src_reg = 0;
		insn.imm = draw_imm(d);
		insn.off = (s16)below(d, 8);
		break;
	case ISA_FORM_JMP_X: insn.off = (s16)below(d, 8); break;
	case ISA_FORM_NEG:
	case ISA_FORM_END: insn.src_reg = 0; break;
	case ISA_FORM_ALU_X:
	case ISA_FORM_MOV_X: break;
	case ISA_FORM_LDX:
	case ISA_FORM_LOAD_ACQ:
		insn.src_reg = 10;
		insn.off = draw_slot(d, isa_access_len(&insn));
		break;
	case ISA_FORM_ST:
		insn.src_reg = 0;
		insn.imm = draw_imm(d);
		__attribute__((fallthrough));
	case ISA_FORM_STX:
	case ISA_FORM_ATOMIC:
	case ISA_FORM_FETCH:
	case ISA_FORM_XCHG:
	case ISA_FORM_CMPXCHG:
	case ISA_FORM_STORE_REL:
		insn.dst_reg = 10;
		insn.off = draw_slot(d, isa_access_len(&insn));
		break;
	case ISA_FORM_JA:
	case ISA_FORM_JA32: emit_jump(d, op); return;
	case ISA_FORM_CALL_LOCAL: emit_call(d, func); return;
	case ISA_FORM_LDDW: emit_lddw(d, insn.dst_reg); return;
	default: return;
	}
	emit(d, insn);
	/* where old and new are equal, Linux 6.18 sometimes leaves the upper half of R0 as it was */
	if (op->id == ISA_ATOMIC_CMPXCHG32) {
		d->no_target[d->cnt] = d->is_kept[d->cnt] = true;
		emit(d, (struct bpf_insn){.code = BPF_ALU | BPF_MOV | BPF_X});
	}
}

/* ---- patterns: what the JIT turns into fewer instructions ---- */

static void emit_alu(struct draw *d, u8 code, u32 dst, u32 src, s32 imm)
{
	const bool has_src = BPF_SRC(code) == BPF_X && BPF_OP(code) != BPF_END;

	emit(d, (struct bpf_insn){.code = code,
			.dst_reg = dst,
			.src_reg = has_src ? src : 0,
			.imm = has_src ? 0 : imm});
}

static void emit_mem(struct draw *d, u8 code, u32 dst, u32 src, s32 off)
{
	emit(d, (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .off = (s16)off});
}

static u8 draw_class(struct draw *d)
{
	return below(d, 2) ? BPF_ALU64 : BPF_ALU;
}

static void emit_rotate(struct draw *d, u32 a, u32 b)
{
	const u8 class = draw_class(d), join[] = {BPF_OR, BPF_XOR, BPF_ADD};
	const u32 width = class == BPF_ALU64 ? 64 : 32, left = 1 + below(d, width - 1);
	const bool left_first = below(d, 2), is_a = below(d, 2), is_exact = below(d, 8);
	const s32 first = (s32)(left_first ? left : width - left);
	const s32 second = is_exact ? (s32)width - first : (s32)below(d, width);

	emit_alu(d, (below(d, 2) ? class : BPF_ALU64) | BPF_MOV | BPF_X, b, a, 0);
	emit_alu(d, class | (left_first ? BPF_LSH : BPF_RSH), is_a ? a : b, 0, first);
	emit_alu(d, class | (left_first ? BPF_RSH : BPF_LSH), is_a ? b : a, 0, second);
	emit_alu(d, class | join[below(d, 3)] | BPF_X, a, b, 0);
	if (below(d, 3))
		emit_mov(d, b);
}

/* Bytes of the stack put together, in either order, sometimes with one that does not belong. */
static void emit_bytes(struct draw *d, u32 a, u32 b)
{
	const u32 cnt = 2U << below(d, 3);
	const s32 start = -(s32)(cnt + below(d, SLOT_CNT * 8 - cnt + 1));
	const bool is_big = below(d, 2);
	const u8 class = cnt < 8 ? draw_class(d) : BPF_ALU64;

	emit_mem(d, BPF_LDX | BPF_MEM | BPF_B, a, 10, is_big ? start + (s32)cnt - 1 : start);
	for (u32 i = 1; i < cnt; i++) {
		s32 off = is_big ? start + (s32)cnt - 1 - (s32)i : start + (s32)i;

		if (!below(d, 32))
			off = start;
		emit_mem(d, BPF_LDX | BPF_MEM | BPF_B, b, 10, off);
		emit_alu(d, class | BPF_LSH, b, 0, (s32)i * 8);
		emit_alu(d, class | BPF_OR | BPF_X, a, b, 0);
	}
	if (below(d, 2))
		emit_alu(d, BPF_ALU | BPF_END | BPF_TO_BE, a, 0, (s32)cnt * 8);
	if (below(d, 4))
		emit_mov(d, b);
}

/* A number of the network. */
static void emit_turned(struct draw *d, u32 a, u32 b)
{
	const u32 bits = 16U << below(d, 3);
	const u8 sizes[] = {BPF_H, BPF_W, BPF_DW};

	emit_mem(d, BPF_LDX | BPF_MEM | sizes[below(d, 3)], a, 10, -8 * (s32)(1 + below(d, 4)));
	emit_alu(d, (below(d, 2) ? BPF_ALU | BPF_END | BPF_TO_BE : BPF_ALU64 | BPF_END), a, 0,
		(s32)bits);
}

/* a = stack + (b & 15) * scale; a load or store there. No jump may come between. */
static void emit_index(struct draw *d, u32 a, u32 b)
{
	const u32 start = d->cnt, shift = below(d, 3);

	emit_alu(d, BPF_ALU64 | BPF_AND, b, 0, 7);
	emit_alu(d, BPF_ALU64 | BPF_MOV | BPF_X, a, 10, 0);
	emit_alu(d, BPF_ALU64 | BPF_ADD, a, 0, -(SLOT_CNT * 8));
	if (shift)
		emit_alu(d, BPF_ALU64 | BPF_LSH, b, 0, (s32)shift);
	emit_alu(d, BPF_ALU64 | BPF_ADD | BPF_X, a, b, 0);
	emit_mem(d, BPF_LDX | BPF_MEM | BPF_B, below(d, 2) ? a : b, a, (s32)below(d, 6));
	emit_mov(d, a);
	if (below(d, 2))
		emit_mov(d, b);
	for (u32 i = start; i < d->cnt; i++) {
		d->no_target[i] |= i != start;
		d->is_kept[i] = true;
	}
}

static void emit_change(struct draw *d, u32 a, u32 b)
{
	static const u8 ops[] = {BPF_ADD, BPF_SUB, BPF_AND, BPF_OR, BPF_XOR, BPF_MUL};
	static const u8 sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};
	const u8 size = sizes[below(d, 4)], op = ops[below(d, ARRAY_SIZE(ops))];
	const s16 slot = (s16)(-8 * (s32)(1 + below(d, SLOT_CNT)));
	const bool is_reg = below(d, 2);

	emit_mem(d, BPF_LDX | BPF_MEM | size, a, 10, slot);
	if (below(d, 3)) {
		emit_alu(d, draw_class(d) | op | (is_reg ? BPF_X : BPF_K), a, b, draw_imm(d));
		emit_mem(d, BPF_STX | BPF_MEM | size, 10, a, slot);
	} else {
		emit_alu(d, draw_class(d) | op | BPF_X, b, a, 0);
	}
	if (below(d, 4))
		emit_mov(d, a);
}

static void emit_three(struct draw *d, u32 a, u32 b)
{
	static const u8 ops[] = {BPF_ADD, BPF_MUL, BPF_LSH, BPF_RSH, BPF_ARSH, BPF_AND};
	const u8 op = ops[below(d, ARRAY_SIZE(ops))];
	const u32 c = below(d, 10), shift = 1 + below(d, 4);
	struct bpf_insn insn = {.code = draw_class(d) | op | (below(d, 2) ? BPF_X : BPF_K),
		.dst_reg = b,
		.imm = draw_imm(d)};

	emit_alu(d, draw_class(d) | BPF_MOV | BPF_X, b, a, 0);
	if (below(d, 2))
		emit_alu(d, draw_class(d) | BPF_LSH, b, 0, (s32)shift);
	fix_constant(d, &insn);
	emit_alu(d, insn.code, b, c, insn.imm);
}

static void emit_extend(struct draw *d, u32 a, u32 b)
{
	static const s32 shifts[] = {32, 48, 56, 40};
	const s32 shift = shifts[below(d, 4)];

	if (below(d, 2))
		emit_alu(d, draw_class(d) | BPF_MOV | BPF_X, a, b, 0);
	emit_alu(d, BPF_ALU64 | BPF_LSH, a, 0, shift);
	emit_alu(d, BPF_ALU64 | (below(d, 2) ? BPF_RSH : BPF_ARSH), a, 0,
		below(d, 2) ? shift : shift + (s32)below(d, (u32)(64 - shift)));
	emit_alu(d, BPF_ALU | BPF_MOV | BPF_X, a, a, 0);
}

static void emit_test(struct draw *d, u32 a, u32 b)
{
	if (below(d, 2))
		emit_alu(d, draw_class(d) | BPF_MOV | BPF_X, a, b, 0);
	emit_alu(d, draw_class(d) | BPF_AND, a, 0, draw_imm(d));
	emit(d, (struct bpf_insn){.code = (below(d, 2) ? BPF_JMP : BPF_JMP32) |
					  (below(d, 2) ? BPF_JEQ : BPF_JNE),
			.dst_reg = a,
			.off = 1});
	emit_alu(d, BPF_ALU64 | BPF_XOR, b, 0, draw_imm(d));
	if (below(d, 4))
		emit_mov(d, a);
}

/* A jump that depends on a, with which nothing else is done. */
static void emit_jump_on(struct draw *d, u32 a, u32 b)
{
	static const u8 ops[] = {BPF_JEQ, BPF_JNE, BPF_JSET, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE,
		BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};

	emit(d, (struct bpf_insn){.code = (below(d, 2) ? BPF_JMP : BPF_JMP32) |
					  ops[below(d, ARRAY_SIZE(ops))],
			.dst_reg = a,
			.off = 1,
			.imm = below(d, 2) ? draw_imm(d) : (s32)below(d, 256)});
	emit_alu(d, BPF_ALU64 | BPF_XOR, b, 0, draw_imm(d));
	if (below(d, 4))
		emit_mov(d, a);
}

static void emit_half_jump(struct draw *d, u32 a, u32 b)
{
	if (below(d, 2))
		emit_alu(d, draw_class(d) | BPF_MOV | BPF_X, a, b, 0);
	emit_alu(d, BPF_ALU64 | BPF_LSH, a, 0, 32);
	emit_alu(d, BPF_ALU64 | BPF_RSH, a, 0, 32);
	emit_jump_on(d, a, b);
}

static void emit_load_jump(struct draw *d, u32 a, u32 b)
{
	static const u8 sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};

	emit_mem(d, BPF_LDX | BPF_MEM | sizes[below(d, 4)], a, 10,
		-8 * (s32)(1 + below(d, SLOT_CNT)));
	emit_jump_on(d, a, b);
}

/* The bits of a number of 32 bits that a rotation brings to the other end. */
static void emit_upper_bits(struct draw *d, u32 a, u32 b)
{
	const u32 shift = 1 + below(d, 31), c = (a + 1 + below(d, 9)) % 10;

	if (below(d, 2))
		emit_alu(d, BPF_ALU64 | BPF_MOV | BPF_X, a, b, 0);
	emit(d, (struct bpf_insn){.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = c,
			.imm = (s32)(UINT32_MAX << (below(d, 8) ? shift : shift / 2))});
	d->no_target[d->cnt] = true;
	emit(d, (struct bpf_insn){.imm = below(d, 8) ? 0 : -1});
	emit_alu(d, BPF_ALU64 | BPF_AND | BPF_X, a, c, 0);
	emit_alu(d, BPF_ALU64 | BPF_RSH, a, 0, (s32)shift);
	if (below(d, 2))
		emit_mov(d, c);
}

static void emit_times(struct draw *d, u32 a, u32 b)
{
	static const s32 factors[] = {0, 1, 2, 3, 5, 7, 8, 9, 256, 1 << 30, INT32_MIN};

	if (below(d, 2))
		emit_alu(d, draw_class(d) | BPF_MOV | BPF_X, a, b, 0);
	emit_alu(d, draw_class(d) | BPF_MUL, a, 0, factors[below(d, ARRAY_SIZE(factors))]);
}

static void emit_divide(struct draw *d, u32 a, u32 b)
{
	struct bpf_insn insn = {.code = draw_class(d) | (below(d, 2) ? BPF_DIV : BPF_MOD) | BPF_K,
		.dst_reg = a,
		.imm = below(d, 2) ? draw_imm(d) : (s32)((1U << below(d, 32)) + below(d, 3) - 1)};

	if (below(d, 2))
		emit_mov(d, 3);
	fix_constant(d, &insn);
	emit(d, insn);
	if (below(d, 2))
		emit_mov(d, 3);
}

/* ---- helpers: their instructions stay together ---- */

static void emit_map(struct draw *d, u32 reg)
{
	emit(d, (struct bpf_insn){.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = reg,
			.src_reg = BPF_PSEUDO_MAP_FD});
	emit(d, (struct bpf_insn){0});
}

static void emit_helper(struct draw *d, s32 id)
{
	emit(d, (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = id});
}

/* r1 the array, r2 a key, which sometimes is past the end */
static void emit_map_args(struct draw *d)
{
	emit(d, (struct bpf_insn){.code = BPF_ST | BPF_MEM | BPF_W,
			.dst_reg = 10,
			.off = KEY_OFF,
			.imm = (s32)below(d, ENTRY_CNT + 1)});
	emit_alu(d, BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0);
	emit_alu(d, BPF_ALU64 | BPF_ADD, 2, 0, KEY_OFF);
	emit_map(d, 1);
}

static void keep_together(struct draw *d, u32 start)
{
	for (u32 i = start; i < d->cnt; i++) {
		d->no_target[i] |= i != start;
		d->is_kept[i] = true;
	}
}

static void emit_value_access(struct draw *d, u32 reg)
{
	static const u8 sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};
	static const s32 atomics[] = {BPF_ADD, BPF_XOR, BPF_OR | BPF_FETCH, BPF_XCHG};
	const u8 size = sizes[below(d, 4)];
	const u32 len = isa_access_len(&(struct bpf_insn){.code = size});
	const s32 off = (s32)(below(d, VALUE_LEN / len) * len);

	switch (below(d, 4)) {
	case 0: emit_mem(d, BPF_LDX | BPF_MEM | size, reg, 0, off); break;
	case 1: emit_mem(d, BPF_STX | BPF_MEM | size, 0, reg, off); break;
	case 2:
		emit(d, (struct bpf_insn){.code = BPF_ST | BPF_MEM | size,
				.off = (s16)off,
				.imm = draw_imm(d)});
		break;
	default:
		emit(d, (struct bpf_insn){.code = BPF_STX | BPF_ATOMIC | BPF_DW,
				.src_reg = reg,
				.off = (s16)(off / 8 * 8),
				.imm = atomics[below(d, 4)]});
	}
}

static void emit_lookup(struct draw *d, u32 a, u32 b)
{
	const u32 start = d->cnt, cnt = 1 + below(d, 4), is_over = below(d, 2);

	emit_map_args(d);
	emit_helper(d, BPF_FUNC_map_lookup_elem);
	emit(d, (struct bpf_insn){.code = BPF_JMP | (is_over ? BPF_JNE : BPF_JEQ) | BPF_K,
			.off = (s16)(is_over ? 1 : cnt)});
	if (is_over)
		emit(d, (struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = (s16)cnt});
	for (u32 i = 0; i < cnt; i++)
		emit_value_access(d, 6 + below(d, 4));
	for (u32 reg = 0; reg <= 5; reg++)
		emit_mov(d, reg);
	keep_together(d, start);
}

static void emit_update(struct draw *d, u32 a, u32 b)
{
	const u32 start = d->cnt;

	for (u32 i = 0; i < VALUE_LEN / 8; i++)
		emit_mem(
			d, BPF_STX | BPF_MEM | BPF_DW, 10, 6 + below(d, 4), VALUE_OFF + (s32)i * 8);
	emit_map_args(d);
	emit_alu(d, BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0);
	emit_alu(d, BPF_ALU64 | BPF_ADD, 3, 0, VALUE_OFF);
	emit_alu(d, BPF_ALU64 | BPF_MOV, 4, 0, below(d, 8) ? BPF_ANY : BPF_NOEXIST);
	emit_helper(d, BPF_FUNC_map_update_elem);
	for (u32 reg = 1; reg <= 5; reg++)
		emit_mov(d, reg);
	keep_together(d, start);
}

/* The function called back gets the address of two slots. */
static void emit_loop(struct draw *d, u32 a, u32 b)
{
	const u32 start = d->cnt;

	/* of 0 rounds Linux 6.18 does not look at the function, and then misses its code */
	emit_alu(d, BPF_ALU64 | BPF_MOV, 1, 0, 1 + (s32)below(d, 5));
	emit(d, (struct bpf_insn){.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = 2,
			.src_reg = BPF_PSEUDO_FUNC});
	emit(d, (struct bpf_insn){0});
	emit_alu(d, BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0);
	emit_alu(d, BPF_ALU64 | BPF_ADD, 3, 0, -8 * (s32)(2 + below(d, SLOT_CNT - 1)));
	emit_alu(d, BPF_ALU64 | BPF_MOV, 4, 0, 0);
	emit_helper(d, BPF_FUNC_loop);
	for (u32 reg = 1; reg <= 5; reg++)
		emit_mov(d, reg);
	keep_together(d, start);
	d->calls_back = true;
}

/* r1 the round, r2 the two slots: changes them, and ends the loop at some round. */
static void emit_callback(struct draw *d)
{
	static const u8 ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_XOR, BPF_OR, BPF_RSH};

	d->subs[FUNC_CNT] = (struct prog_sub){d->cnt, 8};
	emit_mem(d, BPF_LDX | BPF_MEM | BPF_DW, 3, 2, 0);
	emit_mem(d, BPF_LDX | BPF_MEM | BPF_DW, 4, 2, 8);
	emit_mem(d, BPF_STX | BPF_MEM | BPF_DW, 10, 4, -8);
	for (u32 i = 0; i < 6; i++) {
		struct bpf_insn insn = {.code = draw_class(d) | ops[below(d, ARRAY_SIZE(ops))],
			.dst_reg = 3 + below(d, 2),
			.imm = draw_imm(d)};

		fix_constant(d, &insn);
		emit(d, insn);
		emit_alu(d, BPF_ALU64 | BPF_ADD | BPF_X, 3 + below(d, 2), below(d, 2) ? 1 : 3, 0);
	}
	emit_mem(d, BPF_LDX | BPF_MEM | BPF_DW, 5, 10, -8);
	emit_alu(d, BPF_ALU64 | BPF_XOR | BPF_X, 4, 5, 0);
	emit_mem(d, BPF_STX | BPF_MEM | BPF_DW, 2, 3, 0);
	emit_mem(d, BPF_STX | BPF_MEM | BPF_DW, 2, 4, 8);
	emit_alu(d, BPF_ALU64 | BPF_MOV, 0, 0, 0);
	emit(d, (struct bpf_insn){.code = BPF_JMP | BPF_JNE | BPF_K,
			.dst_reg = 1,
			.off = 1,
			.imm = (s32)below(d, 8)});
	emit_alu(d, BPF_ALU64 | BPF_MOV, 0, 0, 1);
	emit(d, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
	for (u32 i = d->subs[FUNC_CNT].start; i < d->cnt; i++)
		d->is_kept[i] = true;
}

static void emit_pattern(struct draw *d)
{
	static void (*const patterns[])(struct draw * d, u32 a, u32 b) = {emit_rotate, emit_bytes,
		emit_turned, emit_index, emit_change, emit_three, emit_extend, emit_test,
		emit_divide, emit_half_jump, emit_load_jump, emit_upper_bits, emit_times,
		emit_lookup, emit_update, emit_loop};
	const u32 a = below(d, 10), b = (a + 1 + below(d, 9)) % 10;

	patterns[below(d, ARRAY_SIZE(patterns))](d, a, b);
}

/* What leaves the stack's slots whole and needs no registers but BPF's: the JIT may have slots in registers. */
static bool is_whole(const struct isa_op *op)
{
	switch (op->form) {
	case ISA_FORM_ALU_K:
	case ISA_FORM_ALU_X: return BPF_OP(op->code) != BPF_DIV && BPF_OP(op->code) != BPF_MOD;
	case ISA_FORM_LDX:
	case ISA_FORM_ST:
	case ISA_FORM_STX: return BPF_SIZE(op->code) == BPF_DW && BPF_MODE(op->code) == BPF_MEM;
	case ISA_FORM_MOV_K:
	case ISA_FORM_MOV_X:
	case ISA_FORM_JMP_K:
	case ISA_FORM_JMP_X:
	case ISA_FORM_NEG:
	case ISA_FORM_END:
	case ISA_FORM_LDDW: return true;
	default: return false;
	}
}

static void emit_whole(struct draw *d, u32 func)
{
	static void (*const patterns[])(struct draw * d, u32 a, u32 b) = {emit_rotate, emit_three,
		emit_extend, emit_test, emit_half_jump, emit_upper_bits, emit_times};
	static const u8 codes[] = {BPF_LDX | BPF_MEM | BPF_DW, BPF_STX | BPF_MEM | BPF_DW};
	const u32 a = below(d, 10), b = (a + 1 + below(d, 9)) % 10, i = below(d, 4);
	const struct isa_op *op = isa_op(below(d, ISA_CNT));

	if (i < ARRAY_SIZE(codes))
		emit_row(d, isa_find_code(codes[i]), func);
	else if (!below(d, 3))
		patterns[below(d, ARRAY_SIZE(patterns))](d, a, b);
	else if (is_whole(op))
		emit_row(d, op, func);
}

/* Jumps that leave the body or land inside of something go on to the next place where they may. */
static void fix_jumps(struct draw *d, u32 start, u32 end)
{
	for (u32 i = start; i < end; i++) {
		struct bpf_insn *insn = &d->insns[i];
		u32 target;

		if (!insn->code || !isa_is_jump(insn) || d->is_kept[i])
			continue;
		target = MIN(i + 1 + (u32)isa_jump_off(insn), end);
		while (d->no_target[target])
			target++;
		if (insn->code == (BPF_JMP32 | BPF_JA))
			insn->imm = (s32)(target - i - 1);
		else if (insn->off != 1 || !d->no_target[i + 1])
			insn->off = (s16)(target - i - 1);
	}
}

static void emit_fold(struct draw *d, u32 reg)
{
	emit(d, (struct bpf_insn){.code = BPF_ALU64 | BPF_MUL | BPF_K, .imm = 0x9e3779b1});
	emit(d, (struct bpf_insn){.code = BPF_ALU64 | BPF_XOR | BPF_X, .src_reg = reg});
}

static void emit_epilogue(struct draw *d)
{
	for (u32 reg = 1; reg < 10; reg++)
		emit_fold(d, reg);
	for (s32 slot = 1; slot <= SLOT_CNT; slot++) {
		emit(d, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_DW,
				.dst_reg = 1,
				.src_reg = 10,
				.off = (s16)(slot * -8)});
		emit_fold(d, 1);
	}
	/* test runs give 32 bits */
	emit(d, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1});
	emit(d, (struct bpf_insn){.code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = 1, .imm = 32});
	emit(d, (struct bpf_insn){.code = BPF_ALU | BPF_XOR | BPF_X, .src_reg = 1});
	d->is_kept[d->cnt] = true;
	emit(d, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

static void emit_func(struct draw *d, u32 func)
{
	const u32 first_reg = func ? 6 : 0;
	const bool only_whole = func == FUNC_CNT - 1 && below(d, 2);
	u32 start;

	d->subs[func] = (struct prog_sub){d->cnt, -VALUE_OFF};
	emit_const(d, 0);
	for (u32 reg = MAX(first_reg, 1); reg < 10; reg++)
		emit_const(d, reg);
	for (s32 slot = 1; slot <= SLOT_CNT; slot++)
		emit(d, (struct bpf_insn){.code = BPF_ST | BPF_MEM | BPF_DW,
				.dst_reg = 10,
				.off = (s16)(slot * -8),
				.imm = draw_imm(d)});
	start = d->cnt;
	for (u32 i = d->subs[func].start; i < start; i++)
		d->is_kept[i] = true;
	for (u32 i = 0; i < BODY_CNT; i++)
		if (d->cnt + FUNC_ROOM > start + BODY_ROOM)
			break;
		else if (only_whole)
			emit_whole(d, func);
		else if (below(d, 4))
			emit_row(d, isa_op(below(d, ISA_CNT)), func);
		else
			emit_pattern(d);
	fix_jumps(d, start, d->cnt);
	emit_epilogue(d);
}

void draw_program(struct draw *d)
{
	memset(d->no_target, 0, sizeof(d->no_target));
	memset(d->is_kept, 0, sizeof(d->is_kept));
	d->cnt = d->call_cnt = 0;
	d->calls_back = false;
	for (u32 func = 0; func < FUNC_CNT; func++)
		emit_func(d, func);
	emit_callback(d);
	for (u32 i = 0; i < d->cnt; i++)
		if (isa_is_lddw(&d->insns[i]) && d->insns[i].src_reg == BPF_PSEUDO_FUNC)
			d->insns[i].imm = (s32)(d->subs[FUNC_CNT].start - i - 1);
	/* every function has a caller, else the kernel refuses its code as unreachable */
	for (u32 i = 0; i < d->call_cnt; i++)
		d->insns[d->calls[i].at].imm =
			(s32)(d->subs[d->calls[i].callee].start - d->calls[i].at - 1);
}

bool draw_calls_all(const struct draw *d)
{
	bool has_call[FUNC_CNT] = {true};

	for (u32 i = 0; i < d->call_cnt; i++)
		for (u32 func = 0; func < FUNC_CNT; func++)
			has_call[func] |= d->calls[i].callee == func;
	for (u32 func = 0; func < FUNC_CNT; func++)
		if (!has_call[func])
			return false;
	return d->calls_back;
}
