/* A format with more specifiers than values. */
// expect: EINVAL Invalid format string
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	static const char format[] = "%d %d %d";
	__u64 values[2] = {ctx->ingress_ifindex, ctx->rx_queue_index};
	char text[32];

	bpf_snprintf(text, sizeof(text), format, values, 16);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
