/* Parsing: VLAN tags, IPv6 with its extension headers, UDP ports. */
// expect: accepted
#include "packet.h"

struct vlan {
	__be16 tci, proto;
};

struct extension {
	__u8 next, len;
};

SEC("xdp")
int vlan_ipv6(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct ethhdr *eth = data;
	void *at = eth + 1;
	struct ipv6hdr *ip6;
	__be16 proto;
	__u8 next;

	if (at > data_end)
		return XDP_PASS;
	proto = eth->h_proto;
#pragma clang loop unroll(full)
	for (int i = 0; i < 2; i++) {
		struct vlan *vlan = at;

		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(vlan + 1) > data_end)
			return XDP_DROP;
		proto = vlan->proto;
		at = vlan + 1;
	}
	if (proto != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	ip6 = at;
	if ((void *)(ip6 + 1) > data_end)
		return XDP_DROP;
	next = ip6->nexthdr;
	at = ip6 + 1;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 4; i++) {
		struct extension *ext = at;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		if ((void *)(ext + 1) > data_end)
			return XDP_DROP;
		next = ext->next;
		at += (ext->len + 1) * 8;
	}
	if (next == IPPROTO_UDP) {
		struct udphdr *udp = at;

		if ((void *)(udp + 1) > data_end)
			return XDP_DROP;
		return udp->dest == bpf_htons(53) ? XDP_DROP : XDP_PASS;
	}
	return XDP_PASS;
}
