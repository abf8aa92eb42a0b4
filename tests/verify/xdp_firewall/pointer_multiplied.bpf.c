/*
 * examples/xdp_firewall with one defect: a packet pointer takes part in a multiplication.
 */
// expect: EACCES pointer arithmetic with *= operator prohibited
#include "common/ipv4.bpf.h"

enum { SOURCES_MAX = 65536 };

/* Value 1 blocks the address; 0 keeps it on the list and lets it pass. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SOURCES_MAX);
	__type(key, __u32);
	__type(value, __u8);
} blocklist SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, SOURCES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} pkt_stats SEC(".maps");

static __always_inline void count_source(__u32 source)
{
	__u64 *count = bpf_map_lookup_elem(&pkt_stats, &source);
	__u64 first = 1;

	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&pkt_stats, &source, &first, BPF_NOEXIST);
}

SEC("xdp")
int xdp_firewall(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct iphdr *iph = NULL;
	__u8 *blocked;
	__u32 source;

	switch (find_ipv4(data, data_end, &iph)) {
	case FRAME_MALFORMED: return XDP_DROP;
	case FRAME_OTHER: return XDP_PASS;
	case FRAME_IPV4: break;
	}
	source = (long)data * 3;
	count_source(source);
	blocked = bpf_map_lookup_elem(&blocklist, &source);
	return blocked && *blocked ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
