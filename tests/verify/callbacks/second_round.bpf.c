/* What the first round leaves is not what the second one needs. */
// expect: EACCES min value is outside of the allowed memory range
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u8 bytes[16];

struct state {
	__u64 at;
};

static int one_round(__u32 index, struct state *state)
{
	if (state->at > 15)
		return 1;
	bytes[state->at] = 1;
	state->at += 16;
	bytes[state->at] = 1;
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct state state = {0};

	bpf_loop(2, one_round, &state, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
