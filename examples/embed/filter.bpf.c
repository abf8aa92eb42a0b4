/* A user's filter: keys under "ro/" cannot be set, values begin with a capital, operations are counted. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "request.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, OP_CNT);
} counts SEC(".maps");

SEC("syscall")
int filter(struct request *req)
{
	__u32 op = req->op;
	__u64 *count = bpf_map_lookup_elem(&counts, &op);

	if (count)
		__sync_fetch_and_add(count, 1);
	if (op != OP_SET)
		return ALLOW;
	if (req->key[0] == 'r' && req->key[1] == 'o' && req->key[2] == '/')
		return DENY;
	if (req->value[0] >= 'a' && req->value[0] <= 'z')
		req->value[0] -= 'a' - 'A';
	return ALLOW;
}

char _license[] SEC("license") = "GPL";
