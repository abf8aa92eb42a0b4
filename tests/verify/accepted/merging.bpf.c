/* Paths that come together with different knowledge: pointer or null, one map or another, two sizes. */
// expect: accepted
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64[2]);
} a SEC(".maps"), b SEC(".maps");

SEC("xdp")
int either_map(struct xdp_md *ctx)
{
	__u32 key = ctx->rx_queue_index & 3;
	__u64 *value;

	if (ctx->ingress_ifindex & 1)
		value = bpf_map_lookup_elem(&a, &key);
	else
		value = bpf_map_lookup_elem(&b, &key);
	if (!value)
		return XDP_PASS;
	value[1]++;
	return XDP_PASS;
}

SEC("xdp")
int pointer_or_null(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct iphdr *iph = 0;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		iph = (void *)(eth + 1);
		if ((void *)(iph + 1) > data_end)
			iph = 0;
	}
	asm volatile("" ::: "memory");
	return iph && iph->ttl == 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int many_paths(struct xdp_md *ctx)
{
	PACKET(ctx);
	__u8 *p = data;
	volatile __u32 bits = 0;

	if (data + 24 > data_end)
		return XDP_PASS;
		/* 2^24 paths, were equal states not recognised */
#pragma clang loop unroll(full)
	for (int i = 0; i < 24; i++)
		if (p[i] & 1)
			bits |= 1u << i;
	return bits & 1 ? XDP_DROP : XDP_PASS;
}
