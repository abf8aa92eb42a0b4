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
#include "core/inst.h"
#include "core/tail.h"
#include "isa/isa.h"

struct frame {
	const struct bpf_insn *back; /* the call */
	u64 saved[4];		     /* r6-r9 */
	u32 may_goto_left;
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
#define HELPER(id)	     r[0] = helpers[id]->fn(r[1], r[2], r[3], r[4], r[5], run)
/* Only code no verifier has seen calls by register, so the number is checked even here. */
#define HELPER_OF(id)                                                                              \
	do {                                                                                       \
		if ((id) >= run->inst->helper_cnt || !helpers[id] || !helpers[id]->fn)             \
			UNKNOWN;                                                                   \
		HELPER(id);                                                                        \
	} while (0)
#define ENTER(n)                                                                                   \
	do {                                                                                       \
		frames[depth].back = insn;                                                         \
		memcpy(frames[depth].saved, &r[6], sizeof(frames[depth].saved));                   \
		frames[depth].may_goto_left = may_goto_left;                                       \
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
		r[10] += PROG_STACK_MAX;                                                           \
		NEXT;                                                                              \
	} while (0)
#define TAIL_CALL                                                                                  \
	do {                                                                                       \
		const struct prog *next = tail_call_target(                                        \
			(const struct map *)(uintptr_t)r[2], (u32)r[3], &tails);                   \
		if (!next)                                                                         \
			NEXT;                                                                      \
		insn = next->code.insns;                                                           \
		may_goto_left = PROG_MAY_GOTO_MAX;                                                 \
		DISPATCH;                                                                          \
	} while (0)

u64 interp_run(const struct prog_code *code, void *ctx, struct run *run)
{
	static const void *const labels[256] = {
#define INSN(id, opcode, ...) [opcode] = &&do_##id,
#define INSN_MORE(...)
#include "isa/insn.def"
	};
	_Alignas(8) u8 stack[PROG_FRAME_MAX][PROG_STACK_MAX];
	struct frame frames[PROG_FRAME_MAX];
	const struct hlp_proto *const *helpers = run->inst ? run->inst->helpers : NULL;
	const struct bpf_insn *insn = code->insns;
	u64 r[16] = {[1] = (u64)(uintptr_t)ctx, [10] = (u64)(uintptr_t)&stack[PROG_FRAME_MAX]};
	u32 depth = 0, may_goto_left = PROG_MAY_GOTO_MAX, tails = 0;

	DISPATCH;
#include "interp/exec.def"
unknown:
	skep_bug("opcode %02x reached the interpreter", insn->code);
}
