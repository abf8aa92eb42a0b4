/*
 * Conditional jumps: when the outcome is known only that way is followed; else the path forks, and each
 * side learns from the condition: bounds of scalars (scalar.h), null or not of pointers, room before the
 * end of the packet (packet.c).
 *
 * The side that falls through goes on in env->cur; the other one is pending.
 */
#include <errno.h>

#include "verifier/access.h"
#include "verifier/explore.h"
#include "verifier/lock.h"
#include "verifier/precision.h"
#include "verifier/references.h"
#include "verifier/step.h"

static bool is_narrow(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP32;
}

static bool is_known(const struct vf_reg *reg, bool narrow)
{
	return vf_is_scalar(reg) &&
	       (narrow ? tnum_subreg_is_const(reg->num.var_off) : tnum_is_const(reg->num.var_off));
}

static bool is_packet_any(const struct vf_reg *reg)
{
	return (vf_kind_bits(reg->kind) & KIND_PKT) != 0;
}

/* A valid address, or it would be marked as maybe null. */
static bool is_address(const struct vf_reg *ptr)
{
	switch (ptr->kind) {
	case VF_BTF: return vf_btf_is_trusted(ptr);
	case VF_MEM: return !(ptr->flags & VF_UNTRUSTED);
	default: return (vf_kind_bits(ptr->kind) & KIND_VALID) != 0;
	}
}

/* A pointer compared with a constant 0. Only its 64-bit value is known not to be 0. */
static int null_branch(const struct vf_reg *ptr, const struct vf_reg *num, u8 op, bool narrow)
{
	if (narrow || !is_known(num, false) || num->num.var_off.value)
		return -1;
	if (ptr->may_be_null || !is_address(ptr))
		return -1;
	return op == BPF_JEQ ? 0 : op == BPF_JNE ? 1 : -1;
}

static int outcome(const struct vf_reg *dst, const struct vf_reg *src, u8 op, bool narrow)
{
	if (is_packet_any(dst) && is_packet_any(src) && !narrow)
		return vf_packet_branch(dst, src, op);
	if (!vf_is_scalar(dst))
		return null_branch(dst, src, op, narrow);
	if (!vf_is_scalar(src))
		return null_branch(src, dst, op, narrow);
	return vf_scalar_branch(&dst->num, &src->num, op, narrow ? 32 : 64);
}

/* ---- pointers that may be null ------------------------------------------------------------------ */

struct decided {
	u32 id;
	bool is_null;
};

static void decide_one(struct vf_reg *reg, void *arg)
{
	const struct decided *decided = arg;

	if (!reg->may_be_null || reg->id != decided->id)
		return;
	if (decided->is_null) {
		vf_reg_known(reg, 0);
		return;
	}
	vf_reg_not_null(reg);
	/* which lock is held is told by the id of the pointer */
	if (!vf_reg_has_lock(reg))
		reg->id = 0;
}

static int decide_null(
	struct vf_env *env, struct vf_state *st, const struct vf_reg *ptr, bool is_null)
{
	struct decided decided = {ptr->id, is_null};
	int err = 0;

	/* nothing was acquired then */
	if (is_null && ptr->ref_id && ptr->ref_id == ptr->id) {
		err = vf_ref_forget(env, st, ptr->ref_id);
		err = err == -ENOMEM ? err : 0;
	}
	vf_each_reg(st, decide_one, &decided);
	return err;
}

/* Two pointers are equal in st: if one is not null, nor is the other. */
static void equal_pointers(struct vf_state *st, const struct bpf_insn *insn)
{
	struct vf_reg *dst = &vf_top(st)->regs[insn->dst_reg];
	struct vf_reg *src = &vf_top(st)->regs[insn->src_reg];

	vf_reg_not_null(dst->may_be_null ? dst : src);
}

static int learn_pointers(struct vf_env *env, const struct bpf_insn *insn, struct vf_state *fall,
	struct vf_state *taken)
{
	const struct vf_reg *regs = vf_top(fall)->regs;
	const struct vf_reg *dst = &regs[insn->dst_reg], *src = &regs[insn->src_reg];
	u8 op = BPF_OP(insn->code);
	const struct vf_reg ptr = *dst;
	int err;

	if (is_narrow(insn))
		return 0;
	if (BPF_SRC(insn->code) == BPF_X) {
		if (!vf_is_scalar(src) && !vf_is_scalar(dst) &&
			src->may_be_null != dst->may_be_null && src->kind != VF_BTF &&
			dst->kind != VF_BTF && (op == BPF_JEQ || op == BPF_JNE))
			equal_pointers(op == BPF_JEQ ? taken : fall, insn);
		vf_packet_compare(env, insn, fall, taken);
		return 0;
	}
	if (insn->imm || !dst->may_be_null || (op != BPF_JEQ && op != BPF_JNE))
		return 0;
	err = decide_null(env, fall, &ptr, op == BPF_JNE);
	return err ? err : decide_null(env, taken, &ptr, op == BPF_JEQ);
}

/* ---- scalars ------------------------------------------------------------------------------------ */

static void sync_links(struct vf_state *st, u32 regno, const struct vf_linked *linked)
{
	const struct vf_reg *reg = &vf_top(st)->regs[regno];

	if (vf_is_scalar(reg) && reg->id)
		vf_linked_sync(st, reg, linked);
}

/*
 * A register compared with itself: what each side learns is true of the one number. (On the side that
 * cannot be taken the result is as strange as Linux's.)
 */
static void refine_self(struct vf_scalar *num, u8 op, unsigned bits, bool is_taken)
{
	struct vf_scalar a = *num, b = *num;

	vf_scalar_refine(&a, &b, op, bits, is_taken);
	num->var_off = tnum_intersect(a.var_off, b.var_off);
	for (unsigned width = 32; width <= 64; width += 32)
		vf_scalar_set_range(num,
			vf_range_intersect(vf_scalar_range(&a, width), vf_scalar_range(&b, width)),
			width);
	vf_scalar_sync(num);
}

static int learn_scalars(struct vf_env *env, const struct bpf_insn *insn, struct vf_state *st,
	bool is_taken, const struct vf_linked *linked)
{
	struct vf_reg *regs = vf_top(st)->regs, constant;
	struct vf_reg *dst = &regs[insn->dst_reg], *src = &regs[insn->src_reg];
	bool has_src = BPF_SRC(insn->code) == BPF_X;
	int err;

	if (!has_src) {
		vf_reg_known(&constant, (s64)insn->imm);
		src = &constant;
	}
	if (vf_is_scalar(dst) && vf_is_scalar(src)) {
		if (dst == src)
			refine_self(
				&dst->num, BPF_OP(insn->code), is_narrow(insn) ? 32 : 64, is_taken);
		else
			vf_scalar_refine(&dst->num, &src->num, BPF_OP(insn->code),
				is_narrow(insn) ? 32 : 64, is_taken);
		err = vf_reg_sanity(env, dst);
		if (!err)
			err = vf_reg_sanity(env, src);
		if (err)
			return err;
	}
	if (has_src)
		sync_links(st, insn->src_reg, linked);
	sync_links(st, insn->dst_reg, linked);
	return 0;
}

/* ---- the jump ----------------------------------------------------------------------------------- */

static int note_stack_operands(
	struct vf_env *env, const struct vf_reg *dst, const struct vf_reg *src)
{
	u16 flags = 0;

	if (src && src->kind == VF_STACK)
		flags |= VF_HIST_SRC_STACK;
	if (dst->kind == VF_STACK)
		flags |= VF_HIST_DST_STACK;
	return flags ? vf_hist_push(env, flags, 0, 0, 0) : 0;
}

/* The outcome hung on these numbers. */
static int mark_operands(struct vf_env *env, const struct bpf_insn *insn, const struct vf_reg *dst,
	const struct vf_reg *src)
{
	int err = 0;

	if (vf_is_scalar(dst))
		err = vf_mark_precise(env, insn->dst_reg);
	if (!err && src && vf_is_scalar(src))
		err = vf_mark_precise(env, insn->src_reg);
	return err;
}

static void log_fall(struct vf_env *env)
{
	if (vf_logs_insns(env))
		vf_log_after_insn(env, env->cur, env->cur->top);
}

static int fork_path(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_reg *dst = &vf_regs(env)[insn->dst_reg], *src = &vf_regs(env)[insn->src_reg];
	struct vf_linked linked = {0};
	struct vf_state *taken;
	int err;

	if (BPF_SRC(insn->code) == BPF_X && vf_is_scalar(src) && src->id)
		vf_linked_collect(env, src->id, &linked);
	if (vf_is_scalar(dst) && dst->id &&
		!(BPF_SRC(insn->code) == BPF_X && vf_is_scalar(src) &&
			(src->id & ~VF_ID_DELTA) == (dst->id & ~VF_ID_DELTA)))
		vf_linked_collect(env, dst->id, &linked);
	if (linked.cnt > 1) {
		err = vf_hist_push(env, 0, 0, 0, vf_linked_pack(&linked));
		if (err)
			return err;
	}
	err = vf_explore_push(env, env->insn_idx + insn->off + 1, env->insn_idx, &taken);
	if (err)
		return err;
	err = learn_scalars(env, insn, env->cur, false, &linked);
	if (!err)
		err = learn_scalars(env, insn, taken, true, &linked);
	if (err)
		return err;
	err = learn_pointers(env, insn, env->cur, taken);
	if (err)
		return err;
	log_fall(env);
	return 0;
}

int vf_jump(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_reg *dst = &vf_regs(env)[insn->dst_reg], *src = NULL, constant;
	int err = vf_reg_read(env, insn->dst_reg), known;

	if (!err && BPF_SRC(insn->code) == BPF_X) {
		err = vf_reg_read(env, insn->src_reg);
		src = &vf_regs(env)[insn->src_reg];
	}
	if (err || (err = note_stack_operands(env, dst, src)))
		return err;
	vf_reg_known(&constant, (s64)insn->imm);
	known = outcome(dst, src ? src : &constant, BPF_OP(insn->code), is_narrow(insn));
	if (known < 0)
		return fork_path(env, insn);
	err = mark_operands(env, insn, dst, src);
	if (err)
		return err;
	log_fall(env);
	if (known)
		env->insn_idx += insn->off;
	return 0;
}
