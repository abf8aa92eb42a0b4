/*
 * Socket filters: a program sees a packet from its network header on as struct __sk_buff and says how
 * many bytes of it to keep. It reads the packet with helpers, not through pointers, and writes only cb.
 *
 * A test run gives the packet as Linux does: data_in starts with an Ethernet header that the program
 * does not see; what comes back has 14 zero bytes in its place.
 * Source: sk_filter_is_valid_access and bpf_prog_test_run_skb of Linux 6.18.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/skb.h"
#include "progs/progs.h"
#include "progs/skb_fields.h"
#include "progs/test_io.h"

enum {
	PAGE_LEN = 4096,
	LOOPBACK_IFINDEX = 1,
	IPV4_HEADER_LEN = 20,
	IPV6_HEADER_LEN = 40,
	GSO_SEGS_MAX = 65535,
	GSO_LEN_MAX = 65536,
};

#ifndef BPF_F_TEST_SKB_CHECKSUM_COMPLETE
#define BPF_F_TEST_SKB_CHECKSUM_COMPLETE (1U << 2)
#endif

static const struct ctx_field fields[] = {
	SKB_COMMON,
	SKB(mark, SKB_RD),
	SKB(queue_mapping, SKB_RD),
	SKB(priority, SKB_RD),
	SKB(tc_index, SKB_RD),
};

static bool is_zero(const struct __sk_buff *ctx, size_t from, size_t to)
{
	const u8 *bytes = (const u8 *)ctx;

	for (size_t i = from; i < to; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

#define START(field) offsetof(struct __sk_buff, field)
#define END(field)   (START(field) + sizeof(((struct __sk_buff *)0)->field))

/* Only what a test may set is set; the rest of ctx_in must be 0. */
static int check_ctx(const struct __sk_buff *ctx, u32 len)
{
	static const struct {
		size_t from, to;
	} fixed[] = {
		{0, START(mark)},
		{END(mark), START(priority)},
		{END(ifindex), START(cb)},
		{END(cb), START(tstamp)},
		{END(gso_segs), START(gso_size)},
		{END(gso_size), START(hwtstamp)},
		{END(hwtstamp), sizeof(struct __sk_buff)},
	};

	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++) {
		if (!is_zero(ctx, fixed[i].from, fixed[i].to))
			return -EINVAL;
	}
	if (ctx->wire_len && (ctx->wire_len < len || ctx->wire_len > GSO_LEN_MAX))
		return -EINVAL;
	return ctx->gso_segs > GSO_SEGS_MAX ? -EINVAL : 0;
}

static void apply_ctx(const struct __sk_buff *ctx, struct net_skb *skb)
{
	skb->mark = ctx->mark;
	skb->priority = ctx->priority;
	skb->ingress_ifindex = ctx->ingress_ifindex;
	skb->tstamp = ctx->tstamp;
	skb->hwtstamp = ctx->hwtstamp;
	memcpy(skb->cb, ctx->cb, sizeof(skb->cb));
	skb->wire_len = ctx->wire_len ? ctx->wire_len : skb->len;
	skb->gso_segs = ctx->gso_segs;
	skb->gso_size = ctx->gso_size & 0xffff;
}

static void give_ctx(const struct net_skb *skb, struct __sk_buff *ctx)
{
	ctx->mark = skb->mark;
	ctx->priority = skb->priority;
	ctx->ingress_ifindex = skb->ingress_ifindex;
	ctx->ifindex = skb->ifindex;
	ctx->tstamp = skb->tstamp;
	ctx->hwtstamp = skb->hwtstamp;
	memcpy(ctx->cb, skb->cb, sizeof(skb->cb));
	ctx->wire_len = skb->wire_len;
	ctx->gso_segs = skb->gso_segs;
}

/* Whom the frame is for, seen from the loopback device: its own address is all zeroes, and so is its
 * broadcast address, so that a broadcast counts as multicast. */
static u32 pkt_type(const u8 *dest)
{
	static const u8 self[ETH_ALEN];

	if (dest[0] & 1)
		return PACKET_MULTICAST;
	return memcmp(dest, self, ETH_ALEN) ? PACKET_OTHERHOST : PACKET_HOST;
}

/* The protocol as the low two bytes in network order: the type field, or what 802.3 frames count as. */
static u32 protocol(const u8 *frame, u32 len)
{
	u16 word;

	memcpy(&word, frame + 2 * ETH_ALEN, 2);
	if (ntohs(word) >= ETH_P_802_3_MIN)
		return word;
	if (len >= ETH_HLEN + 2 && frame[ETH_HLEN] == 0xff && frame[ETH_HLEN + 1] == 0xff)
		return htons(ETH_P_802_3);
	return htons(ETH_P_802_2);
}

static int init_skb(struct net_skb *ret_skb, u8 *buf, const struct prog_test_run *io)
{
	const u8 *frame = io->data_in;
	u32 len = io->data_in_len - ETH_HLEN;
	u32 proto = protocol(frame, io->data_in_len);

	if ((proto == htons(ETH_P_IP) && len < IPV4_HEADER_LEN) ||
		(proto == htons(ETH_P_IPV6) && len < IPV6_HEADER_LEN))
		return -EINVAL;
	memcpy(buf + SKB_HEADROOM, frame, io->data_in_len);
	*ret_skb = (struct net_skb){
		.head = buf,
		.cap = PAGE_LEN,
		.data = buf + SKB_HEADROOM + ETH_HLEN,
		.len = len,
		.mac_len = ETH_HLEN,
		.network = buf + SKB_HEADROOM + ETH_HLEN,
		.pkt_type = pkt_type(frame),
		.protocol = proto,
		.ifindex = LOOPBACK_IFINDEX,
		.wire_len = 0,
	};
	return 0;
}

static int run_packet(struct prog *prog, struct run *run, struct prog_test_run *io,
	struct __sk_buff *ctx, u8 *buf)
{
	struct net_skb skb;
	int err;

	err = init_skb(&skb, buf, io);
	if (err)
		return err;
	if (ctx) {
		err = check_ctx(ctx, skb.len);
		if (err)
			return err;
		if (ctx->ifindex > LOOPBACK_IFINDEX)
			skb.ifindex = ctx->ifindex;
		apply_ctx(ctx, &skb);
	}
	skb_set_filter_regions(&skb, run);
	prog_test_loop(prog, &skb, run, io);
	run->region_cnt = 0;
	memset(skb.data - ETH_HLEN, 0, ETH_HLEN);
	if (ctx)
		give_ctx(&skb, ctx);
	return prog_test_data_out(io, skb.data - ETH_HLEN, skb.len + ETH_HLEN);
}

static int test_run(struct prog *prog, struct run *run, struct prog_test_run *io)
{
	struct skep *inst = prog->obj.inst;
	struct __sk_buff ctx = {0};
	bool has_ctx;
	u8 *buf;
	int err;

	/* the flag's checksum stays right: a socket filter does not change the packet */
	if ((io->flags & ~BPF_F_TEST_SKB_CHECKSUM_COMPLETE) || io->cpu || io->batch_size)
		return -EINVAL;
	if (io->data_in_len < ETH_HLEN || io->data_in_len > PAGE_LEN - SKB_HEADROOM - SKB_TAILROOM)
		return -EINVAL;
	err = prog_test_ctx_in(io, &ctx, sizeof(ctx), &has_ctx);
	if (err)
		return err;
	if (ctx.ifindex > LOOPBACK_IFINDEX) {
		err = inst->check_rxq ? inst->check_rxq(inst, ctx.ifindex, 0) : -ENODEV;
		if (err)
			return err;
	}
	buf = mem_zalloc(PAGE_LEN);
	if (!buf)
		return -ENOMEM;
	err = run_packet(prog, run, io, has_ctx ? &ctx : NULL, buf);
	mem_free(buf);
	if (err || !has_ctx)
		return err;
	return prog_test_ctx_out(io, &ctx, sizeof(ctx));
}

const struct prog_type prog_type_socket_filter = {
	.type = BPF_PROG_TYPE_SOCKET_FILTER,
	.name = "socket_filter",
	.ctx_name = "__sk_buff",
	.ctx_size = sizeof(struct __sk_buff),
	.fields = fields,
	.field_cnt = ARRAY_SIZE(fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 3,
	.since_minor = 19,
	.test_run = test_run,
};
