/*
 * Runs: over memory, over packets, and checked.
 *
 * 1. A program sees memory only through a context that its type defines: what the verifier allowed it to touch
 *    is there, or the run is refused.
 * 2. A batch takes one logical CPU for all its packets. While a packet is worked on, the headers of the ones
 *    to come are on their way into the cache.
 * 3. A fault leaves nothing behind: the next run on this CPU begins without regions and with no fault.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "core/inst.h"
#include "core/xdp.h"
#include "embed/embed.h"
#include "vm/vm.h"

enum {
	BUDGET = 1000000,
	AHEAD = 4,	    /* packets */
	LINE = 64,	    /* bytes of cache that come at once */
	HEADERS = 2 * LINE, /* of a packet are fetched ahead: Ethernet, VLANs, IPv6, TCP */
};

_Static_assert((int)SKEP_REGION_MAX <= (int)RUN_REGION_MAX, "a run has room for them");

static struct run *take_cpu(struct skep *skep)
{
	int cpu = skep->clock == INST_CLOCK_REPLAY ? 0 : sched_getcpu();

	return vm_run_get(skep, cpu < 0 ? 0 : (u32)cpu);
}

static void give_cpu(struct run *run)
{
	run->region_cnt = 0;
	run->budget = 0;
	run->fault = (struct run_fault){0};
	vm_run_put(run);
}

/* ---- memory ---- */

/* Types whose context in memory is what the program sees, and whether it may write it. */
static const struct {
	u32 type;
	bool can_write;
} plain_types[] = {
	{BPF_PROG_TYPE_SYSCALL, true},
	{BPF_PROG_TYPE_RAW_TRACEPOINT, false},
	{BPF_PROG_TYPE_TRACEPOINT, false},
	{BPF_PROG_TYPE_KPROBE, false},
};

int skep_run(struct skep_prog *handle, void *ctx, size_t len, uint64_t *ret_value)
{
	struct prog *prog = handle->prog;
	struct run *run;
	size_t i = 0;
	u64 value;
	int err;

	while (i < ARRAY_SIZE(plain_types) && plain_types[i].type != prog->type->type)
		i++;
	if (i == ARRAY_SIZE(plain_types) || prog->is_unverified || len < prog->ctx_len)
		return -EINVAL;
	run = take_cpu(prog->obj.inst);
	run->regions[0] = (struct run_region){
		.name = "ctx", .start = ctx, .len = len, .can_write = plain_types[i].can_write};
	run->region_cnt = 1;
	value = vm_run(prog, ctx, run);
	err = run->fault.kind ? -EFAULT : 0;
	give_cpu(run);
	if (!err && ret_value)
		*ret_value = value;
	return err;
}

/* ---- packets ---- */

static bool is_packet(const struct skep_packet *packet)
{
	return packet->buf && packet->off <= packet->cap &&
	       packet->len <= packet->cap - packet->off && packet->meta_len <= packet->off &&
	       packet->meta_len <= XDP_META_MAX && packet->cap <= UINT32_MAX - XDP_TAILROOM;
}

static void fetch(const struct skep_packet *packet)
{
	const u8 *data = packet->buf + packet->off;

	for (u32 at = 0; at < HEADERS; at += LINE)
		__builtin_prefetch(data + at);
}

static void run_packet(struct prog *prog, struct skep_packet *packet, struct run *run)
{
	struct xdp_rxq rxq = {.ifindex = packet->ifindex, .queue = packet->queue};
	struct xdp_buff xdp = {
		.data = packet->buf + packet->off,
		.data_end = packet->buf + packet->off + packet->len,
		.data_meta = packet->buf + packet->off - packet->meta_len,
		.data_hard_start = packet->buf,
		.rxq = &rxq,
		.frame_sz = packet->cap + XDP_TAILROOM,
	};

	if (prog->obj.inst->use_checked)
		xdp_set_regions(&xdp, run);
	run->redirect.ifindex = 0;
	packet->verdict = (u32)vm_run(prog, &xdp, run);
	packet->redirect_ifindex = run->redirect.ifindex;
	packet->off = (u32)(xdp.data - packet->buf);
	packet->len = (u32)(xdp.data_end - xdp.data);
	/* bpf_xdp_adjust_head leaves data_meta behind data where metadata is not in use */
	packet->meta_len = xdp.data_meta <= xdp.data ? (u32)(xdp.data - xdp.data_meta) : 0;
}

int skep_run_packets(struct skep_prog *handle, struct skep_packet *packets, size_t cnt)
{
	struct prog *prog = handle->prog;
	struct run *run;

	if (prog->type->type != BPF_PROG_TYPE_XDP || prog->is_unverified)
		return -EINVAL;
	for (size_t i = 0; i < cnt; i++)
		if (!is_packet(&packets[i]))
			return -EINVAL;
	run = take_cpu(prog->obj.inst);
	for (size_t i = 0; i < MIN(cnt, (size_t)AHEAD); i++)
		fetch(&packets[i]);
	for (size_t i = 0; i < cnt; i++) {
		if (i + AHEAD < cnt)
			fetch(&packets[i + AHEAD]);
		run_packet(prog, &packets[i], run);
	}
	give_cpu(run);
	return 0;
}

/* ---- checked ---- */

/* Where an address lies beside the nearest region: what a reader asks first. */
static void say_place(const struct run *run, const struct run_fault *fault, char *ret, size_t len)
{
	snprintf(ret, len, "outside of what it may touch");
	for (u32 i = 0; i < run->region_cnt; i++) {
		const struct run_region *region = &run->regions[i];
		const u64 start = (uintptr_t)region->start, end = start + region->len;

		if (fault->addr >= start && fault->addr < end && fault->len > end - fault->addr)
			snprintf(ret, len, "%llu bytes past the end of %s",
				(unsigned long long)(fault->addr + fault->len - end), region->name);
		else if (fault->addr >= end && fault->addr - end < 4096)
			snprintf(ret, len, "%llu bytes after %s",
				(unsigned long long)(fault->addr - end), region->name);
		else if (fault->addr < start && start - fault->addr <= 4096)
			snprintf(ret, len, "%llu bytes before %s",
				(unsigned long long)(start - fault->addr), region->name);
		else if (fault->addr >= start && fault->addr < end)
			snprintf(ret, len, "%s, which is read-only", region->name);
		else
			continue;
		return;
	}
}

static void say_fault(const struct run *run, const struct run_fault *fault, struct skep_text *ret)
{
	char place[128];

	switch (fault->kind) {
	case RUN_FAULT_ACCESS:
		say_place(run, fault, place, sizeof(place));
		embed_say(ret, 0, "instruction %u: %s %u bytes at 0x%llx: %s", fault->insn_idx,
			fault->is_write ? "writes" : "reads", fault->len,
			(unsigned long long)fault->addr, place);
		return;
	case RUN_FAULT_BUDGET:
		embed_say(ret, 0, "instruction %u: more instructions than the budget allows",
			fault->insn_idx);
		return;
	case RUN_FAULT_DEPTH:
		embed_say(ret, 0, "instruction %u: more than %d functions deep", fault->insn_idx,
			PROG_FRAME_MAX);
		return;
	case RUN_FAULT_CALL:
		embed_say(ret, 0, "instruction %u: calls helper %llu, which does not exist",
			fault->insn_idx, (unsigned long long)fault->addr);
		return;
	case RUN_FAULT_ALIGN:
		embed_say(ret, 0,
			"instruction %u: an atomic access to 0x%llx, not a multiple of %u",
			fault->insn_idx, (unsigned long long)fault->addr, fault->len);
		return;
	default: embed_say(ret, 0, "instruction %u: not an instruction", fault->insn_idx);
	}
}

static int take_result(const struct run *run, u64 value, struct skep_checked_run *out)
{
	const struct run_fault *fault = &run->fault;

	memset(&out->fault, 0, sizeof(out->fault));
	out->ret_value = 0;
	if (!fault->kind) {
		out->ret_value = value;
		return 0;
	}
	out->fault.is_fault = true;
	out->fault.insn_idx = fault->insn_idx;
	out->fault.addr = fault->addr;
	out->fault.len = fault->len;
	out->fault.is_write = fault->is_write;
	say_fault(run, fault, &out->fault.why);
	return -EFAULT;
}

int skep_run_checked(struct skep_prog *handle, struct skep_checked_run *out)
{
	struct prog *prog = handle->prog;
	struct run *run;
	u64 value;
	int err;

	if (out->sz != sizeof(*out) || out->region_cnt > SKEP_REGION_MAX)
		return -EINVAL;
	run = take_cpu(prog->obj.inst);
	for (size_t i = 0; i < out->region_cnt; i++)
		run->regions[i] = (struct run_region){.name = out->regions[i].name,
			.start = out->regions[i].start,
			.len = out->regions[i].len,
			.can_write = out->regions[i].can_write};
	run->region_cnt = (u32)out->region_cnt;
	run->budget = out->budget ? out->budget : BUDGET;
	value = vm_run_checked(prog, out->ctx, run);
	err = take_result(run, value, out);
	give_cpu(run);
	return err;
}
