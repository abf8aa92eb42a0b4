/* Helpers that move the packet: pushed and popped headers, metadata, a cut tail; all is read anew. */
// expect: accepted
#include "packet.h"

struct outer {
	struct ethhdr eth;
	__be16 tci, proto;
};

SEC("xdp")
int push_tag(struct xdp_md *ctx)
{
	struct ethhdr eth;
	struct outer *outer;

	{
		PACKET(ctx);
		if (data + sizeof(eth) > data_end)
			return XDP_PASS;
		__builtin_memcpy(&eth, data, sizeof(eth));
	}
	if (bpf_xdp_adjust_head(ctx, -4))
		return XDP_ABORTED;
	PACKET(ctx);
	outer = data;
	if ((void *)(outer + 1) > data_end)
		return XDP_ABORTED;
	__builtin_memcpy(&outer->eth, &eth, sizeof(eth));
	outer->proto = eth.h_proto;
	outer->tci = bpf_htons(7);
	outer->eth.h_proto = bpf_htons(ETH_P_8021Q);
	return XDP_PASS;
}

SEC("xdp")
int metadata(struct xdp_md *ctx)
{
	__u32 *mark;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*mark)))
		return XDP_ABORTED;
	mark = (void *)(long)ctx->data_meta;
	if ((void *)(mark + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*mark = 42;
	return XDP_PASS;
}

SEC("xdp")
int cut_tail(struct xdp_md *ctx)
{
	{
		PACKET(ctx);
		if (data_end - data < 128)
			return XDP_PASS;
	}
	if (bpf_xdp_adjust_tail(ctx, -64))
		return XDP_ABORTED;
	PACKET(ctx);
	if (data + 64 > data_end)
		return XDP_DROP;
	return ((__u8 *)data)[63] ? XDP_PASS : XDP_DROP;
}
