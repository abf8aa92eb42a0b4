/*
 * Test runs of programs on packets. The packet comes as Linux takes it: data_in starts with an Ethernet
 * header. Traffic control sees it; of what the others do not see, 14 zero bytes come back.
 *
 *   buf   + SKB_HEADROOM      + 14
 *   |---------- ... ----------|------ packet ------|---- at least SKB_TAILROOM ----|
 *             link header
 *
 * Source: bpf_prog_test_run_skb of Linux 6.18.
 */
#include "progs/test_skb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/skb.h"
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

/* The socket that a test gives the packet: it has the addresses of the packet. */
static void set_socket(struct net_skb *skb)
{
	enum { IPV4_SOURCE = 12, IPV4_DEST = 16, IPV6_SOURCE = 8, IPV6_DEST = 24 };

	if (skb->protocol == htons(ETH_P_IP)) {
		skb->family = AF_INET;
		memcpy(&skb->local_ip4, skb->data + IPV4_SOURCE, sizeof(skb->local_ip4));
		memcpy(&skb->remote_ip4, skb->data + IPV4_DEST, sizeof(skb->remote_ip4));
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		skb->family = AF_INET6;
		memcpy(skb->local_ip6, skb->data + IPV6_SOURCE, sizeof(skb->local_ip6));
		memcpy(skb->remote_ip6, skb->data + IPV6_DEST, sizeof(skb->remote_ip6));
	}
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
		.pkt_type = pkt_type(frame),
		.protocol = proto,
		.ifindex = LOOPBACK_IFINDEX,
		.mac_off = SKB_HEADROOM,
		.net_off = SKB_HEADROOM + ETH_HLEN,
		.trans_off = SKB_NO_HEADER,
	};
	set_socket(ret_skb);
	return 0;
}

/* Traffic control sees the link header. */
static bool sees_link_header(const struct prog_type *type)
{
	return type->type == BPF_PROG_TYPE_SCHED_CLS || type->type == BPF_PROG_TYPE_SCHED_ACT;
}

static u32 sum_of_packet(const struct net_skb *skb)
{
	const u8 *at = skb->head + skb->net_off, *end = skb->data + skb->len;
	u64 sum = 0;
	u16 word;

	for (; at + sizeof(word) <= end; at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum += word;
	}
	sum += at < end ? *at : 0;
	while (sum >> 32)
		sum = (sum & 0xffffffff) + (sum >> 32);
	return (u32)sum;
}

static u16 fold(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16) ~(sum + (sum >> 16));
}

/* With the flag, the program must have kept the sum right. */
static int check_sum(const struct net_skb *skb, u32 flags)
{
	if (!(flags & BPF_F_TEST_SKB_CHECKSUM_COMPLETE))
		return 0;
	return fold(skb->csum) == fold(sum_of_packet(skb)) ? 0 : -EBADMSG;
}

static void move_front(struct net_skb *skb, s32 by)
{
	skb->data -= by;
	skb->len += (u32)by;
	skb_note_ends(skb);
}

static int finish(struct net_skb *skb, struct prog_test_run *io, const struct prog_type *type,
	struct __sk_buff *ctx)
{
	int err;

	if (!sees_link_header(type)) {
		err = skb_reserve(skb, ETH_HLEN, 0);
		if (err)
			return err;
		move_front(skb, ETH_HLEN);
		memset(skb->data, 0, ETH_HLEN);
	}
	err = check_sum(skb, io->flags);
	if (err)
		return err;
	if (ctx)
		give_ctx(skb, ctx);
	return prog_test_data_out(io, skb->data, skb->len);
}

static int run_packet(struct prog *prog, struct run *run, struct prog_test_run *io,
	struct __sk_buff *ctx, u8 *buf)
{
	const struct prog_type *type = prog->type;
	struct net_skb skb;
	int err;

	err = init_skb(&skb, buf, io);
	if (err)
		return err;
	if (sees_link_header(type))
		move_front(&skb, ETH_HLEN);
	skb_note_ends(&skb);
	if (io->flags & BPF_F_TEST_SKB_CHECKSUM_COMPLETE) {
		skb.csum = sum_of_packet(&skb);
		skb.summed = SKB_SUM_COMPLETE;
	}
	if (ctx) {
		err = check_ctx(ctx, skb.len);
		if (err)
			return err;
		if (ctx->ifindex > LOOPBACK_IFINDEX)
			skb.ifindex = ctx->ifindex;
		apply_ctx(ctx, &skb);
	}
	skb_set_regions(&skb, run, type->has_packet, type->can_write_packet);
	prog_test_loop(prog, &skb, run, io);
	run->region_cnt = 0;
	err = finish(&skb, io, type, ctx);
	skb_done(&skb);
	return err;
}

int prog_test_skb(struct prog *prog, struct run *run, struct prog_test_run *io)
{
	struct skep *inst = prog->obj.inst;
	struct __sk_buff ctx = {0};
	bool has_ctx;
	u8 *buf;
	int err;

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
