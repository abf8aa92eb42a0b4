/*
 * Stack slots in registers. A compiler that has more values than BPF has registers keeps some on the stack;
 * the machine has registers more. In a function that calls nothing, slots of 8 bytes that are only loaded and
 * stored whole become registers 11, 12, ..., which instructions have room to name: loads and stores of them
 * become moves, and all that is done with moves (liveness, several at once) is done with them.
 *
 * Invariants: R10 is only a base of loads and stores in such a function, so nobody else knows the address of a
 * slot; no other access overlaps it; the machine uses the registers for nothing else there.
 */
#include "jit/slots.h"

#include <errno.h>

#include "base/mem.h"
#include "isa/isa.h"

enum {
	SLOT_LEN = 8,
	SLOT_CNT = PROG_STACK_MAX / SLOT_LEN,
	LOOP_WEIGHT = 8, /* what a loop does counts as often */
	NO_SLOT = -1,
};

struct slots {
	u32 weight[SLOT_CNT];
	u64 used;  /* bits: slots with a weight */
	u64 split; /* bits: slots that something else overlaps */
	u8 reg[SLOT_CNT];
};

static bool is_store(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_ST || BPF_CLASS(insn->code) == BPF_STX;
}

/* Is it a load or store whose only use of R10 is its base, within the stack? */
static bool is_access(const struct bpf_insn *insn)
{
	const bool is_load = BPF_CLASS(insn->code) == BPF_LDX;

	if (!is_load && !is_store(insn))
		return false;
	if (BPF_MODE(insn->code) != BPF_MEM && BPF_MODE(insn->code) != BPF_MEMSX)
		return false;
	if ((is_load ? insn->dst_reg : insn->src_reg) == BPF_REG_10)
		return false;
	return insn->off >= -PROG_STACK_MAX && insn->off + (s32)isa_access_len(insn) <= 0;
}

static int slot_of(const struct bpf_insn *insn)
{
	return (insn->off + PROG_STACK_MAX) / SLOT_LEN;
}

static void note(struct slots *slots, const struct bpf_insn *insn, u32 weight)
{
	const int first = slot_of(insn);
	const int last = (insn->off + (int)isa_access_len(insn) - 1 + PROG_STACK_MAX) / SLOT_LEN;

	if (isa_access_len(insn) == SLOT_LEN && first == last && BPF_MODE(insn->code) == BPF_MEM) {
		slots->weight[first] += weight;
		slots->used |= 1ULL << first;
	} else {
		slots->split |= 1ULL << first | 1ULL << last;
	}
}

/* Backwards, so that the jumps of loops come before what is in them. false: no slot can be a register. */
static bool scan(const struct jit *jit, u32 start, u32 end, struct slots *slots)
{
	const u16 r10 = 1 << BPF_REG_10;
	s64 loop = end; /* the earliest target of a jump back from here or behind */

	for (u32 i = end; i-- > start;) {
		const struct bpf_insn *insn = &jit->code->insns[i];

		if (!insn->code)
			continue; /* second slot */
		if (isa_is_jump(insn))
			loop = MIN(loop, (s64)i + 1 + isa_jump_off(insn));
		if (!((jit->flow.reads[i] | jit->flow.writes[i]) & r10)) {
			if (jit_target->needs_scratch && jit_target->needs_scratch(jit, insn))
				return false;
			continue;
		}
		if (!is_access(insn))
			return false;
		note(slots, insn, loop <= i ? LOOP_WEIGHT : 1);
	}
	return true;
}

static int heaviest(const struct slots *slots)
{
	int best = NO_SLOT;

	for (u64 left = slots->used & ~slots->split; left; left &= left - 1) {
		const int i = __builtin_ctzll(left);

		if (!slots->reg[i] && (best == NO_SLOT || slots->weight[i] > slots->weight[best]))
			best = i;
	}
	return best;
}

static struct bpf_insn as_move(const struct bpf_insn *insn, u8 reg)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		return (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X,
			.dst_reg = insn->dst_reg,
			.src_reg = reg};
	case BPF_STX:
		return (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X,
			.dst_reg = reg,
			.src_reg = insn->src_reg};
	default:
		return (struct bpf_insn){
			.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = reg, .imm = insn->imm};
	}
}

static void rewrite(
	struct jit *jit, struct bpf_insn *insns, u32 start, u32 end, const struct slots *slots)
{
	for (u32 i = start; i < end; i++) {
		struct bpf_insn *insn = &insns[i];
		u8 reg;

		if (!((jit->flow.reads[i] | jit->flow.writes[i]) & 1 << BPF_REG_10))
			continue;
		reg = slots->reg[slot_of(insn)];
		if (!reg)
			continue;
		*insn = as_move(insn, reg);
		isa_regs(insn, &jit->flow.reads[i], &jit->flow.writes[i]);
	}
}

static int place(struct jit *jit, u32 sub, struct prog_code *work)
{
	const struct prog_code *code = jit->code;
	const u32 start = code->subs[sub].start;
	const u32 end = sub + 1 < code->sub_cnt ? code->subs[sub + 1].start : code->insn_cnt;
	struct slots slots = {0};
	u32 cnt = 0;
	int slot;

	if (!jit->flow.subs[sub].uses_stack || !scan(jit, start, end, &slots))
		return 0;
	while (cnt < jit_target->spare_cnt && (slot = heaviest(&slots)) != NO_SLOT)
		slots.reg[slot] = (u8)(ISA_REG_CNT + cnt++);
	if (!cnt)
		return 0;
	if (work->insns == code->insns) {
		work->insns = mem_dup(code->insns, code->insn_cnt * sizeof(*code->insns));
		if (!work->insns) {
			work->insns = code->insns;
			return -ENOMEM;
		}
	}
	rewrite(jit, work->insns, start, end, &slots);
	return 0;
}

int jit_place_slots(struct jit *jit, struct prog_code *work)
{
	const struct jit_flow_sub *subs = jit->flow.subs;
	int err = 0;

	if (!jit_target->spare_cnt || jit->flow.is_crossed)
		return 0;
	for (u32 i = 0; i < jit->code->sub_cnt && !err; i++)
		if (!subs[i].has_call && !subs[i].has_tail_call && !subs[i].has_may_goto)
			err = place(jit, i, work);
	return err;
}
