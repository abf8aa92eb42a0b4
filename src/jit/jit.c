/*
 * The driver: one pass over the instructions, then the jumps. Jumps have a fixed size, so offsets are
 * final when they are emitted and compilation is linear in the program.
 */
#include "jit/jit.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "isa/isa.h"
#include "jit/mem.h"
#include "jit/target.h"

enum { FIXUP_CAP_MIN = 64 };

void jit_add_fixup(struct jit *jit, u32 at, u32 target, bool is_call)
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
		.at = at, .target = target, .is_call = is_call};
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
		regs |= isa_regs_written(insn);
		reads |= isa_regs_read(insn);
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

/* Unverified code may jump from one function into another: then all have the same frame. */
static bool has_crossing(const struct prog_code *code, u32 sub)
{
	const u32 start = code->subs[sub].start, end = sub_end(code, sub);
	u32 last = start;

	for (u32 i = start; i < end; i++) {
		const struct bpf_insn *insn = &code->insns[i];
		const s64 target = (s64)i + 1 + isa_jump_off(insn);

		last = i;
		if (isa_is_jump(insn) && (target < start || target >= end))
			return true;
		i += isa_is_lddw(insn);
	}
	return code->insns[last].code != (BPF_JMP | BPF_EXIT) &&
	       code->insns[last].code != (BPF_JMP | BPF_JA) &&
	       code->insns[last].code != (BPF_JMP32 | BPF_JA);
}

static bool any_crossing(const struct prog_code *code)
{
	for (u32 sub = 0; sub < code->sub_cnt; sub++)
		if (has_crossing(code, sub))
			return true;
	return false;
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

	if (jit->is_crossed)
		describe(jit, 0, code->insn_cnt);
	else
		describe(jit, code->subs[jit->sub].start, sub_end(code, jit->sub));
	jit_target->prologue(jit);
	for (u32 i = code->subs[jit->sub].start; i < sub_end(code, jit->sub) && !jit->err; i++) {
		insn_off[i] = jit->out.len;
		jit_target->insn(jit, i);
		if (isa_is_lddw(&code->insns[i]))
			insn_off[++i] = jit->out.len;
	}
}

static int find_sub(const struct prog_code *code, u32 start)
{
	for (u32 i = 0; i < code->sub_cnt; i++)
		if (code->subs[i].start == start)
			return i;
	return -ENOENT;
}

/* A call goes to the function's prologue, a jump to the instruction itself. */
static int patch_all(struct jit *jit, const u32 *sub_off, const u32 *insn_off)
{
	for (u32 i = 0; i < jit->fixup_cnt; i++) {
		const struct jit_fixup *fixup = &jit->fixups[i];
		int sub = fixup->is_call ? find_sub(jit->code, fixup->target) : 0;

		if (sub < 0 || fixup->target >= jit->code->insn_cnt)
			return -EINVAL;
		jit_target->patch(
			jit, fixup, fixup->is_call ? sub_off[sub] : insn_off[fixup->target]);
	}
	return 0;
}

static int compile(struct jit *jit, u32 *sub_off, u32 *insn_off)
{
	jit->has_tail_call = has_tail_call(jit->code);
	jit->is_crossed = any_crossing(jit->code);
	jit_target->entry(jit);
	for (jit->sub = 0; jit->sub < jit->code->sub_cnt && !jit->err; jit->sub++) {
		sub_off[jit->sub] = jit->out.len;
		compile_sub(jit, insn_off);
	}
	if (jit->err || jit->out.err)
		return jit->err ? jit->err : -ENOMEM;
	insn_off[jit->code->insn_cnt] = jit->out.len;
	return patch_all(jit, sub_off, insn_off);
}

int jit_compile(const struct prog_code *code, const struct hlp_proto *const *helpers,
	u32 helper_cnt, struct prog_image *ret_image)
{
	struct jit jit = {.code = code, .helpers = helpers, .helper_cnt = helper_cnt};
	struct jit_mem *mem = NULL;
	u32 *sub_off = NULL, *insn_off = NULL;
	int err = -ENOMEM;

	if (!jit_target)
		return -ENOSYS;
	sub_off = mem_array(code->sub_cnt, sizeof(*sub_off));
	insn_off = mem_array(code->insn_cnt + 1, sizeof(*insn_off));
	mem = mem_zalloc(sizeof(*mem));
	if (!sub_off || !insn_off || !mem)
		goto free_all;
	err = compile(&jit, sub_off, insn_off);
	if (!err)
		err = jit_mem_new(jit.out.data, jit.out.len, mem);
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
	mem_free(mem);
	mem_free(insn_off);
	mem_free(sub_off);
free_work:
	mem_free(jit.fixups);
	buf_done(&jit.out);
	return err;
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
