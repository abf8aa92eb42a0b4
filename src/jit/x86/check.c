/*
 * Checked code's frames, calls, and what stands out of line.
 *
 * The program's stack is run->check.stack, apart from the machine's: 512 bytes a function, one below the other, so
 * that a callee may use its caller's frames and nothing else. rbp is R10; what the machine keeps is addressed from
 * rsp, which is 16-byte aligned behind every prologue:
 *
 *	return address | rbp | saved R6-R9 | padding | outer boundary, stack_low (24 bytes) | may_goto counter <- rsp
 *
 * A fault ends as an exception does, from boundary to boundary (callback.c); the outermost is the entry.
 * The budget is counted at jumps backwards (the length of the loop), at calls of functions and at callbacks (the
 * length of the function): no other way leads to more instructions.
 */
#include "jit/x86/check.h"

#include <errno.h>
#include <string.h>

#include "core/tail.h"
#include "isa/isa.h"

enum {
	WORD = 8,
	BOUNDARY_LEN = 3 * WORD,
	SIZE_ASKED_MAX = 1 << 20,				   /* of a helper's memory */
	ENTRY_LEN = ROUND_UP(sizeof(struct jit_outer), 16) + WORD, /* under six pushes */
};

#define CHECK(field) ((struct x86_mem){.base = RUN, .disp = offsetof(struct run, check.field)})
#define STATE(field) ((struct x86_mem){.base = RUN, .disp = offsetof(struct run, field)})

static const u8 kept[] = {RBP, RBX, R12, R13, R14, R15};

/* ---- frames ---- */

static u32 saved_cnt(const struct jit *jit)
{
	return (u32)__builtin_popcount(jit->saved_regs);
}

static struct x86_mem may_goto_slot(void)
{
	return (struct x86_mem){.base = RSP};
}

static struct x86_mem boundary_slot(const struct jit *jit, s32 word)
{
	return (struct x86_mem){.base = RSP, .disp = (jit->has_may_goto ? WORD : 0) + word * WORD};
}

/* It needs no frame of its own: nothing is called, so it is the last of a chain, and no stack is used. Functions with
 * jumps between them have the frame of the first. */
static bool is_leaf(const struct jit *jit)
{
	return !jit->has_call && !jit->uses_stack && !jit->has_may_goto && jit->sub &&
	       !jit->flow.is_crossed;
}

static u32 local_len(const struct jit *jit)
{
	const u32 len = (jit->has_may_goto ? WORD : 0) + (jit->is_boundary ? BOUNDARY_LEN : 0);
	const u32 pushed = 2 + saved_cnt(jit); /* the return address and rbp too */

	return len + ((pushed + len / WORD) % 2 ? WORD : 0);
}

static void zero_frame(struct jit *jit)
{
	struct buf *out = &jit->out;
	const s32 depth = (s32)ROUND_UP(MIN(jit->stack_depth, PROG_STACK_MAX), 16);

	if (!jit->uses_stack || !depth)
		return;
	x86_zero_xmm0(out);
	for (s32 at = 16; at <= depth; at += 16)
		x86_store_xmm0(out, (struct x86_mem){.base = RBP, .disp = -at});
}

static void leave_boundary(struct jit *jit)
{
	struct buf *out = &jit->out;

	x86_load(out, WORD, TMP, boundary_slot(jit, 0));
	x86_store(out, WORD, STATE(unwind_sp), TMP);
	x86_load(out, WORD, TMP, boundary_slot(jit, 1));
	x86_store(out, WORD, STATE(unwind_ip), TMP);
}

static void unwind(struct jit *jit)
{
	struct buf *out = &jit->out;

	x86_load(out, WORD, RSP, STATE(unwind_sp));
	x86_load(out, WORD, TMP, STATE(unwind_ip));
	x86_jmp_reg(out, TMP);
}

/* A function that exceptions end in; a fault goes on to the next boundary. */
static void enter_boundary(struct jit *jit)
{
	const struct prog_code *code = jit->code;
	struct buf *out = &jit->out;
	u32 pad, over, is_exception;

	x86_load(out, WORD, TMP, STATE(unwind_sp));
	x86_store(out, WORD, boundary_slot(jit, 0), TMP);
	x86_load(out, WORD, TMP, STATE(unwind_ip));
	x86_store(out, WORD, boundary_slot(jit, 1), TMP);
	x86_load(out, WORD, TMP, CHECK(stack_low));
	x86_store(out, WORD, boundary_slot(jit, 2), TMP);
	x86_store(out, WORD, STATE(unwind_sp), RSP);
	pad = x86_lea_here(out, TMP);
	x86_store(out, WORD, STATE(unwind_ip), TMP);
	over = x86_jmp(out);
	x86_patch(out, pad, (u32)out->len);
	x86_load(out, WORD, TMP, boundary_slot(jit, 2));
	x86_store(out, WORD, CHECK(stack_low), TMP);
	x86_load(out, 4, TMP, STATE(fault.kind));
	x86_test_rr(out, false, TMP, TMP);
	is_exception = x86_jcc8(out, X86_E);
	leave_boundary(jit);
	unwind(jit);
	x86_here8(out, is_exception);
	x86_store_imm(out, 1, STATE(is_stopped), 0);
	x86_load(out, WORD, RAX, STATE(cookie));
	if (code->exception_sub) {
		x86_mov_rr(out, true, x86_reg_of(BPF_REG_1), RAX);
		jit_add_fixup(
			jit, x86_call(out), code->subs[code->exception_sub].start, JIT_FIX_CALL);
	}
	x86_drop_frame(jit);
	x86_ret(out);
	x86_patch(out, over, (u32)out->len);
}

/* What the machine keeps of a frame. */
static void push_frame(struct jit *jit)
{
	struct buf *out = &jit->out;
	const u32 len = local_len(jit);

	x86_push(out, RBP);
	for (unsigned r = BPF_REG_6; r <= BPF_REG_9; r++)
		if (jit->saved_regs & 1 << r)
			x86_push(out, x86_reg_of(r));
	if (len)
		x86_alu_ri(out, X86_SUB, true, RSP, (s32)len);
}

/* Where another program's tail call arrives, jumped over: the program's frame is there, registers that are not given
 * hold a pattern. */
static void emit_tail_door(struct jit *jit)
{
	const u16 read = jit->flow.reads[0] | (jit->flow.live[0] & (u16)~jit->flow.writes[0]);
	struct buf *out = &jit->out;
	u32 over = x86_jmp(out);

	jit->tail_door = (u32)out->len;
	push_frame(jit);
	x86_load(out, WORD, RBP, CHECK(stack_low));
	x86_alu_ri(out, X86_ADD, true, RBP, PROG_STACK_MAX);
	for (u32 reg = 0; reg <= BPF_REG_5; reg++)
		if (reg != BPF_REG_1 && read & 1 << reg)
			x86_mov_ri(out, x86_reg_of(reg), JIT_SCRAMBLED);
	x86_patch(out, over, (u32)out->len);
}

void x86_check_prologue(struct jit *jit)
{
	const u32 start = jit->code->subs[jit->sub].start;
	struct buf *out = &jit->out;

	if (is_leaf(jit)) {
		for (unsigned r = BPF_REG_6; r <= BPF_REG_9; r++)
			if (jit->saved_regs & 1 << r)
				x86_push(out, x86_reg_of(r));
		return;
	}
	push_frame(jit);
	x86_load(out, WORD, RBP, CHECK(stack_low));
	x86_lea(out, true, TMP, (struct x86_mem){.base = RBP, .disp = -PROG_STACK_MAX});
	x86_store(out, WORD, CHECK(stack_low), TMP);
	x86_alu_rm(out, X86_CMP, true, TMP, CHECK(stack_base));
	x86_jump_fault(jit, X86_B, RUN_FAULT_DEPTH, start);
	if (!jit->sub)
		emit_tail_door(jit);
	zero_frame(jit);
	if (jit->has_may_goto)
		x86_store_imm(out, 4, may_goto_slot(), PROG_MAY_GOTO_MAX);
	if (jit->is_boundary)
		enter_boundary(jit);
}

static void reset_guards(struct jit *jit)
{
	jit_add_fixup(jit, x86_call(&jit->out), JIT_COLD_RESET, JIT_FIX_COLD);
}

/* Is R10 more than the base of accesses? Then an address in the frame may be anywhere. */
static bool gives_out_frame(const struct jit *jit)
{
	const struct prog_code *code = jit->code;
	const u32 start = jit->flow.is_crossed ? 0 : code->subs[jit->sub].start;
	const u32 end = jit->flow.is_crossed || jit->sub + 1 == code->sub_cnt
				? code->insn_cnt
				: code->subs[jit->sub + 1].start;

	for (u32 i = start; i < end; i++) {
		const struct bpf_insn *insn = &code->insns[i];
		const u8 class = BPF_CLASS(insn->code);

		if (!(jit->flow.reads[i] & 1 << BPF_REG_10))
			continue;
		if (class == BPF_LDX || class == BPF_ST)
			continue;
		if (class == BPF_STX && insn->src_reg != BPF_REG_10)
			continue;
		return true;
	}
	return false;
}

/* All but the program's frame. */
static void pop_frame(struct jit *jit)
{
	const u32 len = local_len(jit);
	struct buf *out = &jit->out;

	if (jit->is_boundary)
		leave_boundary(jit);
	if (jit->uses_stack && jit->sub && gives_out_frame(jit))
		reset_guards(jit);
	if (len && !is_leaf(jit))
		x86_alu_ri(out, X86_ADD, true, RSP, (s32)len);
	for (unsigned r = BPF_REG_9; r >= BPF_REG_6; r--)
		if (jit->saved_regs & 1 << r)
			x86_pop(out, x86_reg_of(r));
	if (!is_leaf(jit))
		x86_pop(out, RBP);
}

void x86_check_drop_frame(struct jit *jit)
{
	pop_frame(jit);
	if (!is_leaf(jit))
		x86_alu_mi(&jit->out, X86_ADD, WORD, CHECK(stack_low), PROG_STACK_MAX);
}

void x86_check_may_goto(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	struct buf *out = &jit->out;

	x86_load(out, 4, TMP, may_goto_slot());
	x86_test_rr(out, false, TMP, TMP);
	jit_add_fixup(jit, x86_jcc(out, X86_E), idx + 1 + (u32)insn->off, JIT_FIX_JUMP);
	x86_alu_ri(out, X86_SUB, false, TMP, 1);
	x86_store(out, 4, may_goto_slot(), TMP);
}

/* Registers that the function reads without having written them hold 0, not what C left there. */
static void zero_regs(struct jit *jit, u32 start, u16 regs)
{
	const u16 read = jit->flow.reads[start] |
			 (jit->flow.live[start] & (u16)~jit->flow.writes[start]);

	for (u32 reg = 0; reg < BPF_REG_10; reg++)
		if (regs & read & 1 << reg)
			x86_alu_rr(&jit->out, X86_XOR, false, x86_reg_of(reg), x86_reg_of(reg));
}

void x86_check_entry(struct jit *jit)
{
	struct buf *out = &jit->out;
	u32 pad, call;

	for (u32 i = 0; i < ARRAY_SIZE(kept); i++)
		x86_push(out, kept[i]);
	x86_alu_ri(out, X86_SUB, true, RSP, ENTRY_LEN);
	x86_mov_rr(out, true, RUN, RSI);
	x86_mov_rr(out, true, RSI, RDI);
	x86_mov_rr(out, true, RDI, RUN);
	x86_mov_rr(out, true, RDX, RSP);
	x86_call_address(jit, (const void *)(uintptr_t)jit_checked_begin);
	x86_mov_rr(out, true, x86_reg_of(BPF_REG_1), RAX);
	x86_store(out, WORD, STATE(unwind_sp), RSP);
	pad = x86_lea_here(out, TMP);
	x86_store(out, WORD, STATE(unwind_ip), TMP);
	x86_load(out, WORD, LEFT, CHECK(left));
	zero_regs(jit, 0, 0x3fd);
	call = x86_call(out);
	x86_patch(out, pad, (u32)out->len);
	x86_mov_rr(out, true, RDI, RUN);
	x86_mov_rr(out, true, RSI, RAX);
	x86_mov_rr(out, true, RDX, RSP);
	x86_call_address(jit, (const void *)(uintptr_t)jit_checked_end);
	x86_alu_ri(out, X86_ADD, true, RSP, ENTRY_LEN);
	for (u32 i = ARRAY_SIZE(kept); i-- > 0;)
		x86_pop(out, kept[i]);
	x86_ret(out);
	x86_patch(out, call, (u32)out->len); /* function 0 comes next */
}

/* ---- budget ---- */

static u32 sub_len(const struct jit *jit, u32 start)
{
	for (u32 sub = 0; sub + 1 < jit->code->sub_cnt; sub++)
		if (jit->code->subs[sub].start == start)
			return jit->code->subs[sub + 1].start - start;
	return jit->code->insn_cnt - start;
}

static void count(struct jit *jit, u32 cnt, u32 idx)
{
	x86_alu_ri(&jit->out, X86_SUB, true, LEFT, (s32)cnt);
	x86_jump_fault(jit, X86_S, RUN_FAULT_BUDGET, idx);
}

/* Before an instruction that may go back, or that calls a function. */
static void count_insn(struct jit *jit, u32 idx)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];
	s64 target;

	if (isa_is_jump(insn)) {
		target = (s64)idx + 1 + isa_jump_off(insn);
		if (target <= idx)
			count(jit, (u32)(idx - target + 1), idx);
	} else if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) {
		count(jit, sub_len(jit, idx + 1 + (u32)insn->imm), idx);
	}
}

/* ---- calls ---- */

void x86_check_callback(struct jit *jit)
{
	const u32 start = jit->code->subs[jit->sub].start;
	struct buf *out = &jit->out;
	u32 pad, done;

	for (u32 i = 0; i < ARRAY_SIZE(kept); i++)
		x86_push(out, kept[i]);
	x86_mov_rr(out, true, RUN, R9);
	x86_load(out, WORD, TMP, STATE(unwind_sp));
	x86_push(out, TMP);
	x86_load(out, WORD, TMP, STATE(unwind_ip));
	x86_push(out, TMP);
	x86_load(out, WORD, TMP, CHECK(stack_low));
	x86_push(out, TMP);
	x86_store(out, WORD, STATE(unwind_sp), RSP);
	pad = x86_lea_here(out, TMP);
	x86_store(out, WORD, STATE(unwind_ip), TMP);
	x86_load(out, WORD, LEFT, CHECK(left));
	count(jit, sub_len(jit, start), start);
	zero_regs(jit, start, 0x3c1);
	jit_add_fixup(jit, x86_call(out), start, JIT_FIX_CALL);
	done = x86_jmp8(out);
	x86_patch(out, pad, (u32)out->len);
	x86_mov_ri(out, RAX, 1);
	x86_here8(out, done);
	x86_store(out, WORD, CHECK(left), LEFT);
	x86_pop(out, TMP);
	x86_store(out, WORD, CHECK(stack_low), TMP);
	x86_pop(out, TMP);
	x86_store(out, WORD, STATE(unwind_ip), TMP);
	x86_pop(out, TMP);
	x86_store(out, WORD, STATE(unwind_sp), TMP);
	reset_guards(jit);
	for (u32 i = ARRAY_SIZE(kept); i-- > 0;)
		x86_pop(out, kept[i]);
	x86_ret(out);
}

/* What a call leaves unspecified is a pattern, where something reads it. */
static void scramble(struct jit *jit, u32 idx, u32 from)
{
	for (u32 reg = from; reg <= BPF_REG_5; reg++)
		if (jit->flow.live[idx] & 1 << reg)
			x86_mov_ri(&jit->out, x86_reg_of(reg), JIT_SCRAMBLED);
}

static void before_call(struct jit *jit, u32 idx)
{
	struct buf *out = &jit->out;

	x86_mov_ri(out, TMP, (uintptr_t)jit->guarded);
	x86_store(out, WORD, CHECK(image), TMP);
	x86_store_imm(out, 4, CHECK(insn_idx), (s32)idx);
	x86_store(out, WORD, CHECK(left), LEFT);
}

static void after_call(struct jit *jit)
{
	struct buf *out = &jit->out;

	x86_load(out, WORD, LEFT, CHECK(left));
	x86_load(out, 1, TMP, STATE(is_stopped));
	x86_test_rr(out, false, TMP, TMP);
	jit_add_fixup(jit, x86_jcc(out, X86_NE), JIT_COLD_UNWIND, JIT_FIX_COLD);
}

static void call_checked(struct jit *jit, const struct hlp_proto *proto, u32 idx)
{
	struct buf *out = &jit->out;

	before_call(jit, idx);
	x86_mov_ri(out, TMP, (uintptr_t)proto);
	x86_store(out, WORD, CHECK(proto), TMP);
	x86_mov_rr(out, true, R9, RUN);
	x86_call_address(jit, (const void *)(uintptr_t)jit_checked_call);
	after_call(jit);
}

/* What the argument needs: nothing, a question about len bytes, or C. */
enum need { NEED_NOTHING, NEED_QUESTION, NEED_C };

static bool is_const(const struct jit *jit, u32 reg, u64 *ret_value)
{
	if (!(jit->known_consts & 1 << reg))
		return false;
	*ret_value = jit->consts[reg];
	return true;
}

static enum need memory_need(const struct jit *jit, u8 reg, u64 len, bool is_write, u32 *ret_len)
{
	if (!len || len > SIZE_ASKED_MAX)
		return NEED_C;
	*ret_len = (u32)len;
	return x86_is_known(jit, reg, 0, (u32)len, is_write) ? NEED_NOTHING : NEED_QUESTION;
}

/* A null pointer to memory goes with a size of 0. */
static enum need null_need(const struct jit *jit, const struct hlp_proto *proto, u32 i)
{
	u64 size;

	if (proto->args[i] & HLP_FIXED_SIZE)
		return NEED_NOTHING;
	return i + 1 < HLP_ARG_MAX && is_const(jit, BPF_REG_2 + i, &size) && !size ? NEED_NOTHING
										   : NEED_C;
}

static enum need need_of(const struct jit *jit, const struct hlp_proto *proto, u32 i,
	const struct map *map, u32 *ret_len)
{
	const u32 arg = proto->args[i];
	const bool is_write = arg & (HLP_WRITE | HLP_UNINIT);
	const u8 reg = (u8)(BPF_REG_1 + i);
	u64 value;

	if ((arg & HLP_MAYBE_NULL) && is_const(jit, reg, &value) && !value)
		return HLP_KIND(arg) != HLP_MEM ? NEED_NOTHING : null_need(jit, proto, i);
	switch (HLP_KIND(arg)) {
	case HLP_ANYTHING:
	case HLP_CONST_SIZE_OR_ZERO: return NEED_NOTHING;
	case HLP_CONST_SIZE: return is_const(jit, reg, &value) && value ? NEED_NOTHING : NEED_C;
	case HLP_CONST_MAP_PTR:
		return map && (!proto->maps || (proto->maps >> map->type->type & 1)) ? NEED_NOTHING
										     : NEED_C;
	case HLP_MAP_KEY:
		return map ? memory_need(jit, reg, map->key_size, is_write, ret_len) : NEED_C;
	case HLP_MAP_VALUE:
		return map ? memory_need(jit, reg, map->value_size, is_write, ret_len) : NEED_C;
	case HLP_MEM:
		if (arg & HLP_FIXED_SIZE)
			return memory_need(jit, reg, proto->arg_size[i], is_write, ret_len);
		if (i + 1 == HLP_ARG_MAX || !is_const(jit, reg + 1u, &value))
			return NEED_C;
		return value ? memory_need(jit, reg, value, is_write, ret_len) : NEED_NOTHING;
	default: return NEED_C;
	}
}

/* Can the call be direct, with questions about its arguments before it? Nothing is called back or moved then. */
static bool can_be_direct(const struct jit *jit, const struct hlp_proto *proto)
{
	const struct map *map = x86_known_map(jit);
	u32 len;

	if (proto->changes_pkt || hlp_takes_func(proto))
		return false;
	for (u32 i = 0; i < HLP_ARG_MAX && proto->args[i] != HLP_NONE; i++)
		if (need_of(jit, proto, i, map, &len) == NEED_C)
			return false;
	return true;
}

static void ask_args(struct jit *jit, const struct hlp_proto *proto, u32 idx)
{
	const struct map *map = x86_known_map(jit);
	u32 len = 0;

	for (u32 i = 0; i < HLP_ARG_MAX && proto->args[i] != HLP_NONE; i++)
		if (need_of(jit, proto, i, map, &len) == NEED_QUESTION)
			x86_ask(jit, idx, (u8)(BPF_REG_1 + i), len,
				proto->args[i] & (HLP_WRITE | HLP_UNINIT));
}

/* A helper's work in place of its call, where that calls nothing: the budget stays in its register. Calls of what is
 * near are fixups. */
static bool inline_without_call(struct jit *jit, const struct hlp_proto *proto)
{
	const struct map *map = x86_known_map(jit);
	const u32 fixup_cnt = jit->fixup_cnt;
	const size_t start = jit->out.len;

	if (proto->id == BPF_FUNC_map_lookup_elem) {
		if (!map ||
			(map->type->type != BPF_MAP_TYPE_ARRAY &&
				map->type->type != BPF_MAP_TYPE_PERCPU_ARRAY) ||
			!jit_is_near(jit, (const void *)(uintptr_t)map->ops->lookup))
			return false;
	} else if (proto->id != BPF_FUNC_get_smp_processor_id &&
		   proto->id != BPF_FUNC_get_prandom_u32 && proto->id != BPF_FUNC_csum_diff) {
		return false;
	}
	if (x86_inline_helper(jit, proto) && jit->fixup_cnt == fixup_cnt)
		return true;
	jit->out.len = start;
	jit->fixup_cnt = fixup_cnt;
	return false;
}

static void call_direct(struct jit *jit, const struct hlp_proto *proto, bool is_helper)
{
	struct buf *out = &jit->out;

	x86_store(out, WORD, CHECK(left), LEFT);
	if (!is_helper || !(jit->features & JIT_FUSE) || !x86_inline_helper(jit, proto)) {
		x86_mov_rr(out, true, R9, RUN);
		x86_call_address(jit, (const void *)(uintptr_t)proto->fn);
	}
	x86_load(out, WORD, LEFT, CHECK(left));
}

static void call_proto(struct jit *jit, const struct hlp_proto *proto, u32 idx, bool is_helper)
{
	if (!can_be_direct(jit, proto)) {
		call_checked(jit, proto, idx);
	} else {
		ask_args(jit, proto, idx);
		if (!is_helper || !(jit->features & JIT_FUSE) || !inline_without_call(jit, proto))
			call_direct(jit, proto, is_helper);
	}
	scramble(jit, idx, BPF_REG_1);
}

/* rax: the code to go on with, or 0. */
static void go_on_in(struct jit *jit, u32 idx)
{
	struct buf *out = &jit->out;
	u32 none;

	x86_test_rr(out, true, RAX, RAX);
	none = x86_jcc(out, X86_E);
	x86_mov_rr(out, true, TMP2, RAX);
	x86_load(out, WORD, x86_reg_of(BPF_REG_1), CHECK(ctx));
	x86_mov_rr(out, true, RAX, TMP2); /* others are lost */
	pop_frame(jit);
	x86_jmp_reg(out, RAX);
	x86_patch(out, none, (u32)out->len);
	scramble(jit, idx, BPF_REG_0);
}

/* The array is known and the context is the program's own: as tail_target() in checked.c, without C. */
static void tail_call_known(struct jit *jit, const struct map *map, u32 idx)
{
	const struct map_progs *array = container_of(map, const struct map_progs, map);
	struct buf *out = &jit->out;
	u32 past_end, too_many, empty;

	x86_alu_rm(out, X86_CMP, true, x86_reg_of(BPF_REG_1), CHECK(ctx));
	x86_jump_fault(jit, X86_NE, RUN_FAULT_ACCESS, idx);
	x86_mov_rr(out, false, RDX, RDX);
	x86_alu_ri(out, X86_CMP, true, RDX, (s32)map->max_entries);
	past_end = x86_jcc(out, X86_AE);
	x86_mov_ri(out, TMP, (uintptr_t)array->progs);
	x86_load(out, WORD, TMP2, (struct x86_mem){.base = TMP, .index = RDX, .scale = WORD});
	x86_test_rr(out, true, TMP2, TMP2);
	empty = x86_jcc(out, X86_E);
	x86_load(out, 4, TMP, STATE(tail_calls));
	x86_alu_ri(out, X86_CMP, false, TMP, TAIL_CALL_MAX);
	too_many = x86_jcc(out, X86_AE);
	x86_alu_mi(out, X86_CMP, WORD,
		(struct x86_mem){.base = TMP2, .disp = offsetof(struct prog, image.guarded)}, 0);
	x86_jump_fault(jit, X86_E, RUN_FAULT_CALL, idx);
	x86_alu_ri(out, X86_ADD, false, TMP, 1);
	x86_store(out, 4, STATE(tail_calls), TMP);
	x86_store(out, WORD, STATE(prog), TMP2);
	x86_load(out, WORD, TMP2,
		(struct x86_mem){.base = TMP2, .disp = offsetof(struct prog, image.func0)});
	pop_frame(jit);
	x86_jmp_reg(out, TMP2);
	x86_patch(out, past_end, (u32)out->len);
	x86_patch(out, too_many, (u32)out->len);
	x86_patch(out, empty, (u32)out->len);
	scramble(jit, idx, BPF_REG_0);
}

static void tail_call(struct jit *jit, const struct hlp_proto *proto, u32 idx)
{
	const struct map *map = x86_known_map_in(jit, BPF_REG_2);

	if (map && proto->maps >> map->type->type & 1 && map->max_entries <= INT32_MAX) {
		tail_call_known(jit, map, idx);
		return;
	}
	before_call(jit, idx);
	x86_mov_rr(&jit->out, true, R9, RUN);
	x86_call_address(jit, (const void *)(uintptr_t)jit_checked_tail);
	after_call(jit);
	go_on_in(jit, idx);
}

static void call_register(struct jit *jit, u8 reg, u32 idx)
{
	struct buf *out = &jit->out;

	x86_store(out, WORD, CHECK(id), x86_reg_of(reg));
	before_call(jit, idx);
	x86_mov_rr(out, true, R9, RUN);
	x86_call_address(jit, (const void *)(uintptr_t)jit_checked_callx);
	after_call(jit);
	x86_mov_rr(out, true, TMP, RAX);
	x86_load(out, WORD, RAX, CHECK(next));
	go_on_in(jit, idx);
	x86_mov_rr(out, true, RAX, TMP);
}

void x86_check_call(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	const struct hlp_proto *proto;
	const struct kfunc_proto *kfunc;

	if (BPF_SRC(insn->code) == BPF_X) {
		call_register(jit, insn->dst_reg, idx);
	} else if (insn->src_reg == BPF_PSEUDO_CALL) {
		jit_add_fixup(jit, x86_call(&jit->out), idx + 1 + (u32)insn->imm, JIT_FIX_CALL);
	} else if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
		kfunc = jit_kfunc(jit, insn->imm);
		if (!kfunc)
			x86_fault(jit, RUN_FAULT_CALL, idx);
		else if (kfunc->kind == KFUNC_THROW)
			x86_throw(jit);
		else
			call_proto(jit, &kfunc->proto, idx, false);
	} else {
		proto = jit_helper(jit, insn->imm);
		if (!proto || insn->src_reg)
			x86_fault(jit, RUN_FAULT_CALL, idx);
		else if (insn->imm == BPF_FUNC_tail_call)
			tail_call(jit, proto, idx);
		else
			call_proto(jit, proto, idx, true);
	}
}

void x86_check_packet(struct jit *jit, const struct bpf_insn *insn, u32 idx)
{
	struct buf *out = &jit->out;
	u32 is_there;

	if (BPF_MODE(insn->code) == BPF_IND) {
		x86_mov_rr(out, false, RDX, x86_reg_of(insn->src_reg));
		if (insn->imm)
			x86_alu_ri(out, X86_ADD, false, RDX, insn->imm);
	} else {
		x86_mov_ri(out, RDX, (u32)insn->imm);
	}
	before_call(jit, idx);
	x86_mov_rr(out, true, RDI, RUN);
	x86_mov_rr(out, true, RSI, x86_reg_of(BPF_REG_6));
	x86_mov_ri(out, RCX, isa_access_len(insn));
	x86_call_address(jit, (const void *)(uintptr_t)jit_checked_packet);
	after_call(jit);
	x86_test_rr(out, true, RAX, RAX);
	is_there = x86_jcc(out, X86_NS);
	x86_alu_rr(out, X86_XOR, false, RAX, RAX);
	x86_check_drop_frame(jit);
	x86_ret(out);
	x86_patch(out, is_there, (u32)out->len);
}

/* ---- instructions ---- */

/* The map in reg, if it is one of the program's: unverified code can load any number. */
const struct map *x86_known_map_in(const struct jit *jit, u32 reg)
{
	const struct prog *prog = jit->guarded->prog;

	if (!(jit->known_maps & 1 << reg))
		return NULL;
	for (u32 i = 0; i < prog->map_cnt; i++)
		if (prog->maps[i] == jit->maps[reg])
			return prog->maps[i];
	return NULL;
}

const struct map *x86_known_map(const struct jit *jit)
{
	return x86_known_map_in(jit, BPF_REG_1);
}

/* It uses TMP3, where the budget is. */
static bool takes_tmp3(const struct bpf_insn *insn)
{
	const u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	if (class == BPF_ALU || class == BPF_ALU64)
		return op == BPF_DIV || op == BPF_MOD;
	return isa_is_atomic(insn);
}

static bool is_access(const struct bpf_insn *insn, u8 *ret_base)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX: *ret_base = isa_is_read(insn) ? insn->src_reg : insn->dst_reg; return true;
	default: return false;
	}
}

static bool is_call(const struct bpf_insn *insn)
{
	if (BPF_CLASS(insn->code) == BPF_LD)
		return !isa_is_lddw(insn);
	return BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) == BPF_CALL;
}

/* Can the accesses of cnt instructions be asked about before the first? */
static bool can_ask_first(const struct jit *jit, u32 idx, u32 cnt)
{
	u16 written = 0;
	u8 base;

	for (u32 i = idx; i < idx + cnt; i++) {
		if (is_access(&jit->code->insns[i], &base) && written & 1 << base)
			return false;
		written |= jit->flow.writes[i];
	}
	return true;
}

u32 x86_check_insn(struct jit *jit, u32 idx, u32 (*emit)(struct jit *jit, u32 idx))
{
	const u32 features = jit->features, fixup_cnt = jit->fixup_cnt;
	const size_t start = jit->out.len;
	const u16 zext = jit->zext, known_maps = jit->known_maps, known_consts = jit->known_consts;
	const struct map *maps[ISA_REG_CNT], *map;
	u64 consts[ISA_REG_CNT];
	bool spills = false;
	u32 len;

	if (jit->flow.is_target[idx])
		x86_forget_facts(jit, idx == jit->code->subs[jit->sub].start);
	map = x86_known_map(jit);
	memcpy(maps, jit->maps, sizeof(maps));
	memcpy(consts, jit->consts, sizeof(consts));
	len = is_call(&jit->code->insns[idx]) ? 1 : emit(jit, idx);
	if (jit->err)
		return len;
	/* again, with what must come first */
	jit->out.len = start;
	jit->fixup_cnt = fixup_cnt;
	jit->zext = zext;
	jit->known_maps = known_maps;
	jit->known_consts = known_consts;
	memcpy(jit->maps, maps, sizeof(maps));
	memcpy(jit->consts, consts, sizeof(consts));
	if (len > 1 && !isa_is_lddw(&jit->code->insns[idx]) && !can_ask_first(jit, idx, len)) {
		jit->features &= ~(u32)JIT_FUSE;
		len = 1;
	}
	for (u32 i = idx; i < idx + len; i++) {
		x86_guard(jit, i);
		count_insn(jit, i);
		spills |= takes_tmp3(&jit->code->insns[i]);
	}
	if (spills)
		x86_store(&jit->out, WORD, CHECK(left), LEFT);
	len = emit(jit, idx);
	if (spills)
		x86_load(&jit->out, WORD, LEFT, CHECK(left));
	jit->features = features;
	for (u32 i = idx; i < idx + len; i++)
		x86_follow(jit, i, map);
	return len;
}

/* ---- out of line ---- */

void x86_fault(struct jit *jit, enum run_fault_kind kind, u32 idx)
{
	const struct jit_site site = {.kind = JIT_SITE_FAULT,
		.fault = kind,
		.insn_idx = idx,
		.off = jit->code->insns[idx].imm};
	u32 num = 0;

	if (x86_add_site(jit, site, &num))
		jit_add_fixup(jit, x86_jmp(&jit->out), JIT_COLD_CNT + num, JIT_FIX_COLD);
}

/* r11: the address. Every register is kept but r10 and r11. */
static void emit_ask(struct jit *jit)
{
	static const u8 regs[] = {RAX, RDI, RSI, RDX, RCX, R8, R9};
	struct buf *out = &jit->out;
	u32 is_fine;

	for (u32 i = 0; i < ARRAY_SIZE(regs); i++)
		x86_push(out, regs[i]);
	x86_mov_rr(out, true, RAX, RSP); /* a leaf is not aligned */
	x86_alu_ri(out, X86_AND, true, RSP, -16);
	x86_push(out, RAX);
	x86_push(out, RAX);
	x86_mov_rr(out, true, RDI, RUN);
	x86_mov_rr(out, true, RSI, TMP);
	x86_mov_rr(out, false, RDX, TMP2);
	x86_mov_ri(out, RCX, (uintptr_t)jit->guarded);
	x86_call_address(jit, (const void *)(uintptr_t)jit_checked_access);
	x86_movzx_rr(out, 1, TMP, RAX);
	x86_pop(out, RSP);
	for (u32 i = ARRAY_SIZE(regs); i-- > 0;)
		x86_pop(out, regs[i]);
	x86_test_rr(out, false, TMP, TMP);
	is_fine = x86_jcc8(out, X86_NE);
	unwind(jit);
	x86_here8(out, is_fine);
	x86_ret(out);
}

static void emit_fault(struct jit *jit)
{
	struct buf *out = &jit->out;

	x86_alu_ri(out, X86_AND, true, RSP, -16);
	x86_mov_rr(out, true, RDI, RUN);
	x86_mov_rr(out, true, RSI, TMP);
	x86_mov_rr(out, false, RDX, TMP2);
	x86_mov_ri(out, RCX, (uintptr_t)jit->guarded);
	x86_call_address(jit, (const void *)(uintptr_t)jit_checked_fault);
	unwind(jit);
}

static void emit_reset(struct jit *jit)
{
	struct buf *out = &jit->out;
	struct x86_mem mem = {.base = RUN};

	if (jit->guarded->used_guards)
		x86_zero_xmm0(out);
	for (u32 i = 0; i < RUN_GUARD_CNT; i++) {
		if (!(jit->guarded->used_guards >> i & 1))
			continue;
		mem.disp = (s32)(offsetof(struct run, check.guards) + i * sizeof(struct run_guard) +
				 offsetof(struct run_guard, limit));
		x86_store_xmm0(out, mem);
		mem.disp += 16;
		x86_store_xmm0(out, mem);
	}
	x86_ret(out);
}

/* cold[n] is where site n continues; the common parts come first. */
void x86_check_finish(struct jit *jit, u32 *cold)
{
	const struct jit_guarded *image = jit->guarded;
	struct buf *out = &jit->out;
	u32 ask, fault;

	cold[JIT_COLD_UNWIND] = (u32)out->len;
	unwind(jit);
	cold[JIT_COLD_RESET] = (u32)out->len;
	emit_reset(jit);
	ask = (u32)out->len;
	emit_ask(jit);
	fault = (u32)out->len;
	emit_fault(jit);
	for (u32 i = 0; i < image->site_cnt && !out->err; i++) {
		const struct jit_site *site = &image->sites[i];

		cold[JIT_COLD_CNT + i] = (u32)out->len;
		x86_mov_ri(out, TMP2, i);
		if (site->kind == JIT_SITE_FAULT) {
			x86_patch(out, x86_jmp(out), fault);
			continue;
		}
		x86_lea(out, true, TMP, (struct x86_mem){x86_reg_of(site->base), site->off});
		x86_patch(out, x86_call(out), ask);
		jit_add_fixup(jit, x86_jmp(out), i, JIT_FIX_RESUME);
	}
}
