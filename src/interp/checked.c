/*
 * The interpreter for any code: exec.def with a check before every access, jump and call. It runs what
 * no verifier has seen, and beside a verifier it is the judge of what that accepted.
 * Invariants: no instruction makes the host fault; a run ends after run->budget instructions; after a
 * helper r1 to r5 hold nothing the program may rely on, so they are overwritten.
 */
#include "interp/interp.h"

#include <endian.h>
#include <string.h>

#include "core/inst.h"
#include "core/tail.h"
#include "interp/access.h"
#include "isa/isa.h"

enum { SCRAMBLED = 0x5ca1ab1e };

struct frame {
	const struct bpf_insn *back; /* the call */
	u64 saved[5];		     /* r6-r10: a program may have overwritten r10 */
	u32 may_goto_left;
	/* the caller's program: a tail call may have put another one in the callee's place */
	const struct prog_code *code;
	struct map *const *maps;
	u32 map_cnt;
};

/* Leaves the run with a fault at insn */
#define FAULT(what, ...)                                                                           \
	do {                                                                                       \
		fault = (struct run_fault){.kind = RUN_FAULT_##what, __VA_ARGS__};                 \
		goto out;                                                                          \
	} while (0)
#define OP(id) do_##id:
#define DISPATCH                                                                                   \
	do {                                                                                       \
		if ((u64)(insn - code->insns) >= code->insn_cnt || !labels[insn->code])            \
			UNKNOWN;                                                                   \
		if (!left--)                                                                       \
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
		if (!access_may(&access, at, bytes, writes))                                       \
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
#define HELPER(id)                                                                                 \
	do {                                                                                       \
		proto = find_helper(run, (u64)(id));                                               \
		if (!proto)                                                                        \
			FAULT(CALL, .addr = (u64)(id));                                            \
		if (!access_may_call(&access, proto, r, &fault))                                   \
			goto out;                                                                  \
		r[0] = proto->fn(r[1], r[2], r[3], r[4], r[5], run);                               \
		for (u32 reg = 1; reg <= HLP_ARG_MAX; reg++)                                       \
			r[reg] = SCRAMBLED;                                                        \
	} while (0)
#define HELPER_OF(id) HELPER(id)
#define ENTER(n)                                                                                   \
	do {                                                                                       \
		if (depth + 1 >= PROG_FRAME_MAX)                                                   \
			FAULT(DEPTH, );                                                            \
		frames[depth] = (struct frame){.back = insn,                                       \
			.may_goto_left = may_goto_left,                                            \
			.code = code,                                                              \
			.maps = access.maps,                                                       \
			.map_cnt = access.map_cnt};                                                \
		may_goto_left = PROG_MAY_GOTO_MAX;                                                 \
		memcpy(frames[depth].saved, &r[6], sizeof(frames[depth].saved));                   \
		depth++;                                                                           \
		r[10] = access.stack;                                                              \
		access.stack -= PROG_STACK_MAX;                                                    \
		memset((void *)(uintptr_t)access.stack, 0, PROG_STACK_MAX);                        \
		JUMP(n);                                                                           \
	} while (0)
#define LEAVE                                                                                      \
	do {                                                                                       \
		if (!depth)                                                                        \
			goto out;                                                                  \
		depth--;                                                                           \
		insn = frames[depth].back;                                                         \
		code = frames[depth].code;                                                         \
		access.maps = frames[depth].maps;                                                  \
		access.map_cnt = frames[depth].map_cnt;                                            \
		may_goto_left = frames[depth].may_goto_left;                                       \
		memcpy(&r[6], frames[depth].saved, sizeof(frames[depth].saved));                   \
		access.stack += PROG_STACK_MAX;                                                    \
		NEXT;                                                                              \
	} while (0)
/* r1-r3 are held against the helper's prototype before the array is read. */
#define TAIL_CALL                                                                                  \
	do {                                                                                       \
		const struct prog *next;                                                           \
		proto = find_helper(run, BPF_FUNC_tail_call);                                      \
		if (!proto)                                                                        \
			FAULT(CALL, .addr = BPF_FUNC_tail_call);                                   \
		if (!access_may_call(&access, proto, r, &fault))                                   \
			goto out;                                                                  \
		next = tail_call_target((const struct map *)(uintptr_t)r[2], (u32)r[3], &tails);   \
		for (u32 reg = next ? 2 : 0; reg <= HLP_ARG_MAX; reg++)                            \
			r[reg] = SCRAMBLED;                                                        \
		if (!next)                                                                         \
			NEXT;                                                                      \
		code = &next->code;                                                                \
		insn = code->insns;                                                                \
		run->prog = next;                                                                  \
		access.maps = next->maps;                                                          \
		access.map_cnt = next->map_cnt;                                                    \
		may_goto_left = PROG_MAY_GOTO_MAX;                                                 \
		DISPATCH;                                                                          \
	} while (0)

static const struct hlp_proto *find_helper(const struct run *run, u64 id)
{
	const struct skep *inst = run->inst;

	if (!inst || id >= inst->helper_cnt || !inst->helpers[id] || !inst->helpers[id]->fn)
		return NULL;
	return inst->helpers[id];
}

u64 interp_run_checked(const struct prog_code *code, struct map *const *maps, u32 map_cnt,
	void *ctx, struct run *run)
{
	static const void *const labels[256] = {
#define INSN(id, opcode, ...) [opcode] = &&do_##id,
#define INSN_MORE(...)
#include "isa/insn.def"
	};
	_Alignas(8) u8 stack[PROG_FRAME_MAX][PROG_STACK_MAX];
	struct frame frames[PROG_FRAME_MAX];
	struct access access = {.run = run,
		.maps = maps,
		.map_cnt = map_cnt,
		.ctx = ctx,
		.stack = (u64)(uintptr_t)&stack[PROG_FRAME_MAX - 1],
		.stack_end = (u64)(uintptr_t)&stack[PROG_FRAME_MAX]};
	const struct hlp_proto *proto;
	const struct bpf_insn *insn = code->insns;
	struct run_fault fault = {.kind = RUN_FAULT_NONE};
	u64 r[16] = {[1] = (u64)(uintptr_t)ctx, [10] = access.stack_end};
	u64 left = run->budget ? run->budget : UINT64_MAX;
	u32 depth = 0, may_goto_left = PROG_MAY_GOTO_MAX, tails = 0;

	memset(&stack[PROG_FRAME_MAX - 1], 0, PROG_STACK_MAX);
	DISPATCH;
#include "interp/exec.def"
out:
	fault.insn_idx = fault.kind ? (u32)(insn - code->insns) : 0;
	run->fault = fault;
	return fault.kind ? 0 : r[0];
}
