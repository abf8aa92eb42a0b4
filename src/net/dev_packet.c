/*
 * packet:IFACE - an interface of the host through an AF_PACKET socket: every frame it receives comes
 * in here, what goes out here it sends. The host's own stack still sees the frames, so an interface used
 * like this should have no address. Needs CAP_NET_RAW in the network namespace.
 *
 * The kernel takes two things out of frames, and both are put back: the outer VLAN tag (given beside the
 * frame as auxiliary data) and checksums that it left for hardware to fill in (given in a virtio_net_hdr
 * before the frame). Source: packet(7), linux/virtio_net.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/dev.h"

enum { VLAN_LEN = 4, ADDRS_LEN = 2 * ETH_ALEN };

static int explain(int res, const char *name, struct buf *err)
{
	buf_printf(err, "packet:%s: %s", name, strerror(-res));
	if (res == -EPERM)
		buf_str(err, "; run as root or with CAP_NET_RAW, for example in: unshare -rn");
	return res;
}

static int set_up_socket(int fd, unsigned ifindex)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex};
	struct packet_mreq promisc = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};
	int one = 1;

	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
		setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
		bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)))
		return -errno;
	return 0;
}

static int open_packet(struct net_dev *dev, const char *args, struct buf *err)
{
	unsigned ifindex;
	int fd, res;

	if (!*args) {
		buf_str(err, "'packet:': write packet:IFACE with the name of an interface");
		return -EINVAL;
	}
	ifindex = if_nametoindex(args);
	if (!ifindex) {
		buf_printf(err, "packet:%s: no such interface here; `ip link` lists them", args);
		return -ENODEV;
	}
	if (!dev->name[0]) {
		res = net_dev_set_name(dev, args, err);
		if (res)
			return res;
	}
	/* protocol 0: nothing is received before the socket is bound to its interface */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return explain(-errno, args, err);
	res = set_up_socket(fd, ifindex);
	if (res) {
		close(fd);
		return explain(res, args, err);
	}
	dev->fd = fd;
	return 0;
}

static void close_packet(struct net_dev *dev)
{
	close(dev->fd);
}

/* The checksum that hardware would fill in: over everything from csum_start, stored csum_offset after it;
 * the place already holds the sum of the pseudo header. */
static void finish_checksum(struct net_frame *frame, const struct virtio_net_hdr *hdr)
{
	u32 at = hdr->csum_start + hdr->csum_offset;
	u64 sum = 0;
	u16 word;

	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || hdr->csum_start > frame->len ||
		at + sizeof(word) > frame->len)
		return;
	for (u32 i = hdr->csum_start; i + 1 < frame->len; i += 2) {
		memcpy(&word, frame->data + i, sizeof(word));
		sum += word;
	}
	if ((frame->len - hdr->csum_start) % 2)
		sum += htons((u16)(frame->data[frame->len - 1] << 8));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	word = ~sum;
	if (!word)
		word = 0xffff; /* 0 means "none" in UDP and is never the sum of the others */
	memcpy(frame->data + at, &word, sizeof(word));
}

/* Puts the tag between the addresses and the type; recv_frame left room at the end for it. */
static void restore_vlan(struct net_frame *frame, const struct tpacket_auxdata *aux)
{
	u16 tag[2];

	if (!(aux->tp_status & TP_STATUS_VLAN_VALID) || frame->len < ADDRS_LEN)
		return;
	tag[0] = htons(
		aux->tp_status & TP_STATUS_VLAN_TPID_VALID ? aux->tp_vlan_tpid : ETH_P_8021Q);
	tag[1] = htons(aux->tp_vlan_tci);
	memmove(frame->data + ADDRS_LEN + VLAN_LEN, frame->data + ADDRS_LEN,
		frame->len - ADDRS_LEN);
	memcpy(frame->data + ADDRS_LEN, tag, VLAN_LEN);
	frame->len += VLAN_LEN;
}

static const struct tpacket_auxdata *find_aux(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
			return (const struct tpacket_auxdata *)CMSG_DATA(c);
	return NULL;
}

static int recv_frame(struct net_dev *dev, struct net_frame *frame, struct buf *err)
{
	union {
		char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control;
	struct virtio_net_hdr hdr;
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {frame->data, NET_FRAME_MAX - VLAN_LEN}};
	struct msghdr msg = {.msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	const struct tpacket_auxdata *aux;
	ssize_t len = recvmsg(dev->fd, &msg, 0);

	if (len < 0) {
		/* ENETDOWN: the interface is down, and may come up again */
		if (errno == EAGAIN || errno == EINTR || errno == ENETDOWN)
			return -EAGAIN;
		len = -errno;
		buf_printf(err, "%s: receiving: %s", dev->name, strerror(-len));
		return len;
	}
	if (len < (ssize_t)sizeof(hdr))
		return -EAGAIN;
	frame->len = len - sizeof(hdr);
	frame->stamp_ns = inst_wall_ns(dev->net->inst);
	finish_checksum(frame, &hdr);
	aux = find_aux(&msg);
	if (aux)
		restore_vlan(frame, aux);
	return 0;
}

static int send_frame(struct net_dev *dev, const struct net_frame *frame)
{
	struct virtio_net_hdr hdr = {0};
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {frame->data, frame->len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	return sendmsg(dev->fd, &msg, 0) < 0 ? -errno : 0;
}

const struct net_dev_ops net_dev_packet = {
	.kind = "packet",
	.syntax = "packet:IFACE",
	.open = open_packet,
	.close = close_packet,
	.recv = recv_frame,
	.send = send_frame,
};
