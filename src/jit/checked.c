/*
 * What checked code asks C: the beginning and the end of a run, accesses that no guard knows, calls.
 *
 * A guard is a stretch of memory in the run that the code compares an address with. Invariant: a guard is empty or
 * covers memory that the program may touch. So when a run begins, guards of regions are made anew and all others
 * emptied; they are emptied behind a helper that moves a packet or calls back, at the end of a callback, and where a
 * function ends that gave out addresses of its frame. (A frame whose function kept its address to itself, and that
 * other pointers were bent to, may stay in a guard: it is the program's own memory for as long as the run.)
 */
#include "jit/checked.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/kfunc.h"
#include "core/map.h"
#include "core/prog.h"
#include "core/skb.h"
#include "core/tail.h"
#include "isa/isa.h"

enum { SITE_CAP_MIN = 32 };

/* ---- compile time ---- */

static int grow(void **array, u32 cnt, u32 *cap, size_t size)
{
	void *more;

	if (cnt < *cap)
		return 0;
	more = mem_realloc(*array, *cap ? *cap * 2 : SITE_CAP_MIN, size);
	if (!more)
		return -ENOMEM;
	*array = more;
	*cap = *cap ? *cap * 2 : SITE_CAP_MIN;
	return 0;
}

int jit_add_site(struct jit_guarded *image, struct jit_site site, u32 *ret_num)
{
	int err = grow((void **)&image->sites, image->site_cnt, &image->site_cap, sizeof(site));

	if (err)
		return err;
	*ret_num = image->site_cnt;
	image->sites[image->site_cnt++] = site;
	return 0;
}

int jit_add_member(struct jit_guarded *image, struct jit_member member)
{
	int err = grow(
		(void **)&image->members, image->member_cnt, &image->member_cap, sizeof(member));

	if (!err)
		image->members[image->member_cnt++] = member;
	return err;
}

void jit_guarded_free(struct jit_guarded *image)
{
	if (!image)
		return;
	mem_free(image->sites);
	mem_free(image->members);
	mem_free(image->doors);
	mem_free(image);
}

/* The second slot of an ld_imm64 has opcode 0, which no instruction has. */
static bool is_target(const struct prog_code *code, s64 idx)
{
	return idx >= 0 && idx < code->insn_cnt && code->insns[idx].code;
}

static bool has_sound_targets(const struct prog_code *code, u32 idx)
{
	const struct bpf_insn *insn = &code->insns[idx];

	if (isa_is_jump(insn))
		return is_target(code, (s64)idx + 1 + isa_jump_off(insn));
	if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL)
		return is_target(code, (s64)idx + 1 + insn->imm);
	if (isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_FUNC)
		return is_target(code, (u32)insn->imm);
	return true;
}

static bool is_end(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_EXIT) || insn->code == (BPF_JMP | BPF_JA) ||
	       insn->code == (BPF_JMP32 | BPF_JA);
}

bool jit_has_sound_form(const struct prog_code *code)
{
	u32 last = 0;

	for (u32 i = 0; i < code->insn_cnt; i++) {
		const struct bpf_insn *insn = &code->insns[i];

		last = i;
		if (!isa_find(insn) || !has_sound_targets(code, i) ||
			insn->dst_reg >= ISA_REG_CNT || insn->src_reg >= ISA_REG_CNT ||
			isa_regs_written(insn) & 1 << BPF_REG_10)
			return false;
		if (!isa_is_lddw(insn))
			continue;
		if (++i == code->insn_cnt || code->insns[i].code)
			return false;
	}
	return code->insn_cnt && is_end(&code->insns[last]);
}

/* ---- guards ---- */

static void set_guard(struct run_guard *guard, u64 start, u64 end, u32 region)
{
	guard->start = start;
	for (u32 i = 0; i < 4; i++)
		guard->limit[i] = end - start >= 1u << i ? end - start - (1u << i) + 1 : 0;
	guard->region = region;
}

static void empty_guard(struct run_guard *guard)
{
	memset(guard->limit, 0, sizeof(guard->limit));
}

static void empty_guards(struct run *run)
{
	u32 dirty = run->check.dirty;

	run->check.dirty = 0;
	for (u32 i = 0; dirty; i++, dirty >>= 1)
		if (dirty & 1)
			empty_guard(&run->check.guards[i]);
}

/* A guard that last stood for a region stands for it in this run too; any other is empty. */
static void renew_guards(struct run *run)
{
	u32 dirty = run->check.dirty;

	for (u32 i = 0; dirty; i++, dirty >>= 1) {
		struct run_guard *guard = &run->check.guards[i];
		const struct run_region *region;
		u64 start, end;

		if (!(dirty & 1))
			continue;
		if (!guard->region || guard->region > run->region_cnt) {
			empty_guard(guard);
			run->check.dirty &= ~(1u << i);
			continue;
		}
		region = &run->regions[guard->region - 1];
		run_region_bounds(region, &start, &end);
		if ((region->can_write || i < RUN_GUARD_WRITE) && start <= end)
			set_guard(guard, start, end, guard->region);
		else
			empty_guard(guard);
	}
}

static struct access access_of(const struct run *run, const struct jit_guarded *image)
{
	return (struct access){.run = (struct run *)run,
		.maps = image->prog->maps,
		.map_cnt = image->prog->map_cnt,
		.ctx = run->check.ctx,
		.code = &image->prog->code,
		.doors = image->doors,
		.door_cnt = image->door_cnt,
		.has_doors = true,
		.stack = run->check.stack_low,
		.stack_end = run->check.stack_end};
}

bool jit_may_at(const struct prog *prog, u64 addr, u32 len, bool is_write)
{
	struct run nothing = {0};
	const struct access access = {
		.run = &nothing, .maps = prog->maps, .map_cnt = prog->map_cnt};

	return access_may(&access, addr, len, is_write);
}

/* ---- runs ---- */

static void stop(struct run *run, struct run_fault fault)
{
	run->fault = fault;
	run->is_stopped = true;
}

void *jit_checked_begin(struct run *run, void *ctx, struct jit_outer *ret_outer)
{
	struct run_check *check = &run->check;

	*ret_outer = (struct jit_outer){.left = check->left,
		.stack_end = check->stack_end,
		.unwind_sp = run->unwind_sp,
		.unwind_ip = run->unwind_ip,
		.ctx = check->ctx,
		.tail_calls = run->tail_calls,
		.was_stopped = run->is_stopped};
	if (!check->depth++) {
		check->stack_low = (uintptr_t)check->stack + sizeof(check->stack);
		check->stack_base = (uintptr_t)check->stack;
	}
	check->stack_end = check->stack_low;
	check->left = run->budget && run->budget < INT64_MAX ? run->budget : INT64_MAX;
	check->ctx = ctx;
	run->fault.kind = RUN_FAULT_NONE;
	run->is_stopped = false;
	run->tail_calls = 0;
	renew_guards(run);
	return ctx;
}

u64 jit_checked_end(struct run *run, u64 result, const struct jit_outer *outer)
{
	struct run_check *check = &run->check;

	check->depth--;
	check->stack_low = check->stack_end; /* a fault leaves frames */
	check->stack_end = outer->stack_end;
	check->left = outer->left;
	check->ctx = outer->ctx;
	run->unwind_sp = outer->unwind_sp;
	run->unwind_ip = outer->unwind_ip;
	run->tail_calls = outer->tail_calls;
	run->is_stopped = outer->was_stopped;
	return run->fault.kind ? 0 : result;
}

bool jit_checked_access(struct run *run, u64 addr, u32 num, const struct jit_guarded *image)
{
	const struct jit_site *site = &image->sites[num];
	const struct access access = access_of(run, image);
	struct access_bounds bounds;

	if (access_bounds(&access, addr, site->len, site->is_write, &bounds)) {
		set_guard(&run->check.guards[site->guard], bounds.start, bounds.end, bounds.region);
		run->check.dirty |= 1u << site->guard;
		return true;
	}
	for (u32 i = 0; i < site->member_cnt; i++) {
		const struct jit_member *member = &image->members[site->member + i];
		const u64 at = addr - (u64)(s64)site->off + (u64)(s64)member->off;

		if (access_may(&access, at, member->len, site->is_write))
			continue;
		stop(run, (struct run_fault){.kind = RUN_FAULT_ACCESS,
				  .insn_idx = member->insn_idx,
				  .addr = at,
				  .len = member->len,
				  .is_write = site->is_write});
		return false;
	}
	return true;
}

void jit_checked_fault(struct run *run, u64 addr, u32 num, const struct jit_guarded *image)
{
	const struct jit_site *site = &image->sites[num];
	struct run_fault fault = {.kind = site->fault, .insn_idx = site->insn_idx};

	if (site->fault == RUN_FAULT_CALL)
		fault.addr = (u64)(s64)site->off;
	if (site->fault == RUN_FAULT_ALIGN) {
		fault.addr = addr;
		fault.len = site->len;
		fault.is_write = site->is_write;
	}
	stop(run, fault);
}

/* ---- calls ---- */

static bool may_call(struct run *run, const struct hlp_proto *proto, const u64 *r)
{
	const struct access access = access_of(run, run->check.image);
	struct run_fault fault = {.kind = RUN_FAULT_NONE};

	if (access_may_call(&access, proto, r, &fault))
		return true;
	fault.insn_idx = run->check.insn_idx;
	stop(run, fault);
	return false;
}

static u64 call(struct run *run, const struct hlp_proto *proto, const u64 *r)
{
	const struct jit_guarded *image = run->check.image;
	u64 result;

	if (!may_call(run, proto, r))
		return 0;
	run->code = &image->prog->code;
	result = proto->fn(r[1], r[2], r[3], r[4], r[5], run);
	if (proto->changes_pkt || hlp_takes_func(proto))
		empty_guards(run);
	return result;
}

u64 jit_checked_call(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const u64 r[] = {0, r1, r2, r3, r4, r5};

	return call(run, run->check.proto, r);
}

/* Goes on in another checked program; what guards cover in this run stays allowed. */
static const void *tail_target(struct run *run, const struct hlp_proto *proto, const u64 *r)
{
	const struct prog *next;

	if (!may_call(run, proto, r))
		return NULL;
	next = tail_call_target((const struct map *)(uintptr_t)r[2], (u32)r[3], &run->tail_calls);
	if (!next)
		return NULL;
	if (!next->image.guarded) {
		stop(run, (struct run_fault){.kind = RUN_FAULT_CALL,
				  .insn_idx = run->check.insn_idx,
				  .addr = BPF_FUNC_tail_call});
		return NULL;
	}
	run->prog = next;
	return next->image.func0;
}

static const struct hlp_proto *find_helper(struct run *run, u64 id)
{
	const struct skep *inst = run->inst;

	if (inst && id < inst->helper_cnt && inst->helpers[id] && inst->helpers[id]->fn)
		return inst->helpers[id];
	stop(run, (struct run_fault){
			  .kind = RUN_FAULT_CALL, .insn_idx = run->check.insn_idx, .addr = id});
	return NULL;
}

u64 jit_checked_callx(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const u64 r[] = {0, r1, r2, r3, r4, r5};
	const struct hlp_proto *proto = find_helper(run, run->check.id);

	run->check.next = NULL;
	if (!proto)
		return 0;
	if (run->check.id != BPF_FUNC_tail_call)
		return call(run, proto, r);
	run->check.next = tail_target(run, proto, r);
	return JIT_SCRAMBLED;
}

u64 jit_checked_tail(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const u64 r[] = {0, r1, r2, r3, r4, r5};
	const struct hlp_proto *proto = find_helper(run, BPF_FUNC_tail_call);

	return proto ? (uintptr_t)tail_target(run, proto, r) : 0;
}

s64 jit_checked_packet(struct run *run, const struct net_skb *skb, s32 off, u32 len)
{
	if (run->skb && skb == run->skb)
		return skb_load(skb, off, len);
	stop(run, (struct run_fault){.kind = RUN_FAULT_ACCESS,
			  .insn_idx = run->check.insn_idx,
			  .addr = (uintptr_t)skb,
			  .len = 1});
	return 0;
}
