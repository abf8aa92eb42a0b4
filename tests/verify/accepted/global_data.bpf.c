/* Variables of the program: .bss, .data and .rodata, as a scalar, an array and a structure. */
// expect: accepted
#include "packet.h"

__u64 frames;
__u32 limit = 1500;
const volatile __u32 shift = 3;
const volatile __u8 table[16] = {1, 0, 1};
struct {
	__u64 sum, least;
	__u32 lengths[32];
} seen = {.least = ~0ull};

SEC("xdp")
int global_data(struct xdp_md *ctx)
{
	PACKET(ctx);
	__u64 len = data_end - data;

	__sync_fetch_and_add(&frames, 1);
	seen.sum += len >> (shift & 31);
	if (len < seen.least)
		seen.least = len;
	seen.lengths[len & 31]++;
	return len > limit || table[len & 15] ? XDP_DROP : XDP_PASS;
}
