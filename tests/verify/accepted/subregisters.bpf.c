/* Indices of 32 bits: bounds learnt by 32-bit comparisons, masks, shifts and sign extensions. */
// expect: accepted
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[256]);
} bytes SEC(".maps");

static __always_inline __u8 *find(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&bytes, &key);
}

SEC("xdp")
int unsigned_bound(struct xdp_md *ctx)
{
	__u8 *value = find();
	__u32 at = ctx->rx_queue_index;

	if (!value || at >= 256)
		return XDP_PASS;
	return value[at] ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int signed_bounds(struct xdp_md *ctx)
{
	__u8 *value = find();
	int at = ctx->rx_queue_index;

	asm volatile("" : "+r"(at));
	if (!value || at < 0 || at > 255)
		return XDP_PASS;
	return value[at] ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int masks_and_shifts(struct xdp_md *ctx)
{
	__u8 *value = find();
	__u32 at = bpf_get_prandom_u32();

	if (!value)
		return XDP_PASS;
	return value[(at & 0x70) >> 1 | (at >> 28)] + value[at >> 24] ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int narrow_numbers(struct xdp_md *ctx)
{
	__u8 *value = find();
	__u8 low = bpf_get_prandom_u32();
	signed char sign = bpf_ktime_get_ns();

	if (!value)
		return XDP_PASS;
	if (sign < 0)
		return value[low] ? XDP_DROP : XDP_PASS;
	return value[sign & 0x7f] ? XDP_DROP : XDP_PASS;
}
