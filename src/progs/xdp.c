/*
 * XDP: a program at the driver's place sees a frame as struct xdp_md, may change and move it, and says
 * what becomes of it. Linux sets no rule on what it returns; unknown codes count as XDP_ABORTED at the
 * hook.
 *
 * A test run puts the frame into one page, as Linux does:
 *
 *   0          256 - meta        256                    4096 - 320      4096
 *   |-- headroom --|-- metadata --|-- frame … -- tailroom --|-- reserved --|
 *
 * data_in holds metadata and frame; ctx_in's `data` says where the frame starts in it. Frames of more
 * than one page (fragments) are refused with -EOPNOTSUPP, and so are live frames.
 * Source: bpf_prog_test_run_xdp of Linux 6.18.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/xdp.h"
#include "progs/progs.h"
#include "progs/test_io.h"

enum {
	ETH_HEADER_LEN = 14,
	LOOPBACK_IFINDEX = 1, /* what a frame without ctx comes from */
};

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

#define MD(field) .name = #field, .off = offsetof(struct xdp_md, field), .size = 4
#define BUF(field)                                                                                 \
	{                                                                                          \
		offsetof(struct xdp_buff, field), 8                                                \
	}
#define INFO(field)                                                                                \
	{                                                                                          \
		offsetof(struct xdp_rxq, field), 4                                                 \
	}

static const struct ctx_field fields[] = {
	{MD(data), CTX_PACKET, CTX_RD, .step_cnt = 1, .step = {BUF(data)}},
	{MD(data_end), CTX_PACKET_END, CTX_RD, .step_cnt = 1, .step = {BUF(data_end)}},
	{MD(data_meta), CTX_PACKET_META, CTX_RD, .step_cnt = 1, .step = {BUF(data_meta)}},
	{MD(ingress_ifindex), CTX_SCALAR, CTX_RD, .step_cnt = 2, .step = {BUF(rxq), INFO(ifindex)}},
	{MD(rx_queue_index), CTX_SCALAR, CTX_RD, .step_cnt = 2, .step = {BUF(rxq), INFO(queue)}},
	{MD(egress_ifindex), CTX_SCALAR, CTX_RD, 1ULL << BPF_XDP_DEVMAP, 2,
		{BUF(txq), INFO(ifindex)}},
};

/* How data_in is laid into the page. */
struct layout {
	u32 meta_len;
	u32 headroom; /* bytes before the metadata */
};

/* ctx_in's rules, which are about data_in: metadata first, then the frame to the end of it. */
static int check_ctx(
	const struct xdp_md *md, const struct prog_test_run *io, struct layout *ret_lay)
{
	if (md->data_meta || md->data_end > io->data_in_len || md->data > md->data_end)
		return -EINVAL;
	if (md->data % 4 || md->data > XDP_META_MAX || md->data > XDP_HEADROOM - XDP_FRAME_HDR)
		return -EINVAL;
	if (md->data_end != io->data_in_len)
		return -EOPNOTSUPP; /* the rest would be a fragment */
	ret_lay->meta_len = md->data;
	ret_lay->headroom = XDP_HEADROOM - md->data;
	return 0;
}

static int check_flags(const struct prog *prog, const struct prog_test_run *io)
{
	if (prog->expected_attach_type == BPF_XDP_DEVMAP ||
		prog->expected_attach_type == BPF_XDP_CPUMAP)
		return -EINVAL;
	if (io->flags & ~BPF_F_TEST_XDP_LIVE_FRAMES)
		return -EINVAL;
	if (io->flags & BPF_F_TEST_XDP_LIVE_FRAMES)
		return -EOPNOTSUPP;
	return io->batch_size ? -EINVAL : 0;
}

/* Where the frame says it came from. */
static int set_rxq(struct skep *inst, const struct xdp_md *md, struct xdp_rxq *ret_rxq)
{
	int err;

	if (md->egress_ifindex || (!md->ingress_ifindex && md->rx_queue_index))
		return -EINVAL;
	*ret_rxq = (struct xdp_rxq){.ifindex = LOOPBACK_IFINDEX};
	if (!md->ingress_ifindex)
		return 0;
	if (md->ingress_ifindex == LOOPBACK_IFINDEX)
		return md->rx_queue_index ? -EINVAL : 0;
	if (!inst->check_rxq)
		return -ENODEV;
	err = inst->check_rxq(inst, md->ingress_ifindex, md->rx_queue_index);
	if (err)
		return err;
	*ret_rxq = (struct xdp_rxq){.ifindex = md->ingress_ifindex, .queue = md->rx_queue_index};
	return 0;
}

static int run_frame(struct prog *prog, struct run *run, struct prog_test_run *io,
	const struct layout *lay, struct xdp_rxq *rxq, struct xdp_md *md)
{
	u8 *page = mem_zalloc(XDP_FRAME_SZ);
	struct xdp_buff xdp;
	int err;

	if (!page)
		return -ENOMEM;
	xdp = (struct xdp_buff){
		.data_hard_start = page,
		.data_meta = page + lay->headroom,
		.data = page + lay->headroom + lay->meta_len,
		.data_end = page + lay->headroom + io->data_in_len,
		.rxq = rxq,
		.frame_sz = XDP_FRAME_SZ,
	};
	memcpy(xdp.data_meta, io->data_in, io->data_in_len);
	xdp_set_regions(&xdp, run);
	prog_test_loop(prog, &xdp, run, io);
	run->region_cnt = 0;
	md->data = (u32)(xdp.data - xdp.data_meta);
	md->data_end = (u32)(xdp.data_end - xdp.data_meta);
	err = prog_test_data_out(io, xdp.data_meta, md->data_end);
	mem_free(page);
	return err;
}

static int test_run(struct prog *prog, struct run *run, struct prog_test_run *io)
{
	struct layout lay = {.headroom = XDP_HEADROOM};
	struct xdp_md md = {0};
	struct xdp_rxq rxq;
	bool has_ctx;
	int err;

	err = check_flags(prog, io);
	if (err)
		return err;
	err = prog_test_ctx_in(io, &md, sizeof(md), &has_ctx);
	if (err)
		return err;
	if (has_ctx) {
		err = check_ctx(&md, io, &lay);
		if (err)
			return err;
	}
	/* as in Linux the subtraction is unsigned, so metadata longer than data_in passes here and
	 * check_ctx has refused it */
	if (io->data_in_len - lay.meta_len < ETH_HEADER_LEN)
		return -EINVAL;
	if (io->data_in_len > XDP_FRAME_SZ - lay.headroom - XDP_TAILROOM)
		return -EOPNOTSUPP;
	err = set_rxq(prog->obj.inst, &md, &rxq);
	if (err)
		return err;
	err = run_frame(prog, run, io, &lay, &rxq, &md);
	if (err || !has_ctx)
		return err;
	return prog_test_ctx_out(io, &md, sizeof(md));
}

const struct prog_type prog_type_xdp = {
	.type = BPF_PROG_TYPE_XDP,
	.name = "xdp",
	.ctx_name = "xdp_md",
	.ctx_size = sizeof(struct xdp_md),
	.fields = fields,
	.field_cnt = ARRAY_SIZE(fields),
	.ret_any = true,
	.has_packet = true,
	.can_write_packet = true,
	.attach_types = ~0ULL, /* checked where the program is attached, as in Linux */
	.since_major = 4,
	.since_minor = 8,
	.test_run = test_run,
};
