/*
 * Random programs that are likely to get somewhere in a verifier: registers hold what the generator
 * remembers most of the time, and now and then they do not.
 */
#ifndef DIFF_VERIFIER_GEN_H
#define DIFF_VERIFIER_GEN_H

#include "base/types.h"
#include "isa/uapi.h"

enum { GEN_INSN_MAX = 600 };

/* Maps of the comparison; an ld_imm64 names one by its number. */
enum gen_map {
	GEN_HASH,   /* 4-byte keys, 24-byte values */
	GEN_ARRAY,  /* 4 values of 64 bytes */
	GEN_GLOBAL, /* one value of 64 bytes */
	GEN_PERCPU, /* 2 values of 8 bytes */
	GEN_RODATA, /* one value of 32 bytes, read-only for programs and frozen */
	GEN_WRONLY, /* one value of 16 bytes, write-only for programs */
	GEN_LPM,    /* 8-byte keys, 8-byte values */
	GEN_MAP_CNT,
};

struct gen_prog {
	u32 type;  /* BPF_PROG_TYPE_* */
	u32 flags; /* BPF_F_* of the load */
	bool is_determined; /* what it does depends on packet, context and maps only, as far as it was planned */
	u32 cnt;
	struct bpf_insn insns[GEN_INSN_MAX];
};

/* The program of a seed, always the same. */
void gen_prog(u64 seed, struct gen_prog *ret_prog);
/* Changes a few fields of a program. */
void gen_mutate(u64 seed, struct gen_prog *prog);

#endif
