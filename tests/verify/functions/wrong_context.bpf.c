/* The tag of a context on another pointer. */
// expect: EINVAL Caller passes invalid args into
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int length(struct ethhdr *ctx __attribute__((btf_decl_tag("arg:ctx"))))
{
	struct xdp_md *md = (void *)ctx;

	return md->ingress_ifindex;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return length((void *)ctx);
}

char LICENSE[] SEC("license") = "GPL";
