/*
 * Dynptrs: memory whose size is known when the program runs. Every access is checked here.
 * Source: kernel/bpf/helpers.c of Linux 6.18.
 */
#include "helpers/dynptr.h"

#include <errno.h>
#include <string.h>

#include "core/map.h"
#include "core/ring.h"
#include "core/skb.h"
#include "core/xdp.h"
#include "helpers/fns.h"
#include "isa/uapi.h"

int dynptr_check(const struct dynptr *ptr, u32 off, u32 len)
{
	u32 size = dynptr_size(ptr);

	return len > size || off > size - len ? -E2BIG : 0;
}

void *dynptr_at(const struct dynptr *ptr, u32 off, u32 len)
{
	const struct net_skb *skb = ptr->data;
	const struct xdp_buff *xdp = ptr->data;
	u64 end = (u64)ptr->offset + off + len;

	switch (dynptr_type(ptr)) {
	case DYNPTR_SKB: return end <= skb->len ? skb->data + ptr->offset + off : NULL;
	case DYNPTR_XDP:
		return end <= (u64)(xdp->data_end - xdp->data) ? xdp->data + ptr->offset + off
							       : NULL;
	default: return (u8 *)ptr->data + ptr->offset + off;
	}
}

int dynptr_read(const struct dynptr *ptr, u32 off, void *to, u32 len)
{
	const void *from;
	int err;

	if (!ptr->data)
		return -EINVAL;
	err = dynptr_check(ptr, off, len);
	if (err)
		return err;
	from = dynptr_at(ptr, off, len);
	if (!from && dynptr_type(ptr) == DYNPTR_SKB)
		memset(to, 0, len);
	if (!from)
		return dynptr_type(ptr) == DYNPTR_XDP ? -EINVAL : -EFAULT;
	memmove(to, from, len);
	return 0;
}

int dynptr_write(const struct dynptr *ptr, u32 off, const void *from, u32 len, u64 flags)
{
	void *to;
	int err;

	if (!ptr->data || ptr->size & DYNPTR_RDONLY)
		return -EINVAL;
	err = dynptr_check(ptr, off, len);
	if (err)
		return err;
	if (dynptr_type(ptr) == DYNPTR_SKB)
		return (int)hlp_skb_store_bytes(
			(uintptr_t)ptr->data, ptr->offset + off, (uintptr_t)from, len, flags, NULL);
	if (flags)
		return -EINVAL;
	to = dynptr_at(ptr, off, len);
	if (!to)
		return -EINVAL;
	memmove(to, from, len);
	return 0;
}

/* (memory, size, flags, dynptr) */
u64 hlp_dynptr_from_mem(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct dynptr *ret = hlp_ptr(r4);

	*ret = (struct dynptr){0};
	if ((u32)r2 > DYNPTR_SIZE_MASK)
		return (u64)-E2BIG;
	if (r3)
		return (u64)-EINVAL;
	dynptr_set(ret, hlp_ptr(r1), DYNPTR_LOCAL, (u32)r2);
	return 0;
}

/* (to, size, dynptr, offset, flags) */
u64 hlp_dynptr_read(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r5 ? (u64)-EINVAL : (u64)dynptr_read(hlp_ptr(r3), (u32)r4, hlp_ptr(r1), (u32)r2);
}

/* (dynptr, offset, from, size, flags) */
u64 hlp_dynptr_write(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u64)dynptr_write(hlp_ptr(r1), (u32)r2, hlp_ptr(r3), (u32)r4, r5);
}

/* (dynptr, offset, size): of memory only; packets have slices. */
u64 hlp_dynptr_data(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct dynptr *ptr = hlp_ptr(r1);

	if (!ptr->data || ptr->size & DYNPTR_RDONLY || dynptr_check(ptr, (u32)r2, (u32)r3) ||
		dynptr_type(ptr) > DYNPTR_RINGBUF)
		return 0;
	return (uintptr_t)dynptr_at(ptr, (u32)r2, (u32)r3);
}

/* ---- records ---- */

/* (map, size, flags, dynptr); whatever comes of it, the dynptr must be submitted or discarded. */
u64 hlp_ringbuf_reserve_dynptr(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct dynptr *ret = hlp_ptr(r4);
	u32 size = (u32)r2;
	void *sample;

	*ret = (struct dynptr){0};
	if (r3)
		return (u64)-EINVAL;
	if (size > DYNPTR_SIZE_MASK)
		return (u64)-E2BIG;
	sample = ring_reserve(((struct map_ring *)hlp_ptr(r1))->ring, size);
	if (!sample)
		return (u64)-EINVAL;
	dynptr_set(ret, sample, DYNPTR_RINGBUF, size);
	return 0;
}

static u64 end_record(struct dynptr *ptr, u64 flags, bool discard)
{
	if (ptr->data)
		ring_commit(ptr->data, flags, discard);
	*ptr = (struct dynptr){0};
	return 0;
}

u64 hlp_ringbuf_submit_dynptr(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return end_record(hlp_ptr(r1), r2, false);
}

u64 hlp_ringbuf_discard_dynptr(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return end_record(hlp_ptr(r1), r2, true);
}
