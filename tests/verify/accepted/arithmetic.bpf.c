/* Numbers: division, remainders, signed shifts, byte orders, 64-bit constants, a running hash. */
// expect: accepted
#include "packet.h"

static __always_inline __u32 rotate(__u32 x, int by)
{
	return x << by | x >> (32 - by);
}

SEC("xdp")
int hash(struct xdp_md *ctx)
{
	PACKET(ctx);
	__u32 *word = data, hash = 0x9747b28c;

	if (data + 64 > data_end)
		return XDP_PASS;
#pragma clang loop unroll(full)
	for (int i = 0; i < 16; i++)
		hash = rotate(hash ^ word[i] * 0xcc9e2d51, 15) * 5 + 0xe6546b64;
	return hash % 10 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int division(struct xdp_md *ctx)
{
	PACKET(ctx);
	__u64 len = data_end - data, now = bpf_ktime_get_ns();
	__s64 left = (__s64)(now - 0x123456789abcdef0ull);

	if (!len)
		return XDP_PASS;
	return (now / len + now % 1000003 + (left >> 7)) & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int byte_orders(struct xdp_md *ctx)
{
	PACKET(ctx);
	__be64 *first = data;

	if ((void *)(first + 1) > data_end)
		return XDP_PASS;
	return bpf_be64_to_cpu(*first) >> 16 == 0x0123456789abull &&
			       bpf_ntohs((__u16)ctx->rx_queue_index) < 9
		       ? XDP_DROP
		       : XDP_PASS;
}
