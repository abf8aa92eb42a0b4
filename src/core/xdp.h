/*
 * The XDP context behind struct xdp_md: the frame in its buffer and where it came from. The first
 * fields stand at the offsets of Linux's struct xdp_buff, so that rewritten programs read alike.
 *
 *   data_hard_start      data_meta   data            data_end          hard_start + frame_sz
 *   |--- headroom ----------|- meta -|---- frame ------|--- tailroom -------|
 */
#ifndef CORE_XDP_H
#define CORE_XDP_H

#include "base/types.h"
#include "core/run.h"

enum {
	XDP_HEADROOM =
		256, /* bytes before data when a frame arrives (Linux: XDP_PACKET_HEADROOM) */
	XDP_META_MAX = 252,
	XDP_FRAME_SZ = 4096,
	XDP_TAILROOM = 320, /* reserved at the end (Linux: skb_shared_info) */
	XDP_FRAME_HDR = 40, /* head room that adjust_head must leave (Linux: struct xdp_frame) */
};

/* Receive queue (and, for devmap programs, transmit device). */
struct xdp_rxq {
	u32 ifindex;
	u32 queue;
};

struct xdp_buff {
	u8 *data;
	u8 *data_end;
	u8 *data_meta;
	u8 *data_hard_start;
	struct xdp_rxq *rxq;
	struct xdp_rxq *txq; /* NULL unless the program runs on egress of a devmap */
	u32 frame_sz;	     /* bytes from data_hard_start */
	u32 flags;
};

/* Checked mode: what an XDP program may touch. Called by the hook before a run; xdp stays where it is until
 * the run is over. */
static inline void xdp_set_regions(const struct xdp_buff *xdp, struct run *run)
{
	run->regions[0] = (struct run_region){.name = "packet",
		.can_write = true,
		.live_start = &xdp->data_meta,
		.live_end = &xdp->data_end};
	run->regions[1] = (struct run_region){
		.name = "ctx", .start = (u8 *)(uintptr_t)xdp, .len = sizeof(*xdp)};
	run->region_cnt = 2;
	if (xdp->rxq)
		run->regions[run->region_cnt++] = (struct run_region){
			.name = "rxq", .start = (u8 *)xdp->rxq, .len = sizeof(*xdp->rxq)};
	if (xdp->txq)
		run->regions[run->region_cnt++] = (struct run_region){
			.name = "txq", .start = (u8 *)xdp->txq, .len = sizeof(*xdp->txq)};
}

#endif
