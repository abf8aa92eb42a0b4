/*
 * examples/xdp_counter with one defect: the comparison is one byte short, and the last byte is
 * read.
 */
// expect: EACCES offset is outside of the packet
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct traffic {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct traffic);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u8);
} blocklist SEC(".maps");

SEC("xdp")
int xdp_counter(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct iphdr *iph = data + sizeof(*eth);
	__u64 bytes = data_end - data;
	struct traffic *seen, first;
	__u32 source;

	/* Nothing of a packet may be read before it is known to be there. */
	if ((void *)(iph + 1) - 1 > data_end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	source = iph->saddr ^ iph->daddr;

	/* A lookup may find nothing: the pointer is of use only after the test. */
	seen = bpf_map_lookup_elem(&sources, &source);
	if (seen) {
		/* All CPUs share this counter, hence the atomic additions. */
		__sync_fetch_and_add(&seen->packets, 1);
		__sync_fetch_and_add(&seen->bytes, bytes);
	} else {
		first.packets = 1;
		first.bytes = bytes;
		bpf_map_update_elem(&sources, &source, &first, BPF_NOEXIST);
	}

	if (bpf_map_lookup_elem(&blocklist, &source))
		return XDP_DROP;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
