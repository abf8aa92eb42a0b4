/*
 * The state of one logical CPU while it runs programs: every engine passes it to helpers as a sixth,
 * hidden argument, so no helper needs a global or thread-local variable. One thread at a time uses a
 * run (`lock`).
 */
#ifndef CORE_RUN_H
#define CORE_RUN_H

#include <errno.h>
#include <pthread.h>

#include "base/types.h"

struct skep;
struct prog;
struct prog_code;
struct net_skb;
struct hlp_proto;
struct run;

/* A helper: five arguments in r1-r5, the CPU's state, the result for r0. */
typedef u64 (*hlp_fn)(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run);

/* What bpf_redirect asked for; read by the hook after the program returned XDP_REDIRECT. */
struct run_redirect {
	u32 ifindex;
	u64 flags;
};

/* Checked mode: a stretch of memory that the caller lets the program use. */
struct run_region {
	const char *name; /* "ctx", "packet", … for fault reports */
	u8 *start;
	size_t len; /* bytes */
	bool can_write;
	/* Where both are set, the region is [*live_start, *live_end) at the time of the access instead: a
	 * packet whose ends helpers move. */
	u8 *const *live_start, *const *live_end;
};

static inline void run_region_bounds(const struct run_region *region, u64 *ret_start, u64 *ret_end)
{
	*ret_start = (uintptr_t)region->start;
	*ret_end = *ret_start + region->len;
	if (region->live_start) {
		*ret_start = (uintptr_t)*region->live_start;
		*ret_end = (uintptr_t)*region->live_end;
	}
}

static inline bool run_region_holds(const struct run_region *region, u64 addr, size_t len)
{
	u64 start, end;

	run_region_bounds(region, &start, &end);
	return addr >= start && addr <= end && len <= end - addr;
}

enum run_fault_kind {
	RUN_FAULT_NONE,
	RUN_FAULT_ACCESS, /* outside of every region, or a write to a read-only one */
	RUN_FAULT_BUDGET, /* more instructions than allowed */
	RUN_FAULT_DEPTH,  /* more than 8 frames */
	RUN_FAULT_INSN,	  /* not an instruction, or a jump out of the program */
	RUN_FAULT_CALL,	  /* no such helper */
	RUN_FAULT_ALIGN,  /* a misaligned atomic access */
};

struct run_fault {
	enum run_fault_kind kind;
	u32 insn_idx;
	u64 addr;
	u32 len;
	bool is_write;
};

enum { RUN_REGION_MAX = 16 };

/* A callback as a program's register holds it: for interpreters the index of its first instruction, with this
 * bit set; for the JIT the address of a function hlp_fn, where user space has the bit clear. */
#define RUN_FUNC_INSN (1ULL << 63)

static inline u64 run_func_of_insn(u32 insn_idx)
{
	return insn_idx | RUN_FUNC_INSN;
}

/* Checked machine code: memory that an access needs no question for. len bytes (1, 2, 4, 8) at p lie inside when
 * p - start, unsigned, is below limit[log2(len)]. */
struct run_guard {
	u64 start, limit[4];
	u32 region; /* 1 + of the run's regions; 0: other memory */
};

enum {
	RUN_GUARD_CTX = 11,   /* what stands in R1 first; the others are of R0 to R10 */
	RUN_GUARD_WRITE = 12, /* the first guard of writes; those of reads are before it */
	RUN_GUARD_CNT = 2 * RUN_GUARD_WRITE,
	RUN_STACK_LEN = 8 * 512,
};

/* What checked machine code keeps while it runs, and empty guards between runs. */
struct run_check {
	struct run_guard guards[RUN_GUARD_CNT];
	u32 dirty; /* bits: guards that may not be empty */
	u64 left;  /* instructions */
	/* the program's frames in use: [stack_low, stack_end) */
	u64 stack_base, stack_low, stack_end;
	const void *ctx;
	u32 depth; /* runs that stand in each other */
	/* the call that is being made: who makes it, and what it is of */
	u32 insn_idx;
	const void *image;
	const struct hlp_proto *proto;
	u64 id;
	const void *next; /* the code to go on with */
	_Alignas(16) u8 stack[RUN_STACK_LEN];
};

struct run {
	struct skep *inst;
	u32 cpu;
	pthread_mutex_t lock;
	const struct prog *prog; /* the one that runs */
	struct run_redirect redirect;
	u64 rand_state; /* of bpf_get_prandom_u32 */
	u32 tail_calls; /* done in this run; the JIT counts them here */
	/* The code that called a helper or kfunc which takes a callback: what its func belongs to. */
	const struct prog_code *code;
	/* Interpreters, while they run: a call of function func in run->code. */
	u64 (*call_insns)(struct run *run, u64 func, const u64 args[5]);
	void *engine; /* theirs */
	/* The run ends (a fault, an exception): every callback gives 1 without being called. */
	bool is_stopped;
	u64 cookie;		  /* of the exception */
	u64 unwind_sp, unwind_ip; /* the JIT: where an exception goes on */
	/* checked mode only */
	struct run_region regions[RUN_REGION_MAX];
	u32 region_cnt;
	bool ctx_is_memory; /* the context is the caller's own: no helper may take it for its type's */
	const struct net_skb *skb; /* the context, where ld_abs may look into it; else NULL */
	u64 budget;		   /* instructions left; 0: unlimited */
	struct run_fault fault;
	struct run_check check;
};

/* Calls back function func of the program, in frames of its own, from a helper that was given it. A helper
 * that loops must stop at a result that is not 0, and may hold no lock that the callback could want. */
static inline u64 run_callback(struct run *run, u64 func, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	const u64 args[5] = {a1, a2, a3, a4, a5};

	if (run->is_stopped)
		return 1;
	if (func & RUN_FUNC_INSN)
		return run->call_insns(run, func, args);
	return ((hlp_fn)(uintptr_t)func)(a1, a2, a3, a4, a5, run);
}

/* A callback may use these bytes too, in checked mode, until run_revoke. -ENOSPC: too many at once. */
static inline int run_grant(struct run *run, struct run_region region)
{
	if (run->region_cnt == RUN_REGION_MAX)
		return -ENOSPC;
	run->regions[run->region_cnt++] = region;
	return 0;
}

static inline void run_revoke(struct run *run)
{
	run->region_cnt--;
}

#endif
