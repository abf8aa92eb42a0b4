/*
 * ld_abs and ld_ind at random offsets, near every edge they have: the running kernel, the interpreters and the
 * JIT give the same number, or end the program with 0.
 *
 *	packet_loads [COUNT [SEED]]
 */
#include <inttypes.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <time.h>

#include "core/inst.h"
#include "core/run.h"
#include "core/skb.h"
#include "interp/interp.h"
#include "jit/jit.h"
#include "kernel.h"

enum { COUNT = 2000, INSN_CNT = 8, ETH_LEN = 14, FRAME_MAX = 100, FRAME_MIN = 34, BUF_LEN = 4096 };

static u64 seed;

static u32 draw(u32 limit)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % limit;
}

static s32 draw_offset(u32 frame_len)
{
	static const s32 bases[] = {0, SKF_NET_OFF, SKF_LL_OFF, SKF_AD_OFF, INT32_MIN, INT32_MAX};
	const s64 off = bases[draw(draw(2) ? 3 : ARRAY_SIZE(bases))];
	const s32 near = (s32)draw(8) - 4;

	switch (draw(4)) {
	case 0: return (s32)(off + near);
	case 1: return (s32)(off + frame_len + near);
	case 2: return (s32)(off + frame_len - ETH_LEN + near);
	default: return (s32)(off + draw(frame_len + 8) - (draw(4) ? 0 : 80));
	}
}

/* r0 = what is loaded, changed so that a 0 in the packet is told from the end. */
static void make(struct bpf_insn *insns, u32 frame_len)
{
	const u8 sizes[] = {BPF_B, BPF_H, BPF_W}, size = sizes[draw(3)];
	const s32 off = draw_offset(frame_len), part = draw(2) ? 0 : (s32)draw(200) - 100;
	const bool is_ind = draw(2);

	insns[0] = (struct bpf_insn){
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1};
	insns[1] = (struct bpf_insn){.code = (draw(2) ? BPF_ALU : BPF_ALU64) | BPF_MOV | BPF_K,
		.dst_reg = 7,
		.imm = (s32)((u32)off - (u32)part)};
	insns[2] = (struct bpf_insn){.code = BPF_LD | size | (is_ind ? BPF_IND : BPF_ABS),
		.src_reg = is_ind ? 7 : 0,
		.imm = is_ind ? part : off};
	insns[3] = (struct bpf_insn){.code = BPF_ALU64 | BPF_ADD | BPF_K, .imm = 0x1234567};
	insns[4] = (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
}

/* -errno, or 0 and the result. */
static int run_kernel(const struct bpf_insn *insns, const u8 *frame, u32 len, u32 *ret_result)
{
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)insns,
		.insn_cnt = 5,
		.license = (uintptr_t) "GPL"};
	union bpf_attr test = {0};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load)), err = 0;

	if (fd < 0)
		return -errno;
	test.test.prog_fd = (u32)fd;
	test.test.data_in = (uintptr_t)frame;
	test.test.data_size_in = len;
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &test, sizeof(test)))
		err = -errno;
	close(fd);
	*ret_result = test.test.retval;
	return err;
}

enum { INTERP, CHECKED, JIT, ENGINE_CNT };
static const char *const names[] = {"interpreter", "checked interpreter", "JIT"};

static int run_engine(u32 engine, struct prog_code *code, struct net_skb *skb, u32 *ret_result)
{
	struct run run = {.budget = 100};
	struct prog_image image = {0};
	int err;

	skb_set_regions(skb, &run, false, false);
	switch (engine) {
	case INTERP: *ret_result = (u32)interp_run(code, skb, &run); return 0;
	case CHECKED:
		*ret_result = (u32)interp_run_checked(code, NULL, 0, skb, &run);
		return run.fault.kind ? -EFAULT : 0;
	default:
		err = jit_compile(code, NULL, &image);
		if (err)
			return err;
		*ret_result = (u32)image.entry(skb, &run);
		jit_free(&image);
		return 0;
	}
}

/* As the kernel's test run makes it: the packet begins behind the link layer's header. */
static int compare(u32 round)
{
	static u8 buf[BUF_LEN];
	const u32 len = FRAME_MIN + draw(FRAME_MAX - FRAME_MIN);
	u8 *frame = buf + SKB_HEADROOM;
	struct net_skb skb = {.head = buf,
		.cap = BUF_LEN,
		.data = frame + ETH_LEN,
		.len = len - ETH_LEN,
		.mac_len = ETH_LEN,
		.mac_off = SKB_HEADROOM,
		.net_off = SKB_HEADROOM + ETH_LEN};
	struct bpf_insn insns[INSN_CNT] = {0};
	struct prog_sub sub = {0, 0};
	struct prog_code code = {.insns = insns, .insn_cnt = 5, .subs = &sub, .sub_cnt = 1};
	u32 want = 0, got = 0;
	int err;

	memset(buf, 0, sizeof(buf));
	for (u32 i = 0; i < len; i++)
		frame[i] = (u8)draw(256);
	frame[12] = 0x12; /* a protocol without a header that Linux looks into */
	make(insns, len);
	err = run_kernel(insns, frame, len, &want);
	if (err) {
		printf("round %u: the kernel: %s\n", round, strerror(-err));
		return 1;
	}
	for (u32 e = 0; e < ENGINE_CNT; e++) {
		err = run_engine(e, &code, &skb, &got);
		if (err == -ENOSYS || (!err && got == want))
			continue;
		printf("round %u: frame of %u bytes, offset %d (%s, %u bytes): kernel %#x, %s %#x "
		       "(error %d)\n",
			round, len, insns[1].imm + (insns[2].src_reg ? insns[2].imm : 0),
			insns[2].src_reg ? "ind" : "abs",
			BPF_SIZE(insns[2].code) == BPF_W   ? 4
			: BPF_SIZE(insns[2].code) == BPF_H ? 2
							   : 1,
			want, names[e], got, err);
		return 1;
	}
	return want ? 0 : -1;
}

int main(int argc, char **argv)
{
	const u32 count = argc > 1 ? (u32)strtoul(argv[1], NULL, 0) : COUNT;
	u32 ended = 0;
	int res = 0;

	if (kernel_is_missing())
		return KERNEL_SKIP;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (u64)time(NULL);
	printf("seed %" PRIu64 "\n", seed);
	for (u32 i = 0; i < count && res <= 0; i++) {
		res = compare(i);
		ended += res < 0;
	}
	printf("%u loads, %u of them outside of the packet\n", count, ended);
	return res > 0;
}
