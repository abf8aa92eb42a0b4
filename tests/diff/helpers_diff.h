/*
 * What the parts of tests/diff/helpers share: randomness, programs for the kernel, calls of our helpers and which of
 * them were compared.
 */
#ifndef DIFF_HELPERS_DIFF_H
#define DIFF_HELPERS_DIFF_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/inst.h"
#include "core/prog.h"
#include "helpers/helpers.h"
#include "isa/uapi.h"

enum { INSNS_MAX = 2000, HELPERS_MAX = 256 };

extern u64 random_state;
extern u64 done_cnt, refused_cnt;
/* How often each helper was called on both sides. */
extern u32 compared[HELPERS_MAX];
extern char log_text[1 << 16];

static inline u64 rnd64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

static inline u32 rnd(u32 below)
{
	return (u32)(rnd64() >> 32) % below;
}

static inline bool one_in(u32 n)
{
	return !rnd(n);
}

static inline long sys_bpf(int cmd, union bpf_attr *attr)
{
	long ret = syscall(__NR_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

struct code {
	struct bpf_insn insns[INSNS_MAX];
	u32 cnt;
};

static inline void emit(struct code *code, u8 op, u8 dst, u8 src, s16 off, s32 imm)
{
	code->insns[code->cnt++] = (struct bpf_insn){
		.code = op, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static inline void emit_imm64(struct code *code, u8 dst, u8 src, u32 low, u32 high)
{
	emit(code, BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, (s32)low);
	emit(code, 0, 0, 0, 0, (s32)high);
}

static inline int load(struct code *code, u32 type)
{
	union bpf_attr attr = {.prog_type = type,
		.insns = (uintptr_t)code->insns,
		.insn_cnt = code->cnt,
		.license = (uintptr_t) "GPL",
		.log_buf = (uintptr_t)log_text,
		.log_size = sizeof(log_text),
		.log_level = 1};

	return (int)sys_bpf(BPF_PROG_LOAD, &attr);
}

static inline u64 hlp_call(u32 id, u64 *args, struct run *run)
{
	compared[id]++;
	return hlp_table[id]->fn(args[0], args[1], args[2], args[3], args[4], run);
}

/* One random call; a difference ends the test. */
void compare_call(struct run *run);
/* One random run of each program type. */
void compare_runs(struct skep *inst);
u64 exec_steps(struct prog *prog, void *ctx, struct run *run);

#endif
