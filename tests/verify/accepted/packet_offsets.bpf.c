/* Offsets that the packet itself gives: IPv4 options, TCP behind them, a byte at a masked place. */
// expect: accepted
#include "packet.h"

SEC("xdp")
int tcp_behind_options(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct ethhdr *eth = data;
	struct iphdr *iph = (void *)(eth + 1);
	struct tcphdr *tcp;

	if ((void *)(iph + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (iph->protocol != IPPROTO_TCP || iph->ihl < 5)
		return XDP_PASS;
	tcp = (void *)iph + iph->ihl * 4;
	if ((void *)(tcp + 1) > data_end)
		return XDP_PASS;
	return tcp->dest == bpf_htons(22) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int payload_of_tcp(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct iphdr *iph = data + sizeof(struct ethhdr);
	struct tcphdr *tcp;
	__u8 *payload;

	if ((void *)(iph + 1) > data_end)
		return XDP_PASS;
	tcp = (void *)iph + iph->ihl * 4;
	if ((void *)(tcp + 1) > data_end)
		return XDP_PASS;
	payload = (void *)tcp + tcp->doff * 4;
	if (payload + 1 > (__u8 *)data_end)
		return XDP_PASS;
	return *payload == 'G' ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int masked_place(struct xdp_md *ctx)
{
	PACKET(ctx);
	__u32 at = bpf_get_prandom_u32() & 0x3ff;

	if (data + at + 1 > data_end)
		return XDP_PASS;
	return *((__u8 *)data + at) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int write_behind_variable_offset(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct iphdr *iph = data + sizeof(struct ethhdr);
	struct udphdr *udp;

	if ((void *)(iph + 1) > data_end)
		return XDP_PASS;
	udp = (void *)iph + (iph->ihl << 2);
	if ((void *)(udp + 1) > data_end)
		return XDP_PASS;
	udp->check = 0;
	return XDP_TX;
}
