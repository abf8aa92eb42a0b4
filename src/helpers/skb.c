/*
 * Bytes of packets: copied out, copied in, and the checksums over them. Packets are linear, so every byte
 * of one can be read and written in place. Source: net/core/filter.c of Linux 6.18.
 */
#include "helpers/skb.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "isa/uapi.h"

enum {
	FAR_MAX = 0xffff, /* offsets from a header, and of checksums */
	FIELD_MASK = BPF_F_HDR_FIELD_MASK,
	MANGLED_ZERO = 0xffff, /* UDP's way to write a checksum of zero */
};

#define PSEUDO_IPV6 (1ULL << 7) /* BPF_F_IPV6, since Linux 6.16 */

static u64 copy_out(const u8 *from, const u8 *end, u64 to, u32 len)
{
	if (from > end || len > end - from) {
		memset(hlp_ptr(to), 0, len);
		return (u64)-EFAULT;
	}
	memcpy(hlp_ptr(to), from, len);
	return 0;
}

u64 hlp_skb_load_bytes(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct net_skb *skb = skb_of(r1);

	return copy_out(skb->data + (u32)r2, skb->data + skb->len, r3, (u32)r4);
}

/* r5 says from where offsets count. */
u64 hlp_skb_load_bytes_relative(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct net_skb *skb = skb_of(r1);
	const u8 *end = skb->data + skb->len, *start = end + 1;

	if ((u32)r5 == BPF_HDR_START_MAC)
		start = skb->head + skb->mac_off;
	else if ((u32)r5 == BPF_HDR_START_NET)
		start = skb->head + skb->net_off;
	return copy_out((u32)r2 > FAR_MAX ? end + 1 : start + (u32)r2, end, r3, (u32)r4);
}

u64 hlp_skb_store_bytes(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);
	u32 off = (u32)r2, len = (u32)r4;
	u8 *to = skb->data + off;

	if (r5 & ~(u64)(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH))
		return (u64)-EINVAL;
	if (off > INT_MAX || (u64)off + len > skb->len)
		return (u64)-EFAULT;
	if (r5 & BPF_F_RECOMPUTE_CSUM)
		skb_csum_remove(skb, to, len, off);
	memcpy(to, hlp_ptr(r3), len);
	if (r5 & BPF_F_RECOMPUTE_CSUM)
		skb_csum_insert(skb, to, len, off);
	if (r5 & BPF_F_INVALIDATE_HASH)
		skb_forget_hash(skb);
	return 0;
}

/* All there is can be read already; 0 asks for that. */
u64 hlp_skb_pull_data(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u32)r2 > skb_of(r1)->len ? (u64)-ENOMEM : 0;
}

/* The checksum field at an offset, or NULL. */
static u8 *sum_field(struct net_skb *skb, u32 off)
{
	if (off > FAR_MAX || off & 1 || off + sizeof(u16) > skb->len)
		return NULL;
	return skb->data + off;
}

static u16 get_sum(const u8 *field)
{
	u16 sum;

	memcpy(&sum, field, sizeof(sum));
	return sum;
}

static void put_sum(u8 *field, u16 sum)
{
	memcpy(field, &sum, sizeof(sum));
}

/* One's complement arithmetic has two zeroes, so the sums are done in Linux's order and width. */
static u16 replace_2(u16 sum, u16 from, u16 to)
{
	u32 left = (u16)~sum + (u16)~from;

	left = (u16)(left + (left >> 16)) + to;
	return (u16) ~(left + (left >> 16));
}

static u16 replace_4(u16 sum, u32 from, u32 to)
{
	return hlp_csum_fold(hlp_csum_add(hlp_csum_sub(~(u32)sum, from), to));
}

static u16 replace_diff(u16 sum, u32 diff)
{
	return hlp_csum_fold(hlp_csum_add(diff, ~(u32)sum));
}

u64 hlp_l3_csum_replace(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	u8 *field = sum_field(skb_of(r1), (u32)r2);
	u16 sum;

	if (r5 & ~(u64)FIELD_MASK)
		return (u64)-EINVAL;
	if (!field)
		return (u64)-EFAULT;
	sum = get_sum(field);
	if (!r5 && !r3)
		put_sum(field, replace_diff(sum, (u32)r4));
	else if (r5 == sizeof(u16))
		put_sum(field, replace_2(sum, (u16)r3, (u16)r4));
	else if (r5 == sizeof(u32))
		put_sum(field, replace_4(sum, (u32)r3, (u32)r4));
	else
		return (u64)-EINVAL;
	return 0;
}

/* What is in the pseudo header changes the field, and with it the sum over the packet. */
static int replace_l4(struct net_skb *skb, u8 *field, u64 from, u64 to, u64 flags)
{
	bool counts = skb->summed == SKB_SUM_COMPLETE && flags & BPF_F_PSEUDO_HDR;
	u32 width = flags & FIELD_MASK;

	if (!width && !from) {
		put_sum(field, replace_diff(get_sum(field), (u32)to));
		if (counts && !(flags & PSEUDO_IPV6))
			skb->csum = ~hlp_csum_sub((u32)to, skb->csum);
		return 0;
	}
	if (width != sizeof(u16) && width != sizeof(u32))
		return -EINVAL;
	if (width == sizeof(u16))
		from = (u16)from, to = (u16)to;
	put_sum(field, replace_4(get_sum(field), (u32)from, (u32)to));
	if (counts)
		skb->csum = ~hlp_csum_add(hlp_csum_sub(~skb->csum, (u32)from), (u32)to);
	return 0;
}

u64 hlp_l4_csum_replace(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const u64 known = BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_PSEUDO_HDR |
			  FIELD_MASK | PSEUDO_IPV6;
	struct net_skb *skb = skb_of(r1);
	u8 *field = sum_field(skb, (u32)r2);

	if (r5 & ~known)
		return (u64)-EINVAL;
	if (!field)
		return (u64)-EFAULT;
	if (r5 & BPF_F_MARK_MANGLED_0 && !(r5 & BPF_F_MARK_ENFORCE) && !get_sum(field))
		return 0;
	if (replace_l4(skb, field, r3, r4, r5))
		return (u64)-EINVAL;
	if (r5 & BPF_F_MARK_MANGLED_0 && !get_sum(field))
		put_sum(field, MANGLED_ZERO);
	return 0;
}

u64 hlp_csum_update(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);

	if (skb->summed != SKB_SUM_COMPLETE)
		return (u64)-ERR_NOTSUPP;
	skb->csum = hlp_csum_add(skb->csum, (u32)r2);
	return skb->csum;
}

/* How many checksums, from outside in, are known to be right. */
u64 hlp_csum_level(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	enum { LEVEL_MAX = 3 };
	struct net_skb *skb = skb_of(r1);
	bool is_known = skb->summed == SKB_SUM_UNNECESSARY;

	switch (r2) {
	case BPF_CSUM_LEVEL_INC:
		if (is_known)
			skb->csum_level = MIN(skb->csum_level + 1, LEVEL_MAX);
		else if (skb->summed == SKB_SUM_NONE)
			skb->summed = SKB_SUM_UNNECESSARY;
		return 0;
	case BPF_CSUM_LEVEL_DEC:
		if (is_known && skb->csum_level)
			skb->csum_level--;
		else if (is_known)
			skb->summed = SKB_SUM_NONE;
		return 0;
	case BPF_CSUM_LEVEL_RESET: skb_forget_verdict(skb); return 0;
	case BPF_CSUM_LEVEL_QUERY: return is_known ? skb->csum_level : (u64)-EACCES;
	default: return (u64)-EINVAL;
	}
}

/* What the packet's VLAN tags carry, in network order; 0: there are too many, or it ends before. */
static u16 protocol_inside(const struct net_skb *skb)
{
	enum { VLAN_LEN = 4, ETH_LEN = 14, TAGS_MAX = 8, VLAN = 0x0081, VLAN_AD = 0xa888 };
	u32 at = skb->mac_len ? skb->mac_len - VLAN_LEN : ETH_LEN, tags = 0;
	u16 protocol = (u16)skb->protocol;

	for (; protocol == VLAN || protocol == VLAN_AD; at += VLAN_LEN) {
		if (skb->mac_len && skb->mac_len < VLAN_LEN)
			return 0;
		if (++tags == TAGS_MAX || at > skb->len || skb->len - at < VLAN_LEN)
			return 0;
		protocol = get_sum(skb->data + at + 2);
	}
	return protocol;
}

/* Marks the IP header as having met congestion: 1 if it now is, 0 if its sender does not take that. */
u64 hlp_skb_ecn_set_ce(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	enum { CE = 3, IPV4_LEN = 20, IPV6_LEN = 40, IPV4_CHECK = 10, IPV4_TOS = 1 };
	struct net_skb *skb = skb_of(r1);
	u8 *ip = skb->head + skb->net_off, *end = skb->data + skb->len;
	u16 sum, protocol = protocol_inside(skb);
	u32 from, to, len = protocol == __builtin_bswap16(0x0800) ? IPV4_LEN : IPV6_LEN;

	if ((len == IPV6_LEN && protocol != __builtin_bswap16(0x86dd)) || skb->len < len ||
		ip + len > end)
		return 0;
	if (len == IPV6_LEN) {
		memcpy(&from, ip, sizeof(from));
		if (!(ip[1] & CE << 4))
			return 0;
		ip[1] |= CE << 4;
		memcpy(&to, ip, sizeof(to));
		if (skb->summed == SKB_SUM_COMPLETE)
			skb->csum = hlp_csum_add(hlp_csum_sub(skb->csum, from), to);
		return 1;
	}
	if ((ip[IPV4_TOS] & CE) == CE || !(ip[IPV4_TOS] & CE))
		return (ip[IPV4_TOS] & CE) == CE;
	memcpy(&from, ip, sizeof(from));
	ip[IPV4_TOS] |= CE;
	memcpy(&to, ip, sizeof(to));
	sum = get_sum(ip + IPV4_CHECK);
	from = (u32)sum + __builtin_bswap16(0xfffb) +
	       __builtin_bswap16((u16)(((from >> 8) + 1) & CE));
	put_sum(ip + IPV4_CHECK, (u16)(from + (from >= 0xffff)));
	return 1;
}
