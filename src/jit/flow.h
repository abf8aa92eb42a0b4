/*
 * What the code says of itself: where jumps lead, and which registers are still read after an instruction.
 * Machines use it to turn several instructions into one when what lay between them is dead.
 */
#ifndef JIT_FLOW_H
#define JIT_FLOW_H

#include "core/prog.h"

enum { JIT_LOOP = 2 };

/* What a function does anywhere. */
struct jit_flow_sub {
	u16 reads,
		writes;	 /* registers, as bits; some that it writes first may be missing in reads */
	bool uses_stack; /* R10 is read somewhere in the program as it was loaded */
	bool has_call;	 /* or something that becomes one; a tail call is a jump */
	bool has_kfunc;
	bool has_tail_call;
	bool has_may_goto;
};

struct jit_flow {
	u8 *is_target; /* some jump leads to instruction i, or a function begins there; JIT_LOOP: from behind */
	u16 *reads, *writes; /* registers, as bits, of instruction i */
	u16 *live;	     /* registers, as bits, that may be read after instruction i */
	struct jit_flow_sub *subs;
	u32 block_cnt;	 /* at most */
	bool is_crossed; /* some jump leads from one function into another */
};

/* -ENOMEM; -EINVAL: an instruction names a register that there is not. */
int jit_flow_init(const struct prog_code *code, struct jit_flow *ret_flow);
/* Fills in what is live, and the registers of functions, from those of the instructions. -ENOMEM. */
int jit_flow_solve(const struct prog_code *code, struct jit_flow *flow);
void jit_flow_done(struct jit_flow *flow);

#endif
