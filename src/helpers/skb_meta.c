/*
 * What is known of a packet beside its bytes: hash, type, time, where it goes. Packets here have no socket,
 * no cgroup, no route and came through no tunnel, and helpers that ask for those answer as Linux does for
 * such packets. Source: net/core/filter.c of Linux 6.18.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <string.h>

#include "base/hash.h"
#include "core/inst.h"
#include "core/prog.h"
#include "helpers/skb.h"
#include "helpers/xdp.h"
#include "isa/uapi.h"

enum {
	NO_OWNER = 65534, /* the uid of what has no socket: Linux's overflowuid */
	FLOW_WORDS = 5,	  /* from the network header on: enough for addresses and ports */
};

/* Of the headers, where the packet came without one. Linux's depends on a secret as well. */
u64 hlp_get_hash_recalc(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);
	const u8 *at = skb->head + skb->net_off, *end = skb->data + skb->len;
	u64 word, hash = skb->protocol;

	if (skb->has_hash)
		return skb->hash;
	for (u32 i = 0; i < FLOW_WORDS && at + sizeof(word) <= end; i++, at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = hash_mix(hash ^ word, 0x9e3779b97f4a7c15);
	}
	skb->hash = (u32)hash | 1;
	skb->has_hash = true;
	return skb->hash;
}

u64 hlp_set_hash_invalid(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	skb_forget_hash(skb_of(r1));
	return 0;
}

u64 hlp_set_hash(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);

	skb->hash = (u32)r2;
	skb->has_hash = true;
	return 0;
}

/* Only among the types of packets that arrive. */
u64 hlp_skb_change_type(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct net_skb *skb = skb_of(r1);

	if (skb->pkt_type > PACKET_OTHERHOST || (u32)r2 > PACKET_OTHERHOST)
		return (u64)-EINVAL;
	skb->pkt_type = (u32)r2;
	return 0;
}

/* Clocks that packets are sent by start at 1. */
u64 hlp_skb_set_tstamp(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	enum { WALL, MONOTONIC, TAI, CLOCK_CNT };
	struct net_skb *skb = skb_of(r1);

	if (skb->protocol != htons(ETH_P_IP) && skb->protocol != htons(ETH_P_IPV6))
		return (u64)-EOPNOTSUPP;
	if ((u32)r3 >= CLOCK_CNT || ((u32)r3 != WALL && !r2))
		return (u64)-EINVAL;
	skb->tstamp = r2;
	skb->tstamp_type = (u8)r3;
	return 0;
}

static u64 redirect(struct run *run, u64 ifindex, u64 flags)
{
	run->redirect = (struct run_redirect){.ifindex = (u32)ifindex, .flags = flags};
	return TC_ACT_REDIRECT;
}

/* XDP has a redirect of its own. */
u64 hlp_redirect(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	if (!run->prog || run->prog->type->type == BPF_PROG_TYPE_XDP)
		return hlp_xdp_redirect(r1, r2, run);
	return r2 & ~(u64)BPF_F_INGRESS ? TC_ACT_SHOT : redirect(run, r1, r2);
}

u64 hlp_redirect_peer(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r2 ? TC_ACT_SHOT : redirect(run, r1, 0);
}

/* (ifindex, next hop, its size, flags) */
u64 hlp_redirect_neigh(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	s32 len = (s32)r3;

	if ((len && len < (s32)sizeof(struct bpf_redir_neigh)) || r4)
		return TC_ACT_SHOT;
	return redirect(run, r1, 0);
}

/* No hook of an instance takes copies yet. */
u64 hlp_clone_redirect(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct skep *inst = run->inst;

	if (r3 & ~(u64)BPF_F_INGRESS)
		return (u64)-EINVAL;
	if (!inst->check_rxq || inst->check_rxq(inst, (u32)r2, 0))
		return (u64)-EINVAL;
	return (u64)-EOPNOTSUPP;
}

/* ---- what such packets lack ---- */

u64 hlp_skb_none(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return 0;
}

/* All of an instance is one network namespace, the first. */
u64 hlp_get_netns_cookie(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return 1;
}

u64 hlp_get_socket_uid(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return NO_OWNER;
}

u64 hlp_skb_under_cgroup(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u64)-ENOENT;
}

u64 hlp_skb_get_tunnel_key(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	memset(hlp_ptr(r2), 0, (u32)r3);
	return (u64)-EINVAL;
}

u64 hlp_skb_get_tunnel_opt(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	memset(hlp_ptr(r2), 0, (u32)r3);
	return (u64)-ENOENT;
}

u64 hlp_skb_get_xfrm_state(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	memset(hlp_ptr(r3), 0, (u32)r4);
	return (u64)-EINVAL;
}
