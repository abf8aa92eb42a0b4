/*
 * The generator: a prologue that loads what programs start from, then random steps chosen by what each
 * register is believed to hold.
 */
#include "verifier_gen.h"

#include <string.h>

#include "isa/isa.h"

enum believed { UNINIT, NUMBER, CTX, PACKET, END, VALUE, MAYBE, STACK, SOCKET };

/* Where a socket that was looked up is kept, or 0: what gives it back at the end finds it there. */
enum { SOCKET_SLOT = -72 };

struct gen {
	u64 state;
	bool is_wild;	    /* makes things up now and then */
	bool is_determined; /* asks for no time and no random numbers, and clears its stack */
	struct gen_prog *prog;
	u8 kind[11];
	u32 value_size;		/* of the map value last looked up */
	u32 fix[64], fix_cnt;	/* forward jumps to the end */
	u32 depth;		/* of loops being made */
	u32 calls[8], call_cnt; /* bpf-to-bpf calls without a callee yet */
	bool has_sockets;	/* the program looks up sockets, in its main function */
};

static u64 next(struct gen *g)
{
	u64 z = g->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static u32 below(struct gen *g, u32 n)
{
	return next(g) % n;
}

static bool one_in(struct gen *g, u32 n)
{
	return below(g, n) == 0;
}

static void put(struct gen *g, u8 code, u8 dst, u8 src, s16 off, s32 imm)
{
	if (g->prog->cnt < GEN_INSN_MAX - 40)
		g->prog->insns[g->prog->cnt++] = (struct bpf_insn){
			.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static bool wild(struct gen *g, u32 n)
{
	return g->is_wild && one_in(g, n);
}

static bool is_full(const struct gen *g)
{
	return g->prog->cnt >= GEN_INSN_MAX - 80;
}

static s32 imm(struct gen *g)
{
	static const s32 pool[] = {0, 1, 2, 3, 4, 7, 8, 12, 14, 15, 16, 20, 31, 32, 34, 63, 64, 100,
		127, 128, 255, 256, 1000, 4095, 65535, 65536, 0x7fffffff, -1, -2, -8, -16, -64,
		-256, INT32_MIN, INT32_MIN + 1, 0x10000000};

	return one_in(g, 8) ? (s32)next(g) : pool[below(g, ARRAY_SIZE(pool))];
}

/* A register believed to hold kind, or any one if there is none (or for a change). */
static u8 pick(struct gen *g, u8 kind)
{
	u8 regs[11], cnt = 0;

	for (u8 r = 0; r < 10; r++) {
		if (g->kind[r] == kind)
			regs[cnt++] = r;
	}
	if (wild(g, 60))
		return below(g, 10);
	if (cnt)
		return regs[below(g, cnt)];
	cnt = below(g, 6);
	put(g, BPF_ALU64 | BPF_MOV | (kind == STACK ? BPF_X : BPF_K), cnt, kind == STACK ? 10 : 0,
		0, kind == STACK ? 0 : 42);
	g->kind[cnt] = kind == STACK ? STACK : NUMBER;
	return cnt;
}

static bool has(const struct gen *g, u8 kind)
{
	return memchr(g->kind, kind, 10) != NULL;
}

static u8 target(struct gen *g)
{
	/* R6-R9 hold what the prologue loaded; spare them mostly */
	return one_in(g, 12) ? 6 + below(g, 4) : below(g, 6);
}

static void lddw_map(struct gen *g, u8 dst, u32 map)
{
	put(g, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, map);
	put(g, 0, 0, 0, 0, 0);
}

static void after_call(struct gen *g, u8 r0)
{
	memset(g->kind, UNINIT, 6);
	g->kind[0] = r0;
	for (u8 r = 1; r < 6 && !g->is_wild; r++) {
		put(g, BPF_ALU64 | BPF_MOV | BPF_K, r, 0, 0, r);
		g->kind[r] = NUMBER;
	}
}

static void jump_to_end(struct gen *g, u8 code, u8 dst, u8 src, s32 value)
{
	if (g->fix_cnt == ARRAY_SIZE(g->fix))
		return;
	g->fix[g->fix_cnt++] = g->prog->cnt;
	put(g, code, dst, src, 0, value);
}

static void lookup(struct gen *g)
{
	static const u32 maps[] = {
		GEN_HASH, GEN_ARRAY, GEN_GLOBAL, GEN_PERCPU, GEN_LPM, GEN_RODATA, GEN_WRONLY};
	static const u32 sizes[] = {24, 64, 64, 8, 8, 32, 16};
	u32 which = one_in(g, 4) ? below(g, 7) : below(g, 3);
	s16 at = -8 * (1 + (s16)below(g, 3));
	u8 keep = 6 + below(g, 4);

	if (one_in(g, 2))
		put(g, BPF_ST | BPF_MEM | BPF_DW, 10, 0, at, below(g, 6));
	else if (has(g, NUMBER))
		put(g, BPF_STX | BPF_MEM | BPF_W, 10, pick(g, NUMBER), at, 0);
	put(g, BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0);
	put(g, BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, at);
	lddw_map(g, 1, maps[which]);
	put(g, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	after_call(g, MAYBE);
	g->value_size = sizes[which];
	if (!wild(g, 8)) {
		jump_to_end(g, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0);
		g->kind[0] = VALUE;
	}
	if (one_in(g, 2)) {
		put(g, BPF_ALU64 | BPF_MOV | BPF_X, keep, 0, 0, 0);
		g->kind[keep] = g->kind[0];
	}
}

static void global_value(struct gen *g)
{
	u8 dst = target(g);

	put(g, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_VALUE, 0,
		one_in(g, 3) ? GEN_RODATA : GEN_GLOBAL);
	put(g, 0, 0, 0, 0, below(g, 4) * 8);
	g->kind[dst] = VALUE;
	g->value_size = 32;
}

static void load_ctx(struct gen *g)
{
	u8 dst = target(g), src = pick(g, CTX);
	bool is_xdp = g->prog->type == BPF_PROG_TYPE_XDP;

	put(g, BPF_LDX | BPF_MEM | (wild(g, 12) ? BPF_H : BPF_W), dst, src,
		is_xdp ? 4 * (s16)below(g, g->is_wild ? 6 : 5)
		       : 4 * (s16)below(g, g->is_wild ? 40 : 18),
		0);
	if (!is_xdp || g->prog->insns[g->prog->cnt - 1].off >= 12)
		g->kind[dst] = NUMBER;
	else
		g->kind[dst] = g->prog->insns[g->prog->cnt - 1].off == 4 ? END : PACKET;
}

static void packet(struct gen *g)
{
	static const u8 ops[] = {BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE};
	u8 ptr = pick(g, PACKET), end = pick(g, END), tmp = target(g);
	u8 op = ops[one_in(g, 3) ? below(g, 4) : 0];
	u32 len = below(g, 40) + 1;

	put(g, BPF_ALU64 | BPF_MOV | BPF_X, tmp, ptr, 0, 0);
	if (one_in(g, 2) && has(g, NUMBER)) {
		u8 num = pick(g, NUMBER);

		if (!wild(g, 4))
			put(g, BPF_ALU64 | BPF_AND | BPF_K, num, 0, 0, wild(g, 8) ? imm(g) : 63);
		put(g, BPF_ALU64 | BPF_ADD | BPF_X, tmp, num, 0, 0);
		if (one_in(g, 2)) {
			ptr = below(g, 6);
			put(g, BPF_ALU64 | BPF_MOV | BPF_X, ptr, tmp, 0, 0);
			g->kind[ptr] = PACKET;
		}
	}
	put(g, BPF_ALU64 | BPF_ADD | BPF_K, tmp, 0, 0, len);
	g->kind[tmp] = PACKET;
	if (wild(g, 4))
		put(g, BPF_JMP | op | BPF_X, end, tmp, one_in(g, 2) ? 1 : 2, 0);
	else if (op == BPF_JGT || op == BPF_JGE)
		jump_to_end(g, BPF_JMP | op | BPF_X, tmp, end, 0);
	else {
		put(g, BPF_JMP | op | BPF_X, tmp, end, 1, 0);
		jump_to_end(g, BPF_JMP | BPF_JA, 0, 0, 0);
	}
	for (u32 i = below(g, 3); i > 0; i--) {
		static const u8 sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};
		u8 size = sizes[below(g, 4)], reg = target(g);
		s16 off = below(g, len + (wild(g, 6) ? 8 : 0));

		if (!g->is_wild)
			off = MAX(0, (s16)len - 8) & ~7, size = len < 8 ? BPF_B : size;

		if (one_in(g, 3)) {
			put(g, BPF_ST | BPF_MEM | size, ptr, 0, off, imm(g));
			continue;
		}
		put(g, BPF_LDX | BPF_MEM | size, reg, ptr, off, 0);
		g->kind[reg] = NUMBER;
	}
}

static void value_access(struct gen *g)
{
	static const u8 sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};
	u8 size = sizes[below(g, 4)], ptr = pick(g, VALUE), reg = target(g), tmp = below(g, 6);
	s16 off = below(g, wild(g, 6) ? 80 : 8);

	if (one_in(g, 2) && has(g, NUMBER)) {
		u8 num = pick(g, NUMBER);

		if (one_in(g, 3))
			jump_to_end(g, BPF_JMP | BPF_JGT | BPF_K, num, 0,
				below(g, g->is_wild ? 70 : 10));
		else
			put(g, (one_in(g, 2) ? BPF_ALU64 : BPF_ALU) | BPF_AND | BPF_K, num, 0, 0,
				(1 << below(g, g->is_wild ? 7 : 4)) - 1);
		put(g, BPF_ALU64 | BPF_MOV | BPF_X, tmp, ptr, 0, 0);
		put(g, BPF_ALU64 | BPF_ADD | BPF_X, tmp, num, 0, 0);
		g->kind[tmp] = VALUE;
		ptr = tmp;
		off = below(g, g->is_wild ? 16 : 2);
	}
	if (!g->is_wild && g->value_size < 24)
		off = 0;
	if (!g->is_wild)
		off &= 8;
	switch (below(g, 5)) {
	case 0: put(g, BPF_ST | BPF_MEM | size, ptr, 0, off, imm(g)); break;
	case 1: put(g, BPF_STX | BPF_MEM | size, ptr, pick(g, NUMBER), off, 0); break;
	case 2: {
		static const s32 ops[] = {BPF_ADD, BPF_ADD | BPF_FETCH, BPF_OR, BPF_XOR | BPF_FETCH,
			BPF_XCHG, BPF_CMPXCHG, BPF_AND, BPF_AND | BPF_FETCH, BPF_LOAD_ACQ,
			BPF_STORE_REL};
		bool wide = one_in(g, 2);

		put(g, BPF_STX | BPF_ATOMIC | (wide ? BPF_DW : BPF_W), ptr, pick(g, NUMBER),
			g->is_wild ? off & (wide ? ~7 : ~3) : 0, ops[below(g, ARRAY_SIZE(ops))]);
		break;
	}
	default:
		put(g, BPF_LDX | (one_in(g, 6) && size != BPF_DW ? BPF_MEMSX : BPF_MEM) | size, reg,
			ptr, off, 0);
		g->kind[reg] = NUMBER;
	}
}

static void stack_access(struct gen *g)
{
	static const u8 sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW, BPF_DW, BPF_DW, BPF_W};
	static const u8 lens[] = {1, 2, 4, 8, 8, 8, 4};
	u32 s = below(g, 7);
	u8 reg = target(g), ptr = 10;
	s16 off = -(s16)lens[s] * (1 + below(g, 64 / lens[s]));

	if (wild(g, 10))
		off = -(s16)below(g, 520) - 1;
	if (has(g, STACK) && (g->is_wild || one_in(g, 4)) && one_in(g, 3))
		ptr = pick(g, STACK);
	if (one_in(g, 12) && has(g, NUMBER)) {
		u8 num = pick(g, NUMBER), tmp = below(g, 6);

		put(g, BPF_ALU64 | BPF_AND | BPF_K, num, 0, 0, one_in(g, 2) ? 8 : 15);
		put(g, BPF_ALU64 | BPF_MOV | BPF_X, tmp, 10, 0, 0);
		put(g, BPF_ALU64 | BPF_ADD | BPF_X, tmp, num, 0, 0);
		put(g, BPF_ALU64 | BPF_ADD | BPF_K, tmp, 0, 0, -32);
		g->kind[tmp] = STACK;
		ptr = tmp;
		off = one_in(g, 2) ? 0 : -8;
	}
	switch (below(g, 4)) {
	case 0: put(g, BPF_ST | BPF_MEM | sizes[s], ptr, 0, off, imm(g)); break;
	case 1:
	case 2:
		reg = one_in(g, 3) ? 6 + below(g, 4) : pick(g, NUMBER);
		put(g, BPF_STX | BPF_MEM | (reg >= 6 ? BPF_DW : sizes[s]), ptr, reg,
			reg >= 6 ? off & ~7 : off, 0);
		break;
	default: put(g, BPF_LDX | BPF_MEM | sizes[s], reg, ptr, off, 0); g->kind[reg] = NUMBER;
	}
}

static void alu(struct gen *g)
{
	static const u8 ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH,
		BPF_RSH, BPF_MOD, BPF_XOR, BPF_ARSH, BPF_ADD, BPF_AND};
	u8 op = ops[below(g, ARRAY_SIZE(ops))], class = one_in(g, 3) ? BPF_ALU : BPF_ALU64;
	u8 dst = pick(g, NUMBER), src = pick(g, NUMBER);
	s32 value = imm(g);

	if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
		value = below(g, wild(g, 20) ? 70 : 32);
	if ((op == BPF_DIV || op == BPF_MOD) && !value && !g->is_wild)
		value = 3;
	switch (below(g, 12)) {
	case 0:
		dst = target(g);
		put(g, class | BPF_MOV | BPF_K, dst, 0, 0, value);
		g->kind[dst] = NUMBER;
		break;
	case 1:
		dst = target(g);
		src = below(g, 11);
		if (g->kind[src] == UNINIT || (!g->is_wild && g->kind[src] == END))
			src = pick(g, NUMBER);
		put(g, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
		g->kind[dst] = g->kind[src];
		break;
	case 2: {
		static const s16 offs[] = {8, 16, 32, 0};

		dst = target(g);
		put(g, class | BPF_MOV | BPF_X, dst, src, offs[below(g, class == BPF_ALU ? 2 : 4)],
			0);
		g->kind[dst] = NUMBER;
		break;
	}
	case 3: put(g, class | BPF_NEG, dst, 0, 0, 0); break;
	case 4:
		put(g, (one_in(g, 2) ? BPF_ALU : BPF_ALU64) | BPF_END, dst, 0, 0,
			16 << below(g, 3));
		break;
	case 5:
	case 6:
	case 7: put(g, class | op | BPF_X, dst, src, 0, 0); break;
	case 8:
		/* a pointer moves */
		dst = g->is_wild ? below(g, 10) : pick(g, one_in(g, 2) ? VALUE : PACKET);
		if (!g->is_wild && (g->kind[dst] == UNINIT || one_in(g, 2)))
			break;
		put(g,
			BPF_ALU64 | (one_in(g, 3) ? BPF_SUB : BPF_ADD) |
				(one_in(g, 2) ? BPF_K : BPF_X),
			dst, 0, 0, 0);
		if (BPF_SRC(g->prog->insns[g->prog->cnt - 1].code) == BPF_X)
			g->prog->insns[g->prog->cnt - 1].src_reg = src;
		else
			g->prog->insns[g->prog->cnt - 1].imm = below(g, 64) - 8;
		break;
	default: put(g, class | op | BPF_K, dst, 0, 0, value);
	}
}

static void branch(struct gen *g)
{
	static const u8 ops[] = {BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSGT,
		BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET};
	u8 code = (one_in(g, 3) ? BPF_JMP32 : BPF_JMP) | ops[below(g, ARRAY_SIZE(ops))];
	u8 dst = pick(g, NUMBER), src = pick(g, NUMBER);

	if (wild(g, 8)) {
		dst = below(g, 11);
		src = below(g, 11);
	}
	if (one_in(g, 3) && dst != src)
		code |= BPF_X;
	if (one_in(g, 3))
		jump_to_end(g, code, dst, code & BPF_X ? src : 0, code & BPF_X ? 0 : imm(g));
	else
		put(g, code, dst, code & BPF_X ? src : 0, 1 + below(g, 4),
			code & BPF_X ? 0 : imm(g));
}

static void helper(struct gen *g)
{
	switch (g->is_determined ? 2 + below(g, 6) : below(g, 8)) {
	case 0:
		put(g, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32);
		after_call(g, NUMBER);
		break;
	case 1:
		put(g, BPF_JMP | BPF_CALL, 0, 0, 0,
			one_in(g, 2) ? BPF_FUNC_ktime_get_ns : BPF_FUNC_get_smp_processor_id);
		after_call(g, NUMBER);
		break;
	case 2: /* update */
		lddw_map(g, 1, wild(g, 3) ? below(g, GEN_MAP_CNT) : GEN_HASH);
		put(g, BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0);
		put(g, BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -8);
		put(g, BPF_ALU64 | BPF_MOV | BPF_X, 3,
			g->is_wild && has(g, VALUE) && one_in(g, 2) ? pick(g, VALUE) : 10, 0, 0);
		if (g->prog->insns[g->prog->cnt - 1].src_reg == 10)
			put(g, BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, wild(g, 6) ? -16 : -40);
		put(g, BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, below(g, 3));
		put(g, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_update_elem);
		after_call(g, NUMBER);
		break;
	case 3: /* memory and size */
		put(g, BPF_ALU64 | BPF_MOV | BPF_X, 1,
			one_in(g, 2) || !g->is_wild ? 10 : pick(g, one_in(g, 2) ? VALUE : PACKET),
			0, 0);
		if (g->prog->insns[g->prog->cnt - 1].src_reg == 10)
			put(g, BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0,
				-16 - 4 * (s32)(g->is_wild ? below(g, 8) : 4));
		if (one_in(g, 2) && has(g, NUMBER)) {
			put(g, BPF_ALU64 | BPF_MOV | BPF_X, 2, pick(g, NUMBER), 0, 0);
			put(g, BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, wild(g, 4) ? 0xfff : 15);
			if (!g->is_wild)
				put(g, BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 12);
		} else {
			put(g, BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 4 * below(g, 6));
		}
		put(g, BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 0);
		put(g, BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0);
		put(g, BPF_ALU64 | BPF_MOV | BPF_K, 5, 0, 0, 0);
		put(g, BPF_JMP | BPF_CALL, 0, 0, 0,
			one_in(g, 2) && g->is_wild ? BPF_FUNC_trace_printk : BPF_FUNC_csum_diff);
		after_call(g, NUMBER);
		break;
	case 4:
		put(g, BPF_ALU64 | BPF_MOV | BPF_X, 1, pick(g, CTX), 0, 0);
		put(g, BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, below(g, 16));
		if (g->prog->type == BPF_PROG_TYPE_XDP) {
			put(g, BPF_JMP | BPF_CALL, 0, 0, 0,
				one_in(g, 2) ? BPF_FUNC_xdp_adjust_head : BPF_FUNC_xdp_adjust_tail);
		} else {
			put(g, BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0, 0);
			put(g, BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -8 * (1 + (s32)below(g, 8)));
			put(g, BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, below(g, 20));
			put(g, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes);
		}
		after_call(g, NUMBER);
		break;
	case 5:
		if (!wild(g, 2))
			break;
		put(g, BPF_JMP | BPF_CALL, 0, 0, 0, below(g, 220));
		after_call(g, NUMBER);
		break;
	case 6:
		if (g->call_cnt < ARRAY_SIZE(g->calls)) {
			g->calls[g->call_cnt++] = g->prog->cnt;
			put(g, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0);
			after_call(g, NUMBER);
		}
		break;
	default: lookup(g);
	}
}

/* Looks a socket up, if none is held: into its slot, and into a register that may be null. */
static void look_up_socket(struct gen *g)
{
	static const s32 helpers[] = {
		BPF_FUNC_sk_lookup_tcp, BPF_FUNC_sk_lookup_udp, BPF_FUNC_skc_lookup_tcp};
	u8 keep = 6 + below(g, 4);

	put(g, BPF_LDX | BPF_MEM | BPF_DW, 1, 10, SOCKET_SLOT, 0);
	if (!wild(g, 10))
		jump_to_end(g, BPF_JMP | BPF_JNE | BPF_K, 1, 0, 0);
	put(g, BPF_ALU64 | BPF_MOV | BPF_X, 1, pick(g, CTX), 0, 0);
	put(g, BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0);
	put(g, BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -16);
	put(g, BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, wild(g, 6) ? imm(g) : 12);
	put(g, BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, -1);
	put(g, BPF_ALU64 | BPF_MOV | BPF_K, 5, 0, 0, 0);
	put(g, BPF_JMP | BPF_CALL, 0, 0, 0, helpers[below(g, ARRAY_SIZE(helpers))]);
	put(g, BPF_STX | BPF_MEM | BPF_DW, 10, 0, wild(g, 12) ? -8 : SOCKET_SLOT, 0);
	put(g, BPF_ALU64 | BPF_MOV | BPF_X, keep, 0, 0, 0);
	g->kind[keep] = SOCKET;
	after_call(g, SOCKET);
	if (!wild(g, 6))
		jump_to_end(g, BPF_JMP | BPF_JEQ | BPF_K, one_in(g, 2) ? keep : 0, 0, 0);
}

static void give_back_socket(struct gen *g)
{
	put(g, BPF_LDX | BPF_MEM | BPF_DW, 1, 10, SOCKET_SLOT, 0);
	put(g, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 2, 0);
	put(g, BPF_ALU64 | BPF_MOV | BPF_X, 1, one_in(g, 3) && has(g, SOCKET) ? pick(g, SOCKET) : 1,
		0, 0);
	put(g, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sk_release);
	put(g, BPF_ST | BPF_MEM | BPF_DW, 10, 0, wild(g, 12) ? -8 : SOCKET_SLOT, 0);
	for (u8 r = 0; r < 10; r++) {
		if (g->kind[r] == SOCKET && !wild(g, 8)) {
			put(g, BPF_ALU64 | BPF_MOV | BPF_K, r, 0, 0, r);
			g->kind[r] = NUMBER;
		}
	}
	after_call(g, UNINIT);
	put(g, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
	g->kind[0] = NUMBER;
}

static void use_socket(struct gen *g)
{
	static const u8 sizes[] = {BPF_B, BPF_H, BPF_W, BPF_W, BPF_W, BPF_DW};
	u8 socket = pick(g, SOCKET), dst = below(g, 6);

	switch (below(g, 6)) {
	case 0: give_back_socket(g); break;
	case 1:
		put(g, BPF_ALU64 | BPF_MOV | BPF_X, 1, socket, 0, 0);
		put(g, BPF_JMP | BPF_CALL, 0, 0, 0,
			one_in(g, 2) ? BPF_FUNC_tcp_sock : BPF_FUNC_sk_fullsock);
		after_call(g, SOCKET);
		jump_to_end(g, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0);
		break;
	default:
		put(g, BPF_LDX | BPF_MEM | sizes[below(g, wild(g, 2) ? 6 : 5)], dst, socket,
			wild(g, 3) ? (s16)below(g, 130) : 4 * (s16)below(g, 2), 0);
		g->kind[dst] = NUMBER;
	}
}

static void sockets(struct gen *g)
{
	if (!g->has_sockets)
		return;
	if (has(g, SOCKET))
		use_socket(g);
	else if (!g->depth && has(g, CTX))
		look_up_socket(g);
}

static void step(struct gen *g);

static void loop(struct gen *g)
{
	u8 counter = 6 + below(g, 4);
	u32 start, rounds = one_in(g, 10) ? 1000 : 1 + below(g, 12);

	if (g->depth || is_full(g))
		return;
	g->depth++;
	put(g, BPF_ALU64 | BPF_MOV | BPF_K, counter, 0, 0, 0);
	g->kind[counter] = NUMBER;
	start = g->prog->cnt;
	for (u32 i = below(g, 6); i > 0; i--)
		step(g);
	if (!g->is_wild && g->kind[counter] != NUMBER)
		put(g, BPF_ALU64 | BPF_MOV | BPF_K, counter, 0, 0, rounds);
	if (!wild(g, 15))
		put(g, BPF_ALU64 | BPF_ADD | BPF_K, counter, 0, 0, one_in(g, 4) ? 2 : 1);
	put(g, BPF_JMP | (one_in(g, 2) ? BPF_JLT : BPF_JSLT) | BPF_K, counter, 0,
		(s16)((s32)start - (s32)g->prog->cnt - 1), rounds);
	g->depth--;
}

static void step(struct gen *g)
{
	if (is_full(g))
		return;
	switch (below(g, 16)) {
	case 0: load_ctx(g); break;
	case 1:
	case 2:
		if (has(g, PACKET) && has(g, END))
			packet(g);
		break;
	case 3:
	case 4:
		if (has(g, VALUE))
			value_access(g);
		else
			lookup(g);
		break;
	case 5:
	case 6:
	case 7: stack_access(g); break;
	case 8:
	case 9: branch(g); break;
	case 10: helper(g); break;
	case 11: loop(g); break;
	case 12: global_value(g); break;
	case 13:
		if (one_in(g, 2) && g->has_sockets) {
			sockets(g);
		} else if (one_in(g, 2)) {
			u8 dst = target(g);

			put(g, BPF_ALU64 | BPF_MOV | BPF_X, dst, 10, 0, 0);
			g->kind[dst] = STACK;
		}
		break;
	default: alu(g);
	}
}

static void end(struct gen *g, u32 from)
{
	bool cleans_up = g->has_sockets && !from;
	u32 target = g->prog->cnt;

	if (cleans_up) {
		put(g, BPF_LDX | BPF_MEM | BPF_DW, 1, 10, SOCKET_SLOT, 0);
		put(g, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1, 0);
		put(g, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sk_release);
	}
	if (!wild(g, 12))
		put(g, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, below(g, 5));
	if (!cleans_up)
		target = g->prog->cnt - 1;
	for (u32 i = 0; i < g->fix_cnt; i++)
		g->prog->insns[g->fix[i]].off = target - g->fix[i] - 1 + wild(g, 20);
	put(g, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	/* short forward jumps must not leave the function */
	for (u32 i = from; i < g->prog->cnt; i++) {
		struct bpf_insn *insn = &g->prog->insns[i];

		if (isa_is_lddw(insn))
			i++;
		else if (isa_is_jump(insn) && i + 1 + insn->off >= g->prog->cnt - g->is_determined)
			insn->off = cleans_up && i < target
					    ? (s16)(target - i - 1)
					    : g->prog->cnt - i - (g->is_determined ? 3 : 2);
		else if (isa_is_jump(insn) && !g->is_wild &&
			 isa_is_lddw(&g->prog->insns[i + insn->off]))
			insn->off++;
	}
	g->fix_cnt = 0;
}

static void clear_stack(struct gen *g)
{
	for (s16 off = -8; off >= -64 && g->is_determined; off -= 8)
		put(g, BPF_ST | BPF_MEM | BPF_DW, 10, 0, off, 0);
}

static void callee(struct gen *g, u32 call)
{
	u32 start = g->prog->cnt, own_calls = g->call_cnt;
	bool has_sockets = g->has_sockets;

	g->has_sockets = false;

	for (u8 r = 0; r < 10; r++)
		g->kind[r] = UNINIT;
	g->kind[1] = wild(g, 3) ? STACK : UNINIT;
	for (u8 r = 0; r < 10; r++) {
		if (g->is_wild && r)
			break;
		put(g, BPF_ALU64 | BPF_MOV | BPF_K, r, 0, 0, below(g, 100));
		g->kind[r] = NUMBER;
	}
	clear_stack(g);
	for (u32 i = below(g, 8); i > 0; i--)
		step(g);
	end(g, start);
	g->prog->insns[call].imm = start - call - 1;
	/* calls made in here go to the function itself, later ones, or were made by the caller */
	for (u32 i = own_calls; i < g->call_cnt; i++)
		g->prog->insns[g->calls[i]].imm = start - g->calls[i] - 1;
	g->call_cnt = own_calls;
	g->has_sockets = has_sockets;
}

void gen_prog(u64 seed, struct gen_prog *ret_prog)
{
	struct gen g = {.state = seed * 0xd1342543de82ef95 + 1, .prog = ret_prog};

	ret_prog->cnt = 0;
	g.is_wild = one_in(&g, 3);
	g.is_determined = ret_prog->is_determined = !g.is_wild && one_in(&g, 2);
	ret_prog->flags = one_in(&g, 4) ? BPF_F_TEST_STATE_FREQ : 0;
	if (one_in(&g, 16))
		ret_prog->flags |= BPF_F_STRICT_ALIGNMENT;
	ret_prog->type = one_in(&g, 4)	 ? BPF_PROG_TYPE_SOCKET_FILTER
			 : one_in(&g, 3) ? BPF_PROG_TYPE_SCHED_CLS
					 : BPF_PROG_TYPE_XDP;
	g.kind[1] = CTX;
	g.kind[10] = STACK;
	put(&g, BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0);
	g.kind[6] = CTX;
	if (ret_prog->type == BPF_PROG_TYPE_XDP) {
		put(&g, BPF_LDX | BPF_MEM | BPF_W, 7, 1, 0, 0);
		put(&g, BPF_LDX | BPF_MEM | BPF_W, 8, 1, 4, 0);
		g.kind[7] = PACKET;
		g.kind[8] = END;
		put(&g, BPF_LDX | BPF_MEM | BPF_W, 9, 1, 12, 0);
	} else {
		put(&g, BPF_LDX | BPF_MEM | BPF_W, 9, 1, 0, 0);
		if (ret_prog->type == BPF_PROG_TYPE_SCHED_CLS) {
			put(&g, BPF_LDX | BPF_MEM | BPF_W, 7, 1, offsetof(struct __sk_buff, data),
				0);
			put(&g, BPF_LDX | BPF_MEM | BPF_W, 8, 1,
				offsetof(struct __sk_buff, data_end), 0);
			g.kind[7] = PACKET;
			g.kind[8] = END;
		}
	}
	g.kind[9] = NUMBER;
	for (u8 r = 0; r < 6 && !g.is_wild; r++) {
		if (g.kind[r] == UNINIT)
			put(&g, BPF_ALU64 | BPF_MOV | BPF_K, r, 0, 0, r);
	}
	clear_stack(&g);
	g.has_sockets = !g.is_determined && ret_prog->type != BPF_PROG_TYPE_SOCKET_FILTER &&
			one_in(&g, 3);
	if (g.has_sockets)
		put(&g, BPF_ST | BPF_MEM | BPF_DW, 10, 0, SOCKET_SLOT, 0);
	for (u32 i = 2 + below(&g, 30); i > 0; i--)
		step(&g);
	end(&g, 0);
	for (u32 i = 0; i < g.call_cnt && ret_prog->cnt < GEN_INSN_MAX - 200;) {
		u32 cnt = g.call_cnt;

		callee(&g, g.calls[i++]);
		if (g.call_cnt < cnt)
			break;
	}
	if (g.is_wild || (!g.is_determined && one_in(&g, 10)))
		gen_mutate(seed + 7, ret_prog);
}

void gen_mutate(u64 seed, struct gen_prog *prog)
{
	struct gen g = {.state = seed * 0x2545f4914f6cdd1d + 3, .prog = prog};

	for (u32 n = 1 + below(&g, 2); n > 0; n--) {
		u32 i = below(&g, prog->cnt);
		struct bpf_insn *insn = &prog->insns[i];

		if ((i && isa_is_lddw(insn - 1)) || isa_is_lddw(insn))
			continue;
		switch (below(&g, 7)) {
		case 0: insn->dst_reg = below(&g, 11); break;
		case 1: insn->src_reg = below(&g, 11); break;
		case 2: insn->off += (s16)below(&g, 5) - 2; break;
		case 3: insn->imm = imm(&g); break;
		case 4: insn->code ^= 1 << below(&g, 8); break;
		case 5: insn->imm += (s32)below(&g, 3) - 1; break;
		case 6:
			*insn = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X,
				.dst_reg = insn->dst_reg,
				.src_reg = insn->dst_reg};
		}
	}
}
