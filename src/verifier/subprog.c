/*
 * Subprograms: the program is cut at the targets of bpf-to-bpf calls. No jump crosses a cut, and the
 * last instruction before one never falls through. After exploration: the stack of every chain of calls
 * fits.
 *
 * Invariant: subs are sorted by start, subs[0].start is 0, subs[sub_cnt].start is insn_cnt.
 */
#include <errno.h>
#include <string.h>

#include "verifier/env.h"
#include "verifier/kfunc.h"
#include "verifier/static.h"

static bool is_sub_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static bool is_sub_pointer(const struct bpf_insn *insn)
{
	return isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_FUNC;
}

static bool is_kfunc_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL;
}

int vf_sub_at(const struct vf_env *env, u32 start)
{
	u32 lo = 0, hi = env->sub_cnt;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (env->subs[mid].start == start)
			return mid;
		if (env->subs[mid].start < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

u32 vf_sub_of(const struct vf_env *env, u32 insn_idx)
{
	u32 sub = env->sub_cnt - 1;

	while (sub && env->subs[sub].start > insn_idx)
		sub--;
	return sub;
}

static int add_sub(struct vf_env *env, s64 start)
{
	u32 at;

	if (start < 0 || start >= env->insn_cnt)
		return vf_complain(env, VF_C_CALL_TARGET);
	if (vf_sub_at(env, start) >= 0)
		return 0;
	if (env->sub_cnt == PROG_SUB_MAX)
		return vf_complain(env, VF_C_SUBS_TOO_MANY);
	for (at = env->sub_cnt; at && env->subs[at - 1].start > start; at--)
		env->subs[at] = env->subs[at - 1];
	env->subs[at] = (struct vf_sub){.start = start, .name = ""};
	env->sub_cnt++;
	return 0;
}

static int add_exception_callback(struct vf_env *env)
{
	u32 start;
	int err = vf_btf_exception_callback(env, &start);

	if (err || !start)
		return err;
	err = add_sub(env, start);
	if (err)
		return err;
	env->exception_sub = vf_sub_at(env, start);
	env->subs[env->exception_sub].is_exception = true;
	env->subs[env->exception_sub].is_callback = true;
	return 0;
}

int vf_subs_find(struct vf_env *env)
{
	int err = add_sub(env, 0);

	for (u32 i = 0; i < env->insn_cnt && !err; i++) {
		const struct bpf_insn *insn = &env->insns[i];

		env->insn_idx = i;
		if (is_sub_call(insn) || is_sub_pointer(insn))
			err = add_sub(env, (s64)i + insn->imm + 1);
		else if (is_kfunc_call(insn))
			err = vf_kfunc_add(env, insn);
	}
	if (!err)
		err = add_exception_callback(env);
	if (err)
		return err;
	env->subs[env->sub_cnt].start = env->insn_cnt;
	if (vf_logs_full(env)) {
		for (u32 s = 0; s < env->sub_cnt; s++)
			vf_note(env, "func#%u @%u\n", s, env->subs[s].start);
	}
	return 0;
}

static void note_features(struct vf_sub *sub, const struct bpf_insn *insn)
{
	if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && insn->imm == BPF_FUNC_tail_call)
		sub->has_tail_call = true;
	if (BPF_CLASS(insn->code) == BPF_LD &&
		(BPF_MODE(insn->code) == BPF_ABS || BPF_MODE(insn->code) == BPF_IND))
		sub->has_ld_abs = true;
}

int vf_subs_check(struct vf_env *env)
{
	struct vf_sub *sub = env->subs;

	for (u32 i = 0; i < env->insn_cnt; i++) {
		const struct bpf_insn *insn = &env->insns[i];

		env->insn_idx = i;
		note_features(sub, insn);
		if (isa_is_jump(insn)) {
			s64 target = (s64)i + isa_jump_off(insn) + 1;

			if (target < sub->start || target >= sub[1].start)
				return vf_complain(env, VF_C_JUMP_RANGE, i, (int)target);
		}
		if (i + 1 < sub[1].start)
			continue;
		/* a jump that is not conditional, or the end */
		if (insn->code != (BPF_JMP | BPF_EXIT) && insn->code != (BPF_JMP | BPF_JA) &&
			insn->code != (BPF_JMP32 | BPF_JA))
			return vf_complain(env, VF_C_LAST_INSN);
		sub++;
	}
	return 0;
}

/* ---- the stack of call chains ------------------------------------------------------------------ */

/*
 * need[s] is the largest sum of stack in a chain that starts with s, frames[s] the longest chain. Both
 * saturate, so that recursion (a chain without end) comes out as too long.
 */
struct depth {
	u32 need[PROG_SUB_MAX], frames[PROG_SUB_MAX];
	s32 before
		[PROG_SUB_MAX]; /* most stack in use when it is called from the main program; -1: never */
};

static u32 own_depth(const struct vf_env *env, u32 sub)
{
	return ROUND_UP(env->subs[sub].stack_depth, VF_CALL_DEPTH_STACK_UNIT);
}

/* Nothing of who calls it is on the stack: what is called later, and what exceptions end in. */
static bool is_root(const struct vf_env *env, u32 sub)
{
	return !sub || env->subs[sub].is_async || env->subs[sub].is_exception;
}

static int callee_at(const struct vf_env *env, u32 insn_idx)
{
	const struct bpf_insn *insn = &env->insns[insn_idx];

	int sub;

	if (!is_sub_call(insn) && !is_sub_pointer(insn))
		return -1;
	sub = vf_sub_at(env, insn_idx + insn->imm + 1);
	/* what is called later stands on a stack of its own */
	return sub >= 0 && is_root(env, sub) && is_sub_pointer(insn) ? -1 : sub;
}

/* One round of relaxation for each frame that may be nested is enough. */
static void measure(const struct vf_env *env, struct depth *depth)
{
	for (u32 s = 0; s < env->sub_cnt; s++) {
		depth->need[s] = own_depth(env, s);
		depth->frames[s] = 1;
		depth->before[s] = is_root(env, s) ? 0 : -1;
	}
	for (u32 round = 0; round <= PROG_FRAME_MAX; round++) {
		for (u32 s = 0, i = 0; s < env->sub_cnt; s++) {
			for (; i < env->subs[s + 1].start; i++) {
				int callee = callee_at(env, i);

				if (callee < 0)
					continue;
				depth->need[s] = MAX(
					depth->need[s], own_depth(env, s) + depth->need[callee]);
				depth->frames[s] = MAX(depth->frames[s], 1 + depth->frames[callee]);
				if (depth->before[s] >= 0)
					depth->before[callee] = MAX(depth->before[callee],
						depth->before[s] + (s32)own_depth(env, s));
			}
		}
	}
}

/* Complains about the first chain from sub in program order that is too deep; one is known to exist. */
static int complain_chain(struct vf_env *env, const struct depth *depth, u32 sub)
{
	u32 frames = 1, used = own_depth(env, sub);

	while (used <= PROG_STACK_MAX && frames <= PROG_FRAME_MAX) {
		int next = -1;

		for (u32 i = env->subs[sub].start; i < env->subs[sub + 1].start && next < 0; i++) {
			int callee = callee_at(env, i);

			if (callee >= 0 && (used + depth->need[callee] > PROG_STACK_MAX ||
						   frames + depth->frames[callee] > PROG_FRAME_MAX))
				next = callee;
		}
		if (next < 0)
			break;
		sub = next;
		frames++;
		used += own_depth(env, sub);
		if (frames > PROG_FRAME_MAX)
			return vf_complain(env, VF_C_CALL_DEPTH, frames - 1);
	}
	return vf_complain(env, VF_C_STACK_SUM, frames, used);
}

/* A function that sub calls, or one that those call, makes a tail call. */
static bool callees_tail_call(const struct vf_env *env, u32 sub, u32 depth)
{
	for (u32 i = env->subs[sub].start; depth && i < env->subs[sub + 1].start; i++) {
		int callee = callee_at(env, i);

		if (callee >= 0 && (env->subs[callee].has_tail_call ||
					   callees_tail_call(env, callee, depth - 1)))
			return true;
	}
	return false;
}

/* Bits of `seen`: the function was looked at as called from a callback, or from none. */
static int find_throw(struct vf_env *env, u32 sub, bool is_inside, u8 *seen)
{
	const struct vf_sub *s = &env->subs[sub];
	int err = 0;

	is_inside |= s->is_callback || s->is_async || s->is_exception;
	if (seen[sub] & 1u << is_inside)
		return 0;
	seen[sub] |= 1u << is_inside;
	for (u32 i = s->start; i < s[1].start && !err; i++) {
		int callee = callee_at(env, i);

		if (callee >= 0)
			err = find_throw(env, callee, is_inside, seen);
		else if (is_inside && vf_is_throw(env, &env->insns[i]))
			err = vf_complain(env, VF_C_THROW_CALLBACK, i, sub);
	}
	return err;
}

static int check_throws(struct vf_env *env)
{
	u8 seen[PROG_SUB_MAX] = {0};
	int err = 0;

	for (u32 s = 0; s < env->sub_cnt && !err; s++)
		err = find_throw(env, s, false, seen);
	return err;
}

/* Exceptions may begin anywhere but in callbacks; the function that they end in is nobody's to call. */
static int check_exceptions(struct vf_env *env)
{
	u32 cb = env->exception_sub;
	int err = check_throws(env);

	if (err || !cb)
		return err;
	for (u32 i = 0; i < env->insn_cnt; i++) {
		if (is_sub_call(&env->insns[i]) && env->aux[i].is_seen &&
			callee_at(env, i) == (int)cb)
			return vf_complain(env, VF_C_THROW_CALLED, i);
	}
	return callees_tail_call(env, cb, PROG_FRAME_MAX) ? vf_complain(env, VF_C_THROW_TAIL_CALL)
							  : 0;
}

int vf_stack_depth_check(struct vf_env *env)
{
	struct depth *depth;
	int err = check_exceptions(env);

	if (err)
		return err;
	depth = vf_alloc(env, sizeof(*depth));
	if (!depth)
		return -ENOMEM;
	measure(env, depth);
	for (u32 s = 1; s < env->sub_cnt && !err; s++) {
		/* each of up to 33 programs in a row leaves these frames behind */
		if (env->subs[s].has_tail_call && depth->before[s] >= VF_TAIL_CALL_STACK_MAX)
			err = vf_complain(env, VF_C_TAIL_CALL_STACK, depth->before[s]);
	}
	if (err)
		goto out;
	for (u32 s = 0; s < env->sub_cnt && !err; s++) {
		if (!is_root(env, s))
			continue;
		if (depth->need[s] > PROG_STACK_MAX || depth->frames[s] > PROG_FRAME_MAX)
			err = complain_chain(env, depth, s);
	}
out:
	vf_free(env, depth, sizeof(*depth));
	return err;
}
