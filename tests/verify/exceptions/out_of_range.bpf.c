/* The cookie is the result, which has a range. */
// expect: EINVAL At program exit the register R1 has smin=7 smax=7 should have been in [0, 1]
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

SEC("cgroup/skb")
int prog(struct __sk_buff *skb)
{
	if (skb->len > 99)
		bpf_throw(7);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
