/* More live values than registers: pointers of every kind go to the stack and come back. */
// expect: accepted
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64[4]);
} slots SEC(".maps");

/* The empty statement has all of them alive, and takes every register. */
#define CLOBBER_ALL                                                                                \
	asm volatile("" ::: "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "memory")

SEC("xdp")
int pointers(struct xdp_md *ctx)
{
	PACKET(ctx);
	__u32 key = ctx->rx_queue_index & 7;
	__u64 *slot = bpf_map_lookup_elem(&slots, &key);
	struct ethhdr *eth = data;

	if (!slot || (void *)(eth + 1) > data_end)
		return XDP_PASS;
	CLOBBER_ALL;
	slot[1] = eth->h_proto;
	CLOBBER_ALL;
	slot[2] = ctx->ingress_ifindex;
	CLOBBER_ALL;
	return data + 15 > data_end ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int numbers(struct xdp_md *ctx)
{
	PACKET(ctx);
	__u32 key = 1, at = ctx->rx_queue_index;
	__u64 *slot, size = data_end - data;

	/* the difference, not the pointers, is what goes to the stack */
	asm volatile("" : "+r"(size));
	if (at > 3)
		return XDP_PASS;
	CLOBBER_ALL;
	slot = bpf_map_lookup_elem(&slots, &key);
	CLOBBER_ALL;
	if (slot)
		slot[at] += size;
	return XDP_PASS;
}
