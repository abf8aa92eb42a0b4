/* Functions of the program: static ones verified with their callers, a global one on its own. */
// expect: accepted
#include "packet.h"

static __noinline int is_ipv4(void *data, void *data_end)
{
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > data_end)
		return 0;
	return eth->h_proto == bpf_htons(ETH_P_IP);
}

static __noinline __u32 mix(__u32 a, __u32 b, __u32 c, __u32 d, __u32 e)
{
	return (a ^ b) * (c | 1) + (d & e);
}

/* may see any number, and must cope */
__noinline int clamp(int value, int most)
{
	return value > most ? most : value;
}

static __noinline void store_length(struct xdp_md *ctx, __u32 *ret)
{
	*ret = ctx->data_end - ctx->data;
}

SEC("xdp")
int functions(struct xdp_md *ctx)
{
	PACKET(ctx);
	__u32 len = 0;

	if (!is_ipv4(data, data_end))
		return XDP_PASS;
	store_length(ctx, &len);
	len = mix(len, ctx->rx_queue_index, 3, 4, 5);
	return clamp(len & 7, XDP_TX);
}
