/*
 * The contract between the driver and a machine. The driver walks functions and instructions, keeps the
 * offsets and resolves jumps; a machine turns instructions into bytes, one or a few at a time.
 */
#ifndef JIT_TARGET_H
#define JIT_TARGET_H

#include "base/buf.h"
#include "core/inst.h"
#include "core/kfunc.h"
#include "core/prog.h"
#include "isa/isa.h"
#include "jit/flow.h"

enum jit_fix {
	JIT_FIX_JUMP,	/* to instruction `target` */
	JIT_FIX_CALL,	/* to the prologue of the function that begins at instruction `target` */
	JIT_FIX_FUNC,	/* to what C calls of that function: jit_target.callback */
	JIT_FIX_COLD,	/* checked code: to what stands out of line, JIT_COLD_* or a site */
	JIT_FIX_RESUME, /* and back behind the question of a site */
	JIT_FIX_ADDR,	/* to address `target`, which jit_is_near */
	JIT_FIX_PAD,	/* the machine's own: bytes of which finish may leave some */
};

/* A place in the code whose distance to something is not known yet. */
struct jit_fixup {
	u32 at; /* byte offset in the code */
	u8 kind;
	bool is_short; /* the machine's finish made it so */
	u64 target;    /* for finish, a byte offset in place of an instruction */
};

enum { JIT_COLD_UNWIND, JIT_COLD_RESET, JIT_COLD_CNT /* + number of a site */ };

/* What is known of a register in checked code. */
enum jit_fact_kind {
	JIT_FACT_NONE,
	JIT_FACT_STACK, /* R10 + off */
	JIT_FACT_VALUE, /* off bytes into a value of map, or near 0 until is_there */
	JIT_FACT_ADDR,	/* off is the address */
};

struct jit_fact {
	u8 kind, guard;
	bool is_there;
	u32 origin; /* the lookup's instruction */
	s64 off;
	const struct map *map;
};

struct jit_guarded;
/* With those that slots.c takes from the machine's */
enum { JIT_REG_CNT = ISA_REG_CNT + 3 };

struct jit {
	const struct prog_code *code;	/* what is compiled: perhaps another form of */
	const struct prog_code *loaded; /* the program, which stays */
	const struct skep *inst;
	u32 features; /* what the machine's detect found and the caller left */
	struct jit_flow flow;
	const u8 *base; /* where the code will lie: [base, base + room) */
	size_t room;
	struct buf out;		  /* the code */
	struct jit_fixup *fixups; /* by rising `at` */
	u32 fixup_cnt, fixup_cap;
	/* the maps whose addresses registers hold before the instruction, for those with a bit in known_maps */
	const struct map *maps[JIT_REG_CNT];
	u16 known_maps;
	u64 consts[JIT_REG_CNT]; /* the same for plain numbers */
	u16 known_consts;
	u16 zext; /* bits: registers whose upper 32 bits are 0 before the instruction */
	/* the function being compiled */
	u32 sub;
	u16 saved_regs;	 /* bits: callee-saved BPF registers that it writes */
	u32 stack_depth; /* bytes */
	bool uses_stack; /* it reads or writes R10 */
	bool has_call;	 /* it calls, so its stack is kept aligned */
	bool has_may_goto;
	bool is_boundary; /* where an exception ends: function 0 of a program that has them */
	/* the program */
	bool has_tail_call;
	bool needs_run; /* something in it may ask for the run */
	bool has_throw;
	/* checked code; guarded NULL: it is not */
	struct jit_guarded *guarded;
	struct jit_fact facts[ISA_REG_CNT];
	u32 tail_door;	/* offset: where a tail call arrives */
	u8 *is_guarded; /* instruction i was asked about together with one before it */
	int err;	/* first -ENOMEM or -EINVAL */
};

/* Features that every machine has a bit for; its own begin at JIT_FEATURE_MACHINE. */
enum { JIT_FUSE = 1, JIT_FEATURE_MACHINE = 2 };

struct jit_target {
	const char *name;
	/* The most bytes that one instruction becomes. */
	u32 insn_len_max;
	/* Registers from ISA_REG_CNT on, at most JIT_REG_CNT, that a function without calls may use, unless for
	 * some instruction of it needs_scratch (NULL: none does). */
	u32 spare_cnt;
	bool (*needs_scratch)(const struct jit *jit, const struct bpf_insn *insn);
	/* Extensions of the processor it runs on, as bits of `features`. */
	u32 (*detect)(void);
	/* The C entry f(ctx, run): saves what C expects, calls function 0, returns r0. Emitted first. */
	void (*entry)(struct jit *jit);
	/* Before the first instruction of a function; jit->sub and what describes it are set. */
	void (*prologue)(struct jit *jit);
	/* A function hlp_fn for C: runs function jit->sub as a callback. */
	void (*callback)(struct jit *jit);
	/* Before the first instruction of a loop. NULL: the machine does not care where one begins. */
	void (*loop)(struct jit *jit);
	/* A jump to instruction idx. */
	void (*jump)(struct jit *jit, u32 idx);
	/* The instruction at idx, and with JIT_FUSE perhaps some that follow it and are no jump's target;
	 * returns the slots it took. jit->err -EINVAL: not known. */
	u32 (*insn)(struct jit *jit, u32 idx);
	/* Checked code, NULL where the machine has none: the same as insn, with questions before it, and what
	 * stands out of line behind everything, whose offsets it gives in cold. */
	u32 (*check_insn)(struct jit *jit, u32 idx);
	void (*check_finish)(struct jit *jit, u32 *cold);
	/* Fills in the fixups, whose targets are byte offsets now. May make code shorter: then it moves
	 * the rising offsets too. -ENOMEM. */
	int (*finish)(struct jit *jit, u32 *offs[], const u32 cnts[], u32 array_cnt);
};

/* The machine this build runs on; NULL: none. */
extern const struct jit_target *const jit_target;

/* Notes that the bytes at `at` (an offset in jit->out) depend on where target lies. */
void jit_add_fixup(struct jit *jit, u32 at, u64 target, enum jit_fix kind);
/* What a call's imm names: the helper, or the kfunc; NULL: none, or without a function. */
const struct hlp_proto *jit_helper(const struct jit *jit, s32 id);
const struct kfunc_proto *jit_kfunc(const struct jit *jit, s32 num);
/* The function of a helper's number, never NULL: code calls it for a call by register. */
hlp_fn jit_find_helper(const struct skep *inst, u64 id);
/* skb_load() for code to call. */
s64 jit_load_packet(const struct net_skb *skb, s32 off, u32 len);
/* Can all of the code reach addr with a signed distance of 32 bits? */
bool jit_is_near(const struct jit *jit, const void *addr);

#endif
