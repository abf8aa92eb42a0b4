/*
 * One verification: the program under way, the path being explored and what is known so far. Every
 * file of the layer works on this struct; nobody outside sees it.
 */
#ifndef VERIFIER_ENV_H
#define VERIFIER_ENV_H

#include "base/buf.h"
#include "base/list.h"
#include "base/types.h"
#include "core/inst.h"
#include "core/map.h"
#include "core/prog.h"
#include "isa/isa.h"
#include "verifier/complain.h"
#include "verifier/log.h"
#include "verifier/state.h"
#include "verifier/target.h"
#include "verifier/verify.h"

/* Every limit of the layer. Those of Linux carry its words. */
enum {
	VF_INSNS_MAX = 1000000,	   /* BPF_COMPLEXITY_LIMIT_INSNS: instructions processed */
	VF_PENDING_MAX = 8192,	   /* BPF_COMPLEXITY_LIMIT_JMP_SEQ */
	VF_HIST_CHECKPOINT = 40,   /* entries of history after which a state is kept */
	VF_MEM_SIZE_MAX = 1 << 29, /* BPF_MAX_VAR_SIZ: bytes a helper may be given */
	VF_ARG_CNT = 5,
	VF_CALL_DEPTH_STACK_UNIT = 16, /* a frame's stack is rounded up to this in the sum */
	VF_TAIL_CALL_STACK_MAX = 256,  /* bytes below a function that makes tail calls */
};
#define VF_MEM_MAX (1024ull << 20) /* bytes of states by default */

/* Static facts of an instruction, and what exploration learnt of it. */
struct vf_aux {
	u16 live_regs;	    /* registers whose value may be read from here on */
	bool is_seen;	    /* some path runs it */
	bool is_prune;	    /* states are compared here */
	bool is_jump;	    /* history must record that we came here */
	bool is_checked;    /* its fields are in order */
	bool is_checkpoint; /* a state is saved on every visit: rounds of a loop are told apart here */
	bool calls_back;    /* a call that calls a function of the program until it has enough */
	u32 scc;	    /* cycle of the flow graph it is in (scc.c); 0: none */
	u8 access_kind;	    /* kind of pointer it accesses; VF_NOT_INIT: none yet */
	bool is_probed;	    /* a load through an address that may be bad */
	u16 access_flags; /* of the pointer it accesses */
	struct map *map;  /* ld_imm64 of a map: borrowed from env->maps */
	u32 map_off;
	u32 btf_id;			  /* ld_imm64 of a variable of the kernel: which */
	bool is_loop_seen, is_loop_plain; /* calls of bpf_loop: callback.c */
	u32 loop_sub;
};

enum vf_arg_kind {
	VF_ARG_SCALAR,
	VF_ARG_CTX,
	VF_ARG_MEM,
	VF_ARG_BTF,
	VF_ARG_DYNPTR,
	VF_ARG_ARENA,
};

struct vf_arg {
	enum vf_arg_kind kind;
	u32 mem_size; /* MEM */
	u32 btf_id;   /* BTF: the kernel's struct */
	u16 flags;    /* MEM, BTF: VF_TRUSTED or VF_UNTRUSTED */
	bool may_be_null;
};

struct vf_kfunc;

/* A function of the program: instructions [start, next sub's start). */
struct vf_sub {
	u32 start;
	u32 stack_depth; /* bytes, a multiple of 8 */
	bool has_ld_abs, has_tail_call;
	bool changes_pkt; /* it or what it calls may move the packet */
	bool is_global;	  /* verified on its own, from its BTF */
	bool is_called, is_verified;
	bool is_callback;  /* called by a helper or by a kernel function */
	bool is_exception; /* what exceptions end in */
	bool is_async;	   /* called later, by a timer say */
	bool may_sleep;	   /* it or what it calls may */
	bool has_args;	   /* args below are filled */
	u8 arg_cnt;
	struct vf_arg args[VF_ARG_CNT];
	const char *name; /* "" without BTF */
};

/* A branch not yet taken. */
struct vf_pending {
	struct vf_state st;
	u32 insn_idx, prev_idx;
	size_t log_pos;
	struct vf_pending *next;
};

struct vf_env {
	const struct vf_params *params;
	const struct prog_type *type;
	struct bpf_insn *insns; /* a copy; map references already hold addresses */
	u32 insn_cnt;
	u32 ctx_len; /* bytes of the context that accesses seen so far touch */
	struct vf_aux *aux;
	struct vf_sub subs[PROG_SUB_MAX + 1]; /* one more: its start is insn_cnt */
	u32 sub_cnt;
	u32 exception_sub; /* what exceptions end in; 0: the cookie is the program's result */
	struct map *maps[PROG_MAP_MAX]; /* counted */
	u32 map_cnt;
	struct bpf_func_info *func_info;
	struct bpf_line_info *line_info;
	u32 func_info_cnt, line_info_cnt;
	bool is_strict; /* BPF_F_STRICT_ALIGNMENT */
	struct vf_target target;

	/* the path */
	struct vf_state *cur;
	u32 insn_idx;
	s32 prev_idx;
	s32 hist_at; /* entry of the running instruction in cur->hist; -1: none yet */
	u32 id_gen;
	struct vf_pending *pending;
	u32 pending_cnt;
	struct list *explored; /* insn_cnt buckets of struct vf_seen (prune.c) */
	struct list evicted;   /* struct vf_seen out of the buckets, alive for their children */
	struct vf_precision *precision;
	struct vf_live_tree *live; /* live_stack.c */
	struct vf_scc *scc;
	struct vf_kfunc *kfuncs; /* kernel functions that instructions name (kfunc.c) */
	u32 kfunc_cnt;
	struct map *arena;   /* the one that it names; NULL: none */
	const char *missing; /* a kernel function that the engine cannot run; NULL: none */
	/* the flow graph backwards: pred[pred_start[i]] to pred[pred_start[i + 1] - 1] lead to i */
	u32 *pred_start, *pred;

	/* statistics and pacing */
	struct vf_stats stats;
	u32 jmps, prev_jmps, prev_insns;
	u32 states_now, evicted_cnt, edge_cnt;

	u64 mem_used, mem_max;
	u32 insns_max;
	struct vf_log log;
	struct vf_verdict verdict;
};

/* Zeroed memory charged to env; freed with the same length. */
void *vf_alloc(struct vf_env *env, size_t len);
void vf_free(struct vf_env *env, void *p, size_t len);

static inline struct vf_reg *vf_regs(struct vf_env *env)
{
	return vf_top(env->cur)->regs;
}

static inline struct bpf_insn *vf_insn(struct vf_env *env)
{
	return &env->insns[env->insn_idx];
}

/* Whether there is a log: of any level, of level 1 or 2, of level 2. */
static inline bool vf_logs(const struct vf_env *env)
{
	return env->params->log_level != 0;
}

static inline bool vf_logs_insns(const struct vf_env *env)
{
	return (env->params->log_level & (VF_LOG_BRIEF | VF_LOG_FULL)) != 0;
}

static inline bool vf_logs_full(const struct vf_env *env)
{
	return (env->params->log_level & VF_LOG_FULL) != 0;
}

#endif
