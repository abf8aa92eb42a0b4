/*
 * Programs that read headers: Ethernet, VLAN tags, IPv4, IPv6 with extension headers, TCP options.
 */
#include "bench.bpf.h"

struct eth {
	__u8 dst[6], src[6];
	__u16 proto;
};

struct vlan {
	__u16 tci, proto;
};

struct ip4 {
	__u8 ver_len, tos;
	__u16 len, id, frag;
	__u8 ttl, proto;
	__u16 check;
	__u32 src, dst;
};

struct ip6 {
	__u32 flow;
	__u16 len;
	__u8 next, hops;
	__u32 src[4], dst[4];
};

struct tcp {
	__u16 src, dst;
	__u32 seq, ack;
	__u8 off, flags;
	__u16 window, check, urgent;
};

enum { P_IP4 = 0x0800, P_IP6 = 0x86dd, P_VLAN = 0x8100, P_QINQ = 0x88a8, TCP = 6, UDP = 17 };

PROG_RUNS(ipv4, 256)
{
	void *end = DATA_END(ctx);
	struct eth *eth = DATA(ctx);
	struct ip4 *ip = (void *)(eth + 1);
	struct tcp *tcp;

	if ((void *)(ip + 1) > end || bpf_ntohs(eth->proto) != P_IP4)
		return 1;
	if (ip->ver_len >> 4 != 4 || (ip->ver_len & 15) < 5)
		return 2;
	tcp = (void *)ip + (ip->ver_len & 15) * 4;
	if ((void *)(tcp + 1) > end || ip->proto != TCP)
		return 3;
	return (int)(bpf_ntohl(ip->src) ^ bpf_ntohl(ip->dst) ^ (__u32)bpf_ntohs(tcp->src) << 16 ^
		     bpf_ntohs(tcp->dst) ^ ip->ttl);
}

PROG_RUNS(vlans, 256)
{
	void *end = DATA_END(ctx), *next;
	struct eth *eth = DATA(ctx);
	__u32 tags = 0;
	__u16 proto;
	struct ip4 *ip;

	if ((void *)(eth + 1) > end)
		return 1;
	next = eth + 1;
	proto = bpf_ntohs(eth->proto);
#pragma clang loop unroll(full)
	for (int i = 0; i < 3; i++) {
		struct vlan *tag = next;

		if (proto != P_VLAN && proto != P_QINQ)
			break;
		if ((void *)(tag + 1) > end)
			return 2;
		tags = tags << 12 | (bpf_ntohs(tag->tci) & 0xfff);
		proto = bpf_ntohs(tag->proto);
		next = tag + 1;
	}
	ip = next;
	if (proto != P_IP4 || (void *)(ip + 1) > end)
		return 3;
	return (int)(tags ^ bpf_ntohl(ip->src) ^ bpf_ntohl(ip->dst));
}

PROG_RUNS(ipv6, 128)
{
	void *end = DATA_END(ctx), *at;
	struct eth *eth = DATA(ctx);
	struct ip6 *ip = (void *)(eth + 1);
	__u32 sum = 0;
	__u8 next;

	if ((void *)(ip + 1) > end || bpf_ntohs(eth->proto) != P_IP6)
		return 1;
	next = ip->next;
	at = ip + 1;
#pragma clang loop unroll(full)
	for (int i = 0; i < 4; i++) {
		__u8 *ext = at;

		if (next != 0 && next != 43 && next != 60)
			break;
		if ((void *)(ext + 8) > end)
			return 2;
		next = ext[0];
		at = ext + 8 + ext[1] * 8;
	}
	if (next != UDP || at + 8 > end)
		return 3;
#pragma clang loop unroll(full)
	for (int i = 0; i < 4; i++)
		sum = sum * 31 + (bpf_ntohl(ip->src[i]) ^ bpf_ntohl(ip->dst[i]));
	return (int)(sum ^ bpf_ntohs(*(__u16 *)at));
}

/* The maximum segment size and the window's scale of a SYN */
PROG_RUNS(tcp_options, 16)
{
	void *end = DATA_END(ctx);
	struct eth *eth = DATA(ctx);
	struct ip4 *ip = (void *)(eth + 1);
	struct tcp *tcp = (void *)(ip + 1);
	__u32 mss = 0, scale = 0, off = 0, len;

	if ((void *)(tcp + 1) > end || ip->proto != TCP)
		return 1;
	len = (tcp->off >> 4) * 4;
	if (len < sizeof(*tcp))
		return 2;
	len -= sizeof(*tcp);
#pragma clang loop unroll(disable)
	for (int i = 0; i < 10 && off < len && off < 40; i++) {
		__u8 *opt = (void *)(tcp + 1) + off;

		if ((void *)(opt + 4) > end || opt[0] == 0)
			break;
		if (opt[0] == 1) {
			off++;
			continue;
		}
		if (opt[0] == 2)
			mss = opt[2] << 8 | opt[3];
		if (opt[0] == 3)
			scale = opt[2];
		off += opt[1];
	}
	return (int)(mss << 8 | scale);
}

/* The header's checksum after the time to live went down by one: RFC 1624 */
PROG_RUNS(forward, 1024)
{
	void *end = DATA_END(ctx);
	struct eth *eth = DATA(ctx);
	struct ip4 *ip = (void *)(eth + 1);
	__u32 sum;

	if ((void *)(ip + 1) > end || ip->ttl <= 1)
		return 1;
	sum = ip->check + 1;
	sum = (sum & 0xffff) + (sum >> 16);
	/* as a bridge would: the addresses change places */
#pragma clang loop unroll(full)
	for (int i = 0; i < 6; i++) {
		__u8 byte = eth->dst[i];

		eth->dst[i] = eth->src[i];
		eth->src[i] = byte;
	}
	return (int)(sum << 8 | (ip->ttl - 1));
}

PROG_RUNS(five_tuple, 256)
{
	void *end = DATA_END(ctx);
	struct eth *eth = DATA(ctx);
	struct ip4 *ip = (void *)(eth + 1);
	struct tcp *tcp = (void *)(ip + 1);
	__u32 hash;

	if ((void *)(tcp + 1) > end || ip->proto != TCP)
		return 1;
	hash = ip->src;
	hash = (hash ^ ip->dst) * 0x9e3779b1U;
	hash = (hash ^ hash >> 15 ^ (tcp->src | (__u32)tcp->dst << 16)) * 0x85ebca77U;
	hash = (hash ^ hash >> 13 ^ ip->proto) * 0xc2b2ae3dU;
	return (int)(hash ^ hash >> 16);
}
