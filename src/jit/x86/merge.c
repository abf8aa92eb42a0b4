/*
 * Loads put together again. Compilers read what is not aligned byte by byte (b0 | b1 << 8 | ...), and read
 * numbers of the network and turn them. Going forward from a load, each register is a row of bytes of memory
 * at offsets from one base; wherever the registers still read are single stretches of bytes, ascending or
 * descending, all that was done can be one load each.
 *
 * Only instructions without a trace elsewhere are in the stretch: no stores, no calls; each byte that is
 * loaded was loaded before. The base stays what it was until the last load.
 */
#include <string.h>

#include "isa/isa.h"
#include "jit/x86/x86.h"

enum { STRETCH_MAX = 40, NO_BYTE = 0x10000, BYTE_CNT = 8 };

struct merge {
	/* offsets from the base; NO_BYTE is 0. Only of known registers: setting all takes longer than most stretches */
	s32 bytes[JIT_REG_CNT][BYTE_CNT];
	u16 known; /* registers with bytes */
	u16 written;
	u8 base;
};

static void begin(struct merge *m, u8 base)
{
	m->known = m->written = 0;
	m->base = base;
}

static void clear_from(s32 *bytes, u32 first)
{
	for (u32 i = first; i < BYTE_CNT; i++)
		bytes[i] = NO_BYTE;
}

static void shift_left(s32 *bytes, u32 cnt)
{
	for (u32 i = BYTE_CNT; i-- > 0;)
		bytes[i] = i >= cnt ? bytes[i - cnt] : NO_BYTE;
}

static bool combine(s32 *dst, const s32 *src)
{
	for (u32 i = 0; i < BYTE_CNT; i++)
		if (dst[i] != NO_BYTE && src[i] != NO_BYTE)
			return false;
	for (u32 i = 0; i < BYTE_CNT; i++)
		dst[i] = dst[i] == NO_BYTE ? src[i] : dst[i];
	return true;
}

static bool turn(s32 *bytes, const struct bpf_insn *insn)
{
	const bool swaps = BPF_CLASS(insn->code) == BPF_ALU64 || BPF_SRC(insn->code) == BPF_TO_BE;
	const u32 cnt = (u32)insn->imm / 8;

	if (cnt != 2 && cnt != 4 && cnt != 8)
		return false;
	for (u32 i = 0; swaps && i < cnt / 2; i++) {
		const s32 low = bytes[i];

		bytes[i] = bytes[cnt - 1 - i];
		bytes[cnt - 1 - i] = low;
	}
	clear_from(bytes, cnt);
	return true;
}

/* One instruction more; false: it does not belong. */
static bool step_alu(struct merge *m, const struct bpf_insn *insn)
{
	s32 *dst = m->bytes[insn->dst_reg];
	const bool is_narrow = BPF_CLASS(insn->code) == BPF_ALU;
	const bool has_dst = m->known & 1 << insn->dst_reg;
	const bool has_src = m->known & 1 << insn->src_reg;

	switch (insn->code & ~7) {
	case BPF_MOV | BPF_X:
		if (!has_src || insn->off)
			return false;
		memmove(dst, m->bytes[insn->src_reg], sizeof(m->bytes[0]));
		break;
	case BPF_LSH | BPF_K:
		if (!has_dst || insn->imm < 0 || insn->imm % 8 ||
			insn->imm >= (is_narrow ? 32 : 64))
			return false;
		shift_left(dst, (u32)insn->imm / 8);
		break;
	case BPF_OR | BPF_X:
		if (!has_dst || !has_src || insn->dst_reg == insn->src_reg)
			return false;
		if (is_narrow)
			clear_from(dst, 4);
		if (!combine(dst, m->bytes[insn->src_reg]))
			return false;
		break;
	case BPF_END | BPF_TO_LE:
	case BPF_END | BPF_TO_BE: return has_dst && turn(dst, insn);
	default: return false;
	}
	if (is_narrow)
		clear_from(dst, 4);
	return true;
}

static bool step(struct merge *m, const struct bpf_insn *insn)
{
	const u16 bit = 1 << insn->dst_reg;
	u32 len;

	if (BPF_CLASS(insn->code) == BPF_ALU || BPF_CLASS(insn->code) == BPF_ALU64) {
		if (!step_alu(m, insn))
			return false;
	} else if (BPF_CLASS(insn->code) == BPF_LDX && BPF_MODE(insn->code) == BPF_MEM) {
		len = isa_access_len(insn);
		if (insn->src_reg != m->base || m->written & 1 << m->base)
			return false;
		clear_from(m->bytes[insn->dst_reg], len);
		for (u32 i = 0; i < len; i++)
			m->bytes[insn->dst_reg][i] = insn->off + (s32)i;
	} else {
		return false;
	}
	m->known |= bit;
	m->written |= bit;
	return true;
}

/* A register as one load of len bytes at offset off. */
struct load {
	u32 len;
	s32 off;
	bool is_big;
};

static bool as_load(const s32 *bytes, struct load *ret_load)
{
	struct load load = {.off = bytes[0]};
	s32 way;

	while (load.len < BYTE_CNT && bytes[load.len] != NO_BYTE)
		load.len++;
	for (u32 i = load.len; i < BYTE_CNT; i++)
		if (bytes[i] != NO_BYTE)
			return false;
	if (!load.len || load.len & (load.len - 1))
		return false;
	way = load.len > 1 ? bytes[1] - bytes[0] : 1;
	if (way != 1 && way != -1)
		return false;
	for (u32 i = 1; i < load.len; i++)
		if (bytes[i] != bytes[i - 1] + way)
			return false;
	load.is_big = way < 0;
	if (load.is_big)
		load.off = bytes[load.len - 1];
	*ret_load = load;
	return true;
}

/* Instructions that the loads of the registers in live take, or 0: not possible. */
static u32 cost_of(const struct merge *m, u16 live)
{
	struct load load;
	u32 cost = 0;

	for (u32 reg = 0; reg < JIT_REG_CNT; reg++) {
		if (!(live & 1 << reg))
			continue;
		if (!as_load(m->bytes[reg], &load))
			return 0;
		cost += load.is_big && load.len == 2 ? 2 : 1;
	}
	return cost;
}

static void emit_load(struct jit *jit, const struct merge *m, u32 reg)
{
	const enum x86_reg dst = x86_reg_of(reg);
	struct x86_mem mem = {.base = x86_reg_of(m->base)};
	struct buf *out = &jit->out;
	struct load load;

	if (!as_load(m->bytes[reg], &load))
		return;
	mem.disp = load.off;
	if (load.is_big && load.len > 2 && jit->features & X86_MOVBE) {
		x86_load_be(out, load.len, dst, mem);
		return;
	}
	x86_load(out, load.len, dst, mem);
	if (load.is_big && load.len == 2)
		x86_rol16_8(out, dst);
	else if (load.is_big)
		x86_bswap(out, load.len == 8, dst);
}

/* Most loads have nothing behind them that could be merged. */
static bool may_merge(const struct bpf_insn *insn)
{
	const struct bpf_insn *next = insn + 1;

	switch (BPF_CLASS(next->code)) {
	case BPF_LDX: return next->src_reg == insn->src_reg && insn->dst_reg != insn->src_reg;
	case BPF_ALU:
	case BPF_ALU64:
		return BPF_OP(next->code) == BPF_LSH || BPF_OP(next->code) == BPF_END ||
		       BPF_OP(next->code) == BPF_MOV || BPF_OP(next->code) == BPF_OR;
	default: return false;
	}
}

/* The most instructions from idx on that are worth merging, and the registers still read behind them; 0: none are. */
static u32 longest(const struct jit *jit, u32 idx, u16 *ret_live)
{
	const struct bpf_insn *insns = jit->code->insns;
	struct merge m;
	u32 best = 0, cost;
	u16 live;

	begin(&m, insns[idx].src_reg);
	for (u32 i = idx; i < jit->code->insn_cnt && i < idx + STRETCH_MAX; i++) {
		if ((i > idx && jit->flow.is_target[i]) || !step(&m, &insns[i]))
			break;
		if (BPF_CLASS(insns[i].code) == BPF_LDX ||
			(insns[i].code & ~7) == (BPF_LSH | BPF_K))
			continue;
		live = jit->flow.live[i] & m.written;
		cost = cost_of(&m, live);
		if (!cost || cost >= i - idx + 1)
			continue;
		*ret_live = live;
		best = i - idx + 1;
	}
	return best;
}

u32 x86_merge_loads(struct jit *jit, u32 idx)
{
	const struct bpf_insn *insns = jit->code->insns;
	struct merge m;
	u16 live = 0;
	u32 cnt;

	if (!may_merge(&insns[idx]))
		return 0;
	cnt = longest(jit, idx, &live);
	if (!cnt)
		return 0;
	begin(&m, insns[idx].src_reg);
	for (u32 i = 0; i < cnt; i++)
		step(&m, &insns[idx + i]);
	for (u32 reg = 0; reg < JIT_REG_CNT; reg++)
		if (live & 1 << reg && reg != m.base)
			emit_load(jit, &m, reg);
	if (live & 1 << m.base)
		emit_load(jit, &m, m.base);
	return cnt;
}
