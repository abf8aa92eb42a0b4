/* A function that is verified on its own cannot be called back. */
// expect: EINVAL callback function not static
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int one_round(__u32 index, __u64 unused)
{
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	bpf_loop(10, one_round, (void *)0, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
