/*
 * The context behind struct __sk_buff: a linear packet with what Linux's struct sk_buff knows of it.
 * Values stand as the program sees them (protocol and vlan_proto in network byte order in the low two
 * bytes), so every field of __sk_buff is one load.
 *
 *   head             data                 data + len            head + cap
 *   |---- headroom ---|------- packet -------|------ tailroom ------|
 *
 * The headers' places count from head, as data moves, and may lie outside of the packet once its ends were
 * moved. Like Linux, a transport header that is not set counts as set, at a place without meaning, once
 * the headroom grew. Who makes a packet owns head; one that outgrew it lives in `grown` until skb_done.
 */
#ifndef CORE_SKB_H
#define CORE_SKB_H

#include <errno.h>
#include <linux/filter.h>

#include "base/types.h"
#include "core/run.h"

enum {
	SKB_CB_WORDS = 5,
	SKB_HEADROOM = 64,	/* Linux: NET_SKB_PAD + NET_IP_ALIGN */
	SKB_TAILROOM = 320,	/* reserved at the end (Linux: skb_shared_info) */
	SKB_HEADROOM_STEP = 64, /* headroom grows by multiples (Linux: NET_SKB_PAD) */
	SKB_NO_HEADER = 0xffff,
	SKB_GROW_MAX = 4 * 4096 - SKB_TAILROOM, /* bytes that helpers let a packet grow to */
};

/* How far the packet's checksums are known: Linux's skb->ip_summed. */
enum skb_summed { SKB_SUM_NONE, SKB_SUM_UNNECESSARY, SKB_SUM_COMPLETE };

struct net_skb {
	u8 *data;
	u32 len;     /* bytes */
	u32 mac_len; /* of the link layer's header */
	u8 *head;
	u32 cap;      /* bytes from head */
	u32 pkt_type; /* PACKET_HOST … of <linux/if_packet.h> */
	u32 protocol;
	u32 vlan_present, vlan_tci, vlan_proto;
	u32 ingress_ifindex, ifindex;
	u32 hash;
	u32 napi_id;
	u32 wire_len;
	u32 gso_segs, gso_size;
	u64 hwtstamp;
	/* what programs of some types write: skb_set_regions */
	u32 mark;
	u32 queue_mapping;
	u32 priority;
	u32 tc_index;
	u32 cb[SKB_CB_WORDS];
	u32 tc_classid;
	u64 tstamp;
	u8 tstamp_type; /* BPF_SKB_TSTAMP_* */
	/* for programs with direct packet access: data + len, and the metadata before data */
	u8 *data_end, *data_meta;
	const struct bpf_sock *sk; /* as programs see it; NULL without one */
	/* of the socket that the packet belongs to; 0 without one */
	u32 family, remote_ip4, local_ip4;
	u32 remote_ip6[4], local_ip6[4];
	u32 remote_port, local_port;
	u8 *flow_keys; /* struct bpf_flow_keys, for flow dissectors */
	/* what helpers keep */
	u32 mac_off, net_off; /* from head; net_off 0: not known */
	u16 trans_off;	      /* the same; SKB_NO_HEADER: not set */
	u8 summed;	      /* enum skb_summed */
	u8 csum_level;
	bool is_encapsulated;
	bool has_hash; /* hash was set or computed, and not made invalid since */
	u32 csum;      /* with SKB_SUM_COMPLETE: of the bytes from net_off on */
	u8 *grown;
};

static inline u32 skb_headroom(const struct net_skb *skb)
{
	return (u32)(skb->data - skb->head);
}

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
		if (off < SKF_LL_OFF || !skb->net_off)
			return -EFAULT;
		at = skb->head + (off >= SKF_NET_OFF ? skb->net_off : skb->mac_off);
		from -= off >= SKF_NET_OFF ? SKF_NET_OFF : SKF_LL_OFF;
		start = skb->head;
	}
	if (from < start - at || from > end - at - (s64)len)
		return -EFAULT;
	for (u32 i = 0; i < len; i++)
		number = number << 8 | at[from + i];
	return number;
}

/* After data or len changed. */
static inline void skb_note_ends(struct net_skb *skb)
{
	skb->data_end = skb->data + skb->len;
	skb->data_meta = skb->data;
}

/* At least so many bytes before and behind the packet. Pointers into it are stale afterwards. -ENOMEM. */
int skb_reserve(struct net_skb *skb, u32 headroom, u32 tailroom);
/* Lets go what skb_reserve made. */
void skb_done(struct net_skb *skb);

/* Checked mode: what the program may touch. A socket filter reads the context, writes cb, and has no packet
 * pointers; the others write the fields that their types' tables name among mark to tstamp. */
void skb_set_regions(struct net_skb *skb, struct run *run, bool has_packet, bool can_write);

#endif
