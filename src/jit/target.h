/*
 * The contract between the driver and a machine. The driver walks functions and instructions, keeps the
 * offsets and resolves jumps; a machine turns one instruction at a time into bytes.
 */
#ifndef JIT_TARGET_H
#define JIT_TARGET_H

#include "base/buf.h"
#include "core/prog.h"

/* A place in the code whose distance to an instruction is not known yet. */
struct jit_fixup {
	u32 at;	      /* byte offset in the code */
	u32 target;   /* instruction index */
	bool is_call; /* target begins a function: its prologue is meant */
};

struct jit {
	const struct prog_code *code;
	const struct hlp_proto *const *helpers;
	u32 helper_cnt;
	struct buf out; /* the code */
	struct jit_fixup *fixups;
	u32 fixup_cnt, fixup_cap;
	u32 sub;	 /* function being compiled */
	u16 saved_regs;	 /* bits: callee-saved BPF registers that it writes */
	u32 stack_depth; /* bytes */
	bool uses_stack; /* it reads or writes R10 */
	bool has_call;	 /* it calls, so its stack is kept aligned */
	bool has_may_goto;
	bool is_crossed;    /* some jump leads from one function into another */
	bool has_tail_call; /* the program does, in any function */
	int err;	    /* first -ENOMEM or -EINVAL */
};

struct jit_target {
	const char *name;
	/* The C entry f(ctx, run): saves what C expects, calls function 0, returns r0. Emitted first. */
	void (*entry)(struct jit *jit);
	/* Before the first instruction of a function; jit->sub and what describes it are set. */
	void (*prologue)(struct jit *jit);
	/* One instruction; ld_imm64 has both slots. jit->err -EINVAL: not known. */
	void (*insn)(struct jit *jit, u32 idx);
	/* Writes the distance from a fixup to byte offset dest. */
	void (*patch)(struct jit *jit, const struct jit_fixup *fixup, u32 dest);
};

/* The machine this build runs on; NULL: none. */
extern const struct jit_target *const jit_target;

/* Notes that the bytes at `at` (an offset in jit->out) depend on where insn target lies. */
void jit_add_fixup(struct jit *jit, u32 at, u32 target, bool is_call);

#endif
