/* Copies and fills: packet to stack, stack to map, structures by value, arrays cleared. */
// expect: accepted
#include "packet.h"

struct record {
	struct ethhdr eth;
	__u8 pad[2];
	struct iphdr ip;
	__u64 when;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct record);
} records SEC(".maps");

SEC("xdp")
int memory(struct xdp_md *ctx)
{
	PACKET(ctx);
	struct iphdr *iph = data + sizeof(struct ethhdr);
	struct record record, *old;
	__u8 scratch[64];
	__u32 key;

	if ((void *)(iph + 1) > data_end)
		return XDP_PASS;
	__builtin_memset(&record, 0, sizeof(record));
	__builtin_memcpy(&record.eth, data, sizeof(record.eth));
	__builtin_memcpy(&record.ip, iph, sizeof(record.ip));
	record.when = bpf_ktime_get_ns();
	key = iph->saddr;
	old = bpf_map_lookup_elem(&records, &key);
	if (old) {
		__builtin_memcpy(old, &record, sizeof(record));
		return XDP_PASS;
	}
	bpf_map_update_elem(&records, &key, &record, BPF_ANY);
	__builtin_memset(scratch, 0xa5, sizeof(scratch));
	asm volatile("" ::"r"(scratch) : "memory");
	return scratch[key & 63] == 0xa5 ? XDP_PASS : XDP_DROP;
}
