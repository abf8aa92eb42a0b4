/* The key of a visited element is not the callback's to change. */
// expect: EACCES not allowed
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static long visit(void *map, __u32 *key, __u64 *value, void *ctx)
{
	*key = 1;
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	bpf_for_each_map_elem(&counts, visit, (void *)0, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
