/*
 * Checked mode with arbitrary instructions that no verifier has seen: the checked interpreter runs any bytes, and
 * checked machine code runs what has a sound form. Whatever they do, nothing outside of the granted memory is
 * touched (the sanitisers watch) and the run ends.
 *
 * Input:  mode | then 8 bytes an instruction
 *	mode bit 0	1: the first byte of each chooses a row of the instruction table and its constants
 *	mode bit 1	1: jumps and calls that lead nowhere lead to the end, so that machine code is made
 *	mode bit 2	1: begin with the packet's address in R6
 *	mode bit 3	1: the context is a socket buffer
 *	mode bit 4	1: the frame has a depth of 64 bytes, else of 512
 * An ld_imm64 of a map or a value gets the address of one of the maps, by its imm.
 */
#include <stdlib.h>
#include <string.h>

#include "core/inst.h"
#include "core/map.h"
#include "core/skb.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"
#include "vm/vm.h"

enum {
	INSN_MAX = 128,
	SUB_MAX = 64,
	MEM_LEN = 64,
	VALUE_LEN = 24,
	MAP_CNT = 4,
	BUDGET = 3000,
	MODE_TABLE = 1,
	MODE_SOUND = 2,
	MODE_PACKET = 4,
	MODE_SKB = 8,
	MODE_SHALLOW = 16,
};

static const struct prog_type type = {.name = "any", .ret_any = true};
static struct skep inst;
static struct map *maps[MAP_CNT];
static struct run *run;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const u32 types[MAP_CNT] = {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH,
		BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PROG_ARRAY};
	const struct inst_options opts = {
		.cpu_cnt = 2, .clock = INST_CLOCK_REPLAY, .checked = true};

	if (vm_inst_init(&inst, &opts))
		abort();
	for (u32 i = 0; i < MAP_CNT; i++) {
		const struct map_attr attr = {.type = types[i],
			.key_size = 4,
			.value_size = types[i] == BPF_MAP_TYPE_PROG_ARRAY ? 4 : VALUE_LEN,
			.max_entries = i == 0 ? 1 : 8};

		if (map_new(&inst, &attr, &maps[i]))
			abort();
	}
	run = &inst.runs[0];
	return 0;
}

/* The row's constants, and registers that exist, so that most are instructions. */
static struct bpf_insn table_insn(struct bpf_insn insn)
{
	const struct isa_op *op = isa_op(insn.code % ISA_CNT);

	insn.code = op->code;
	insn.dst_reg %= ISA_REG_CNT;
	insn.src_reg %= ISA_REG_CNT;
	if (op->key == ISA_KEY_OFF)
		insn.off = (s16)op->key_val;
	if (op->key == ISA_KEY_IMM)
		insn.imm = op->key_val;
	if (op->key == ISA_KEY_SRC)
		insn.src_reg = (u8)op->key_val;
	return insn;
}

static u32 read_insns(const u8 *data, size_t len, u8 mode, struct bpf_insn *insns)
{
	u32 cnt = 0;

	if (mode & MODE_PACKET)
		insns[cnt++] = (struct bpf_insn){
			.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 6, .src_reg = 1};
	for (; len >= sizeof(*insns) && cnt < INSN_MAX - 2; len -= sizeof(*insns)) {
		memcpy(&insns[cnt], data, sizeof(*insns));
		data += sizeof(*insns);
		if (mode & MODE_TABLE)
			insns[cnt] = table_insn(insns[cnt]);
		if (isa_is_lddw(&insns[cnt++])) {
			insns[cnt] = (struct bpf_insn){.imm = insns[cnt - 1].imm};
			cnt++;
		}
	}
	insns[cnt++] = (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
	return cnt;
}

static void set_address(struct bpf_insn *insn, u64 addr)
{
	insn[0].imm = (s32)addr;
	insn[1].imm = (s32)(addr >> 32);
}

static void set_maps(struct bpf_insn *insns, u32 cnt)
{
	u64 addr = 0;

	for (u32 i = 0; i + 1 < cnt; i++) {
		struct bpf_insn *insn = &insns[i];

		if (!isa_is_lddw(insn))
			continue;
		if (insn->src_reg == BPF_PSEUDO_MAP_FD)
			set_address(insn, (uintptr_t)maps[(u32)insn->imm % MAP_CNT]);
		else if (insn->src_reg == BPF_PSEUDO_MAP_VALUE &&
			 !maps[0]->ops->value_addr(maps[0], (u32)insn->imm % VALUE_LEN, &addr))
			set_address(insn, addr);
		i++;
	}
}

static bool is_target(const struct bpf_insn *insns, u32 cnt, s64 idx)
{
	return idx >= 0 && idx < cnt && insns[idx].code;
}

static void make_sound(struct bpf_insn *insns, u32 cnt)
{
	for (u32 i = 0; i < cnt; i++) {
		struct bpf_insn *insn = &insns[i];
		const bool is_call = insn->code == (BPF_JMP | BPF_CALL) &&
				     insn->src_reg == BPF_PSEUDO_CALL;

		if (!isa_find(insn) || isa_regs_written(insn) & 1 << BPF_REG_10 ||
			insn->dst_reg >= ISA_REG_CNT || insn->src_reg >= ISA_REG_CNT)
			*insn = (struct bpf_insn){
				.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 10};
		if (isa_is_jump(insn) && !is_target(insns, cnt, (s64)i + 1 + isa_jump_off(insn))) {
			if (insn->code == (BPF_JMP32 | BPF_JA))
				insn->imm = (s32)(cnt - 2 - i);
			else
				insn->off = (s16)(cnt - 2 - i);
		}
		if (is_call && !is_target(insns, cnt, (s64)i + 1 + insn->imm))
			insn->imm = (s32)(cnt - 2 - i);
		if (isa_is_lddw(insn)) {
			if (insn->src_reg == BPF_PSEUDO_FUNC &&
				!is_target(insns, cnt, (u32)insn->imm))
				insn->imm = 0;
			i++;
		}
	}
}

/* Functions begin where calls lead and where addresses of functions are. */
static u32 find_subs(const struct bpf_insn *insns, u32 cnt, u32 depth, struct prog_sub *subs)
{
	bool is_start[INSN_MAX] = {true};
	u32 sub_cnt = 0;

	for (u32 i = 0; i < cnt; i++) {
		const struct bpf_insn *insn = &insns[i];
		s64 start = 0;

		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL)
			start = (s64)i + 1 + insn->imm;
		else if (isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_FUNC)
			start = (u32)insn->imm;
		if (start > 0 && start < cnt)
			is_start[start] = true;
	}
	for (u32 i = 0; i < cnt && sub_cnt < SUB_MAX; i++)
		if (is_start[i])
			subs[sub_cnt++] = (struct prog_sub){i, depth};
	return sub_cnt;
}

struct memory {
	u8 *packet;
	u8 ctx[MEM_LEN - sizeof(u8 *)];
};

/* Of blocks of their own, so that an access past an end is seen. */
static void *grant(u8 mode, struct memory *mem, struct net_skb *skb)
{
	run->region_cnt = 0;
	run->skb = NULL;
	run->budget = BUDGET;
	run->ctx_is_memory = true; /* no helper takes it */
	memset(mem->packet, 0x5a, MEM_LEN);
	if (mode & MODE_SKB) {
		*skb = (struct net_skb){.data = mem->packet + 14,
			.len = MEM_LEN - 14,
			.mac_len = 14,
			.head = mem->packet,
			.cap = MEM_LEN,
			.net_off = 14};
		skb_note_ends(skb);
		skb_set_regions(skb, run, false, false);
		return skb;
	}
	run->regions[0] = (struct run_region){"ctx", (u8 *)mem, sizeof(*mem), true};
	run->regions[1] = (struct run_region){"packet", mem->packet, MEM_LEN, false};
	run->region_cnt = 2;
	return mem;
}

static void run_both(struct prog *prog, u8 mode)
{
	struct memory *mem = calloc(1, sizeof(*mem));
	struct net_skb *skb = calloc(1, sizeof(*skb));
	u8 *const packet = malloc(MEM_LEN);
	void *ctx;

	if (!mem || !skb || !packet)
		abort();
	mem->packet = packet;
	ctx = grant(mode, mem, skb);
	run->prog = prog;
	interp_run_checked(&prog->code, prog->maps, prog->map_cnt, ctx, run);
	mem->packet = packet; /* the program may have written it */
	ctx = grant(mode, mem, skb);
	if (!jit_compile_checked(prog, &inst, &prog->image)) {
		prog->image.entry(ctx, run);
		jit_free(&prog->image);
	}
	run->ctx_is_memory = false;
	free(packet);
	free(skb);
	free(mem);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct bpf_insn *insns;
	struct prog_sub subs[SUB_MAX];
	struct prog prog = {.type = &type, .maps = maps, .map_cnt = MAP_CNT};

	if (len < 1 + sizeof(*insns))
		return 0;
	insns = calloc(INSN_MAX, sizeof(*insns));
	if (!insns)
		abort();
	prog.obj.inst = &inst;
	prog.code.insns = insns;
	prog.code.insn_cnt = read_insns(data + 1, len - 1, data[0], insns);
	set_maps(insns, prog.code.insn_cnt);
	if (data[0] & MODE_SOUND)
		make_sound(insns, prog.code.insn_cnt);
	prog.code.subs = subs;
	prog.code.sub_cnt = find_subs(
		insns, prog.code.insn_cnt, data[0] & MODE_SHALLOW ? 64 : PROG_STACK_MAX, subs);
	run_both(&prog, data[0]);
	free(insns);
	return 0;
}
