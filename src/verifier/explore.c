/*
 * The worklist. A path ends at an exit or where a saved state shows that nothing new can come; then the
 * branch left open last is taken up. The number of instructions processed is bounded, which bounds loops.
 */
#include "verifier/explore.h"

#include <errno.h>

#include "core/kbtf.h"
#include "verifier/dynptr.h"
#include "verifier/live_stack.h"
#include "verifier/precision.h"
#include "verifier/prune.h"
#include "verifier/static.h"
#include "verifier/step.h"

static int push(struct vf_env *env, struct vf_pending *pending, u32 insn_idx, u32 prev_idx)
{
	pending->insn_idx = insn_idx;
	pending->prev_idx = prev_idx;
	pending->log_pos = vf_log_pos(env);
	pending->next = env->pending;
	env->pending = pending;
	if (pending->st.parent)
		pending->st.parent->branches++;
	if (++env->pending_cnt > VF_PENDING_MAX)
		return vf_complain(env, VF_C_PENDING, env->pending_cnt);
	return 0;
}

int vf_explore_push(struct vf_env *env, u32 insn_idx, u32 prev_idx, struct vf_state **ret_state)
{
	struct vf_pending *pending = vf_alloc(env, sizeof(*pending));

	if (!pending)
		return -ENOMEM;
	if (vf_state_copy(env, &pending->st, env->cur) ||
		vf_hist_copy(env, &pending->st, env->cur)) {
		vf_state_done(env, &pending->st);
		vf_free(env, pending, sizeof(*pending));
		return -ENOMEM;
	}
	*ret_state = &pending->st;
	return push(env, pending, insn_idx, prev_idx);
}

/* A state at the start of a function, in its outermost frame. */
static int make_entry(struct vf_env *env, u32 sub, struct vf_state *st)
{
	struct vf_frame *frame = vf_frame_new(env, 0, sub, -1);

	if (!frame)
		return -ENOMEM;
	st->frames[0] = frame;
	st->branches = 1;
	st->first_idx = st->insn_idx = env->subs[sub].start;
	return vf_live_enter(env, NULL, frame);
}

int vf_explore_push_entry(struct vf_env *env, u32 sub, u32 prev_idx, struct vf_state **ret_state)
{
	struct vf_pending *pending = vf_alloc(env, sizeof(*pending));

	if (!pending)
		return -ENOMEM;
	if (make_entry(env, sub, &pending->st)) {
		vf_state_done(env, &pending->st);
		vf_free(env, pending, sizeof(*pending));
		return -ENOMEM;
	}
	*ret_state = &pending->st;
	return push(env, pending, env->subs[sub].start, prev_idx);
}

/* Takes up the branch left open last; false when there is none. */
static bool pop(struct vf_env *env)
{
	struct vf_pending *pending = env->pending;

	if (!pending)
		return false;
	vf_state_done(env, env->cur);
	*env->cur = pending->st;
	env->insn_idx = pending->insn_idx;
	env->prev_idx = pending->prev_idx;
	vf_log_rewind(env, pending->log_pos);
	env->pending = pending->next;
	env->pending_cnt--;
	vf_free(env, pending, sizeof(*pending));
	return true;
}

static void log_before(struct vf_env *env, bool *print_state)
{
	if (vf_logs_full(env) && *print_state) {
		vf_note(env, "\nfrom %d to %u:", env->prev_idx, env->insn_idx);
		vf_log_frame(env, env->cur, env->cur->top, true);
		*print_state = false;
	}
	if (!vf_logs_insns(env))
		return;
	if (vf_log_is_touched(env))
		vf_log_after_insn(env, env->cur, env->cur->top);
	vf_log_source(env, env->insn_idx);
	vf_log_insn(env, env->insn_idx);
}

static void log_pruned(struct vf_env *env, bool print_state)
{
	if (!vf_logs_insns(env))
		return;
	if (print_state)
		vf_note(env, "\nfrom %d to %u: safe\n", env->prev_idx, env->insn_idx);
	else
		vf_note(env, "%u: safe\n", env->insn_idx);
}

static bool is_cancelled(const struct vf_env *env)
{
	const struct vf_params *params = env->params;

	return params->cancel && env->stats.insns_processed % VF_CANCEL_STEP == 0 &&
	       params->cancel(params->cancel_arg);
}

/* Runs the instruction at env->insn_idx; *ret_done: the path ended. */
static int advance(struct vf_env *env, bool *print_state, bool *ret_done)
{
	struct vf_state *st = env->cur;
	enum vf_next next;
	bool is_pruned;
	s32 idx;
	int err;

	env->hist_at = -1;
	if (env->insn_idx >= env->insn_cnt)
		return vf_complain(env, VF_C_INSN_IDX, env->insn_idx, env->insn_cnt);
	if (++env->stats.insns_processed > env->insns_max)
		return vf_complain(env, VF_C_TOO_LARGE, env->stats.insns_processed);
	if (is_cancelled(env))
		return vf_complain(env, VF_C_CANCELLED);
	st->last_idx = env->prev_idx;
	st->insn_idx = env->insn_idx;
	if (env->aux[env->insn_idx].is_prune) {
		err = vf_prune(env, &is_pruned);
		if (err)
			return err;
		if (is_pruned) {
			log_pruned(env, *print_state);
			*ret_done = true;
			return 0;
		}
	}
	if (env->aux[env->insn_idx].is_jump) {
		err = vf_hist_push(env, 0, 0, 0, 0);
		if (err)
			return err;
	}
	log_before(env, print_state);
	env->aux[env->insn_idx].is_seen = true;
	idx = env->insn_idx;
	vf_live_begin(env);
	err = vf_step(env, print_state, &next);
	if (!err)
		err = vf_live_commit(env);
	if (err)
		return err;
	env->prev_idx = idx;
	*ret_done = next == VF_NEXT_DONE;
	return 0;
}

static int explore_paths(struct vf_env *env)
{
	bool print_state = false, done;
	int err;

	for (;;) {
		done = false;
		err = advance(env, &print_state, &done);
		if (err)
			return err;
		if (!done)
			continue;
		vf_log_touch_all(env);
		err = vf_prune_path_end(env, env->cur);
		if (err)
			return err;
		if (!pop(env))
			return 0;
		print_state = true;
	}
}

/* What a function may rely on of an argument that its BTF describes. */
static int set_arg(struct vf_env *env, const struct vf_arg *arg, struct vf_reg *reg)
{
	switch (arg->kind) {
	case VF_ARG_CTX: vf_reg_pointer(reg, VF_CTX); return 0;
	case VF_ARG_MEM:
		vf_reg_pointer(reg, VF_MEM);
		reg->mem_size = arg->mem_size;
		reg->flags = arg->flags;
		reg->is_rdonly = arg->flags & VF_UNTRUSTED;
		reg->may_be_null = arg->may_be_null;
		reg->id = reg->may_be_null ? ++env->id_gen : 0;
		return 0;
	case VF_ARG_BTF:
		vf_reg_pointer(reg, VF_BTF);
		reg->btf_id = arg->btf_id;
		reg->flags = arg->flags;
		reg->may_be_null = arg->may_be_null;
		reg->id = ++env->id_gen;
		return core_kbtf_get(env->params->inst, &reg->btf);
	case VF_ARG_ARENA: vf_reg_pointer(reg, VF_ARENA); return 0;
	case VF_ARG_DYNPTR: vf_reg_dynptr(env, reg, VF_DYNPTR_LOCAL); return 0;
	default: vf_reg_unknown(reg); return 0;
	}
}

/* The entry state of the main program, or of a global function with arguments as its BTF says. */
static int enter(struct vf_env *env, u32 sub_no)
{
	struct vf_sub *sub = &env->subs[sub_no];
	struct vf_frame *frame;
	int err = make_entry(env, sub_no, env->cur);

	if (err)
		return err;
	frame = env->cur->frames[0];
	env->cur->may_sleep = env->params->flags & BPF_F_SLEEPABLE;
	if (!sub_no) {
		vf_reg_pointer(&frame->regs[BPF_REG_1], VF_CTX);
		return 0;
	}
	vf_note(env, "Validating %s() func#%u...\n", sub->name, sub_no);
	err = vf_btf_args(env, sub_no);
	if (!err && sub->is_exception) {
		frame->is_exception = true;
		if (sub->arg_cnt != 1 || sub->args[0].kind != VF_ARG_SCALAR)
			return vf_complain(env, VF_C_THROW_ARGS);
	}
	for (u32 i = 0; i < sub->arg_cnt && !err; i++)
		err = set_arg(env, &sub->args[i], &frame->regs[BPF_REG_1 + i]);
	return err;
}

static int explore_sub(struct vf_env *env, u32 sub_no)
{
	u64 log_pos = 0;
	int err;

	env->cur = vf_alloc(env, sizeof(*env->cur));
	if (!env->cur)
		return -ENOMEM;
	env->insn_idx = env->subs[sub_no].start;
	env->prev_idx = -1;
	env->log.last_line = NULL;
	vf_log_touch_all(env);
	err = enter(env, sub_no);
	if (!err)
		err = explore_paths(env);
	if (err)
		return err;
	vf_log_rewind(env, log_pos);
	vf_explore_done(env);
	return 0;
}

int vf_explore(struct vf_env *env)
{
	bool is_changed = true;
	int err = explore_sub(env, 0);

	/* nobody calls it, and it may always be needed */
	if (env->exception_sub)
		env->subs[env->exception_sub].is_called = true;

	while (is_changed && !err) {
		is_changed = false;
		for (u32 s = 1; s < env->sub_cnt && !err; s++) {
			struct vf_sub *sub = &env->subs[s];

			if (!sub->is_global || !sub->is_called || sub->is_verified)
				continue;
			err = explore_sub(env, s);
			if (err)
				break;
			if (vf_logs_insns(env))
				vf_note(env,
					"Func#%u ('%s') is safe for any args that match its "
					"prototype\n",
					s, sub->name);
			sub->is_verified = is_changed = true;
		}
	}
	return err;
}

void vf_explore_done(struct vf_env *env)
{
	while (env->pending) {
		struct vf_pending *pending = env->pending;

		env->pending = pending->next;
		vf_state_done(env, &pending->st);
		vf_free(env, pending, sizeof(*pending));
	}
	env->pending_cnt = 0;
	if (env->cur) {
		vf_state_done(env, env->cur);
		vf_free(env, env->cur, sizeof(*env->cur));
		env->cur = NULL;
	}
	vf_prune_done(env);
}
