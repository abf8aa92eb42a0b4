/*
 * Liveness by going backwards over blocks, stretches that no jump enters or leaves but at their ends, and over
 * loops again until nothing changes at their beginning. Instructions are looked at three times, however many
 * rounds that takes.
 * Invariant: a bit that is clear is a proof; a bit that is set may be wrong. Registers that a call leaves
 * without a value (R1-R5) count as written by it.
 */
#include "jit/flow.h"

#include <errno.h>

#include "base/mem.h"
#include "isa/isa.h"

enum { ALL = 0xffff };
static const u32 NONE = UINT32_MAX, UNKNOWN = UINT32_MAX - 1;

struct block {
	u32 start, end;
	u32 succ;  /* the block that a jump at its end leads to, NONE or UNKNOWN */
	u32 back;  /* the last block that jumps back to this one; before it: none does */
	u16 reads; /* before it writes them */
	u16 writes;
	u16 live_in;
	bool falls; /* the next block may follow */
};

static bool is_end(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_EXIT) || insn->code == (BPF_JMP | BPF_JA) ||
	       insn->code == (BPF_JMP32 | BPF_JA);
}

static void note_calls(struct jit_flow_sub *sub, const struct bpf_insn *insn)
{
	/* loads from the packet call what reads it */
	sub->has_call |= BPF_CLASS(insn->code) == BPF_LD && BPF_MODE(insn->code) != BPF_IMM;
	if (BPF_CLASS(insn->code) != BPF_JMP)
		return;
	if (BPF_OP(insn->code) == BPF_CALL) {
		const bool is_tail_call = insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg &&
					  insn->imm == BPF_FUNC_tail_call;

		sub->has_call |= !is_tail_call;
		sub->has_tail_call |= is_tail_call;
		sub->has_kfunc |= insn->src_reg == BPF_PSEUDO_KFUNC_CALL;
	}
	sub->has_may_goto |= insn->code == (BPF_JMP | BPF_JCOND);
}

/* The registers of every instruction and where jumps lead; and at most how many blocks there are. */
static int look(const struct prog_code *code, struct jit_flow *flow)
{
	u32 sub = 0, start = 0, end = 0, cnt = code->sub_cnt + 1;

	for (u32 i = 0; i < code->sub_cnt; i++)
		flow->is_target[code->subs[i].start] = 1;
	for (u32 i = 0; i < code->insn_cnt; i++) {
		const struct bpf_insn *insn = &code->insns[i];
		s64 target;

		for (; i >= end && sub < code->sub_cnt; sub++) {
			start = code->subs[sub].start;
			end = sub + 1 < code->sub_cnt ? code->subs[sub + 1].start : code->insn_cnt;
		}
		if (insn->dst_reg >= ISA_REG_CNT || insn->src_reg >= ISA_REG_CNT)
			return -EINVAL;
		isa_regs(insn, &flow->reads[i], &flow->writes[i]);
		flow->subs[sub - 1].uses_stack |= flow->reads[i] >> BPF_REG_10 & 1;
		note_calls(&flow->subs[sub - 1], insn);
		if (insn->code && isa_is_jump(insn)) {
			target = (s64)i + 1 + isa_jump_off(insn);
			if (target >= 0 && target < code->insn_cnt)
				flow->is_target[target] |= target <= i ? JIT_LOOP : 1;
			flow->is_crossed |= target < start || target >= end;
			cnt += 2;
		} else if (is_end(insn)) {
			cnt++;
		}
		i += isa_is_lddw(insn);
		flow->is_crossed |= i + 1 >= end && !is_end(insn);
	}
	flow->block_cnt = cnt;
	return 0;
}

/* The block from start on; its succ is an instruction still. */
static struct block make_block(const struct prog_code *code, const struct jit_flow *flow, u32 start)
{
	struct block block = {.start = start, .succ = NONE};
	const struct bpf_insn *insn;
	u16 reads = 0, writes = 0;
	u32 i = start;
	s64 target;

	do {
		insn = &code->insns[i];
		reads |= flow->reads[i] & ~writes;
		writes |= flow->writes[i];
		if (insn->code && isa_is_jump(insn)) {
			target = (s64)i + 1 + isa_jump_off(insn);
			block.succ = target >= 0 && target < code->insn_cnt ? (u32)target : UNKNOWN;
		}
		i += 1 + isa_is_lddw(insn);
	} while (i < code->insn_cnt && !flow->is_target[i] && block.succ == NONE && !is_end(insn));
	block.end = MIN(i, code->insn_cnt);
	block.falls = !is_end(insn) && block.end < code->insn_cnt;
	block.reads = reads;
	block.writes = writes;
	return block;
}

/* All blocks; block_of has room for each instruction. */
static u32 find_blocks(const struct prog_code *code, const struct jit_flow *flow,
	struct block *blocks, u32 *block_of)
{
	u32 cnt = 0, sub = 0;

	for (u32 i = 0; i < code->insn_cnt; i = blocks[cnt++].end) {
		blocks[cnt] = make_block(code, flow, i);
		block_of[i] = cnt;
		while (sub + 1 < code->sub_cnt && code->subs[sub + 1].start <= i)
			sub++;
		flow->subs[sub].reads |= blocks[cnt].reads;
		flow->subs[sub].writes |= blocks[cnt].writes;
	}
	for (u32 b = 0; b < cnt; b++) {
		if (blocks[b].succ >= UNKNOWN)
			continue;
		blocks[b].succ = block_of[blocks[b].succ];
		if (blocks[b].succ <= b)
			blocks[blocks[b].succ].back = b + 1;
	}
	return cnt;
}

static u16 live_behind(const struct block *blocks, u32 idx)
{
	const struct block *block = &blocks[idx];
	const u16 live = block->falls ? blocks[idx + 1].live_in : 0;

	if (block->succ == NONE)
		return live;
	return block->succ == UNKNOWN ? ALL : live | blocks[block->succ].live_in;
}

/* Where more is live at the beginning of a loop, the loop is gone over again before what comes before it. */
static void solve(struct block *blocks, u32 cnt)
{
	u16 in;

	for (u32 b = cnt; b-- > 0;) {
		in = blocks[b].reads | (live_behind(blocks, b) & ~blocks[b].writes);
		if (in == blocks[b].live_in)
			continue;
		blocks[b].live_in = in;
		b = MAX(b, blocks[b].back);
	}
}

static void spread(const struct block *blocks, u32 cnt, struct jit_flow *flow)
{
	for (u32 b = 0; b < cnt; b++) {
		u16 live = live_behind(blocks, b);

		for (u32 i = blocks[b].end; i-- > blocks[b].start;) {
			flow->live[i] = live;
			live = flow->reads[i] | (live & ~flow->writes[i]);
		}
	}
}

int jit_flow_init(const struct prog_code *code, struct jit_flow *ret_flow)
{
	const size_t cnt = code->insn_cnt;
	const size_t subs_len = code->sub_cnt * sizeof(struct jit_flow_sub);
	struct jit_flow flow = {
		.subs = mem_zalloc(subs_len + (cnt + 1) * (3 * sizeof(u16) + sizeof(u8)))};
	int err = -ENOMEM;

	if (flow.subs) {
		flow.reads = (u16 *)(flow.subs + code->sub_cnt);
		flow.writes = flow.reads + cnt + 1;
		flow.live = flow.writes + cnt + 1;
		flow.is_target = (u8 *)(flow.live + cnt + 1);
		err = look(code, &flow);
	}
	if (err)
		jit_flow_done(&flow);
	else
		*ret_flow = flow;
	return err;
}

int jit_flow_solve(const struct prog_code *code, struct jit_flow *flow)
{
	struct block *blocks = mem_alloc(
		flow->block_cnt * sizeof(*blocks) + code->insn_cnt * sizeof(u32));
	u32 cnt;

	if (!blocks)
		return -ENOMEM;
	cnt = find_blocks(code, flow, blocks, (u32 *)(blocks + flow->block_cnt));
	solve(blocks, cnt);
	spread(blocks, cnt, flow);
	mem_free(blocks);
	return 0;
}

void jit_flow_done(struct jit_flow *flow)
{
	mem_free(flow->subs); /* and what stands behind it */
	*flow = (struct jit_flow){0};
}
