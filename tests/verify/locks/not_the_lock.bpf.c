/* What is locked is not the lock. */
// expect: EINVAL off 4 doesn't point to 'struct bpf_spin_lock' that is at 0
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

SEC("tc")
int prog(void *ctx)
{
	__u32 key = 1, other = 2;
	struct entry *a, *b;

	a = bpf_map_lookup_elem(&entries, &key);
	b = bpf_map_lookup_elem(&entries, &other);
	if (!a || !b)
		return 1;
	bpf_spin_lock((void *)&a->count);
	bpf_spin_unlock((void *)&a->count);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
