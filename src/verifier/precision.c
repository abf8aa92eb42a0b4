/*
 * Precision backtracking. The set of what must be precise (registers and slots of each frame) is carried
 * backwards over the instructions that really ran: an instruction that defines a member replaces it by
 * its sources. At the start of each stretch the saved state there gets its members marked. The walk
 * stops when the set is empty, or at members that are marked already, as their sources then are too.
 *
 * What cannot be followed (a store through a register that should be a number, …) marks all scalars of
 * all saved states of the path: never wrong, only less pruning.
 */
#include "verifier/precision.h"

#include <errno.h>
#include <string.h>

#include "verifier/env.h"
#include "verifier/static.h"
#include "verifier/step.h"

struct vf_precision {
	u32 top;		/* frame the walk is in */
	struct vf_state *start; /* whose path is walked */
	bool is_changed;	/* something was marked */
	u32 regs[PROG_FRAME_MAX];
	u64 slots[PROG_FRAME_MAX];
};

enum { CANNOT_FOLLOW = 1, ARG_REGS = 0x3e };

int vf_precision_init(struct vf_env *env)
{
	env->precision = vf_alloc(env, sizeof(*env->precision));
	return env->precision ? 0 : -ENOMEM;
}

void vf_precision_done(struct vf_env *env)
{
	vf_free(env, env->precision, sizeof(*env->precision));
	env->precision = NULL;
}

static bool is_empty(const struct vf_precision *set)
{
	for (u32 f = 0; f <= set->top; f++) {
		if (set->regs[f] || set->slots[f])
			return false;
	}
	return true;
}

static bool has_reg(const struct vf_precision *set, u32 reg)
{
	return set->regs[set->top] & 1u << reg;
}

static void add_reg(struct vf_precision *set, u32 reg)
{
	if (reg != VF_FP)
		set->regs[set->top] |= 1u << reg;
}

static void del_reg(struct vf_precision *set, u32 reg)
{
	set->regs[set->top] &= ~(1u << reg);
}

/* ---- log ---------------------------------------------------------------------------------------- */

static void print_set(struct vf_env *env, u32 regs, u64 slots)
{
	const char *sep = "";

	for (u32 r = 0; r < 32; r++) {
		if (regs & 1u << r) {
			vf_note(env, "%sr%u", sep, r);
			sep = ",";
		}
	}
	vf_note(env, " stack=");
	sep = "";
	for (u32 s = 0; s < 64; s++) {
		if (slots & 1ull << s) {
			vf_note(env, "%s-%u", sep, (s + 1) * VF_SLOT_LEN);
			sep = ",";
		}
	}
}

static void log_stretch(struct vf_env *env, s32 last, s32 first, s32 next)
{
	if (vf_logs_full(env))
		vf_note(env, "mark_precise: frame%u: last_idx %d first_idx %d subseq_idx %d \n",
			env->precision->top, last, first, next);
}

static void log_insn(struct vf_env *env, u32 idx)
{
	const struct vf_precision *set = env->precision;

	if (!vf_logs_full(env))
		return;
	vf_note(env, "mark_precise: frame%u: regs=", set->top);
	print_set(env, set->regs[set->top], set->slots[set->top]);
	vf_note(env, " before %u: ", idx);
	isa_disasm(&env->log.buf, &env->insns[idx], NULL);
	vf_note(env, "\n");
}

static void log_parent(
	struct vf_env *env, const struct vf_state *st, u32 frame, u32 regs, u64 slots)
{
	if (!vf_logs_full(env))
		return;
	vf_note(env, "mark_precise: frame%u: parent state regs=", frame);
	print_set(env, regs, slots);
	vf_note(env, ": ");
	vf_log_frame(env, st, frame, true);
}

/* ---- one instruction backwards ------------------------------------------------------------------ */

/* Scalars that learnt from one another here are precise together. */
static void spread_links(struct vf_precision *set, const struct vf_hist *hist)
{
	struct vf_linked linked;
	bool any = false;

	if (!hist || !hist->linked)
		return;
	linked = vf_linked_unpack(hist->linked);
	for (u32 i = 0; i < linked.cnt; i++) {
		u32 frame = linked.items[i].frame, at = linked.items[i].at;

		any |= linked.items[i].is_reg ? !!(set->regs[frame] & 1u << at)
					      : !!(set->slots[frame] & 1ull << at);
	}
	for (u32 i = 0; any && i < linked.cnt; i++) {
		u32 frame = linked.items[i].frame, at = linked.items[i].at;

		if (linked.items[i].is_reg)
			set->regs[frame] |= 1u << at;
		else
			set->slots[frame] |= 1ull << at;
	}
}

static int back_alu(struct vf_precision *set, const struct bpf_insn *insn)
{
	u8 op = BPF_OP(insn->code);

	if (!has_reg(set, insn->dst_reg) || op == BPF_END || op == BPF_NEG)
		return 0;
	if (op == BPF_MOV)
		del_reg(set, insn->dst_reg);
	if (BPF_SRC(insn->code) == BPF_X)
		add_reg(set, insn->src_reg);
	return 0;
}

static int back_load(struct vf_precision *set, u32 dst, const struct vf_hist *hist)
{
	if (!has_reg(set, dst))
		return 0;
	del_reg(set, dst);
	if (hist && hist->flags & VF_HIST_STACK)
		set->slots[hist->frame] |= 1ull << hist->slot;
	return 0;
}

static int back_store(
	struct vf_precision *set, const struct bpf_insn *insn, const struct vf_hist *hist)
{
	/* memory is not accessed through numbers: this one came from subtracting pointers */
	if (has_reg(set, insn->dst_reg))
		return CANNOT_FOLLOW;
	if (!hist || !(hist->flags & VF_HIST_STACK) ||
		!(set->slots[hist->frame] & 1ull << hist->slot))
		return 0;
	set->slots[hist->frame] &= ~(1ull << hist->slot);
	if (BPF_CLASS(insn->code) == BPF_STX)
		add_reg(set, insn->src_reg);
	return 0;
}

/* The stored bytes are plain ones; only what is read back from a spill is followed. */
static int back_atomic(
	struct vf_precision *set, const struct bpf_insn *insn, const struct vf_hist *hist)
{
	if (insn->imm == BPF_LOAD_ACQ)
		return back_load(set, insn->dst_reg, hist);
	if (insn->imm == BPF_STORE_REL)
		return back_store(set, insn, hist);
	if (has_reg(set, insn->dst_reg))
		return CANNOT_FOLLOW;
	if (!(insn->imm & BPF_FETCH))
		return 0;
	return back_load(set, insn->imm == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg, hist);
}

static int back_sub_call(struct vf_env *env, u32 idx)
{
	struct vf_precision *set = env->precision;
	int sub = vf_sub_at(env, idx + env->insns[idx].imm + 1);

	if (sub >= 0 && env->subs[sub].is_global) {
		del_reg(set, BPF_REG_0);
		return set->regs[set->top] & ARG_REGS ? CANNOT_FOLLOW : 0;
	}
	/* leaving the callee backwards: only arguments may be asked for */
	if (!set->top || set->regs[set->top] & ~ARG_REGS || set->slots[set->top])
		return CANNOT_FOLLOW;
	set->regs[set->top - 1] |= set->regs[set->top];
	set->regs[set->top] = 0;
	set->top--;
	return 0;
}

/* Leaving a callback backwards: what it was given came from the helper. */
static int back_callback(struct vf_precision *set)
{
	if (!set->top || set->regs[set->top] & ~ARG_REGS || set->slots[set->top])
		return CANNOT_FOLLOW;
	set->regs[set->top] = 0;
	set->top--;
	return 0;
}

static int back_exit(struct vf_env *env, s32 next)
{
	struct vf_precision *set = env->precision;
	const struct bpf_insn *call = next > 0 ? &env->insns[next - 1] : NULL;
	bool is_callback = next >= 0 && env->aux[next].calls_back;
	bool is_call = call && call->code == (BPF_JMP | BPF_CALL) &&
		       call->src_reg == BPF_PSEUDO_CALL;
	bool wants_r0 = is_call && has_reg(set, BPF_REG_0);

	/* it is the helper that gives arguments to a callback, not the call that comes next */
	if (is_callback)
		set->regs[set->top] &= ~ARG_REGS;
	if (set->regs[set->top] & ARG_REGS || set->top + 1 == PROG_FRAME_MAX ||
		(!is_call && !is_callback))
		return CANNOT_FOLLOW;
	del_reg(set, BPF_REG_0);
	set->top++;
	if (wants_r0)
		add_reg(set, BPF_REG_0);
	return 0;
}

static int back_jump(struct vf_env *env, u32 idx, s32 next, const struct vf_hist *hist)
{
	struct vf_precision *set = env->precision;
	const struct bpf_insn *insn = &env->insns[idx];

	switch (BPF_OP(insn->code)) {
	case BPF_CALL:
		if (insn->src_reg == BPF_PSEUDO_CALL)
			return back_sub_call(env, idx);
		if (env->aux[idx].calls_back && next != (s32)idx + 1)
			return back_callback(set);
		del_reg(set, BPF_REG_0);
		if (set->regs[set->top] & ARG_REGS)
			return CANNOT_FOLLOW;
		/* a tail call in a function that went through: the function is entered backwards */
		if (!insn->src_reg && insn->imm == BPF_FUNC_tail_call && next != (s32)idx + 1) {
			if (next < 0 || set->top + 1 == PROG_FRAME_MAX)
				return CANNOT_FOLLOW;
			set->top++;
		}
		return 0;
	case BPF_EXIT: return back_exit(env, next);
	case BPF_JA: return 0;
	}
	if (BPF_SRC(insn->code) != BPF_X)
		return 0;
	if (!has_reg(set, insn->dst_reg) && !has_reg(set, insn->src_reg))
		return 0;
	if (!hist || !(hist->flags & VF_HIST_SRC_STACK))
		add_reg(set, insn->src_reg);
	if (!hist || !(hist->flags & VF_HIST_DST_STACK))
		add_reg(set, insn->dst_reg);
	return 0;
}

/* Carries the set over instruction idx, after which `next` ran. */
static int back_insn(struct vf_env *env, u32 idx, s32 next, const struct vf_hist *hist)
{
	struct vf_precision *set = env->precision;
	const struct bpf_insn *insn = &env->insns[idx];
	int ret = 0;

	if (!insn->code)
		return 0;
	log_insn(env, idx);
	spread_links(set, hist);
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: ret = back_alu(set, insn); break;
	case BPF_LDX: ret = back_load(set, insn->dst_reg, hist); break;
	case BPF_ST: ret = back_store(set, insn, hist); break;
	case BPF_STX:
		ret = BPF_MODE(insn->code) == BPF_ATOMIC ? back_atomic(set, insn, hist)
							 : back_store(set, insn, hist);
		break;
	case BPF_JMP:
	case BPF_JMP32: ret = back_jump(env, idx, next, hist); break;
	case BPF_LD:
		if (!isa_is_lddw(insn))
			return has_reg(set, BPF_REG_0) ? CANNOT_FOLLOW : 0;
		del_reg(set, insn->dst_reg);
		break;
	}
	if (!ret)
		spread_links(set, hist);
	return ret;
}

/* ---- the walk ----------------------------------------------------------------------------------- */

static void mark_all(struct vf_reg *reg, void *arg)
{
	if (vf_is_scalar(reg))
		reg->is_precise = *(bool *)arg;
}

void vf_precision_forget(struct vf_state *st)
{
	bool is_precise = false;

	vf_each_reg(st, mark_all, &is_precise);
}

void vf_precision_give_up(struct vf_env *env, struct vf_state *st)
{
	bool is_precise = true;

	for (st = st->parent; st; st = st->parent)
		vf_each_reg(st, mark_all, &is_precise);
}

static void give_up(struct vf_env *env)
{
	vf_precision_give_up(env, env->precision->start);
	memset(env->precision, 0, sizeof(*env->precision));
}

/* Marks the members in a saved state; what was marked before, or is no scalar, leaves the set. */
static void mark_state(struct vf_env *env, struct vf_state *st)
{
	struct vf_precision *set = env->precision;

	for (u32 f = set->top + 1; f-- > 0;) {
		struct vf_frame *frame = st->frames[f];

		for (u32 r = 0; r < VF_FP; r++) {
			struct vf_reg *reg = &frame->regs[r];

			if (!(set->regs[f] & 1u << r))
				continue;
			if (!vf_is_scalar(reg) || reg->is_precise)
				set->regs[f] &= ~(1u << r);
			else
				reg->is_precise = set->is_changed = true;
		}
		for (u32 s = 0; s < VF_SLOT_MAX; s++) {
			if (!(set->slots[f] & 1ull << s))
				continue;
			if (s >= frame->slot_cnt || !vf_has_scalar_spill(&frame->slots[s]) ||
				frame->slots[s].spill.is_precise)
				set->slots[f] &= ~(1ull << s);
			else
				frame->slots[s].spill.is_precise = set->is_changed = true;
		}
		log_parent(env, st, f, set->regs[f], set->slots[f]);
	}
}

/* Carries the set from `last` back to the start of st's stretch; *next follows. */
static int back_stretch(
	struct vf_env *env, const struct vf_state *st, s32 last, bool skip, s32 *next)
{
	u32 cnt = st->hist_cnt;
	s32 i = last;

	for (;;) {
		bool has_entry = cnt && st->hist[cnt - 1].idx == (u32)i;

		if (!skip && back_insn(env, i, *next, has_entry ? &st->hist[cnt - 1] : NULL))
			return CANNOT_FOLLOW;
		skip = false;
		if (is_empty(env->precision))
			return 0;
		*next = i;
		if ((u32)i == st->first_idx && (!cnt || (cnt == 1 && has_entry)))
			return 0;
		if (has_entry)
			i = st->hist[--cnt].prev_idx;
		else
			i--;
		if (i < 0)
			return CANNOT_FOLLOW;
	}
}

static int walk_back(struct vf_env *env)
{
	struct vf_state *st = env->precision->start;
	s32 first = st->first_idx, last = st->insn_idx, next = -1;
	bool skip = true;

	while (!is_empty(env->precision)) {
		log_stretch(env, last, first, next);
		/* the entry: what is left are arguments of a global function */
		if (last < 0 || back_stretch(env, st, last, skip, &next)) {
			give_up(env);
			return 0;
		}
		skip = false;
		st = st->parent;
		if (!st || is_empty(env->precision))
			break;
		/* the walk may have left frames that the saved state does not have, and vice versa */
		if (env->precision->top != st->top) {
			give_up(env);
			return 0;
		}
		mark_state(env, st);
		next = first;
		last = st->last_idx;
		first = st->first_idx;
	}
	if (!is_empty(env->precision))
		give_up(env);
	return 0;
}

static void begin(struct vf_env *env, struct vf_state *start)
{
	memset(env->precision, 0, sizeof(*env->precision));
	env->precision->top = start->top;
	env->precision->start = start;
}

int vf_mark_precise(struct vf_env *env, u32 regno)
{
	begin(env, env->cur);
	add_reg(env->precision, regno);
	return walk_back(env);
}

int vf_mark_precise_slot(struct vf_env *env, u32 frame, u32 slot)
{
	begin(env, env->cur);
	env->precision->slots[frame] |= 1ull << slot;
	return walk_back(env);
}

int vf_precision_inherit(
	struct vf_env *env, const struct vf_state *old, struct vf_state *cur, bool *is_changed)
{
	struct vf_precision *set = env->precision;
	int err;

	begin(env, cur);
	for (u32 f = old->top + 1; f-- > 0;) {
		const struct vf_frame *frame = old->frames[f];

		for (u32 r = 0; r < VF_FP; r++) {
			if (vf_is_scalar(&frame->regs[r]) && frame->regs[r].is_precise)
				set->regs[f] |= 1u << r;
		}
		for (u32 s = 0; s < frame->slot_cnt; s++) {
			if (vf_has_scalar_spill(&frame->slots[s]) &&
				frame->slots[s].spill.is_precise)
				set->slots[f] |= 1ull << s;
		}
		if (vf_logs_full(env) && (set->regs[f] || set->slots[f])) {
			const char *sep = "";

			vf_note(env, "frame %u: propagating ", f);
			for (u32 r = 0; r < VF_FP; r++) {
				if (set->regs[f] & 1u << r) {
					vf_note(env, "%sr%u", sep, r);
					sep = ",";
				}
			}
			for (u32 s = 0; s < VF_SLOT_MAX; s++) {
				if (set->slots[f] & 1ull << s) {
					vf_note(env, "%sfp-%u", sep, (s + 1) * VF_SLOT_LEN);
					sep = ",";
				}
			}
			vf_note(env, "\n");
		}
	}
	err = walk_back(env);
	if (is_changed)
		*is_changed |= set->is_changed;
	return err;
}
