/* Tracing programs may interrupt whoever holds the lock. */
// expect: EINVAL tracing progs cannot use bpf_spin_lock yet
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct entry {
	struct bpf_spin_lock lock;
	__u32 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct entry);
} entries SEC(".maps");

SEC("kprobe")
int prog(void *ctx)
{
	__u32 key = 1, other = 2;
	struct entry *a, *b;

	a = bpf_map_lookup_elem(&entries, &key);
	b = bpf_map_lookup_elem(&entries, &other);
	if (!a || !b)
		return 1;
	a->count++;
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
