/*
 * examples/xdp_firewall with one defect: a VLAN tag is read without a look at data_end.
 */
// expect: EACCES offset is outside of the packet
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct vlan_tag {
	__be16 tci;
	__be16 proto;
};

enum { VLAN_TAGS_MAX = 2 };

enum frame_kind {
	FRAME_OTHER,	 /* not IPv4: ARP, IPv6, … */
	FRAME_IPV4,	 /* *ret_iph is whole and consistent */
	FRAME_MALFORMED, /* says that it is IPv4, and is not */
};

static __always_inline int is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

static __always_inline enum frame_kind check_ipv4(struct iphdr *iph, void *data_end)
{
	__u32 header_len, total_len;

	if ((void *)(iph + 1) > data_end)
		return FRAME_MALFORMED;
	header_len = iph->ihl * 4;
	total_len = bpf_ntohs(iph->tot_len);
	if (iph->version != 4 || header_len < sizeof(*iph) || total_len < header_len)
		return FRAME_MALFORMED;
	if ((void *)iph + total_len > data_end)
		return FRAME_MALFORMED;
	return FRAME_IPV4;
}

static __always_inline enum frame_kind find_ipv4(void *data, void *data_end, struct iphdr **ret_iph)
{
	struct ethhdr *eth = data;
	struct vlan_tag *tag = (void *)(eth + 1);
	enum frame_kind kind;
	__be16 proto;

	if ((void *)(eth + 1) > data_end)
		return FRAME_MALFORMED;
	proto = eth->h_proto;
	for (int i = 0; i < VLAN_TAGS_MAX && is_vlan(proto); i++) {
		proto = tag->proto;
		tag++;
	}
	if (proto != bpf_htons(ETH_P_IP))
		return FRAME_OTHER;
	kind = check_ipv4((struct iphdr *)tag, data_end);
	if (kind == FRAME_IPV4)
		*ret_iph = (struct iphdr *)tag;
	return kind;
}

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
	source = iph->saddr;
	count_source(source);
	blocked = bpf_map_lookup_elem(&blocklist, &source);
	return blocked && *blocked ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
