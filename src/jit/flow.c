/*
 * Liveness by going backwards over the instructions until nothing changes: once for code without loops,
 * once more for each depth of loops.
 * Invariant: a bit that is clear is a proof; a bit that is set may be wrong. Registers that a call leaves
 * without a value (R1-R5) count as written by it.
 */
#include "jit/flow.h"

#include <errno.h>

#include "base/mem.h"
#include "isa/isa.h"

struct work {
	const struct prog_code *code;
	const u16 *reads, *writes;
	u16 *live, *live_in;
};

static bool is_end(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_EXIT) || insn->code == (BPF_JMP | BPF_JA) ||
	       insn->code == (BPF_JMP32 | BPF_JA);
}

static u16 live_after(const struct work *work, u32 i)
{
	const struct bpf_insn *insn = &work->code->insns[i];
	const u32 cnt = work->code->insn_cnt, next = i + 1 + isa_is_lddw(insn);
	u16 live = 0;
	s64 target;

	if (!is_end(insn) && next < cnt)
		live = work->live_in[next];
	if (!isa_is_jump(insn))
		return live;
	target = (s64)i + 1 + isa_jump_off(insn);
	return target >= 0 && target < cnt ? live | work->live_in[target] : 0xffff;
}

static bool go_back(struct work *work)
{
	bool is_changed = false;
	u16 in;

	for (u32 i = work->code->insn_cnt; i-- > 0;) {
		if (!work->code->insns[i].code)
			continue; /* second slot */
		work->live[i] = live_after(work, i);
		in = work->reads[i] | (work->live[i] & ~work->writes[i]);
		is_changed |= in != work->live_in[i];
		work->live_in[i] = in;
	}
	return is_changed;
}

static void find_targets(const struct prog_code *code, u8 *is_target)
{
	for (u32 i = 0; i < code->sub_cnt; i++)
		is_target[code->subs[i].start] = true;
	for (u32 i = 0; i < code->insn_cnt; i++) {
		const struct bpf_insn *insn = &code->insns[i];
		const s64 target = (s64)i + 1 + isa_jump_off(insn);

		if (insn->code && isa_is_jump(insn) && target >= 0 && target < code->insn_cnt)
			is_target[target] = true;
	}
}

int jit_flow_init(const struct prog_code *code, struct jit_flow *ret_flow)
{
	const size_t cnt = code->insn_cnt;
	u16 *live_in = mem_array(cnt, sizeof(*live_in));
	struct jit_flow flow = {
		.is_target = mem_array(cnt + 1, sizeof(*flow.is_target)),
		.reads = mem_array(cnt, 3 * sizeof(*flow.reads)),
	};
	struct work work = {.code = code, .live_in = live_in};

	if (!live_in || !flow.is_target || !flow.reads) {
		mem_free(live_in);
		jit_flow_done(&flow);
		return -ENOMEM;
	}
	flow.writes = flow.reads + cnt;
	flow.live = flow.writes + cnt;
	for (u32 i = 0; i < cnt; i++) {
		flow.reads[i] = isa_regs_read(&code->insns[i]);
		flow.writes[i] = isa_regs_written(&code->insns[i]);
	}
	find_targets(code, flow.is_target);
	work.reads = flow.reads;
	work.writes = flow.writes;
	work.live = flow.live;
	while (go_back(&work))
		continue;
	mem_free(live_in);
	*ret_flow = flow;
	return 0;
}

void jit_flow_done(struct jit_flow *flow)
{
	mem_free(flow->is_target);
	mem_free(flow->reads);
	*flow = (struct jit_flow){0};
}
