/*
 * The interpreter for verified programs: exec.def without a check. Dispatch is one indirect jump an
 * instruction, from the opcode byte.
 * Invariant it leans on: the verifier proved every access, jump, call and the depth of calls; an
 * instruction without a meaning here is a bug of ours.
 */
#include "interp/interp.h"

#include <endian.h>
#include <string.h>

#include "base/bug.h"
#include "core/arena.h"
#include "core/inst.h"
#include "core/kfunc.h"
#include "core/skb.h"
#include "core/tail.h"
#include "isa/isa.h"

enum { NO_MAIN = -1 };

struct frame {
	const struct bpf_insn *back; /* the call */
	u64 saved[4];		     /* r6-r9 */
	u32 may_goto_left;
	/* the caller's program and the frame it began in: a tail call may have put another one in the
	 * callee's place */
	const struct prog_code *code;
	s32 main;
};

#define OP(id)	 do_##id:
#define DISPATCH goto *labels[insn->code]
#define NEXT                                                                                       \
	do {                                                                                       \
		insn++;                                                                            \
		DISPATCH;                                                                          \
	} while (0)
#define JUMP(n)                                                                                    \
	do {                                                                                       \
		insn += (n);                                                                       \
		NEXT;                                                                              \
	} while (0)
#define UNKNOWN		     goto unknown
#define READ(addr, len)	     ((void)0)
#define WRITE(addr, len)     ((void)0)
#define ATOM(addr, len)	     ((void)0)
#define READ_ATOM(addr, len) ((void)0)
#define SECOND_SLOT	     ((void)0)
#define NEEDS_ARENA	     ((void)0)
#define PACKET_OF(p)	     ((void)0)
#define FUNC(n)		     run_func_of_insn(n)
/* A callback may have thrown. */
#define CALL(proto)                                                                                \
	do {                                                                                       \
		run->code = code;                                                                  \
		r[0] = (proto)->fn(r[1], r[2], r[3], r[4], r[5], run);                             \
		if (unlikely(run->is_stopped))                                                     \
			goto thrown;                                                               \
	} while (0)
#define HELPER(id) CALL(helpers[id])
/* Only code no verifier has seen calls by register, so the number is checked even here. */
#define HELPER_OF(id)                                                                              \
	do {                                                                                       \
		if ((id) >= run->inst->helper_cnt || !helpers[id] || !helpers[id]->fn)             \
			UNKNOWN;                                                                   \
		HELPER(id);                                                                        \
	} while (0)
#define KFUNC(num)                                                                                 \
	do {                                                                                       \
		const struct kfunc_proto *kfunc = run->inst->kfuncs[num];                          \
		if (kfunc->kind == KFUNC_THROW) {                                                  \
			run->cookie = r[1];                                                        \
			goto thrown;                                                               \
		}                                                                                  \
		CALL(&kfunc->proto);                                                               \
	} while (0)
#define ENTER(n)                                                                                   \
	do {                                                                                       \
		frames[depth].back = insn;                                                         \
		memcpy(frames[depth].saved, &r[6], sizeof(frames[depth].saved));                   \
		frames[depth].may_goto_left = may_goto_left;                                       \
		frames[depth].code = code;                                                         \
		frames[depth].main = main;                                                         \
		may_goto_left = PROG_MAY_GOTO_MAX;                                                 \
		depth++;                                                                           \
		r[10] -= PROG_STACK_MAX;                                                           \
		JUMP(n);                                                                           \
	} while (0)
#define LEAVE                                                                                      \
	do {                                                                                       \
		if (!depth)                                                                        \
			return r[0];                                                               \
		depth--;                                                                           \
		insn = frames[depth].back;                                                         \
		memcpy(&r[6], frames[depth].saved, sizeof(frames[depth].saved));                   \
		may_goto_left = frames[depth].may_goto_left;                                       \
		code = frames[depth].code;                                                         \
		main = frames[depth].main;                                                         \
		r[10] += PROG_STACK_MAX;                                                           \
		NEXT;                                                                              \
	} while (0)
#define TAIL_CALL                                                                                  \
	do {                                                                                       \
		const struct prog *next = tail_call_target(                                        \
			(const struct map *)(uintptr_t)r[2], (u32)r[3], &tails);                   \
		if (!next)                                                                         \
			NEXT;                                                                      \
		code = &next->code;                                                                \
		insn = code->insns;                                                                \
		may_goto_left = PROG_MAY_GOTO_MAX;                                                 \
		main = (s32)depth;                                                                 \
		DISPATCH;                                                                          \
	} while (0)

/* Runs from insn on, with r1 to r5 from args. main: 0, or NO_MAIN for a callback. */
static u64 run_from(const struct prog_code *code, const struct bpf_insn *insn, const u64 args[5],
	s32 main, struct run *run)
{
	static const void *const labels[256] = {
#define INSN(id, opcode, ...) [opcode] = &&do_##id,
#define INSN_MORE(...)
#include "isa/insn.def"
	};
	_Alignas(8) u8 stack[PROG_FRAME_MAX][PROG_STACK_MAX];
	struct frame frames[PROG_FRAME_MAX];
	const struct hlp_proto *const *helpers = run->inst ? run->inst->helpers : NULL;
	u64 r[16] = {[1] = args[0],
		args[1],
		args[2],
		args[3],
		args[4],
		[10] = (u64)(uintptr_t)&stack[PROG_FRAME_MAX]};
	u32 depth = 0, may_goto_left = PROG_MAY_GOTO_MAX, tails = 0;

	DISPATCH;
#include "interp/exec.def"
/* An exception ends every frame up to the program's first; that of a callback ends the helper too. */
thrown:
	run->is_stopped = main == NO_MAIN;
	if (main == NO_MAIN)
		return 1;
	r[10] += (depth - (u32)main) * PROG_STACK_MAX;
	depth = (u32)main;
	r[0] = r[1] = run->cookie;
	if (!code->exception_sub)
		LEAVE;
	insn = &code->insns[code->subs[code->exception_sub].start];
	DISPATCH;
unknown:
	skep_bug("opcode %02x reached the interpreter", insn->code);
}

static u64 call_insns(struct run *run, u64 func, const u64 args[5])
{
	const struct prog_code *code = run->code;
	u64 result = run_from(code, &code->insns[(u32)func], args, NO_MAIN, run);

	run->code = code;
	return result;
}

u64 interp_run(const struct prog_code *code, void *ctx, struct run *run)
{
	const u64 args[5] = {(u64)(uintptr_t)ctx};
	u64 (*const outer)(struct run *, u64, const u64 *) = run->call_insns;
	u64 result;

	run->call_insns = call_insns;
	result = run_from(code, code->insns, args, 0, run);
	run->call_insns = outer;
	return result;
}

u64 interp_call(const struct prog_code *code, u64 func, const u64 args[5], struct run *run)
{
	u64 (*const outer)(struct run *, u64, const u64 *) = run->call_insns;
	u64 result;

	run->call_insns = call_insns;
	run->code = code;
	result = run_from(code, &code->insns[(u32)func], args, NO_MAIN, run);
	run->call_insns = outer;
	return result;
}
