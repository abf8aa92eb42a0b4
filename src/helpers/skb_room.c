/*
 * Packets that grow and shrink: at the ends, behind the link or network header, by a VLAN tag, between
 * IPv4 and IPv6. A tag just pushed stands beside the packet (vlan_present), as if the device would
 * write it; the next push writes it into the packet. Source: net/core/filter.c and net/core/skbuff.c of Linux 6.18.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "core/prog.h"
#include "helpers/skb.h"
#include "isa/uapi.h"

enum {
	IPV4_LEN = 20,
	IPV6_LEN = 40,
	VLAN_LEN = 4,
	VLAN_CFI = 0x1000,
	ROOM_MAX = 0xfff, /* bytes that adjust_room changes at once */
	ENCAP_L3 = BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6,
	ENCAP_L4 = BPF_F_ADJ_ROOM_ENCAP_L4_GRE | BPF_F_ADJ_ROOM_ENCAP_L4_UDP,
	/* BPF_F_ADJ_ROOM_DECAP_L3_*, since Linux 6.5 */
	DECAP_L3_IPV4 = 1 << 7,
	DECAP_L3_IPV6 = 1 << 8,
	DECAP_L3 = DECAP_L3_IPV4 | DECAP_L3_IPV6,
};

static bool is_stream(const struct run *run)
{
	return run->prog && run->prog->type->type == BPF_PROG_TYPE_SK_SKB;
}

static u32 mac_header_len(const struct net_skb *skb)
{
	return skb->net_off - skb->mac_off;
}

/* len bytes of zeroes in the front; headers stay where they are. */
static int push(struct net_skb *skb, u32 len)
{
	int err = skb_reserve(skb, len, 0);

	if (err)
		return err;
	skb->data -= len;
	skb->len += len;
	memset(skb->data, 0, len);
	skb_note_ends(skb);
	return 0;
}

static void move_headers(struct net_skb *skb, u32 by)
{
	bool is_same = skb->trans_off == skb->net_off;

	skb->mac_off += by;
	skb->net_off += by;
	if (is_same)
		skb->trans_off = (u16)skb->net_off;
}

/* len bytes of zeroes at off; what stands before, headers too, moves to the front. */
static int insert(struct net_skb *skb, u32 off, u32 len)
{
	/* headers may reach behind the end: there is a buffer to move then, too */
	int err = skb_reserve(skb, len, off > skb->len ? off - skb->len : 0);

	if (!err)
		err = push(skb, len);
	if (err)
		return err;
	memmove(skb->data, skb->data + len, off);
	memset(skb->data + off, 0, len);
	move_headers(skb, -len);
	return 0;
}

static int cut(struct net_skb *skb, u32 off, u32 len)
{
	if (off > skb->len || len > skb->len - off)
		return -ENOMEM;
	skb_csum_remove(skb, skb->data + off, len, 0);
	memmove(skb->data + len, skb->data, off);
	skb->data += len;
	skb->len -= len;
	move_headers(skb, len);
	skb_note_ends(skb);
	return 0;
}

u64 hlp_skb_change_head(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);
	u32 len = (u32)r2, new_len = skb->len + len;
	int err;

	if (r3 || (!skb->gso_size && new_len > SKB_GROW_MAX) || new_len < skb->len)
		return (u64)-EINVAL;
	err = push(skb, len);
	if (err)
		return (u64)err;
	skb->mac_off = skb_headroom(skb);
	skb->mac_len = mac_header_len(skb);
	return 0;
}

/* Headers stay, as far as it is known where they are. */
static u32 least_tail(const struct net_skb *skb)
{
	s32 net = (s32)skb_net_pos(skb), trans = (s32)(skb->trans_off - skb_headroom(skb));

	if (skb->trans_off != SKB_NO_HEADER && trans > 0)
		return (u32)trans;
	return net > 0 ? (u32)net : 0;
}

u64 hlp_skb_change_tail(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);
	u32 len = (u32)r2;
	int err;

	if (r3 || len > SKB_GROW_MAX || len < least_tail(skb))
		return (u64)-EINVAL;
	if (skb->is_encapsulated)
		return (u64)-ERR_NOTSUPP;
	if (len > skb->len) {
		err = skb_reserve(skb, 0, len - skb->len);
		if (err)
			return (u64)err;
		memset(skb->data + skb->len, 0, len - skb->len);
		if (skb->summed == SKB_SUM_COMPLETE)
			skb->summed = SKB_SUM_NONE;
	} else {
		skb_csum_remove(skb, skb->data + len, skb->len - len, len);
	}
	skb->len = len;
	if (skb->gso_size)
		skb->gso_size = skb->gso_segs = 0;
	skb_note_ends(skb);
	return 0;
}

u64 hlp_skb_change_proto(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);
	u16 to = (u16)r2;
	int err = -ERR_NOTSUPP;

	if (r3)
		return (u64)-EINVAL;
	if (skb->protocol == htons(ETH_P_IP) && to == htons(ETH_P_IPV6))
		err = insert(skb, mac_header_len(skb), IPV6_LEN - IPV4_LEN);
	else if (skb->protocol == htons(ETH_P_IPV6) && to == htons(ETH_P_IP))
		err = cut(skb, mac_header_len(skb), IPV6_LEN - IPV4_LEN);
	if (err)
		return (u64)err;
	skb->protocol = to;
	skb_forget_hash(skb);
	return 0;
}

/* What encapsulation asks for; checked once there is room for it, as in Linux. */
static int check_encap(const struct net_skb *skb, u32 len, u64 flags)
{
	u32 inner_mac = (u8)(flags >> BPF_ADJ_ROOM_ENCAP_L2_SHIFT);

	if ((flags & ENCAP_L3) == ENCAP_L3 || (flags & ENCAP_L4) == ENCAP_L4 ||
		(flags & BPF_F_ADJ_ROOM_ENCAP_L2_ETH && inner_mac < ETH_HLEN))
		return -EINVAL;
	if (skb->is_encapsulated)
		return -EALREADY;
	return inner_mac > len ? -EINVAL : 0;
}

static int grow(struct net_skb *skb, u32 off, u32 len, u64 flags)
{
	u32 mac_len = mac_header_len(skb), ip_len;
	int err = 0;

	if (skb->gso_size)
		return -ERR_NOTSUPP; /* its segments are of no protocol here */
	if (flags & ENCAP_L3)
		err = check_encap(skb, len, flags);
	if (!err)
		err = insert(skb, off, len);
	if (err)
		return err;
	if (flags & ENCAP_L3) {
		ip_len = flags & BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 ? IPV6_LEN : IPV4_LEN;
		skb->is_encapsulated = true;
		skb->net_off = skb_headroom(skb) + mac_len;
		if (flags & ENCAP_L4)
			skb->trans_off = (u16)(skb->net_off + ip_len);
		skb->protocol = flags & BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 ? htons(ETH_P_IPV6)
								     : htons(ETH_P_IP);
	}
	return 0;
}

static int shrink(struct net_skb *skb, u32 off, u32 len, u64 flags)
{
	int err;

	if (flags & ~(u64)(BPF_F_ADJ_ROOM_FIXED_GSO | DECAP_L3 | BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return -EINVAL;
	if (skb->gso_size)
		return -ERR_NOTSUPP;
	err = cut(skb, off, len);
	if (!err && flags & DECAP_L3)
		skb->protocol = flags & DECAP_L3_IPV6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	return err;
}

/* The smallest network header that may be left, or 0: what the flags say makes no sense. */
static u32 least_len(const struct net_skb *skb, bool shrinks, u64 flags)
{
	switch (flags & DECAP_L3) {
	case 0: return skb->protocol == htons(ETH_P_IP) ? IPV4_LEN : IPV6_LEN;
	case DECAP_L3_IPV4: return shrinks ? IPV4_LEN : 0;
	case DECAP_L3_IPV6: return shrinks ? IPV6_LEN : 0;
	default: return 0;
	}
}

static int adjust_room(struct net_skb *skb, s32 diff, u32 mode, u64 flags)
{
	const u64 known = BPF_F_ADJ_ROOM_FIXED_GSO | ENCAP_L3 | ENCAP_L4 |
			  BPF_F_ADJ_ROOM_ENCAP_L2_ETH | BPF_F_ADJ_ROOM_NO_CSUM_RESET | DECAP_L3 |
			  BPF_F_ADJ_ROOM_ENCAP_L2(BPF_ADJ_ROOM_ENCAP_L2_MASK);
	u32 len = (u32)labs((long)diff), off = mac_header_len(skb), least, rest;

	if (flags & ~known)
		return -EINVAL;
	if (len > ROOM_MAX)
		return -EFAULT;
	if (skb->protocol != htons(ETH_P_IP) && skb->protocol != htons(ETH_P_IPV6))
		return -ERR_NOTSUPP;
	if (mode == BPF_ADJ_ROOM_NET)
		off += skb->protocol == htons(ETH_P_IP) ? IPV4_LEN : IPV6_LEN;
	else if (mode != BPF_ADJ_ROOM_MAC)
		return -ERR_NOTSUPP;
	least = least_len(skb, diff < 0, flags);
	if (!least)
		return -EINVAL;
	rest = skb->len - skb_net_pos(skb);
	if (diff < 0 && (len >= rest || rest - len < least))
		return -ERR_NOTSUPP;
	if (diff >= 0 && skb->len + len > SKB_GROW_MAX && !skb->gso_size)
		return -ERR_NOTSUPP;
	return diff < 0 ? shrink(skb, off, len, flags) : grow(skb, off, len, flags);
}

/* Of streams the room is in the front. */
static int adjust_stream(struct net_skb *skb, s32 diff, u32 mode, u64 flags)
{
	u32 len = (u32)labs((long)diff);

	if (flags || mode)
		return -EINVAL;
	if (len > ROOM_MAX)
		return -EFAULT;
	if (diff >= 0)
		return push(skb, len);
	if (len > skb->len)
		return -ENOMEM;
	skb->data += len;
	skb->len -= len;
	skb_note_ends(skb);
	return 0;
}

u64 hlp_skb_adjust_room(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);
	int err;

	if (is_stream(run))
		return (u64)adjust_stream(skb, (s32)r2, (u32)r3, r4);
	err = adjust_room(skb, (s32)r2, (u32)r3, r4);
	if (!err && !(r4 & BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		skb_forget_verdict(skb);
	return (u64)err;
}

/* ---- VLAN tags ---- */

static bool is_vlan(u32 protocol)
{
	return protocol == htons(ETH_P_8021Q) || protocol == htons(ETH_P_8021AD);
}

static void set_tag(struct net_skb *skb, u32 protocol, u16 tci)
{
	skb->vlan_present = 1;
	skb->vlan_proto = protocol;
	skb->vlan_tci = tci;
}

/* Writes the tag beside the packet into it. */
static int write_tag(struct net_skb *skb)
{
	u16 words[2] = {(u16)skb->vlan_proto, htons((u16)skb->vlan_tci)};
	int err;

	if (skb->mac_off != skb_headroom(skb))
		return -EINVAL;
	err = insert(skb, 2 * ETH_ALEN, VLAN_LEN);
	if (err)
		return err;
	memcpy(skb->data + 2 * ETH_ALEN, words, VLAN_LEN);
	skb->protocol = skb->vlan_proto;
	skb->mac_len += VLAN_LEN;
	skb_csum_insert(skb, skb->data + 2 * ETH_ALEN, VLAN_LEN, 0);
	return 0;
}

u64 hlp_skb_vlan_push(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);
	u16 protocol = is_vlan((u16)r2) ? (u16)r2 : htons(ETH_P_8021Q);
	int err = skb->vlan_present ? write_tag(skb) : 0;

	if (!err)
		set_tag(skb, protocol, (u16)r3);
	return (u64)err;
}

/* What follows the tag: a type, or what 802.3 frames count as. */
static u32 protocol_behind(const u8 *tag)
{
	u16 words[3];

	memcpy(words, tag, sizeof(words));
	if (ntohs(words[1]) >= ETH_P_802_3_MIN)
		return words[1];
	return words[2] == 0xffff ? htons(ETH_P_802_3) : htons(ETH_P_802_2);
}

/* Takes the tag out of the packet. */
static int read_tag(struct net_skb *skb, u16 *ret_tci)
{
	u32 net_off = skb->net_off;
	u16 tci;

	if (skb->mac_off != skb_headroom(skb))
		return -EINVAL;
	if (skb->len < ETH_HLEN + VLAN_LEN)
		return -ENOMEM;
	memcpy(&tci, skb->data + ETH_HLEN, sizeof(tci));
	skb->protocol = protocol_behind(skb->data + ETH_HLEN);
	(void)cut(skb, 2 * ETH_ALEN, VLAN_LEN);
	skb->net_off = MAX(net_off, skb_headroom(skb) + ETH_HLEN);
	skb->mac_len = mac_header_len(skb);
	*ret_tci = ntohs(tci);
	return 0;
}

/* The next tag inside the packet takes the place of the one that goes. */
u64 hlp_skb_vlan_pop(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);
	u32 protocol;
	u16 tci;
	int err = 0;

	if (skb->vlan_present)
		skb->vlan_present = skb->vlan_tci = skb->vlan_proto = 0;
	else if (!is_vlan(skb->protocol))
		return 0;
	else
		err = read_tag(skb, &tci);
	if (err || !is_vlan(skb->protocol))
		return (u64)err;
	protocol = skb->protocol;
	err = read_tag(skb, &tci);
	if (!err)
		set_tag(skb, protocol, tci);
	return (u64)err;
}
