/* Atomic operations on map values and on the stack: add, and, or, xor, exchange, compare-exchange. */
// expect: accepted
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[4]);
} words SEC(".maps");

SEC("xdp")
int atomics(struct xdp_md *ctx)
{
	__u64 local = 1, *word, old;
	__u32 key = 0, *low;

	word = bpf_map_lookup_elem(&words, &key);
	if (!word)
		return XDP_PASS;
	low = (__u32 *)&word[3];
	__sync_fetch_and_add(&word[0], 1);
	old = __sync_fetch_and_or(&word[1], 4);
	old += __sync_fetch_and_and(&word[1], ~2ull);
	old += __sync_fetch_and_xor(&word[1], 1);
	old += __sync_lock_test_and_set(&word[2], old);
	old += __sync_val_compare_and_swap(&word[2], old, 7);
	old += __sync_fetch_and_add(low, 1);
	old += __sync_val_compare_and_swap(low, 5, 0);
	old += __sync_fetch_and_add(&local, 2);
	return old + local & 1 ? XDP_DROP : XDP_PASS;
}
