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

/* R6-R9 that function `sub` writes: what it must save for its caller. */
static u16 written_saved_regs(const struct prog_code *code, u32 sub)
{
	const u16 saved = 1 << BPF_REG_6 | 1 << BPF_REG_7 | 1 << BPF_REG_8 | 1 << BPF_REG_9;
	u16 regs = 0;

	for (u32 i = code->subs[sub].start; i < sub_end(code, sub); i++) {
		regs |= isa_regs_written(&code->insns[i]);
		if (isa_is_lddw(&code->insns[i]))
			i++;
	}
	return regs & saved;
}

static void compile_sub(struct jit *jit, u32 *insn_off)
{
	const struct prog_code *code = jit->code;

	jit->saved_regs = written_saved_regs(code, jit->sub);
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
