/*
 * The instance: one userspace kernel. It owns the object tables and knows the registries (which map
 * types, helpers and program types exist), its clock, randomness and logical CPUs. There are no
 * globals: a process may hold many instances.
 *
 * Locking: `lock` guards the object tables, pins, attachments and the trace ring's ends. It is not
 * held while a program runs or a map is read or written. Order: lock, then a map's own locks.
 */
#ifndef CORE_INST_H
#define CORE_INST_H

#include <pthread.h>

#include "base/sink.h"
#include "base/types.h"
#include "core/obj.h"
#include "core/trace.h"

struct btf_field;
struct map;
struct map_type;
struct hlp_proto;
struct kfunc_proto;
struct prog_type;
struct core_kbtf;
struct jit_arena;
struct hlp_timers;
struct net;
struct run;
struct prog;

enum inst_clock { INST_CLOCK_REAL, INST_CLOCK_REPLAY };

struct skep {
	pthread_mutex_t lock;
	struct sink sink;
	struct obj_table tables[OBJ_KIND_CNT];
	u32 cpu_cnt;
	bool use_jit;	      /* else every program is interpreted */
	bool use_checked;     /* run everything checked, in the interpreter */
	bool use_checked_jit; /* with it: as machine code, where there is some */
	bool count_runs; /* prog->stats counts runs and their time (BPF_ENABLE_STATS); set by sys */
	bool verify_only; /* programs are verified and never run: what the engine lacks is no reason to
			     refuse one */
	u32 verify_insns_max; /* instructions the verifier processes a program; 0: as many as Linux */
	enum inst_clock clock;
	u64 replay_ns;	/* CLOCK_REPLAY: the time that programs see */
	u64 rand_state; /* used only with CLOCK_REPLAY, so that a run can be repeated bit for bit */
	u64 map_mem_max; /* bytes that all maps may take; 0: no limit */
	u64 map_mem;	 /* that they take; atomic */
	struct trace trace;
	struct core_kbtf *kbtf; /* types of the kernel: core_kbtf_get */
	struct run *runs;	/* cpu_cnt of them: the state of each logical CPU */

	/* Registries, set by vm_init; indexed by number, NULL where the number is not known. */
	const struct map_type *const *map_types;
	u32 map_type_cnt;
	const struct hlp_proto *const *helpers;
	u32 helper_cnt;
	const struct kfunc_proto *const *kfuncs; /* by the number in imm of a rewritten call */
	u32 kfunc_cnt;
	const struct prog_type *const *prog_types;
	u32 prog_type_cnt;

	struct hlp_timers *timers; /* of layer helpers; NULL: none was asked for */
	void (*free_timers)(struct hlp_timers *timers); /* ends them */
	/* Calls a function of the program on the CPU that the caller holds, outside of any run (vm_call). */
	u64 (*call)(struct prog *prog, u64 func, const u64 args[5], struct run *run);
	/* Runs a program on the CPU that the caller holds (vm_run), for layers below vm. */
	u64 (*exec)(struct prog *prog, void *ctx, struct run *run);

	/* A STRUCT_OPS map's value begins (on) or ends to be in use. NULL: nothing uses any, -EOPNOTSUPP. */
	int (*struct_ops_reg)(struct map *map, bool on);
	/* Lets go of what a special field of a map's value holds and leaves it empty: a timer, a work item,
	 * an owned kptr, what is in a list or tree. `at` is the field; it may be empty. Set by who has the
	 * helpers that fill such fields. NULL: nothing fills them. */
	void (*release_field)(struct map *map, const struct btf_field *field, void *at);

	struct jit_arena *code;			   /* of compiled programs; set by vm */
	void (*free_code)(struct jit_arena *code); /* NULL: nothing to free */
	struct net *net;			   /* devices; owned by layer net */
	void *sys;				   /* pins and descriptors; owned by layer sys */
	/* Set by net: has the device this receive queue? 0, -ENODEV, -EINVAL. NULL: no devices. */
	int (*check_rxq)(struct skep *inst, u32 ifindex, u32 queue);
	/* Set by sys: drops the references of objects whose last descriptor was closed. NULL: none. */
	void (*reap)(struct skep *inst);
};

struct inst_options {
	struct sink sink;
	u32 cpu_cnt; /* 0: as many as the host has possible CPUs */
	bool no_jit;
	bool checked;
	bool checked_jit;    /* with checked */
	const char *jitdump; /* folder for what perf is told of compiled code; NULL: nothing */
	enum inst_clock clock;
	u64 seed;		/* for CLOCK_REPLAY */
	u64 map_mem_max;	/* bytes of all maps; 0: no limit */
	const char *kernel_btf; /* file with the kernel's BTF; NULL: CORE_KBTF_PATH */
};

/* -ENOMEM, -ENAMETOOLONG. Tables are empty and no registry is set: vm_inst_new is what callers above use. */
int inst_init(struct skep *inst, const struct inst_options *opts);
/* All objects must be gone. */
void inst_done(struct skep *inst);
/* Returns when every run of a program that began before has ended; not to be called from one. */
void inst_wait_runs(struct skep *inst);
/* Nanoseconds of CLOCK_MONOTONIC, or of the replayed capture. */
u64 inst_now_ns(const struct skep *inst);
/* Nanoseconds of CLOCK_REALTIME, or of the replayed capture. */
u64 inst_wall_ns(const struct skep *inst);
u32 inst_random(struct skep *inst);
/* The same for one CPU, without a system call: a counter through a 64 x 64 bit multiplication (the
 * generator known as wyrand, which passes the usual statistical tests), seeded by the system. As Linux's
 * prandom, not for secrets. With CLOCK_REPLAY the instance's numbers, so that a run can be repeated. */
u32 inst_prandom(struct run *run);
/* Of its generator, for machine code that does the same: with state += STEP the number is the low half of what
 * hash_mix gives of state and state ^ MASK. */
#define INST_PRANDOM_STEP 0xa0761d6478bd642fULL
#define INST_PRANDOM_MASK 0xe7037ed1a0b428dbULL
/* The host's possible CPUs, as libbpf counts them (/sys/devices/system/cpu/possible). */
u32 inst_host_cpu_cnt(void);

#endif
