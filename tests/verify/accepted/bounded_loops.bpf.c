/* Loops: a constant bound, a bound from the packet under a constant one, nested, and counting down. */
// expect: accepted
#include "packet.h"

SEC("xdp")
int constant_bound(struct xdp_md *ctx)
{
	PACKET(ctx);
	__u32 sum = 0;

	if (data + 64 > data_end)
		return XDP_PASS;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 64; i++)
		sum += ((__u8 *)data)[i];
	return sum & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int bound_from_packet(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct iphdr *iph = data + sizeof(struct ethhdr);
	__u8 *option = (void *)(iph + 1);
	__u32 sum = 0;

	if ((void *)(iph + 1) > data_end)
		return XDP_PASS;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 40; i++) {
		if (i >= (iph->ihl - 5) * 4)
			break;
		if ((void *)(option + 1) > data_end)
			return XDP_DROP;
		sum += *option++;
	}
	return sum & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int nested(void *ctx)
{
	volatile __u32 sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 16; i++)
#pragma clang loop unroll(disable)
		for (int j = 0; j < i; j++)
			sum += j;
	return sum & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int counting_down(struct xdp_md *ctx)
{
	__u64 left = ctx->rx_queue_index & 31;
	volatile __u32 sum = 0;

	while (left--)
		sum += left;
	return sum & 1 ? XDP_DROP : XDP_PASS;
}
