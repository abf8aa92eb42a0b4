/*
 * Checked code: what the compiled program and the functions of C behind it share. Private to layer jit.
 *
 * Machine code asks before every access that is not known to be allowed. A site is a place in the code that may
 * have to ask C (out of line) or that faults. One question covers all accesses of a straight piece of code through
 * the same register, from the lowest to the highest byte; C then looks at them one by one.
 */
#ifndef JIT_CHECKED_H
#define JIT_CHECKED_H

#include "core/access.h"
#include "core/run.h"

/* In registers that a call leaves unspecified. */
enum { JIT_SCRAMBLED = 0x5ca1ab1e };

enum jit_site_kind {
	JIT_SITE_ACCESS, /* asks C; goes on if all members may be touched */
	JIT_SITE_FAULT,	 /* ends the run */
};

struct jit_member {
	u32 insn_idx;
	s32 off;
	u32 len; /* bytes */
};

struct jit_site {
	u8 kind, base, guard;
	bool is_write;
	enum run_fault_kind fault;
	u32 insn_idx;
	s32 off; /* of the lowest byte, from base; of a call that is none, its number */
	u32 len; /* bytes from there to the highest */
	u32 member, member_cnt; /* members in the order of the program */
	u32 resume;		/* offset in the code: behind the question */
};

/* Lives as long as the code, which has its address. */
struct jit_guarded {
	const struct prog *prog;
	struct jit_site *sites;
	u32 site_cnt, site_cap;
	struct jit_member *members;
	u32 member_cnt, member_cap;
	u64 *doors; /* what a callback may be */
	u32 door_cnt;
	u32 used_guards; /* bits: guards that the code looks at */
};

/* What a run that this one stands in wants back; on the machine's stack. */
struct jit_outer {
	u64 left, stack_end, unwind_sp, unwind_ip;
	const void *ctx;
	u32 tail_calls;
	bool was_stopped;
};

/* Called by the code. begin gives ctx back; end the result of the run. */
void *jit_checked_begin(struct run *run, void *ctx, struct jit_outer *ret_outer);
u64 jit_checked_end(struct run *run, u64 result, const struct jit_outer *outer);
/* May the members of the site be touched, addr being its lowest byte? Else the fault is noted. */
bool jit_checked_access(struct run *run, u64 addr, u32 site, const struct jit_guarded *image);
void jit_checked_fault(struct run *run, u64 addr, u32 site, const struct jit_guarded *image);
/* A helper or kfunc (run->check.proto), one by number (check.id), and a tail call (the code to go on with, or
 * NULL), each with arguments held against the prototype. run->is_stopped: there was a fault. */
u64 jit_checked_call(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run);
u64 jit_checked_callx(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run);
u64 jit_checked_tail(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run);
s64 jit_checked_packet(struct run *run, const struct net_skb *skb, s32 off, u32 len);

/* Compile time. -ENOMEM. */
int jit_add_site(struct jit_guarded *image, struct jit_site site, u32 *ret_num);
int jit_add_member(struct jit_guarded *image, struct jit_member member);
void jit_guarded_free(struct jit_guarded *image);
/* Does every jump and call of unverified code lead to an instruction, and is R10 never written? */
bool jit_has_sound_form(const struct prog_code *code);
bool jit_may_at(const struct prog *prog, u64 addr, u32 len, bool is_write);

#endif
