/* The map types: hash, array, both per CPU, trie; keys from the stack, the packet and another value. */
// expect: accepted
#include "packet.h"

struct count {
	__u64 packets, bytes;
};

#define COUNTS(name, kind)                                                                         \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(max_entries, 256);                                                          \
		__type(key, __u32);                                                                \
		__type(value, struct count);                                                       \
	} name SEC(".maps")

COUNTS(by_source, BPF_MAP_TYPE_HASH);
COUNTS(by_queue, BPF_MAP_TYPE_ARRAY);
COUNTS(by_source_cpu, BPF_MAP_TYPE_PERCPU_HASH);
COUNTS(by_queue_cpu, BPF_MAP_TYPE_PERCPU_ARRAY);

struct prefix {
	__u32 len;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} routes SEC(".maps");

static __always_inline void add(struct count *count, __u64 bytes)
{
	if (!count)
		return;
	count->packets++;
	count->bytes += bytes;
}

SEC("xdp")
int maps(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct iphdr *iph = data + sizeof(struct ethhdr);
	struct count first = {1, data_end - data};
	struct prefix prefix = {32, 0};
	__u32 queue = ctx->rx_queue_index, *route;

	if ((void *)(iph + 1) > data_end)
		return XDP_PASS;
	/* a key that lies in the packet */
	add(bpf_map_lookup_elem(&by_source, &iph->saddr), first.bytes);
	add(bpf_map_lookup_elem(&by_queue, &queue), first.bytes);
	add(bpf_map_lookup_elem(&by_queue_cpu, &queue), first.bytes);
	if (bpf_map_update_elem(&by_source_cpu, &iph->saddr, &first, BPF_NOEXIST))
		add(bpf_map_lookup_elem(&by_source_cpu, &iph->saddr), first.bytes);
	prefix.address = iph->daddr;
	route = bpf_map_lookup_elem(&routes, &prefix);
	if (!route)
		return XDP_PASS;
	/* a key that lies in another map's value */
	add(bpf_map_lookup_elem(&by_queue, route), first.bytes);
	bpf_map_delete_elem(&by_source, &iph->daddr);
	return XDP_DROP;
}
