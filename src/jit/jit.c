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
#include "jit/checked.h"
#include "jit/mem.h"
#include "jit/slots.h"
#include "jit/target.h"

enum {
	FIXUP_CAP_MIN = 64,
	ENTRY_LEN_MAX = 4096,
	INSN_LEN_TYPICAL = 8,
	GUARDED_ROOM = 3,
	PROLOGUE_LEN_MAX = 1024
};

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

/* What functions [first, last] need of the frame; R6-R9 that they write are saved for the caller. */
static void describe(struct jit *jit, u32 first, u32 last)
{
	const u16 saved = 1 << BPF_REG_6 | 1 << BPF_REG_7 | 1 << BPF_REG_8 | 1 << BPF_REG_9;
	const struct jit_flow_sub *sub;
	u16 regs = 0, reads = 0;

	jit->has_call = jit->has_may_goto = false;
	jit->stack_depth = 0;
	for (u32 i = first; i <= last; i++) {
		sub = &jit->flow.subs[i];
		regs |= sub->writes;
		reads |= sub->reads;
		jit->has_call |= sub->has_call || (jit->guarded && sub->has_tail_call);
		jit->has_may_goto |= sub->has_may_goto;
		jit->stack_depth = MAX(jit->stack_depth, jit->code->subs[i].stack_depth);
	}
	jit->saved_regs = regs & saved;
	jit->uses_stack = (regs | reads) & 1 << BPF_REG_10;
	jit->is_boundary = jit->has_throw && !first;
	if (jit->is_boundary) { /* the frames that an exception ends do not bring them back */
		jit->saved_regs = saved;
		jit->has_call = true;
	}
}

static bool has_throw(const struct jit *jit)
{
	const struct prog_code *code = jit->code;

	for (u32 i = 0; i < code->insn_cnt; i++) {
		const struct bpf_insn *insn = &code->insns[i];
		const struct kfunc_proto *kfunc =
			insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL
				? jit_kfunc(jit, insn->imm)
				: NULL;

		if (kfunc && kfunc->kind == KFUNC_THROW)
			return true;
		i += isa_is_lddw(insn);
	}
	return false;
}

/* Functions whose address is loaded get a door for C. */
static void compile_callbacks(struct jit *jit, u32 *door_off)
{
	const struct prog_code *code = jit->code;
	bool is_loaded;

	for (jit->sub = 0; jit->sub < code->sub_cnt && !jit->err; jit->sub++) {
		is_loaded = false;
		for (u32 i = 0; i < jit->fixup_cnt && !is_loaded; i++)
			is_loaded = jit->fixups[i].kind == JIT_FIX_FUNC &&
				    jit->fixups[i].target == code->subs[jit->sub].start;
		door_off[jit->sub] = jit->out.len;
		if (is_loaded)
			jit_target->callback(jit);
	}
}

static void compile_sub(struct jit *jit, u32 *insn_off)
{
	const struct prog_code *code = jit->code;
	const u32 end = sub_end(code, jit->sub);
	u32 i = code->subs[jit->sub].start, len;

	/* unverified code may jump from one function into another: then all have the same frame */
	if (jit->flow.is_crossed)
		describe(jit, 0, code->sub_cnt - 1);
	else
		describe(jit, jit->sub, jit->sub);
	jit_target->prologue(jit);
	while (i < end && !jit->err) {
		if (jit->flow.is_target[i]) {
			jit->zext = 0;
			jit->known_maps = jit->known_consts = 0;
		}
		if (jit->flow.is_target[i] & JIT_LOOP && jit_target->loop)
			jit_target->loop(jit);
		insn_off[i] = jit->out.len;
		len = jit->guarded ? jit_target->check_insn(jit, i) : jit_target->insn(jit, i);
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

/* Where functions, instructions, and the functions' doors for C begin: three arrays of one piece, which begins with
 * sub. The image keeps it. */
struct offsets {
	u32 *sub, *insn, *door;
	u32 *resume, *cold; /* of checked code */
};

/* From instructions to byte offsets. */
static int place_targets(struct jit *jit, const struct offsets *offs)
{
	for (u32 i = 0; i < jit->fixup_cnt; i++) {
		struct jit_fixup *fixup = &jit->fixups[i];
		int sub;

		if (fixup->kind == JIT_FIX_ADDR || fixup->kind == JIT_FIX_PAD)
			continue;
		if (fixup->kind == JIT_FIX_COLD || fixup->kind == JIT_FIX_RESUME) {
			fixup->target = fixup->kind == JIT_FIX_COLD ? offs->cold[fixup->target]
								    : offs->resume[fixup->target];
			continue;
		}
		if (fixup->target >= jit->code->insn_cnt)
			return -EINVAL;
		if (fixup->kind == JIT_FIX_JUMP) {
			fixup->target = offs->insn[fixup->target];
			continue;
		}
		sub = find_sub(jit->code, fixup->target);
		if (sub < 0)
			return -EINVAL;
		fixup->target = fixup->kind == JIT_FIX_FUNC ? offs->door[sub] : offs->sub[sub];
	}
	return 0;
}

/* What stands out of line in checked code, and where its sites go on. */
static int compile_cold(struct jit *jit, struct offsets *offs)
{
	const u32 cnt = jit->guarded->site_cnt;

	offs->resume = mem_array(cnt + 1, sizeof(*offs->resume));
	offs->cold = mem_array(JIT_COLD_CNT + cnt, sizeof(*offs->cold));
	if (!offs->resume || !offs->cold)
		return -ENOMEM;
	for (u32 i = 0; i < cnt; i++)
		offs->resume[i] = jit->guarded->sites[i].resume;
	jit_target->check_finish(jit, offs->cold);
	return 0;
}

/* What a callback may be, by address. */
static int list_doors(const struct jit *jit)
{
	u32 cnt = 0;

	for (u32 i = 0; i < jit->fixup_cnt; i++)
		cnt += jit->fixups[i].kind == JIT_FIX_FUNC;
	if (!cnt)
		return 0;
	jit->guarded->doors = mem_array(cnt, sizeof(*jit->guarded->doors));
	if (!jit->guarded->doors)
		return -ENOMEM;
	for (u32 i = 0; i < jit->fixup_cnt; i++)
		if (jit->fixups[i].kind == JIT_FIX_FUNC)
			jit->guarded->doors[jit->guarded->door_cnt++] = (uintptr_t)jit->base +
									jit->fixups[i].target;
	return 0;
}

static int finish(struct jit *jit, const struct offsets *offs)
{
	const u32 site_cnt = jit->guarded ? jit->guarded->site_cnt : 0;
	u32 *arrays[] = {offs->sub, offs->door, offs->insn, offs->resume, offs->cold};
	const u32 cnts[] = {jit->code->sub_cnt, jit->code->sub_cnt, jit->code->insn_cnt + 1,
		site_cnt, JIT_COLD_CNT + site_cnt};
	int err = place_targets(jit, offs);

	if (!err)
		err = jit_target->finish(
			jit, arrays, cnts, ARRAY_SIZE(arrays) - (jit->guarded ? 0 : 2));
	return !err && jit->guarded ? list_doors(jit) : err;
}

static int compile(struct jit *jit, struct offsets *offs)
{
	const u32 sub_cnt = jit->code->sub_cnt;
	bool has_kfunc = false;

	for (u32 i = 0; i < sub_cnt; i++) {
		jit->has_tail_call |= jit->flow.subs[i].has_tail_call;
		has_kfunc |= jit->flow.subs[i].has_kfunc;
		jit->needs_run |= jit->flow.subs[i].has_call || jit->flow.subs[i].has_tail_call;
	}
	jit->has_throw = has_kfunc && has_throw(jit);
	if (jit->has_throw && jit->flow.is_crossed)
		return -EINVAL;
	buf_expect(&jit->out, (size_t)jit->code->insn_cnt * INSN_LEN_TYPICAL + FIXUP_CAP_MIN);
	jit_target->entry(jit);
	for (jit->sub = 0; jit->sub < jit->code->sub_cnt && !jit->err; jit->sub++) {
		/* what falls into the function is past its prologue already */
		if (jit->sub && jit->flow.is_crossed)
			jit_target->jump(jit, jit->code->subs[jit->sub].start);
		offs->sub[jit->sub] = jit->out.len;
		compile_sub(jit, offs->insn);
	}
	offs->insn[jit->code->insn_cnt] = jit->out.len;
	compile_callbacks(jit, offs->door);
	if (!jit->err && jit->guarded)
		jit->err = compile_cold(jit, offs);
	if (jit->err || jit->out.err)
		return jit->err ? jit->err : -ENOMEM;
	return finish(jit, offs);
}

static int prepare(struct jit *jit, struct prog_code *work)
{
	int err = jit_flow_init(jit->code, &jit->flow);

	if (!err && jit->features & JIT_FUSE && !jit->guarded) /* checks need the registers */
		err = jit_place_slots(jit, work);
	if (err)
		return err;
	jit->code = work;
	return jit_flow_solve(work, &jit->flow);
}

static int compile_with(const struct prog_code *code, const struct skep *inst, u32 features,
	struct jit_guarded *guarded, struct prog_image *ret_image)
{
	struct prog_code work = *code;
	struct jit jit = {.code = code,
		.loaded = code,
		.inst = inst,
		.features = features,
		.guarded = guarded,
		.is_guarded = guarded ? mem_array(code->insn_cnt, sizeof(*jit.is_guarded)) : NULL,
		.room = (size_t)code->insn_cnt * jit_target->insn_len_max + ENTRY_LEN_MAX};
	struct offsets offs = {
		.sub = mem_array(
			(size_t)code->insn_cnt + 1 + 2 * (size_t)code->sub_cnt, sizeof(*offs.sub))};
	struct jit_mem *mem = mem_zalloc(sizeof(*mem));
	int err = -ENOMEM;

	if (guarded)
		jit.room = jit.room * GUARDED_ROOM + (size_t)code->sub_cnt * PROLOGUE_LEN_MAX;
	if ((guarded && !jit.is_guarded) || !offs.sub || !mem)
		goto free_all;
	offs.insn = offs.sub + code->sub_cnt;
	offs.door = offs.insn + code->insn_cnt + 1;
	err = prepare(&jit, &work);
	if (!err)
		err = jit_mem_reserve(inst ? inst->code : NULL, jit.room,
			(const void *)(uintptr_t)jit_compile, mem);
	if (err)
		goto free_all;
	jit.base = mem->code;
	err = compile(&jit, &offs);
	skep_bug_if(!err && jit.out.len > jit.room, "the code is longer than the machine said");
	if (!err)
		err = jit_mem_fill(mem, jit.out.data, jit.out.len);
	if (err)
		goto free_all;
	*ret_image = (struct prog_image){
		.entry = (u64(*)(void *, struct run *))(uintptr_t)mem->code,
		.func0 = mem->code + (guarded ? jit.tail_door : offs.sub[0]),
		.code = mem->code,
		.len = jit.out.len,
		.sub_off = offs.sub,
		.insn_off = offs.insn,
		.jit = mem,
		.guarded = guarded,
	};
	goto free_work;
free_all:
	if (mem)
		jit_mem_free(mem);
	mem_free(mem);
	mem_free(offs.sub);
free_work:
	if (work.insns != code->insns)
		mem_free(work.insns);
	mem_free(offs.resume);
	mem_free(offs.cold);
	mem_free(jit.is_guarded);
	jit_flow_done(&jit.flow);
	mem_free(jit.fixups);
	buf_done(&jit.out);
	return err;
}

int jit_compile(const struct prog_code *code, const struct skep *inst, struct prog_image *ret_image)
{
	if (!jit_target)
		return -ENOSYS;
	return compile_with(code, inst, JIT_FUSE | jit_target->detect(), NULL, ret_image);
}

int jit_compile_checked(
	const struct prog *prog, const struct skep *inst, struct prog_image *ret_image)
{
	struct jit_guarded *guarded;
	int err;

	if (!jit_target || !jit_target->check_insn)
		return -ENOSYS;
	if (!jit_has_sound_form(&prog->code))
		return -EINVAL;
	guarded = mem_zalloc(sizeof(*guarded));
	if (!guarded)
		return -ENOMEM;
	guarded->prog = prog;
	err = compile_with(&prog->code, inst, JIT_FUSE | jit_target->detect(), guarded, ret_image);
	if (err)
		jit_guarded_free(guarded);
	return err;
}

int jit_compile_plain(
	const struct prog_code *code, const struct skep *inst, struct prog_image *ret_image)
{
	return jit_target ? compile_with(code, inst, 0, NULL, ret_image) : -ENOSYS;
}

void jit_free(struct prog_image *image)
{
	if (!image->jit)
		return;
	jit_mem_free(image->jit);
	jit_guarded_free(image->guarded);
	mem_free(image->jit);
	mem_free(image->sub_off); /* and what else stands behind it */
	*image = (struct prog_image){0};
}
