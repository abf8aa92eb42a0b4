/*
 * Records for user space: ring buffers and perf events. The rings are core/ring.h's and core/event.h's.
 */
#include "core/ring.h"

#include <errno.h>

#include "core/dynptr.h"
#include "core/event.h"
#include "core/map.h"
#include "core/prog.h"
#include "core/skb.h"
#include "core/xdp.h"
#include "helpers/fns.h"

enum {
	CTX_LEN_SHIFT = 32, /* BPF_F_CTXLEN_MASK: bytes of the packet that go along */
	WAKE_FLAGS = BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP,
};

static struct ring *ring_of(u64 reg)
{
	struct map *map = hlp_ptr(reg);

	return container_of(map, struct map_ring, map)->ring;
}

u64 hlp_ringbuf_output(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u64)ring_output(ring_of(r1), hlp_ptr(r2), r3, r4);
}

u64 hlp_ringbuf_reserve(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r3 ? 0 : (uintptr_t)ring_reserve(ring_of(r1), r2);
}

u64 hlp_ringbuf_submit(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	ring_commit(hlp_ptr(r1), r2, false);
	return 0;
}

u64 hlp_ringbuf_discard(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	ring_commit(hlp_ptr(r1), r2, true);
	return 0;
}

u64 hlp_ringbuf_query(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return ring_query(ring_of(r1), r2);
}

/* --- draining ---------------------------------------------------------------------------------- */

struct drain {
	struct ring *ring;
	u64 func, arg;
	u32 seen, discarded;
};

/* The program looks at one sample: what it gave, 0 or 1 (no more). */
static u64 show(struct drain *drain, struct run *run, void *sample, u32 size)
{
	struct dynptr dynptr = {.data = sample, .size = size | DYNPTR_LOCAL << DYNPTR_TYPE_SHIFT};
	struct run_region data = {
		.name = "sample", .start = sample, .len = size, .can_write = true};
	struct run_region shell = {.name = "dynptr", .start = (u8 *)&dynptr, .len = sizeof(dynptr)};
	u64 result = 1;

	if (run_grant(run, data))
		return 1;
	if (!run_grant(run, shell)) {
		result = run_callback(run, drain->func, (uintptr_t)&dynptr, drain->arg, 0, 0, 0);
		run_revoke(run);
	}
	run_revoke(run);
	ring_pass(drain->ring, size);
	return result;
}

static int drain_all(struct drain *drain, struct run *run)
{
	u64 result = 0;
	void *sample;
	u32 size;
	int err;

	for (; drain->seen < RING_DRAIN_MAX && !result; drain->seen++) {
		err = ring_peek(drain->ring, &sample, &size);
		if (err == -ENODATA)
			break;
		if (err == -EAGAIN)
			drain->discarded++;
		else if (err)
			return err;
		else
			result = show(drain, run, sample, size);
	}
	return (int)(drain->seen - drain->discarded);
}

u64 hlp_user_ringbuf_drain(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct drain drain = {.ring = ring_of(r1), .func = r2, .arg = r3};
	int ret;

	if (r4 & ~(u64)WAKE_FLAGS)
		return (u64)-EINVAL;
	if (!ring_drain_begin(drain.ring))
		return (u64)-EBUSY;
	ret = drain_all(&drain, run);
	ring_drain_end(drain.ring);
	if (r4 & BPF_RB_FORCE_WAKEUP || (!(r4 & BPF_RB_NO_WAKEUP) && drain.seen))
		ring_wake(drain.ring);
	return (u64)ret;
}

/* --- perf events ------------------------------------------------------------------------------- */

/* The beginning of the context's packet, if the program's type has one. False: it is not that long. */
static bool add_packet(const struct run *run, u64 ctx, u32 len, struct event_raw *raw)
{
	const struct xdp_buff *xdp = hlp_ptr(ctx);
	const struct net_skb *skb = hlp_ptr(ctx);

	if (run->ctx_is_memory || !ctx)
		return false;
	if (run->prog->type->type == BPF_PROG_TYPE_XDP) {
		raw->more = xdp->data;
		raw->more_len = len;
		return len <= (u64)(xdp->data_end - xdp->data);
	}
	raw->more = skb->data;
	raw->more_len = len;
	return len <= skb->len;
}

static bool has_packet(u32 prog_type)
{
	switch (prog_type) {
	case BPF_PROG_TYPE_XDP:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_LWT_IN:
	case BPF_PROG_TYPE_LWT_OUT:
	case BPF_PROG_TYPE_LWT_XMIT:
	case BPF_PROG_TYPE_SK_SKB: return true;
	default: return false;
	}
}

u64 hlp_perf_event_output(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct event_raw raw = {.data = hlp_ptr(r4), .len = (u32)r5};
	u64 packet_len = (r3 & BPF_F_CTXLEN_MASK) >> CTX_LEN_SHIFT, known = BPF_F_INDEX_MASK;

	if (run->prog && has_packet(run->prog->type->type))
		known |= BPF_F_CTXLEN_MASK;
	if (r3 & ~known)
		return (u64)-EINVAL;
	if (packet_len && !add_packet(run, r1, (u32)packet_len, &raw))
		return (u64)-EFAULT;
	return (u64)event_output(hlp_ptr(r2), r3 & BPF_F_INDEX_MASK, run->cpu, &raw);
}
