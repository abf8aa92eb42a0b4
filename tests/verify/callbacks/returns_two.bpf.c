/* A callback may say go on (0) or stop (1), nothing else. */
// expect: EINVAL At callback return the register R0 has smin=2 smax=2 should have been in [0, 1]
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static int one_round(__u32 index, void *ctx)
{
	return 2;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	bpf_loop(10, one_round, (void *)0, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
