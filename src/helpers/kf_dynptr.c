/*
 * Dynptrs as kernel functions: of packets and frames, slices, and what changes a dynptr.
 * Source: kernel/bpf/helpers.c, bpf_trace.c and net/core/filter.c of Linux 6.18.
 */
#include <errno.h>
#include <string.h>

#include "core/prog.h"
#include "core/skb.h"
#include "core/xdp.h"
#include "helpers/dynptr.h"
#include "helpers/kfns.h"

/* (context, flags, dynptr); read-only for programs that may not write the packet. */
u64 hlp_kf_dynptr_from_skb(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = hlp_ptr(r1);
	struct dynptr *ret = hlp_ptr(r3);

	*ret = (struct dynptr){0};
	if (r2)
		return (u64)-EINVAL;
	dynptr_set(ret, skb, DYNPTR_SKB, skb->len);
	if (run->prog && !run->prog->type->can_write_packet)
		ret->size |= DYNPTR_RDONLY;
	return 0;
}

u64 hlp_kf_dynptr_from_xdp(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct xdp_buff *xdp = hlp_ptr(r1);
	struct dynptr *ret = hlp_ptr(r3);

	*ret = (struct dynptr){0};
	if (r2)
		return (u64)-EINVAL;
	dynptr_set(ret, xdp, DYNPTR_XDP, (u32)(xdp->data_end - xdp->data));
	return 0;
}

static void *slice(const struct dynptr *ptr, u32 off, u32 len)
{
	if (!ptr->data || dynptr_check(ptr, off, len))
		return NULL;
	return dynptr_at(ptr, off, len);
}

/* (dynptr, offset, buffer, its size): the bytes are in one piece, so the buffer is not needed. */
u64 hlp_kf_dynptr_slice(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (uintptr_t)slice(hlp_ptr(r1), (u32)r2, (u32)r4);
}

u64 hlp_kf_dynptr_slice_rdwr(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct dynptr *ptr = hlp_ptr(r1);

	return ptr->size & DYNPTR_RDONLY ? 0 : (uintptr_t)slice(ptr, (u32)r2, (u32)r4);
}

/* (dynptr, start, end) */
u64 hlp_kf_dynptr_adjust(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct dynptr *ptr = hlp_ptr(r1);
	u32 start = (u32)r2, end = (u32)r3, size = dynptr_size(ptr);

	if (!ptr->data || start > end)
		return (u64)-EINVAL;
	if (start > size || end > size)
		return (u64)-ERANGE;
	ptr->offset += start;
	ptr->size = (ptr->size & ~(u32)DYNPTR_SIZE_MASK) | (end - start);
	return 0;
}

u64 hlp_kf_dynptr_is_null(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return !((const struct dynptr *)hlp_ptr(r1))->data;
}

u64 hlp_kf_dynptr_is_rdonly(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct dynptr *ptr = hlp_ptr(r1);

	return ptr->data && ptr->size & DYNPTR_RDONLY;
}

u64 hlp_kf_dynptr_size(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct dynptr *ptr = hlp_ptr(r1);

	return ptr->data ? dynptr_size(ptr) : (u32)-EINVAL;
}

u64 hlp_kf_dynptr_clone(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct dynptr *ptr = hlp_ptr(r1);

	*(struct dynptr *)hlp_ptr(r2) = ptr->data ? *ptr : (struct dynptr){0};
	return ptr->data ? 0 : (u64)-EINVAL;
}

/* (to, its offset, from, its offset, size) */
u64 hlp_kf_dynptr_copy(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct dynptr *to = hlp_ptr(r1), *from = hlp_ptr(r3);
	u32 len = (u32)r5;
	const void *bytes = slice(from, (u32)r4, len);

	if (bytes)
		return (u64)dynptr_write(to, (u32)r2, bytes, len, 0);
	return (u64)(dynptr_check(to, (u32)r2, len) || dynptr_check(from, (u32)r4, len) ? -E2BIG
											: -EINVAL);
}

/* (dynptr, offset, size, byte) */
u64 hlp_kf_dynptr_memset(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct dynptr *ptr = hlp_ptr(r1);
	void *bytes;

	if (!ptr->data || ptr->size & DYNPTR_RDONLY)
		return (u64)-EINVAL;
	if (dynptr_check(ptr, (u32)r2, (u32)r3))
		return (u64)-E2BIG;
	bytes = dynptr_at(ptr, (u32)r2, (u32)r3);
	if (!bytes)
		return (u64)-EFAULT;
	memset(bytes, (u8)r4, (u32)r3);
	return 0;
}
