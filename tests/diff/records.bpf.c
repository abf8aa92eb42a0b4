/*
 * Producers for records.c: one operation a run, told by globals that user space sets before it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[1024]);
} bytes SEC(".maps");

/* As struct globals in records.c. */
struct {
	__u32 op, len;
	__u64 flags;
	__s64 result;
	__u64 state[4];
} g;

static int reserve(void)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 200, 0);

	if (!record)
		return -1;
	for (int i = 0; i < 25; i++)
		record[i] = g.len * 3 + i;
	if (g.op == 1)
		bpf_ringbuf_submit(record, g.flags);
	else
		bpf_ringbuf_discard(record, g.flags);
	return 0;
}

SEC("xdp")
int produce(struct xdp_md *ctx)
{
	__u32 key = 0, n = g.len & 1023;
	char *data = bpf_map_lookup_elem(&bytes, &key);

	if (!data)
		return 0;
	*(volatile __u32 *)data = g.len;
	if (g.op == 0)
		g.result = bpf_ringbuf_output(&ring, data, n, g.flags);
	else if (g.op <= 2)
		g.result = reserve();
	else if (g.op == 3)
		g.result = bpf_perf_event_output(ctx, &events, g.flags, data, n);
	for (int i = 0; i < 4; i++)
		g.state[i] = bpf_ringbuf_query(&ring, i);
	return 0;
}

char _license[] SEC("license") = "GPL";
