/*
 * The interpreter for any code: exec.def with a check before every access, jump and call. It runs what
 * no verifier has seen, and beside a verifier it is the judge of what that accepted.
 * Invariants: no instruction makes the host fault; a run ends after run->budget instructions; after a
 * helper r1 to r5 hold nothing the program may rely on, so they are overwritten.
 */
#include "interp/interp.h"

#include <endian.h>
#include <string.h>

#include "core/arena.h"
#include "core/inst.h"
#include "core/kfunc.h"
#include "core/skb.h"
#include "core/tail.h"
#include "core/access.h"
#include "isa/isa.h"

enum { SCRAMBLED = 0x5ca1ab1e, NO_MAIN = -1 };

struct frame {
	const struct bpf_insn *back; /* the call */
	u64 saved[5];		     /* r6-r10: a program may have overwritten r10 */
	u32 may_goto_left;
	/* the caller's program and the frame it began in: a tail call may have put another one in the
	 * callee's place */
	const struct prog_code *code;
	struct map *const *maps;
	u32 map_cnt;
	s32 main;
};

/* A run with all its callbacks, which share frames, stack and budget. */
struct machine {
	struct run *run;
	struct access access;
	u64 left; /* instructions */
	u32 depth, tails;
	struct run_fault fault;
	struct frame frames[PROG_FRAME_MAX];
	_Alignas(8) u8 stack[PROG_FRAME_MAX][PROG_STACK_MAX];
};

/* Leaves the run with a fault at insn */
#define FAULT(what, ...)                                                                           \
	do {                                                                                       \
		m->fault = (struct run_fault){.kind = RUN_FAULT_##what, __VA_ARGS__};              \
		goto faulted;                                                                      \
	} while (0)
#define OP(id) do_##id:
#define DISPATCH                                                                                   \
	do {                                                                                       \
		if ((u64)(insn - code->insns) >= code->insn_cnt || !labels[insn->code])            \
			UNKNOWN;                                                                   \
		if (!m->left--)                                                                    \
			FAULT(BUDGET, );                                                           \
		goto *labels[insn->code];                                                          \
	} while (0)
#define NEXT                                                                                       \
	do {                                                                                       \
		insn++;                                                                            \
		DISPATCH;                                                                          \
	} while (0)
#define JUMP(n)                                                                                    \
	do {                                                                                       \
		const s64 to = insn - code->insns + 1 + (s64)(n);                                  \
		if (to < 0 || to >= code->insn_cnt)                                                \
			UNKNOWN;                                                                   \
		insn = &code->insns[to];                                                           \
		DISPATCH;                                                                          \
	} while (0)
#define UNKNOWN FAULT(INSN, )
#define TOUCH(at, bytes, writes)                                                                   \
	do {                                                                                       \
		if (!access_may(&m->access, at, bytes, writes))                                    \
			FAULT(ACCESS, .addr = (at), .len = (bytes), .is_write = (writes));         \
	} while (0)
#define TOUCH_ATOM(at, bytes, writes)                                                              \
	do {                                                                                       \
		if ((at) % (bytes))                                                                \
			FAULT(ALIGN, .addr = (at), .len = (bytes), .is_write = (writes));          \
		TOUCH(at, bytes, writes);                                                          \
	} while (0)
#define READ(at, bytes)	     TOUCH(at, bytes, false)
#define WRITE(at, bytes)     TOUCH(at, bytes, true)
#define ATOM(at, bytes)	     TOUCH_ATOM(at, bytes, true)
#define READ_ATOM(at, bytes) TOUCH_ATOM(at, bytes, false)
#define SECOND_SLOT                                                                                \
	do {                                                                                       \
		if ((u64)(insn - code->insns) + 1 >= code->insn_cnt || insn[1].code)               \
			UNKNOWN;                                                                   \
	} while (0)
#define NEEDS_ARENA                                                                                \
	do {                                                                                       \
		if (!code->arena)                                                                  \
			UNKNOWN;                                                                   \
	} while (0)
#define PACKET_OF(p)                                                                               \
	do {                                                                                       \
		if (!run->skb || (p) != (u64)(uintptr_t)run->skb)                                  \
			FAULT(ACCESS, .addr = (p), .len = 1);                                      \
	} while (0)
#define FUNC(n) run_func_of_insn(n)
/* A callback may have failed, or thrown. */
#define CALL(proto)                                                                                \
	do {                                                                                       \
		m->access.code = code;                                                             \
		if (!access_may_call(&m->access, proto, r, &m->fault))                             \
			goto faulted;                                                              \
		run->code = code;                                                                  \
		r[0] = (proto)->fn(r[1], r[2], r[3], r[4], r[5], run);                             \
		if (m->fault.kind)                                                                 \
			goto out;                                                                  \
		if (run->is_stopped)                                                               \
			goto thrown;                                                               \
		for (u32 reg = 1; reg <= HLP_ARG_MAX; reg++)                                       \
			r[reg] = SCRAMBLED;                                                        \
	} while (0)
#define HELPER(id)                                                                                 \
	do {                                                                                       \
		proto = find_helper(run, (u64)(id));                                               \
		if (!proto)                                                                        \
			FAULT(CALL, .addr = (u64)(id));                                            \
		CALL(proto);                                                                       \
	} while (0)
#define HELPER_OF(id) HELPER(id)
#define KFUNC(num)                                                                                 \
	do {                                                                                       \
		const struct kfunc_proto *kfunc = find_kfunc(run, (u32)(num));                     \
		if (!kfunc)                                                                        \
			FAULT(CALL, .addr = (u32)(num));                                           \
		if (kfunc->kind == KFUNC_THROW) {                                                  \
			run->cookie = r[1];                                                        \
			goto thrown;                                                               \
		}                                                                                  \
		CALL(&kfunc->proto);                                                               \
	} while (0)
#define ENTER(n)                                                                                   \
	do {                                                                                       \
		if (m->depth + 1 >= PROG_FRAME_MAX)                                                \
			FAULT(DEPTH, );                                                            \
		save_frame(m, insn, code, main, may_goto_left, &r[6]);                             \
		may_goto_left = PROG_MAY_GOTO_MAX;                                                 \
		r[10] = m->access.stack + PROG_STACK_MAX;                                          \
		JUMP(n);                                                                           \
	} while (0)
#define LEAVE                                                                                      \
	do {                                                                                       \
		if (m->depth == base)                                                              \
			goto out;                                                                  \
		m->depth--;                                                                        \
		insn = m->frames[m->depth].back;                                                   \
		code = m->frames[m->depth].code;                                                   \
		main = m->frames[m->depth].main;                                                   \
		may_goto_left = m->frames[m->depth].may_goto_left;                                 \
		memcpy(&r[6], m->frames[m->depth].saved, sizeof(m->frames[0].saved));              \
		leave_frame(m);                                                                    \
		NEXT;                                                                              \
	} while (0)
/* r1-r3 are held against the helper's prototype before the array is read. */
#define TAIL_CALL                                                                                  \
	do {                                                                                       \
		const struct prog *next;                                                           \
		proto = find_helper(run, BPF_FUNC_tail_call);                                      \
		if (!proto)                                                                        \
			FAULT(CALL, .addr = BPF_FUNC_tail_call);                                   \
		m->access.code = code;                                                             \
		if (!access_may_call(&m->access, proto, r, &m->fault))                             \
			goto faulted;                                                              \
		next = tail_call_target(                                                           \
			(const struct map *)(uintptr_t)r[2], (u32)r[3], &m->tails);                \
		for (u32 reg = next ? 2 : 0; reg <= HLP_ARG_MAX; reg++)                            \
			r[reg] = SCRAMBLED;                                                        \
		if (!next)                                                                         \
			NEXT;                                                                      \
		code = &next->code;                                                                \
		insn = code->insns;                                                                \
		run->prog = next;                                                                  \
		m->access.maps = next->maps;                                                       \
		m->access.map_cnt = next->map_cnt;                                                 \
		may_goto_left = PROG_MAY_GOTO_MAX;                                                 \
		main = (s32)m->depth;                                                              \
		DISPATCH;                                                                          \
	} while (0)

static const struct hlp_proto *find_helper(const struct run *run, u64 id)
{
	const struct skep *inst = run->inst;

	if (!inst || id >= inst->helper_cnt || !inst->helpers[id] || !inst->helpers[id]->fn)
		return NULL;
	return inst->helpers[id];
}

static const struct kfunc_proto *find_kfunc(const struct run *run, u32 num)
{
	const struct skep *inst = run->inst;

	return inst && num < inst->kfunc_cnt ? inst->kfuncs[num] : NULL;
}

/* The caller's state, and a fresh frame of stack below its own. */
static void save_frame(struct machine *m, const struct bpf_insn *insn, const struct prog_code *code,
	s32 main, u32 may_goto_left, const u64 *saved)
{
	m->frames[m->depth] = (struct frame){.back = insn,
		.may_goto_left = may_goto_left,
		.code = code,
		.main = main,
		.maps = m->access.maps,
		.map_cnt = m->access.map_cnt};
	memcpy(m->frames[m->depth].saved, saved, sizeof(m->frames[0].saved));
	m->depth++;
	m->access.stack -= PROG_STACK_MAX;
	memset((void *)(uintptr_t)m->access.stack, 0, PROG_STACK_MAX);
}

static void leave_frame(struct machine *m)
{
	m->access.maps = m->frames[m->depth].maps;
	m->access.map_cnt = m->frames[m->depth].map_cnt;
	m->access.stack += PROG_STACK_MAX;
}

/* Runs from insn on in the frame that is there, with r1 to r5 from args. main: 0, or NO_MAIN for a callback. */
static u64 run_from(struct machine *m, const struct prog_code *code, const struct bpf_insn *insn,
	const u64 args[5], s32 main)
{
	static const void *const labels[256] = {
#define INSN(id, opcode, ...) [opcode] = &&do_##id,
#define INSN_MORE(...)
#include "isa/insn.def"
	};
	struct run *run = m->run;
	const u32 base = m->depth;
	const struct hlp_proto *proto;
	u64 r[16] = {[1] = args[0],
		args[1],
		args[2],
		args[3],
		args[4],
		[10] = m->access.stack + PROG_STACK_MAX};
	u32 may_goto_left = PROG_MAY_GOTO_MAX;

	DISPATCH;
#include "interp/exec.def"
/* An exception ends every frame up to the program's first; that of a callback ends the helper too. */
thrown:
	run->is_stopped = main == NO_MAIN;
	if (main == NO_MAIN)
		goto out;
	for (; m->depth > (u32)main; leave_frame(m))
		m->depth--;
	r[0] = r[1] = run->cookie;
	r[10] = m->access.stack + PROG_STACK_MAX;
	if (!code->exception_sub)
		LEAVE;
	insn = &code->insns[code->subs[code->exception_sub].start];
	DISPATCH;
faulted:
	m->fault.insn_idx = (u32)(insn - code->insns);
	run->is_stopped = true;
out:
	for (; m->depth > base; leave_frame(m))
		m->depth--;
	return m->fault.kind ? 1 : r[0];
}

/* func was held against run->code by access_may_call. */
static u64 call_insns(struct run *run, u64 func, const u64 args[5])
{
	struct machine *m = run->engine;
	const struct prog_code *code = run->code;
	u64 result;

	if (m->depth + 1 >= PROG_FRAME_MAX) {
		m->fault = (struct run_fault){.kind = RUN_FAULT_DEPTH, .insn_idx = (u32)func};
		run->is_stopped = true;
		return 1;
	}
	save_frame(m, NULL, code, NO_MAIN, 0, args);
	result = run_from(m, code, &code->insns[(u32)func], args, NO_MAIN);
	m->depth--;
	leave_frame(m);
	run->code = code;
	return result;
}

u64 interp_run_checked(const struct prog_code *code, struct map *const *maps, u32 map_cnt,
	void *ctx, struct run *run)
{
	const u64 args[5] = {(u64)(uintptr_t)ctx};
	u64 (*const outer_call)(struct run *, u64, const u64 *) = run->call_insns;
	void *const outer = run->engine;
	const bool was_stopped = run->is_stopped;
	struct machine m;
	u64 result;

	m.run = run;
	m.access = (struct access){.run = run,
		.maps = maps,
		.map_cnt = map_cnt,
		.ctx = ctx,
		.stack = (u64)(uintptr_t)&m.stack[PROG_FRAME_MAX - 1],
		.stack_end = (u64)(uintptr_t)&m.stack[PROG_FRAME_MAX]};
	m.left = run->budget ? run->budget : UINT64_MAX;
	m.depth = m.tails = 0;
	m.fault = (struct run_fault){.kind = RUN_FAULT_NONE};
	memset(m.stack[PROG_FRAME_MAX - 1], 0, PROG_STACK_MAX);
	run->call_insns = call_insns;
	run->engine = &m;
	run->is_stopped = false;
	result = run_from(&m, code, code->insns, args, 0);
	run->call_insns = outer_call;
	run->engine = outer;
	run->is_stopped = was_stopped;
	run->fault = m.fault;
	return m.fault.kind ? 0 : result;
}
