/*
 * Checked code's accesses: which need no question, and the question for the others.
 *
 * Known without a question: the own frame at a constant offset, the value that a lookup in a known map gave and
 * that was compared with 0, and a value at a constant address. What a register holds is followed along straight
 * code and forgotten where a jump arrives.
 * The question is a comparison with a guard (jit/checked.h); a guard belongs to the register that a pointer was
 * first seen in, so that copies share it, also behind jumps as the text goes on. It decides speed alone: any guard may
 * be asked about any address.
 */
#include <errno.h>
#include <string.h>

#include "core/map.h"
#include "isa/isa.h"
#include "jit/x86/check.h"

enum { GROUP_LOOK = 64, GROUP_MAX = 32, SPAN_MAX = 2048 };

void x86_forget_facts(struct jit *jit, bool is_start)
{
	for (u32 reg = 0; reg < ISA_REG_CNT; reg++) {
		jit->facts[reg].kind = JIT_FACT_NONE;
		jit->facts[reg].is_there = false;
		if (is_start)
			jit->facts[reg].guard = reg == BPF_REG_1 ? RUN_GUARD_CTX : (u8)reg;
	}
	jit->facts[BPF_REG_10] = (struct jit_fact){.kind = JIT_FACT_STACK, .guard = BPF_REG_10};
}

/* What may not be touched everywhere: all of the arena may. */
static bool is_mem(const struct bpf_insn *insn)
{
	if (isa_is_arena(insn))
		return false;
	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX: return true;
	default: return false;
	}
}

static u8 base_of(const struct bpf_insn *insn)
{
	return isa_is_read(insn) ? insn->src_reg : insn->dst_reg;
}

bool x86_is_known(const struct jit *jit, u8 reg, s64 off, u32 len, bool is_write)
{
	const struct jit_fact *fact = &jit->facts[reg];
	const s64 at = (s64)((u64)fact->off + (u64)off);

	switch (fact->kind) {
	case JIT_FACT_STACK: return at >= -(s64)PROG_STACK_MAX && at + len <= 0;
	case JIT_FACT_ADDR: return jit_may_at(jit->guarded->prog, (u64)at, len, is_write);
	case JIT_FACT_VALUE:
		return fact->is_there && at >= 0 && at + len <= fact->map->value_size &&
		       (map_prog_access(fact->map) & (is_write ? MAP_PROG_WRITE : MAP_PROG_READ));
	default: return false;
	}
}

/* The access at idx and those behind it that one question covers. */
static u32 group(struct jit *jit, u32 idx, struct jit_site *site)
{
	const u8 base = site->base;
	s32 low = site->off, high = site->off + (s32)site->len;
	u32 cnt = 0;

	for (u32 i = idx; i < jit->code->insn_cnt && i < idx + GROUP_LOOK && cnt < GROUP_MAX; i++) {
		const struct bpf_insn *insn = &jit->code->insns[i];
		const s32 end = insn->off + (s32)isa_access_len(insn);

		if (i > idx && jit->flow.is_target[i])
			break;
		if (!insn->code)
			continue;
		if (BPF_CLASS(insn->code) == BPF_JMP || BPF_CLASS(insn->code) == BPF_JMP32 ||
			(BPF_CLASS(insn->code) == BPF_LD && !isa_is_lddw(insn)))
			break;
		if (is_mem(insn) && base_of(insn) == base && isa_is_read(insn) != site->is_write &&
			(i == idx || !isa_is_atomic(insn)) &&
			MAX(high, end) - MIN(low, insn->off) <= SPAN_MAX) {
			low = MIN(low, insn->off);
			high = MAX(high, end);
			jit->is_guarded[i] = true;
			cnt++;
			if (jit_add_member(jit->guarded,
				    (struct jit_member){i, insn->off, isa_access_len(insn)}))
				jit->err = -ENOMEM;
		}
		if (jit->flow.writes[i] & 1 << base)
			break;
	}
	site->off = low;
	site->len = (u32)(high - low);
	return cnt;
}

static void jump_cold(struct jit *jit, enum x86_cc cc, u32 site)
{
	jit_add_fixup(jit, x86_jcc(&jit->out, cc), JIT_COLD_CNT + site, JIT_FIX_COLD);
}

void x86_jump_fault(struct jit *jit, enum x86_cc cc, enum run_fault_kind kind, u32 idx)
{
	const struct jit_site site = {.kind = JIT_SITE_FAULT, .fault = kind, .insn_idx = idx};
	u32 num = 0;

	if (x86_add_site(jit, site, &num))
		jump_cold(jit, cc, num);
}

bool x86_add_site(struct jit *jit, struct jit_site site, u32 *ret_num)
{
	int err;

	site.resume = (u32)jit->out.len;
	err = jit_add_site(jit->guarded, site, ret_num);

	if (err) {
		jit->err = err;
		return false;
	}
	return true;
}

static struct x86_mem guard_mem(u32 guard, size_t field)
{
	return (struct x86_mem){.base = RUN,
		.disp = (s32)(offsetof(struct run, check.guards) +
			      guard * sizeof(struct run_guard) + field)};
}

/* Is [base + off, + len) inside of the site's guard? TMP and TMP2 are lost. */
static void ask_guard(struct jit *jit, const struct jit_site *site, u32 num)
{
	struct buf *out = &jit->out;

	x86_lea(out, true, TMP, (struct x86_mem){x86_reg_of(site->base), site->off});
	x86_alu_rm(
		out, X86_SUB, true, TMP, guard_mem(site->guard, offsetof(struct run_guard, start)));
	if (site->len <= 8 && !(site->len & (site->len - 1))) {
		x86_alu_rm(out, X86_CMP, true, TMP,
			guard_mem(site->guard, offsetof(struct run_guard, limit) +
						       8 * (u32)__builtin_ctz(site->len)));
	} else {
		x86_load(out, 8, TMP2, guard_mem(site->guard, offsetof(struct run_guard, limit)));
		x86_alu_ri(out, X86_SUB, true, TMP2, (s32)site->len - 1);
		jump_cold(jit, X86_BE, num);
		x86_alu_rr(out, X86_CMP, true, TMP, TMP2);
	}
	jump_cold(jit, X86_AE, num);
}

static void check_align(struct jit *jit, u32 idx, u8 base, const struct bpf_insn *insn)
{
	struct jit_site site = {.kind = JIT_SITE_FAULT,
		.fault = RUN_FAULT_ALIGN,
		.insn_idx = idx,
		.len = isa_access_len(insn),
		.is_write = !isa_is_read(insn)};
	u32 num = 0;

	x86_lea(&jit->out, true, TMP, (struct x86_mem){x86_reg_of(base), insn->off});
	x86_test_ri(&jit->out, false, TMP, (s32)isa_access_len(insn) - 1);
	if (x86_add_site(jit, site, &num))
		jump_cold(jit, X86_NE, num);
}

void x86_guard(struct jit *jit, u32 idx)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];
	const u32 len = isa_access_len(insn);
	struct jit_site site = {
		.kind = JIT_SITE_ACCESS, .insn_idx = idx, .off = insn->off, .len = len};
	u32 num = 0;

	if (!is_mem(insn))
		return;
	site.base = base_of(insn);
	site.is_write = !isa_is_read(insn);
	if (isa_is_atomic(insn) && len > 1 && (site.base != BPF_REG_10 || insn->off % (s32)len))
		check_align(jit, idx, site.base, insn);
	if (jit->is_guarded[idx] || x86_is_known(jit, site.base, insn->off, len, site.is_write))
		return;
	site.guard = (u8)(jit->facts[site.base].guard + (site.is_write ? RUN_GUARD_WRITE : 0));
	site.member = jit->guarded->member_cnt;
	site.member_cnt = group(jit, idx, &site);
	jit->guarded->used_guards |= 1u << site.guard;
	if (!x86_add_site(jit, site, &num))
		return;
	ask_guard(jit, &site, num);
	jit->guarded->sites[num].resume = (u32)jit->out.len;
}

void x86_ask(struct jit *jit, u32 idx, u8 reg, u32 len, bool is_write)
{
	struct jit_site site = {.kind = JIT_SITE_ACCESS,
		.base = reg,
		.guard = (u8)(jit->facts[reg].guard + (is_write ? RUN_GUARD_WRITE : 0)),
		.is_write = is_write,
		.insn_idx = idx,
		.len = len,
		.member = jit->guarded->member_cnt,
		.member_cnt = 1};
	u32 num = 0;

	if (jit_add_member(jit->guarded, (struct jit_member){idx, 0, len})) {
		jit->err = -ENOMEM;
		return;
	}
	jit->guarded->used_guards |= 1u << site.guard;
	if (!x86_add_site(jit, site, &num))
		return;
	ask_guard(jit, &site, num);
	jit->guarded->sites[num].resume = (u32)jit->out.len;
}

/* ---- facts ---- */

/* R0 behind a lookup in a map that is known, of a type whose lookup gives a value. */
static void follow_lookup(struct jit *jit, u32 idx, const struct map *map)
{
	switch (map->type->type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
		jit->facts[0] = (struct jit_fact){
			.kind = JIT_FACT_VALUE, .map = map, .origin = idx};
		break;
	default: break;
	}
}

static void follow_call(struct jit *jit, u32 idx, const struct map *map)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];

	for (u32 reg = 0; reg <= BPF_REG_5; reg++)
		jit->facts[reg] = (struct jit_fact){.guard = (u8)reg};
	if (map && BPF_SRC(insn->code) == BPF_K && !insn->src_reg &&
		insn->imm == BPF_FUNC_map_lookup_elem)
		follow_lookup(jit, idx, map);
}

/* Behind "if r == 0 goto" the value is there, in every copy of it. */
static void follow_jump(struct jit *jit, const struct bpf_insn *insn)
{
	const struct jit_fact *fact = &jit->facts[insn->dst_reg];
	const u32 origin = fact->origin;

	if (insn->code != (BPF_JMP | BPF_JEQ | BPF_K) || insn->imm || !insn->off ||
		fact->kind != JIT_FACT_VALUE || fact->off)
		return;
	for (u32 reg = 0; reg < BPF_REG_10; reg++)
		if (jit->facts[reg].kind == JIT_FACT_VALUE && jit->facts[reg].origin == origin)
			jit->facts[reg].is_there = true;
}

static bool moves_by_constant(const struct bpf_insn *insn, s64 *ret_by)
{
	if (insn->code == (BPF_ALU64 | BPF_ADD | BPF_K))
		*ret_by = insn->imm;
	else if (insn->code == (BPF_ALU64 | BPF_SUB | BPF_K))
		*ret_by = -(s64)insn->imm;
	else
		return false;
	return true;
}

void x86_follow(struct jit *jit, u32 idx, const struct map *map)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];
	const u16 writes = jit->flow.writes[idx];
	struct jit_fact *dst = &jit->facts[insn->dst_reg];
	const u8 class = BPF_CLASS(insn->code);
	s64 by;

	if (class == BPF_JMP && BPF_OP(insn->code) == BPF_CALL) {
		follow_call(jit, idx, map);
		return;
	}
	if (class == BPF_JMP || class == BPF_JMP32) {
		follow_jump(jit, insn);
		return;
	}
	if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) && !insn->off) {
		*dst = jit->facts[insn->src_reg];
		return;
	}
	if (dst->kind != JIT_FACT_NONE && moves_by_constant(insn, &by) &&
		dst->off + by < INT64_MAX / 4 && dst->off + by > INT64_MIN / 4) {
		dst->off += by;
		return;
	}
	for (u32 reg = 0; reg < BPF_REG_10; reg++)
		if (writes & 1 << reg) {
			const u8 guard = class == BPF_ALU64 ? jit->facts[reg].guard : (u8)reg;

			jit->facts[reg] = (struct jit_fact){.guard = guard};
		}
	if (isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_MAP_VALUE &&
		isa_imm64(insn) < INT64_MAX / 4)
		*dst = (struct jit_fact){
			.kind = JIT_FACT_ADDR, .guard = insn->dst_reg, .off = (s64)isa_imm64(insn)};
}
