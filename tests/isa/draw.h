/*
 * Programs drawn from the rows of isa/insn.def, which Linux's verifier accepts: no division by a constant 0, shifts
 * below the width, aligned stack slots that were written before, forward jumps, scalars, and pointers to values of
 * an array that are not null. A program is a main function and two others, each of which begins by setting all
 * registers and stack slots it may use, and one that bpf_loop calls back.
 */
#ifndef ISA_DRAW_H
#define ISA_DRAW_H

#include "core/prog.h"
#include "isa/isa.h"

enum {
	INSN_CNT = 1000, /* room for a program */
	FUNC_CNT = 3,
	SUB_CNT = FUNC_CNT + 1, /* with the one that is called back */
	ENTRY_CNT = 4,		/* of the array, with keys of 4 bytes */
	VALUE_LEN = 16,
};

struct draw {
	struct bpf_insn insns[INSN_CNT];
	bool no_target[INSN_CNT]; /* a jump must not land here */
	bool is_kept[INSN_CNT];	  /* without it the program would use what has no value */
	u32 cnt;
	struct {
		u32 at, callee;
	} calls[INSN_CNT];
	u32 call_cnt;
	struct prog_sub subs[SUB_CNT];
	bool calls_back;
	/* Linux 6.18 does not follow a value that an atomic operation fetched from the stack back to where it
	 * was stored, and then drops branches that are taken: such operations are not for comparing with it. */
	bool has_no_fetch;
	u64 seed;
	bool has_row[ISA_CNT];
};

/* The next program of d->seed. In it functions are named by their distance and the array by nothing. */
void draw_program(struct draw *d);
/* Has every function a caller? Else the kernel refuses its code as unreachable. */
bool draw_calls_all(const struct draw *d);

#endif
