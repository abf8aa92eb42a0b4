/*
 * Three programs that look at a header each and call each other, until Linux's limit of 33 ends it in step3.
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

enum { ETH = 14, IP4 = 20, TCP = 20 };

/* Is there a frame of len bytes, and which is its byte at off? */
static __always_inline int byte_at(struct xdp_md *ctx, __u32 len, __u32 off)
{
	const __u8 *data = DATA(ctx);

	return data + len > (const __u8 *)DATA_END(ctx) ? -1 : data[off];
}

PROG(step3)
{
	if (byte_at(ctx, ETH + IP4 + TCP, ETH + IP4 + 3) == 80)
		bpf_tail_call(ctx, &steps, 1);
	return 7;
}

PROG(step2)
{
	if (byte_at(ctx, ETH + IP4, ETH) == 0x45)
		bpf_tail_call(ctx, &steps, 3);
	return 1;
}

PROG(step1)
{
	if (byte_at(ctx, ETH, 12) == 8)
		bpf_tail_call(ctx, &steps, 2);
	return 1;
}

PROG(tail_calls)
{
	bpf_tail_call(ctx, &steps, 1);
	return 1;
}
