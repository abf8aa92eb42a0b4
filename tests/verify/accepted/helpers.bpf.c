/* Helpers with memory and sizes: checksums, copies of packet bytes, trace texts, a redirect. */
// expect: accepted
#include "packet.h"

SEC("xdp")
int checksum(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct iphdr *iph = data + sizeof(struct ethhdr);
	__be32 was, is = bpf_htonl(0x0a000001);
	__s64 sum;

	if ((void *)(iph + 1) > data_end)
		return XDP_PASS;
	was = iph->daddr;
	sum = bpf_csum_diff(&was, sizeof(was), &is, sizeof(is), (__u16)~iph->check);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	iph->check = ~sum;
	iph->daddr = is;
	return XDP_TX;
}

SEC("xdp")
int checksum_of_packet(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct iphdr *iph = data + sizeof(struct ethhdr);

	if ((void *)(iph + 1) > data_end)
		return XDP_PASS;
	return bpf_csum_diff(0, 0, (__be32 *)iph, sizeof(*iph), 0) & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int copies(struct xdp_md *ctx)
{
	__u8 bytes[32] = {0};
	__u32 len = ctx->rx_queue_index & 31;

	if (!len || bpf_xdp_load_bytes(ctx, 0, bytes, len))
		return XDP_PASS;
	bytes[0] ^= 1;
	return bpf_xdp_store_bytes(ctx, 0, bytes, sizeof(bytes)) ? XDP_ABORTED : XDP_TX;
}

SEC("xdp")
int texts(struct xdp_md *ctx)
{
	bpf_printk("queue %d on cpu %d at %llu", ctx->rx_queue_index, bpf_get_smp_processor_id(),
		bpf_ktime_get_ns());
	return bpf_redirect(ctx->ingress_ifindex, 0);
}
