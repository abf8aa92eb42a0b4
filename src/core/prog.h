/*
 * A loaded program: instructions as verified and rewritten, what it uses, and how it runs.
 *
 * In rewritten instructions
 *   ld_imm64 of a map (src_reg BPF_PSEUDO_MAP_FD)          holds the address of its struct map,
 *   ld_imm64 of a map value (src_reg BPF_PSEUDO_MAP_VALUE) holds the value's address,
 *   ld_imm64 of a function (src_reg BPF_PSEUDO_FUNC)       holds the instruction index of it,
 *   call with src_reg 0                                    keeps the helper's id in imm,
 *   call with src_reg BPF_PSEUDO_CALL                      keeps the relative offset in imm,
 *   call with src_reg BPF_PSEUDO_KFUNC_CALL                has the number of its row in inst->kfuncs in imm,
 *   addr_space_cast, imm 1 (user space to program)         gives the low 32 bits of its source,
 *   addr_space_cast, imm 1 << 16 (program to user space)   gives 0 if the low 32 bits of its source are 0, else
 *                                                          these and the upper half of where the arena begins,
 *   an access of mode BPF_PROBE_MEM32 (LDX, ST, STX), BPF_PROBE_MEM32SX or BPF_PROBE_ATOMIC
 *                                                          goes to arena_window() + (u32)base + off;
 * src_reg stays, so that a dump can turn addresses back into ids. An engine executes exactly these. The last three
 * are only in programs with an arena, all of whose window can be read and written: such an access never fails.
 */
#ifndef CORE_PROG_H
#define CORE_PROG_H

#include "core/helper.h"
#include "core/obj.h"
#include "core/prog_type.h"
#include "core/run.h"
#include "isa/uapi.h"

enum {
	PROG_STACK_MAX = 512, /* bytes, over the whole call chain */
	PROG_FRAME_MAX = 8,
	PROG_SUB_MAX = 256,
	PROG_MAP_MAX = 64,
	PROG_INSN_MAX = 1000000,
	PROG_TAG_LEN = BPF_TAG_SIZE,
	PROG_MAY_GOTO_MAX = 8 * 1024 *
			    1024, /* rounds of may_goto loops in one call of a function */
};

struct arena;
struct map;

/* A function: instructions [start, start of the next), and the stack it needs below r10. */
struct prog_sub {
	u32 start;
	u32 stack_depth; /* bytes, a multiple of 8, at most PROG_STACK_MAX */
};

/* What an engine needs to run. subs[0].start is 0; subs are sorted. */
struct prog_code {
	struct bpf_insn *insns;
	u32 insn_cnt;
	struct prog_sub *subs;
	u32 sub_cnt;
	/* The function that an exception (bpf_throw) ends in, with the cookie as argument: an index of subs; 0:
	 * none, and the cookie is the program's result. */
	u32 exception_sub;
	struct arena
		*arena; /* of the one arena map among the program's, which holds it; NULL: none */
};

/* Machine code made from a prog_code by jit/. */
struct prog_image {
	/* the entry of function 0: f(ctx, run) -> r0 */
	u64 (*entry)(void *ctx, struct run *run);
	const void *func0; /* where a tail call jumps to */
	const void *code;  /* readable mapping */
	u32 len;	   /* bytes of code */
	u32 *sub_off;	   /* sub_cnt offsets of the functions in code */
	u32 *insn_off;	   /* insn_cnt + 1 offsets: where each instruction's code starts */
	void *jit;	   /* the jit's own record of the mapping */
	void *guarded;	   /* of checked code; NULL: it is not */
};

struct prog_stats {
	u64 run_time_ns, run_cnt, recursion_misses;
	u32 verified_insns;
};

struct prog {
	struct obj obj;
	const struct prog_type *type;
	u32 expected_attach_type;
	u32 load_flags;
	char name[BPF_OBJ_NAME_LEN];
	u8 tag[PROG_TAG_LEN];
	bool is_gpl;
	bool is_unverified; /* runs checked only */
	u32 uid;
	u64 load_time_ns; /* CLOCK_BOOTTIME at load */
	struct prog_code code;
	struct prog_image image; /* entry NULL: interpreted */
	struct map **maps;	 /* counted references */
	u32 map_cnt;
	struct obj *btf; /* counted; NULL without */
	u32 attach_btf_id;
	u32 ctx_len; /* bytes of the context that it may touch */
	/* for the rewritten instructions; offsets in instructions */
	struct bpf_func_info *func_info;
	u32 func_info_cnt;
	struct bpf_line_info *line_info;
	u32 line_info_cnt;
	/* the program as it was loaded, for replay and tests */
	struct bpf_insn *orig_insns;
	u32 orig_insn_cnt;
	struct prog_stats stats;
};

/* May a program under this licence use helpers that are for the GPL? */
bool prog_license_is_gpl(const char *license);

#endif
