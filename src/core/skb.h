/*
 * The context behind struct __sk_buff: a linear packet with what Linux's struct sk_buff knows of it.
 * Values stand as the program sees them (protocol and vlan_proto in network byte order in the low two
 * bytes), so every field of __sk_buff is one load.
 *
 *   head             data                 data + len            head + cap
 *   |---- headroom ---|------- packet -------|------ tailroom ------|
 */
#ifndef CORE_SKB_H
#define CORE_SKB_H

#include <errno.h>
#include <linux/filter.h>

#include "base/types.h"
#include "core/run.h"

enum {
	SKB_CB_WORDS = 5,
	SKB_HEADROOM = 64,  /* Linux: NET_SKB_PAD + NET_IP_ALIGN */
	SKB_TAILROOM = 320, /* reserved at the end (Linux: skb_shared_info) */
};

struct net_skb {
	u8 *data;
	u32 len;     /* bytes */
	u32 mac_len; /* of the link layer's header, which ends at network */
	u8 *head;
	u32 cap;      /* bytes from head */
	u32 pkt_type; /* PACKET_HOST … of <linux/if_packet.h> */
	u32 mark;
	u32 queue_mapping;
	u32 protocol;
	u32 vlan_present, vlan_tci, vlan_proto;
	u32 priority;
	u32 ingress_ifindex, ifindex;
	u32 tc_index;
	u32 cb[SKB_CB_WORDS];
	u32 hash;
	u32 napi_id;
	u32 wire_len;
	u32 gso_segs, gso_size;
	u64 tstamp, hwtstamp;
	u32 tc_classid;
	u8 tstamp_type; /* BPF_SKB_TSTAMP_* */
	/* for programs with direct packet access: data + len, and the metadata before data */
	u8 *data_end, *data_meta;
	const struct bpf_sock *sk; /* as programs see it; NULL without one */
	/* of the socket that the packet belongs to; 0 without one */
	u32 family, remote_ip4, local_ip4;
	u32 remote_ip6[4], local_ip6[4];
	u32 remote_port, local_port;
	u8 *flow_keys; /* struct bpf_flow_keys, for flow dissectors */
	u8 *network;   /* the network layer's header; NULL: not known */
};

/*
 * What ld_abs and ld_ind load: len bytes (1, 2 or 4) in network order at off, which counts from data, or from a
 * header where it is negative (SKF_NET_OFF, SKF_LL_OFF). -EFAULT: not in the packet, which ends the program.
 * Source: bpf_skb_load_helper_* of Linux 6.18.
 */
static inline s64 skb_load(const struct net_skb *skb, s32 off, u32 len)
{
	const u8 *at = skb->data, *start = skb->data, *end = skb->data + skb->len;
	s64 from = off;
	u32 number = 0;

	if (off < 0) {
		if (off < SKF_LL_OFF || !skb->network)
			return -EFAULT;
		at = off >= SKF_NET_OFF ? skb->network : skb->network - skb->mac_len;
		from -= off >= SKF_NET_OFF ? SKF_NET_OFF : SKF_LL_OFF;
		start = skb->head;
	}
	if (from < start - at || from > end - at - (s64)len)
		return -EFAULT;
	for (u32 i = 0; i < len; i++)
		number = number << 8 | at[from + i];
	return number;
}

/* Checked mode: a socket filter reads the context, writes cb, and has no packet pointers. */
static inline void skb_set_filter_regions(struct net_skb *skb, struct run *run)
{
	run->regions[0] = (struct run_region){
		.name = "cb", .start = (u8 *)skb->cb, .len = sizeof(skb->cb), .can_write = true};
	run->regions[1] = (struct run_region){
		.name = "ctx", .start = (u8 *)skb, .len = sizeof(*skb)};
	run->skb = skb;
	run->region_cnt = 2;
}

#endif
