/* A switch with many arms, dense enough for a table of values and sparse enough for a tree. */
// expect: accepted
#include "packet.h"

SEC("xdp")
int switch_table(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct iphdr *iph = data + sizeof(struct ethhdr);
	int weight;

	if ((void *)(iph + 1) > data_end)
		return XDP_PASS;
	switch (iph->protocol) {
	case 1: weight = 7; break;
	case 2: weight = 3; break;
	case 4: weight = 12; break;
	case 6: weight = 25; break;
	case 8: weight = 4; break;
	case 17: weight = 16; break;
	case 41: weight = 2; break;
	case 47: weight = 31; break;
	case 50: weight = 30; break;
	case 51: weight = 29; break;
	case 58: weight = 6; break;
	case 132: weight = 5; break;
	default: return XDP_PASS;
	}
	switch (iph->tos >> 5) {
	case 0: return weight > 10 ? XDP_DROP : XDP_PASS;
	case 1: return weight > 11 ? XDP_DROP : XDP_TX;
	case 2: return weight & 1 ? XDP_DROP : XDP_PASS;
	case 3: return XDP_TX;
	default: return XDP_PASS;
	}
}
