/*
 * Calls of the program's own functions. A static one is explored as part of the caller's path, in a new
 * frame. A global one is verified on its own for any arguments that fit its BTF; a call then only has to
 * fit, and yields an unknown number.
 */
#include <errno.h>

#include "btf/btf.h"
#include "core/kbtf.h"
#include "verifier/access.h"
#include "verifier/btf_walk.h"
#include "verifier/call_arg.h"
#include "verifier/callback.h"
#include "verifier/dynptr.h"
#include "verifier/live_stack.h"
#include "verifier/prune.h"
#include "verifier/references.h"
#include "verifier/static.h"
#include "verifier/step.h"

/* Memory given to a global function must be good for reading and writing, if it is not null. */
static int check_memory(struct vf_env *env, u32 regno, const struct vf_arg *arg, u32 arg_no)
{
	struct vf_reg *reg = &vf_regs(env)[regno], saved = *reg;
	int err;

	if (!(vf_kind_bits(reg->kind) & KIND_MOVED)) {
		err = vf_reg_unmoved(env, regno);
		if (err)
			return err;
	}
	if (!vf_is_null(reg)) {
		vf_reg_not_null(reg);
		err = vf_call_mem(env, NULL, regno, arg->mem_size, false, true);
		if (!err)
			err = vf_call_mem(env, NULL, regno, arg->mem_size, true, true);
		*reg = saved;
		if (err)
			return -EINVAL;
	}
	if (!arg->may_be_null && (reg->may_be_null || vf_is_null(reg)))
		return vf_complain(env, VF_C_GLOBAL_NULL, arg_no);
	return 0;
}

/* A trusted object of the struct that the function names. */
static int check_object(struct vf_env *env, u32 regno, const struct vf_arg *arg)
{
	const u32 kind = HLP_BTF_ID | (arg->may_be_null ? HLP_MAYBE_NULL : 0);
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const struct btf_obj *btf;
	int err;

	if (vf_is_null(reg) && arg->may_be_null)
		return 0;
	err = vf_call_arg_kind(env, regno, kind);
	if (err)
		return err;
	err = core_kbtf_get(env->params->inst, &btf);
	if (err)
		return err;
	if (!vf_btf_is_within(reg->btf, reg->btf_id, reg->off, btf, arg->btf_id, false))
		return vf_complain(env, VF_C_BTF_TYPE, regno, btf_type_name(reg->btf, reg->btf_id),
			btf_type_name(btf, arg->btf_id));
	return vf_reg_fixed(env, regno);
}

static const struct vf_dynptr_want any_dynptr = {.is_rdonly = true};

static int check_arg(struct vf_env *env, const struct vf_sub *sub, u32 arg_no)
{
	const struct vf_arg *arg = &sub->args[arg_no];
	u32 regno = BPF_REG_1 + arg_no;
	const struct vf_reg *reg = &vf_regs(env)[regno];
	int err;

	switch (arg->kind) {
	case VF_ARG_SCALAR:
		return vf_is_scalar(reg) ? 0 : vf_complain(env, VF_C_GLOBAL_SCALAR, regno);
	case VF_ARG_CTX:
		if (!(vf_kind_bits(reg->kind) & KIND_MOVED)) {
			err = vf_reg_unmoved(env, regno);
			if (err)
				return err;
		}
		return reg->kind == VF_CTX ? 0 : vf_complain(env, VF_C_GLOBAL_CTX, arg_no);
	case VF_ARG_BTF:
		/* loads through it survive any address */
		return arg->flags & VF_UNTRUSTED ? 0 : check_object(env, regno, arg);
	case VF_ARG_ARENA:
		return vf_is_scalar(reg) || reg->kind == VF_ARENA
			       ? 0
			       : vf_complain(env, VF_C_GLOBAL_ARENA, regno);
	case VF_ARG_DYNPTR:
		err = vf_kind_bits(reg->kind) & KIND_MOVED ? 0 : vf_reg_unmoved(env, regno);
		return err ? err : vf_dynptr_arg(env, regno, &any_dynptr);
	default: return arg->flags & VF_UNTRUSTED ? 0 : check_memory(env, regno, arg, arg_no);
	}
}

static int call_global(struct vf_env *env, u32 no)
{
	struct vf_sub *sub = &env->subs[no];
	int err;

	if (env->cur->lock_cnt) {
		vf_note(env, "global function calls are not allowed while holding a lock,\n");
		return vf_complain(env, VF_C_GLOBAL_LOCKED);
	}
	if (sub->may_sleep && vf_in_atomic(env->cur)) {
		vf_note(env, "global functions that may sleep are not allowed in non-sleepable "
			     "context,\ni.e., in a RCU/IRQ/preempt-disabled section, or in\n");
		return vf_complain(env, VF_C_GLOBAL_SLEEP);
	}
	err = vf_btf_args(env, no);
	for (u32 i = 0; i < sub->arg_cnt && !err; i++)
		err = check_arg(env, sub, i);
	if (err == -ENOMEM)
		return err;
	if (err)
		return vf_complain_err(env, err, VF_C_GLOBAL_ARGS, no, sub->name);
	if (vf_logs_insns(env))
		vf_note(env, "Func#%u ('%s') is global and assumed valid.\n", no, sub->name);
	if (sub->changes_pkt)
		vf_packet_forget(env);
	sub->is_called = true;
	vf_regs_clobber(env);
	vf_reg_unknown(&vf_regs(env)[BPF_REG_0]);
	return 0;
}

int vf_call_sub(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_state *st = env->cur;
	struct vf_frame *caller = vf_top(st), *callee;
	int no = vf_sub_at(env, env->insn_idx + insn->imm + 1);

	if (no < 0)
		return vf_complain(env, VF_C_CALL_TARGET);
	if (env->subs[no].is_global)
		return call_global(env, no);
	if (st->top + 1 >= PROG_FRAME_MAX)
		return vf_complain(env, VF_C_FRAMES, st->top + 2);
	callee = vf_frame_new(env, st->top + 1, no, env->insn_idx);
	if (!callee)
		return -ENOMEM;
	if (vf_live_enter(env, caller, callee)) {
		vf_frame_free(env, callee);
		return -ENOMEM;
	}
	for (u32 r = BPF_REG_1; r <= BPF_REG_5; r++)
		callee->regs[r] = caller->regs[r];
	vf_regs_clobber(env);
	st->frames[++st->top] = callee;
	env->insn_idx = env->subs[no].start - 1;
	vf_log_touch_all(env);
	if (vf_logs_insns(env)) {
		vf_note(env, "caller:\n");
		vf_log_frame(env, st, caller->no, true);
		vf_note(env, "callee:\n");
		vf_log_frame(env, st, callee->no, true);
	}
	return 0;
}

int vf_return_sub(struct vf_env *env)
{
	struct vf_state *st = env->cur;
	struct vf_frame *callee = vf_top(st), *caller = st->frames[st->top - 1];
	bool is_callback = callee->is_callback;
	const struct vf_state *last;
	int err;

	if (callee->regs[BPF_REG_0].kind == VF_STACK)
		return vf_complain(env, VF_C_RETURN_STACK);
	if (is_callback) {
		err = vf_callback_return(env, callee);
		if (err)
			return err;
	} else {
		caller->regs[BPF_REG_0] = callee->regs[BPF_REG_0];
	}
	/* a callback comes back to the call, which may call it again */
	env->insn_idx = callee->callsite + !is_callback;
	if (vf_logs_insns(env)) {
		vf_note(env, "returning from callee:\n");
		vf_log_frame(env, st, callee->no, true);
		vf_note(env, "to caller at %u:\n", env->insn_idx);
		vf_log_frame(env, st, caller->no, true);
	}
	st->frames[st->top--] = NULL;
	vf_frame_free(env, callee);
	last = is_callback ? vf_prune_last_round(env, st) : NULL;
	if (last)
		vf_widen(last, st);
	return 0;
}
