/*
 * XDP: moving the ends of a frame inside its buffer, copying bytes in and out, and naming the device
 * that it leaves by.
 *
 *   hard_start    + 40          data_meta   data            data_end     hard end    frame_sz
 *   |- xdp_frame --|- headroom ----|- meta ---|---- frame ------|- tailroom -|- reserved -|
 *
 * Invariant after every helper: hard_start + 40 <= data_meta <= data, data + 14 <= data_end <= hard end,
 * and the metadata's length is a multiple of 4 up to XDP_META_MAX. data_meta > data says that the hook
 * has no metadata. Source: net/core/filter.c of Linux 6.18.
 */
#include "helpers/xdp.h"

#include <errno.h>
#include <string.h>

#include "core/map.h"
#include "core/xdp.h"
#include "helpers/fns.h"
#include "isa/uapi.h"

enum {
	ETH_HEADER_LEN = 14,
	BYTES_MAX = 0xffff, /* offset and length of load and store */
	ERR_NOTSUPP = 524,  /* Linux's ENOTSUPP, which has no name in user space */
};

static bool has_meta(const struct xdp_buff *xdp)
{
	return xdp->data_meta <= xdp->data;
}

u64 hlp_xdp_adjust_head(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct xdp_buff *xdp = hlp_ptr(r1);
	s64 offset = (s32)r2;
	s64 meta_len = has_meta(xdp) ? xdp->data - xdp->data_meta : 0;
	s64 pos = xdp->data - xdp->data_hard_start + offset;

	if (pos < XDP_FRAME_HDR + meta_len ||
		pos > xdp->data_end - xdp->data_hard_start - ETH_HEADER_LEN)
		return (u64)-EINVAL;
	if (meta_len)
		memmove(xdp->data_meta + offset, xdp->data_meta, (size_t)meta_len);
	xdp->data_meta += offset;
	xdp->data += offset;
	return 0;
}

u64 hlp_xdp_adjust_tail(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct xdp_buff *xdp = hlp_ptr(r1);
	s64 offset = (s32)r2;
	s64 len = xdp->data_end - xdp->data + offset;
	s64 room = xdp->data_hard_start + xdp->frame_sz - XDP_TAILROOM - xdp->data_end;

	if (offset > room || len < ETH_HEADER_LEN)
		return (u64)-EINVAL;
	if (offset > 0)
		memset(xdp->data_end, 0, (size_t)offset);
	xdp->data_end += offset;
	return 0;
}

u64 hlp_xdp_adjust_meta(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct xdp_buff *xdp = hlp_ptr(r1);
	s64 offset = (s32)r2;
	s64 pos = xdp->data_meta - xdp->data_hard_start + offset;
	s64 meta_len = xdp->data - xdp->data_hard_start - pos;

	if (!has_meta(xdp))
		return (u64)-ERR_NOTSUPP;
	if (pos < XDP_FRAME_HDR || meta_len < 0)
		return (u64)-EINVAL;
	if (meta_len % 4 || meta_len > XDP_META_MAX)
		return (u64)-EACCES;
	xdp->data_meta += offset;
	return 0;
}

u64 hlp_xdp_get_buff_len(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct xdp_buff *xdp = hlp_ptr(r1);

	return (u64)(xdp->data_end - xdp->data);
}

/* 0 if [offset, offset + len) is inside the frame. */
static int check_bytes(const struct xdp_buff *xdp, u32 offset, u32 len)
{
	if (offset > BYTES_MAX || len > BYTES_MAX)
		return -EFAULT;
	return offset + len > xdp->data_end - xdp->data ? -EINVAL : 0;
}

u64 hlp_xdp_load_bytes(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct xdp_buff *xdp = hlp_ptr(r1);
	int err = check_bytes(xdp, (u32)r2, (u32)r4);

	if (!err)
		memmove(hlp_ptr(r3), xdp->data + (u32)r2, (u32)r4);
	return (u64)err;
}

u64 hlp_xdp_store_bytes(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct xdp_buff *xdp = hlp_ptr(r1);
	int err = check_bytes(xdp, (u32)r2, (u32)r4);

	if (!err)
		memmove(xdp->data + (u32)r2, hlp_ptr(r3), (u32)r4);
	return (u64)err;
}

u64 hlp_xdp_redirect(u64 ifindex, u64 flags, struct run *run)
{
	if (flags)
		return XDP_ABORTED;
	run->redirect = (struct run_redirect){.ifindex = (u32)ifindex};
	return XDP_REDIRECT;
}

/* Where an entry of a device map says; its low flag bits are the action where there is none. Frames go to one
 * device: what copies them (BPF_F_BROADCAST), other CPUs and sockets have no place here, and abort the frame.
 * Nor are the programs of entries run. */
u64 hlp_redirect_map(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	enum { ACTIONS = 3 };
	struct map *map = hlp_ptr(r1);
	const struct map_target *target;
	u32 key = (u32)r2;

	if (r3 & ~(u64)ACTIONS || (map->type->type != BPF_MAP_TYPE_DEVMAP &&
					  map->type->type != BPF_MAP_TYPE_DEVMAP_HASH))
		return XDP_ABORTED;
	target = map->ops->lookup(map, &key, run->cpu);
	if (!target || !target->value)
		return r3;
	if (target->prog)
		return XDP_ABORTED;
	run->redirect = (struct run_redirect){.ifindex = target->value};
	return XDP_REDIRECT;
}
