/*
 * What the files of packet helpers share: the context as a packet, and its complete checksum.
 */
#ifndef HELPERS_SKB_H
#define HELPERS_SKB_H

#include "core/skb.h"
#include "helpers/csum.h"
#include "helpers/fns.h"

enum { ERR_NOTSUPP = 524 }; /* Linux's ENOTSUPP, which has no name in user space */

static inline struct net_skb *skb_of(u64 ctx)
{
	return hlp_ptr(ctx);
}

static inline u32 skb_net_pos(const struct net_skb *skb)
{
	return skb->net_off - skb_headroom(skb);
}

/* Bytes at a place of the packet are about to go, or have come. */
static inline void skb_csum_remove(struct net_skb *skb, const void *bytes, u32 len, u32 off)
{
	if (skb->summed == SKB_SUM_COMPLETE)
		skb->csum = hlp_csum_sub(
			skb->csum, hlp_csum_at(hlp_csum_bytes(bytes, len, 0), off));
}

static inline void skb_csum_insert(struct net_skb *skb, const void *bytes, u32 len, u32 off)
{
	if (skb->summed == SKB_SUM_COMPLETE)
		skb->csum = hlp_csum_add(
			skb->csum, hlp_csum_at(hlp_csum_bytes(bytes, len, 0), off));
}

static inline void skb_forget_hash(struct net_skb *skb)
{
	skb->hash = 0;
	skb->has_hash = false;
}

static inline void skb_forget_verdict(struct net_skb *skb)
{
	if (skb->summed == SKB_SUM_UNNECESSARY) {
		skb->summed = SKB_SUM_NONE;
		skb->csum_level = 0;
	}
}

#endif
