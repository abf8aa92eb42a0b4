/*
 * examples/lpm_blocklist with one defect: the rule is counted before the test for null.
 */
// expect: EACCES invalid mem access 'map_value_or_null'
#include "common/ipv4.bpf.h"

enum { PREFIXES_MAX = 4096 };

/* The trie compares `address` from its first bit on, which is why it is in network byte order. */
struct prefix {
	__u32 prefixlen;
	__be32 address;
};

struct rule {
	__u32 drop; /* 1: drop, 0: let pass */
	__u32 reserved;
	__u64 frames;
};

enum verdict {
	VERDICT_PASSED,
	VERDICT_DROPPED,
	VERDICT_MALFORMED,
	VERDICT_CNT,
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, PREFIXES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, struct rule);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICT_CNT);
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

static __always_inline int count_verdict(enum verdict verdict)
{
	__u32 key = verdict;
	__u64 *count = bpf_map_lookup_elem(&verdicts, &key);

	if (count)
		*count += 1;
	return verdict == VERDICT_PASSED ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int lpm_blocklist(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct prefix key = {.prefixlen = 32};
	struct iphdr *iph = NULL;
	struct rule *rule;

	switch (find_ipv4(data, data_end, &iph)) {
	case FRAME_MALFORMED: return count_verdict(VERDICT_MALFORMED);
	case FRAME_OTHER: return count_verdict(VERDICT_PASSED);
	case FRAME_IPV4: break;
	}
	key.address = iph->saddr;
	rule = bpf_map_lookup_elem(&prefixes, &key);
	__sync_fetch_and_add(&rule->frames, 1);
	if (!rule)
		return count_verdict(VERDICT_PASSED);
	return count_verdict(rule->drop ? VERDICT_DROPPED : VERDICT_PASSED);
}

char _license[] SEC("license") = "Dual BSD/GPL";
