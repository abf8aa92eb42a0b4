/*
 * The driver: address space, flow, one pass over the instructions, then the jumps. Compilation is linear in
 * the program.
 */
#include "jit/jit.h"

#include <errno.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "isa/isa.h"
#include "jit/mem.h"
#include "jit/target.h"

enum { FIXUP_CAP_MIN = 64, ENTRY_LEN_MAX = 4096 };

void jit_add_fixup(struct jit *jit, u32 at, u64 target, enum jit_fix kind)
{
	struct jit_fixup *fixups;
	u32 cap = jit->fixup_cap ? jit->fixup_cap * 2 : FIXUP_CAP_MIN;

	if (jit->fixup_cnt == jit->fixup_cap) {
		fixups = mem_realloc(jit->fixups, cap, sizeof(*fixups));
		if (!fixups) {
			jit->err = -ENOMEM;
			return;
		}
		jit->fixups = fixups;
		jit->fixup_cap = cap;
	}
	jit->fixups[jit->fixup_cnt++] = (struct jit_fixup){
		.at = at, .target = target, .kind = kind};
}

bool jit_is_near(const struct jit *jit, const void *addr)
{
	const s64 first = (s64)((uintptr_t)addr - (uintptr_t)jit->base);
	const s64 last = first - (s64)jit->room;

	return first == (s32)first && last == (s32)last;
}

static u32 sub_end(const struct prog_code *code, u32 sub)
{
	return sub + 1 < code->sub_cnt ? code->subs[sub + 1].start : code->insn_cnt;
}

static bool is_call(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) == BPF_CALL;
}

static bool is_tail_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg &&
	       insn->imm == BPF_FUNC_tail_call;
}

/* What instructions [start, end) need of the frame; R6-R9 that they write are saved for the caller. */
static void describe(struct jit *jit, u32 start, u32 end)
{
	const u16 saved = 1 << BPF_REG_6 | 1 << BPF_REG_7 | 1 << BPF_REG_8 | 1 << BPF_REG_9;
	const struct bpf_insn *insn;
	u16 regs = 0, reads = 0;

	jit->has_call = jit->has_may_goto = false;
	for (u32 i = start; i < end; i++) {
		insn = &jit->code->insns[i];
		regs |= jit->flow.writes[i];
		reads |= jit->flow.reads[i];
		jit->has_call |= is_call(insn);
		jit->has_may_goto |= insn->code == (BPF_JMP | BPF_JCOND);
		i += isa_is_lddw(insn);
	}
	jit->saved_regs = regs & saved;
	jit->stack_depth = 0;
	for (u32 sub = 0; sub < jit->code->sub_cnt; sub++)
		if (jit->code->subs[sub].start >= start && jit->code->subs[sub].start < end)
			jit->stack_depth = MAX(jit->stack_depth, jit->code->subs[sub].stack_depth);
	jit->uses_stack = (regs | reads) & 1 << BPF_REG_10;
}

static bool has_tail_call(const struct prog_code *code)
{
	for (u32 i = 0; i < code->insn_cnt; i++) {
		if (is_tail_call(&code->insns[i]))
			return true;
		i += isa_is_lddw(&code->insns[i]);
	}
	return false;
}

static void compile_sub(struct jit *jit, u32 *insn_off)
{
	const struct prog_code *code = jit->code;
	u32 i = code->subs[jit->sub].start, len;

	/* unverified code may jump from one function into another: then all have the same frame */
	if (jit->flow.is_crossed)
		describe(jit, 0, code->insn_cnt);
	else
		describe(jit, i, sub_end(code, jit->sub));
	jit_target->prologue(jit);
	while (i < sub_end(code, jit->sub) && !jit->err) {
		const u32 off = jit->out.len;

		if (jit->flow.is_target[i]) {
			jit->zext = 0;
			memset(jit->maps, 0, sizeof(jit->maps));
		}
		len = jit_target->insn(jit, i);
		insn_off[i] = off;
		/* where there are several, the code of all but the first begins behind the whole */
		for (u32 k = 1; k < len; k++)
			insn_off[i + k] = jit->out.len;
		i += len;
	}
}

static int find_sub(const struct prog_code *code, u32 start)
{
	for (u32 i = 0; i < code->sub_cnt; i++)
		if (code->subs[i].start == start)
			return i;
	return -ENOENT;
}

/* From instructions to byte offsets. */
static int place_targets(struct jit *jit, const u32 *sub_off, const u32 *insn_off)
{
	for (u32 i = 0; i < jit->fixup_cnt; i++) {
		struct jit_fixup *fixup = &jit->fixups[i];
		int sub;

		if (fixup->kind == JIT_FIX_ADDR)
			continue;
		if (fixup->target >= jit->code->insn_cnt)
			return -EINVAL;
		sub = fixup->kind == JIT_FIX_CALL ? find_sub(jit->code, fixup->target) : 0;
		if (sub < 0)
			return -EINVAL;
		fixup->target = fixup->kind == JIT_FIX_CALL ? sub_off[sub]
							    : insn_off[fixup->target];
	}
	return 0;
}

static int compile(struct jit *jit, u32 *sub_off, u32 *insn_off)
{
	u32 *offs[] = {sub_off, insn_off};
	const u32 cnts[] = {jit->code->sub_cnt, jit->code->insn_cnt + 1};
	int err;

	jit->has_tail_call = has_tail_call(jit->code);
	jit_target->entry(jit);
	for (jit->sub = 0; jit->sub < jit->code->sub_cnt && !jit->err; jit->sub++) {
		/* what falls into the function is past its prologue already */
		if (jit->sub && jit->flow.is_crossed)
			jit_target->jump(jit, jit->code->subs[jit->sub].start);
		sub_off[jit->sub] = jit->out.len;
		compile_sub(jit, insn_off);
	}
	if (jit->err || jit->out.err)
		return jit->err ? jit->err : -ENOMEM;
	insn_off[jit->code->insn_cnt] = jit->out.len;
	err = place_targets(jit, sub_off, insn_off);
	return err ? err : jit_target->finish(jit, offs, cnts, ARRAY_SIZE(offs));
}

static int compile_with(const struct prog_code *code, const struct skep *inst, u32 features,
	struct prog_image *ret_image)
{
	struct jit jit = {.code = code,
		.inst = inst,
		.features = features,
		.room = (size_t)code->insn_cnt * jit_target->insn_len_max + ENTRY_LEN_MAX};
	u32 *sub_off = mem_array(code->sub_cnt, sizeof(*sub_off));
	u32 *insn_off = mem_array(code->insn_cnt + 1, sizeof(*insn_off));
	struct jit_mem *mem = mem_zalloc(sizeof(*mem));
	int err = -ENOMEM;

	if (!sub_off || !insn_off || !mem)
		goto free_all;
	err = jit_flow_init(code, &jit.flow);
	if (!err)
		err = jit_mem_reserve(inst ? inst->code : NULL, jit.room,
			(const void *)(uintptr_t)jit_compile, mem);
	if (err)
		goto free_all;
	jit.base = mem->code;
	err = compile(&jit, sub_off, insn_off);
	skep_bug_if(!err && jit.out.len > jit.room, "the code is longer than the machine said");
	if (!err)
		err = jit_mem_fill(mem, jit.out.data, jit.out.len);
	if (err)
		goto free_all;
	*ret_image = (struct prog_image){
		.entry = (u64(*)(void *, struct run *))(uintptr_t)mem->code,
		.func0 = mem->code + sub_off[0],
		.code = mem->code,
		.len = jit.out.len,
		.sub_off = sub_off,
		.insn_off = insn_off,
		.jit = mem,
	};
	goto free_work;
free_all:
	if (mem)
		jit_mem_free(mem);
	mem_free(mem);
	mem_free(insn_off);
	mem_free(sub_off);
free_work:
	jit_flow_done(&jit.flow);
	mem_free(jit.fixups);
	buf_done(&jit.out);
	return err;
}

int jit_compile(const struct prog_code *code, const struct skep *inst, struct prog_image *ret_image)
{
	if (!jit_target)
		return -ENOSYS;
	return compile_with(code, inst, JIT_FUSE | jit_target->detect(), ret_image);
}

int jit_compile_plain(
	const struct prog_code *code, const struct skep *inst, struct prog_image *ret_image)
{
	return jit_target ? compile_with(code, inst, 0, ret_image) : -ENOSYS;
}

void jit_free(struct prog_image *image)
{
	if (!image->jit)
		return;
	jit_mem_free(image->jit);
	mem_free(image->jit);
	mem_free(image->sub_off);
	mem_free(image->insn_off);
	*image = (struct prog_image){0};
}
