/*
 * Finding the IPv4 header of a frame, and deciding whether it is one at all. Every read is preceded
 * by a comparison with data_end: the verifier accepts no packet access without it.
 *
 *   +----------+----------------+---------+------------------------+---------+
 *   | Ethernet | 0, 1 or 2 VLAN | IPv4    | options (ihl * 4 - 20) | payload | padding
 *   | 14       | tags, 4 each   | 20      |                        |         |
 *   +----------+----------------+---------+------------------------+---------+
 *                               |<------------ tot_len ------------------->|
 *
 * Sources: RFC 791 section 3.1 (header), IEEE 802.1Q (tags).
 */
#ifndef EXAMPLES_COMMON_IPV4_BPF_H
#define EXAMPLES_COMMON_IPV4_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct vlan_tag {
	__be16 tci;
	__be16 proto;
};

enum { VLAN_TAGS_MAX = 2 };

enum frame_kind {
	FRAME_OTHER,	 /* not IPv4: ARP, IPv6, … */
	FRAME_IPV4,	 /* *ret_iph is whole and consistent */
	FRAME_MALFORMED, /* says that it is IPv4, and is not */
};

static __always_inline int is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

static __always_inline enum frame_kind check_ipv4(struct iphdr *iph, void *data_end)
{
	__u32 header_len, total_len;

	if ((void *)(iph + 1) > data_end)
		return FRAME_MALFORMED;
	header_len = iph->ihl * 4;
	total_len = bpf_ntohs(iph->tot_len);
	if (iph->version != 4 || header_len < sizeof(*iph) || total_len < header_len)
		return FRAME_MALFORMED;
	if ((void *)iph + total_len > data_end)
		return FRAME_MALFORMED;
	return FRAME_IPV4;
}

static __always_inline enum frame_kind find_ipv4(void *data, void *data_end, struct iphdr **ret_iph)
{
	struct ethhdr *eth = data;
	struct vlan_tag *tag = (void *)(eth + 1);
	enum frame_kind kind;
	__be16 proto;

	if ((void *)(eth + 1) > data_end)
		return FRAME_MALFORMED;
	proto = eth->h_proto;
	for (int i = 0; i < VLAN_TAGS_MAX && is_vlan(proto); i++) {
		if ((void *)(tag + 1) > data_end)
			return FRAME_MALFORMED;
		proto = tag->proto;
		tag++;
	}
	if (proto != bpf_htons(ETH_P_IP))
		return FRAME_OTHER;
	kind = check_ipv4((struct iphdr *)tag, data_end);
	if (kind == FRAME_IPV4)
		*ret_iph = (struct iphdr *)tag;
	return kind;
}

#endif
