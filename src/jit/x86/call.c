/*
 * Calls: of functions of the program, of helpers, of a helper whose number a register holds, and tail
 * calls, which drop the frame and jump.
 */
#include <errno.h>

#include "core/tail.h"
#include "isa/isa.h"
#include "jit/x86/x86.h"

void x86_call_address(struct jit *jit, const void *addr)
{
	if (jit_is_near(jit, addr)) {
		jit_add_fixup(jit, x86_call(&jit->out), (uintptr_t)addr, JIT_FIX_ADDR);
		return;
	}
	x86_mov_ri(&jit->out, RAX, (uintptr_t)addr);
	x86_call_reg(&jit->out, RAX);
}

/* Where the programs of an array stand does not change, nor does their number. */
static const struct map_progs *known_array(const struct jit *jit)
{
	if (!(jit->features & JIT_FUSE) || !(jit->known_maps & 1 << BPF_REG_2) ||
		jit->maps[BPF_REG_2]->max_entries > INT32_MAX)
		return NULL;
	return container_of(jit->maps[BPF_REG_2], const struct map_progs, map);
}

/* The address of the array's entry; ret_past_end: a jump to where the index is past the end, 0: it is not. */
static struct x86_mem entry_of(
	struct jit *jit, const struct map_progs *array, u32 idx, u32 *ret_past_end)
{
	struct buf *out = &jit->out;

	*ret_past_end = 0;
	if (array && jit->known_consts & 1 << BPF_REG_3) {
		x86_mov_ri(out, TMP2, (uintptr_t)&array->progs[idx]);
		return (struct x86_mem){.base = TMP2};
	}
	x86_mov_rr(out, false, RDX, RDX);
	if (array) {
		x86_alu_ri(out, X86_CMP, true, RDX, (s32)array->map.max_entries);
		*ret_past_end = x86_jcc8(out, X86_AE);
		x86_mov_ri(out, TMP2, (uintptr_t)array->progs);
	} else {
		x86_load(out, 4, TMP,
			(struct x86_mem){RSI, offsetof(struct map_progs, map.max_entries)});
		x86_alu_rr(out, X86_CMP, true, RDX, TMP);
		*ret_past_end = x86_jcc8(out, X86_AE);
		x86_load(out, 8, TMP2, (struct x86_mem){RSI, offsetof(struct map_progs, progs)});
	}
	return (struct x86_mem){.base = TMP2, .index = RDX, .scale = 8};
}

/* R2 the array, R3 the index: see tail_call_target(). What R4 and R5 held is lost either way. */
static void tail_call(struct jit *jit)
{
	const struct x86_mem calls = {.base = RUN, .disp = offsetof(struct run, tail_calls)};
	const struct map_progs *array = known_array(jit);
	const u32 idx = (u32)jit->consts[BPF_REG_3];
	struct buf *out = &jit->out;
	u32 past_end, too_many, empty;

	if (array && jit->known_consts & 1 << BPF_REG_3 && idx >= array->map.max_entries)
		return;
	x86_load(out, 8, TMP2, entry_of(jit, array, idx, &past_end));
	x86_test_rr(out, true, TMP2, TMP2);
	empty = x86_jcc8(out, X86_E);
	x86_load(out, 4, TMP, calls);
	x86_alu_ri(out, X86_CMP, false, TMP, TAIL_CALL_MAX);
	too_many = x86_jcc8(out, X86_AE);
	x86_alu_ri(out, X86_ADD, false, TMP, 1);
	x86_store(out, 4, calls, TMP);
	x86_load(out, 8, TMP2, (struct x86_mem){TMP2, offsetof(struct prog, image.func0)});
	x86_drop_frame(jit);
	x86_jmp_reg(out, TMP2);
	if (past_end)
		x86_here8(out, past_end);
	x86_here8(out, too_many);
	x86_here8(out, empty);
}

static void call_register(struct jit *jit, enum x86_reg reg)
{
	static const u8 args[] = {RDI, RSI, RDX, RCX, R8, RAX};
	struct buf *out = &jit->out;

	x86_mov_rr(out, true, TMP, reg);
	for (u32 i = 0; i < ARRAY_SIZE(args); i++)
		x86_push(out, args[i]);
	x86_mov_ri(out, RDI, (uintptr_t)jit->inst);
	x86_mov_rr(out, true, RSI, TMP);
	x86_call_address(jit, (const void *)(uintptr_t)jit_find_helper);
	x86_mov_rr(out, true, TMP, RAX);
	for (u32 i = ARRAY_SIZE(args); i-- > 0;)
		x86_pop(out, args[i]);
	x86_mov_rr(out, true, R9, RUN);
	x86_call_reg(out, TMP);
}

static void call_proto(struct jit *jit, const struct hlp_proto *proto)
{
	const bool takes_func = hlp_takes_func(proto);

	if (takes_func)
		x86_note_code(jit);
	x86_mov_rr(&jit->out, true, R9, RUN);
	x86_call_address(jit, (const void *)(uintptr_t)proto->fn);
	if (takes_func)
		x86_after_callbacks(jit);
}

static void call_kfunc(struct jit *jit, const struct kfunc_proto *kfunc)
{
	if (!kfunc)
		jit->err = -EINVAL;
	else if (kfunc->kind == KFUNC_THROW)
		x86_throw(jit);
	else
		call_proto(jit, &kfunc->proto);
}

void x86_emit_call(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	if (jit->guarded) {
		x86_check_call(jit, insn, idx);
		return;
	}
	const struct hlp_proto *proto;
	struct buf *out = &jit->out;

	if (BPF_SRC(insn->code) == BPF_X) {
		call_register(jit, x86_reg_of(insn->dst_reg));
		return;
	}
	if (insn->src_reg == BPF_PSEUDO_CALL) {
		jit_add_fixup(jit, x86_call(out), idx + 1 + (u32)insn->imm, JIT_FIX_CALL);
		return;
	}
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
		call_kfunc(jit, jit_kfunc(jit, insn->imm));
		return;
	}
	proto = jit_helper(jit, insn->imm);
	if (insn->src_reg || !proto) {
		jit->err = -EINVAL;
		return;
	}
	if (insn->imm == BPF_FUNC_tail_call) {
		tail_call(jit);
		return;
	}
	if (!(jit->features & JIT_FUSE) || !x86_inline_helper(jit, proto))
		call_proto(jit, proto);
}

void x86_load_packet(struct jit *jit, const struct bpf_insn *insn)
{
	struct buf *out = &jit->out;
	u32 is_there;

	if (BPF_MODE(insn->code) == BPF_IND) {
		x86_mov_rr(out, false, RSI, x86_reg_of(insn->src_reg));
		if (insn->imm)
			x86_alu_ri(out, X86_ADD, false, RSI, insn->imm);
	} else {
		x86_mov_ri(out, RSI, (u32)insn->imm);
	}
	x86_mov_rr(out, true, RDI, x86_reg_of(BPF_REG_6));
	x86_mov_ri(out, RDX, isa_access_len(insn));
	x86_call_address(jit, (const void *)(uintptr_t)jit_load_packet);
	x86_test_rr(out, true, RAX, RAX);
	is_there = x86_jcc8(out, X86_NS);
	x86_alu_rr(out, X86_XOR, false, RAX, RAX);
	x86_drop_frame(jit);
	x86_ret(out);
	x86_here8(out, is_there);
}
