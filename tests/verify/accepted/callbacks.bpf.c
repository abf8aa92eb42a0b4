/* Functions that helpers call: loops, nested ones, and visits of all elements of a map. */
// expect: accepted
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ENOUGH 1000

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

__u8 bytes[16];

struct sums {
	__u64 sum, rounds;
	__u32 at;
};

static int add(__u32 index, struct sums *sums)
{
	sums->sum += index;
	sums->rounds++;
	return sums->sum > ENOUGH;
}

static int write(__u32 index, struct sums *sums)
{
	bytes[index & 15] = 1;
	sums->at = (sums->at + 3) & 15;
	bytes[sums->at & 15]++;
	return 0;
}

static int outer(__u32 index, struct sums *sums)
{
	struct sums inner = {};

	bpf_loop(index & 7, add, &inner, 0);
	sums->sum += inner.sum;
	return 0;
}

static long visit(void *map, const __u32 *key, __u64 *value, struct sums *sums)
{
	sums->sum += *key * *value;
	*value = 0;
	return 0;
}

SEC("xdp")
int loop(struct xdp_md *ctx)
{
	struct sums sums = {};

	bpf_loop(100, add, &sums, 0);
	return sums.sum & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int loop_of_unknown_length(struct xdp_md *ctx)
{
	struct sums sums = {};

	bpf_loop(ctx->rx_queue_index, write, &sums, 0);
	return bytes[3] ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int loop_in_loop(struct xdp_md *ctx)
{
	struct sums sums = {};

	bpf_loop(1 << 20, outer, &sums, 0);
	return sums.sum & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int every_element(struct xdp_md *ctx)
{
	struct sums sums = {};

	bpf_for_each_map_elem(&counts, visit, &sums, 0);
	return sums.sum & 1 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
