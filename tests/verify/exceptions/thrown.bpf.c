/* An exception ends the program from any function, with the cookie as its result. */
// expect: accepted
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

static __attribute__((noinline)) int check(__u32 queue)
{
	if (queue > 7)
		bpf_throw(XDP_DROP);
	return queue & 1;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return check(ctx->rx_queue_index) ? XDP_TX : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
