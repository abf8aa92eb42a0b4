/*
 * Three programs that call each other until Linux's limit of 33 ends it, in step3.
 */
#include "bench.bpf.h"

int step1(struct xdp_md *ctx);
int step2(struct xdp_md *ctx);
int step3(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(max_entries, 4);
	__array(values, int(struct xdp_md *));
} steps SEC(".maps") = {
	.values = {[1] = (void *)&step1, [2] = (void *)&step2, [3] = (void *)&step3}};

PROG(step3)
{
	bpf_tail_call(ctx, &steps, 1);
	return 7;
}

PROG(step2)
{
	bpf_tail_call(ctx, &steps, 3);
	return 1;
}

PROG(step1)
{
	bpf_tail_call(ctx, &steps, 2);
	return 1;
}

PROG(tail_calls)
{
	bpf_tail_call(ctx, &steps, 1);
	return 1;
}
