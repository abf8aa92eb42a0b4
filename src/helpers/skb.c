/*
 * Packets of socket filters: bytes from the start of the packet as the filter sees it.
 */
#include "core/skb.h"

#include <errno.h>
#include <string.h>

#include "helpers/fns.h"

u64 hlp_skb_load_bytes(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct net_skb *skb = hlp_ptr(r1);
	u32 offset = (u32)r2, len = (u32)r4;

	if (offset > skb->len || len > skb->len - offset) {
		memset(hlp_ptr(r3), 0, len);
		return (u64)-EFAULT;
	}
	memcpy(hlp_ptr(r3), skb->data + offset, len);
	return 0;
}
