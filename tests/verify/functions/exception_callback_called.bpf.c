/* The function named for exceptions runs when one is thrown, and at no other time. */
// expect: EINVAL cannot call exception cb directly
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__noinline int on_exception(__u64 cookie)
{
	return cookie ? XDP_DROP : XDP_ABORTED;
}

SEC("xdp")
__attribute__((btf_decl_tag("exception_callback:on_exception"))) int prog(struct xdp_md *ctx)
{
	return on_exception(ctx->rx_queue_index);
}

char LICENSE[] SEC("license") = "GPL";
