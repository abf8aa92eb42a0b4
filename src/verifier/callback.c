/*
 * Callbacks. How often a helper calls one is not known, so the call is a loop: from it one path goes into the
 * callback, which returns to the call itself, and one goes on behind it. Rounds end when one begins with
 * no more than an earlier one allowed (prune.c, scc.c); bpf_loop also when it has been followed as often as
 * its count allows. Scalars that decided nothing are widened from round to round (widen.c).
 *
 * A callback that is called later (timers, work queues) begins a path of its own: nothing of the caller's is
 * around it but the arguments.
 */
#include "verifier/callback.h"

#include <errno.h>

#include "btf/btf.h"
#include "core/kbtf.h"
#include "verifier/access.h"
#include "verifier/dynptr.h"
#include "verifier/explore.h"
#include "verifier/live_stack.h"
#include "verifier/object.h"
#include "verifier/precision.h"
#include "verifier/prune.h"
#include "verifier/step.h"

void vf_reg_map_key(struct vf_reg *reg, struct map *map)
{
	vf_reg_pointer(reg, VF_MAP_KEY);
	reg->map = map;
}

void vf_reg_map_value(struct vf_reg *reg, struct map *map)
{
	vf_reg_pointer(reg, VF_MAP_VALUE);
	reg->map = map;
}

/* ---- arguments ---------------------------------------------------------------------------------- */

/* callback(map, key, value, ctx) of bpf_for_each_map_elem(map, callback, ctx, flags) */
static int set_each_args(struct vf_env *env, const struct vf_frame *caller, struct vf_frame *callee)
{
	struct map *map = caller->regs[BPF_REG_1].map;

	switch (map->type->type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH: break;
	default: return vf_complain(env, VF_C_CALLBACK_MAP);
	}
	callee->regs[BPF_REG_1] = caller->regs[BPF_REG_1];
	vf_reg_map_key(&callee->regs[BPF_REG_2], map);
	vf_reg_map_value(&callee->regs[BPF_REG_3], map);
	callee->regs[BPF_REG_4] = caller->regs[BPF_REG_3];
	return 0;
}

/* callback(index, ctx) of bpf_loop(count, callback, ctx, flags) */
static int set_loop_args(struct vf_env *env, const struct vf_frame *caller, struct vf_frame *callee)
{
	vf_reg_unknown(&callee->regs[BPF_REG_1]);
	callee->regs[BPF_REG_2] = caller->regs[BPF_REG_3];
	return 0;
}

/* callback(map, key, value) of bpf_timer_set_callback(timer in a value of the map, callback) */
static int set_value_args(struct map *map, struct vf_frame *callee)
{
	vf_reg_pointer(&callee->regs[BPF_REG_1], VF_MAP_PTR);
	callee->regs[BPF_REG_1].map = map;
	vf_reg_map_key(&callee->regs[BPF_REG_2], map);
	vf_reg_map_value(&callee->regs[BPF_REG_3], map);
	return 0;
}

static int set_timer_args(
	struct vf_env *env, const struct vf_frame *caller, struct vf_frame *callee)
{
	return set_value_args(caller->regs[BPF_REG_1].map, callee);
}

/* callback(map, key, value) of bpf_task_work_schedule_…(task, work in a value of the map, map, callback) */
static int set_task_work_args(
	struct vf_env *env, const struct vf_frame *caller, struct vf_frame *callee)
{
	return set_value_args(caller->regs[BPF_REG_3].map, callee);
}

/* callback(task, vma, ctx) of bpf_find_vma(task, addr, callback, ctx, flags) */
static int set_vma_args(struct vf_env *env, const struct vf_frame *caller, struct vf_frame *callee)
{
	struct vf_reg *vma = &callee->regs[BPF_REG_2];
	const struct btf_obj *btf = NULL;
	u32 id = 0;

	if (core_kbtf_get(env->params->inst, &btf) ||
		btf_find(btf, "vm_area_struct", BTF_KIND_STRUCT, &id))
		return vf_complain(
			env, VF_C_UNSUPPORTED_KFUNC_BTF, core_kbtf_path(env->params->inst));
	callee->regs[BPF_REG_1] = caller->regs[BPF_REG_1];
	vf_reg_pointer(vma, VF_BTF);
	vma->btf = btf;
	vma->btf_id = id;
	callee->regs[BPF_REG_3] = caller->regs[BPF_REG_4];
	return 0;
}

/* callback(dynptr, ctx) of bpf_user_ringbuf_drain(map, callback, ctx, flags): a view of one record */
static int set_drain_args(
	struct vf_env *env, const struct vf_frame *caller, struct vf_frame *callee)
{
	vf_reg_dynptr(env, &callee->regs[BPF_REG_1], VF_DYNPTR_LOCAL);
	callee->regs[BPF_REG_2] = caller->regs[BPF_REG_3];
	return 0;
}

const struct vf_callback *vf_callback_of(u32 helper_id)
{
	static const struct vf_callback loop = {.set_args = set_loop_args, .max = 1};
	static const struct vf_callback each = {.set_args = set_each_args, .max = 1};
	static const struct vf_callback timer = {.set_args = set_timer_args, .is_async = true};

	static const struct vf_callback vma = {.set_args = set_vma_args, .max = 1};
	static const struct vf_callback drain = {.set_args = set_drain_args, .max = 1};

	switch (helper_id) {
	case BPF_FUNC_user_ringbuf_drain: return &drain;
	case BPF_FUNC_find_vma: return &vma;
	case BPF_FUNC_loop: return &loop;
	case BPF_FUNC_for_each_map_elem: return &each;
	case BPF_FUNC_timer_set_callback: return &timer;
	default: return NULL;
	}
}

const struct vf_callback *vf_callback_of_kfunc(const struct vf_kfunc *fn)
{
	static const struct vf_callback less = {.set_args = vf_graph_less_args, .max = 1};
	static const struct vf_callback work = {
		.set_args = set_timer_args, .is_async = true, .may_sleep = true};
	static const struct vf_callback task_work = {.set_args = set_task_work_args,
		.is_async = true,
		.may_sleep = true,
		.min = INT32_MIN,
		.max = INT32_MAX};

	switch (fn ? fn->no : VF_KF_NONE) {
	case VF_KF_bpf_rbtree_add_impl: return &less;
	case VF_KF_bpf_wq_set_callback_impl: return &work;
	case VF_KF_bpf_task_work_schedule_signal_impl:
	case VF_KF_bpf_task_work_schedule_resume_impl: return &task_work;
	default: return NULL;
	}
}

const struct vf_callback *vf_callback_at(const struct vf_env *env, const struct bpf_insn *insn)
{
	if (insn->code != (BPF_JMP | BPF_CALL))
		return NULL;
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		return vf_callback_of_kfunc(vf_kfunc_of(env, insn));
	return insn->src_reg ? NULL : vf_callback_of(insn->imm);
}

bool vf_calls_back(const struct vf_env *env, const struct bpf_insn *insn)
{
	const struct vf_callback *cb = vf_callback_at(env, insn);

	return cb && !cb->is_async;
}

/* ---- entering ----------------------------------------------------------------------------------- */

static void mark_frame(struct vf_frame *callee, const struct vf_callback *cb)
{
	callee->is_callback = !cb->is_async;
	callee->is_async = cb->is_async;
	callee->cb_min = cb->min;
	callee->cb_max = cb->max;
}

static int push_async(struct vf_env *env, u32 sub, const struct vf_callback *cb)
{
	const struct vf_frame *caller = vf_top(env->cur);
	struct vf_state *st;
	int err;

	env->subs[sub].is_async = true;
	vf_log_touch_all(env);
	err = vf_explore_push_entry(env, sub, env->insn_idx, &st);
	if (err)
		return err;
	st->may_sleep = cb->may_sleep;
	st->frames[0]->async_entries = caller->async_entries + 1;
	err = cb->set_args(env, caller, st->frames[0]);
	mark_frame(st->frames[0], cb);
	return err;
}

int vf_callback_push(struct vf_env *env, u32 sub, const struct vf_callback *cb)
{
	struct vf_frame *caller = vf_top(env->cur), *callee;
	struct vf_state *st;
	int err;

	env->subs[sub].is_callback = true;
	if (cb->is_async)
		return push_async(env, sub, cb);
	err = vf_explore_push(env, env->subs[sub].start, env->insn_idx, &st);
	if (err)
		return err;
	if (st->top + 1 >= PROG_FRAME_MAX)
		return vf_complain(env, VF_C_FRAMES, st->top + 2);
	callee = vf_frame_new(env, st->top + 1, sub, env->insn_idx);
	if (!callee)
		return -ENOMEM;
	st->frames[st->top + 1] = callee;
	if (vf_live_enter(env, vf_top(st), callee))
		return -ENOMEM;
	err = cb->set_args(env, caller, callee);
	if (err)
		return err;
	mark_frame(callee, cb);
	vf_log_touch_all(env);
	st->top++;
	st->callback_rounds++;
	st->frames[st->top - 1]->callback_depth++;
	caller->callback_depth = 0;
	return 0;
}

/* ---- calls -------------------------------------------------------------------------------------- */

/*
 * Linux turns a bpf_loop whose flags are 0 and whose callback is one into a plain loop. That hangs on R4,
 * which therefore counts as looked at; nothing else follows from it here.
 */
static int note_inlining(struct vf_env *env, u32 sub)
{
	struct vf_aux *aux = &env->aux[env->insn_idx];
	const struct vf_reg *flags = &vf_regs(env)[BPF_REG_4];
	bool is_first = !aux->is_loop_seen;

	if (!is_first && !aux->is_loop_plain)
		return 0;
	aux->is_loop_plain = vf_is_null(flags) && (is_first || aux->loop_sub == sub);
	if (is_first)
		aux->loop_sub = sub;
	aux->is_loop_seen = true;
	return vf_is_null(flags) ? vf_mark_precise(env, BPF_REG_4) : 0;
}

static int call_loop(struct vf_env *env, u32 sub)
{
	struct vf_frame *frame = vf_top(env->cur);
	int err = note_inlining(env, sub);

	if (!err)
		err = vf_mark_precise(env, BPF_REG_1);
	if (err)
		return err;
	if (frame->callback_depth < frame->regs[BPF_REG_1].num.umax)
		return vf_callback_push(env, sub, vf_callback_of(BPF_FUNC_loop));
	frame->callback_depth = 0;
	if (vf_logs_full(env))
		vf_note(env, "frame%u bpf_loop iteration limit reached\n", env->cur->top);
	return 0;
}

int vf_call_callback(struct vf_env *env, u32 helper_id, u32 sub)
{
	const struct vf_callback *cb = vf_callback_of(helper_id);

	if (helper_id == BPF_FUNC_loop)
		return call_loop(env, sub);
	return cb ? vf_callback_push(env, sub, cb) : 0;
}

int vf_callback_return(struct vf_env *env, const struct vf_frame *callee)
{
	const struct vf_reg *r0 = &callee->regs[BPF_REG_0];
	int err;

	if (!vf_is_scalar(r0))
		return vf_complain(env, VF_C_CALLBACK_RETURN);
	err = vf_mark_precise(env, BPF_REG_0);
	if (err)
		return err;
	if (r0->num.smin < callee->cb_min || r0->num.smax > callee->cb_max)
		return vf_complain_range(
			env, BPF_REG_0, callee->cb_min, callee->cb_max, "At callback return");
	return 0;
}
