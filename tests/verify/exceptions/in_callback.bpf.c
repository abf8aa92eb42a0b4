/* What a helper calls may not throw. */
// expect: EINVAL cannot be called from callback subprog
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

static int one_round(__u32 index, void *ctx)
{
	if (index == 7)
		bpf_throw(XDP_DROP);
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	bpf_loop(10, one_round, (void *)0, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
