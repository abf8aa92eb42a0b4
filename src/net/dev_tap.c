/*
 * tap:NAME - the other side of a kernel TAP interface: what the host sends into the interface comes in
 * here, what goes out here the host receives. Needs access to /dev/net/tun and, to make an interface that
 * does not exist yet, CAP_NET_ADMIN.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/dev.h"

static int explain_open(int res, struct buf *err)
{
	buf_printf(err, "/dev/net/tun: %s; ", strerror(-res));
	if (res == -ENOENT)
		buf_str(err, "load the tun module: modprobe tun (as root)");
	else
		buf_str(err, "run as root, or have root type: chmod 0666 /dev/net/tun");
	return res;
}

static int explain_set(int res, const char *name, struct buf *err)
{
	buf_printf(err, "tap:%s: %s; ", name, strerror(-res));
	if (res == -EPERM)
		buf_printf(err,
			"run as root, or have root type: ip tuntap add dev %s mode tap user $USER",
			name);
	else if (res == -EBUSY)
		buf_str(err, "another process has this TAP open");
	else if (res == -EINVAL)
		buf_printf(err, "an interface '%s' exists that is no TAP", name);
	else
		buf_str(err, "the kernel refused to make it");
	return res;
}

/* Best effort: a TAP that stays down is the user's to bring up, and its owner may not be allowed to. */
static void bring_up(struct net_dev *dev)
{
	struct ifreq req = {0};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_up = false;

	memcpy(req.ifr_name, dev->name, sizeof(req.ifr_name));
	if (sock >= 0 && !ioctl(sock, SIOCGIFFLAGS, &req)) {
		is_up = req.ifr_flags & IFF_UP;
		req.ifr_flags |= IFF_UP;
		if (!is_up)
			is_up = !ioctl(sock, SIOCSIFFLAGS, &req);
	}
	if (sock >= 0)
		close(sock);
	if (!is_up)
		sink_emit(&dev->net->inst->sink, SINK_WARN,
			"tap:%s is down; bring it up with: ip link set %s up", dev->name,
			dev->name);
}

static int open_tap(struct net_dev *dev, const char *args, struct buf *err)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	size_t len = strlen(args);
	int fd, res;

	if (!len || len >= IFNAMSIZ) {
		buf_printf(err, "'tap:%s': write tap:NAME, a name of 1 to %d characters", args,
			IFNAMSIZ - 1);
		return -EINVAL;
	}
	if (!dev->name[0]) {
		res = net_dev_set_name(dev, args, err);
		if (res)
			return res;
	}
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return explain_open(-errno, err);
	memcpy(req.ifr_name, args, len);
	if (ioctl(fd, TUNSETIFF, &req)) {
		res = explain_set(-errno, args, err);
		close(fd);
		return res;
	}
	dev->fd = fd;
	bring_up(dev);
	return 0;
}

static void close_tap(struct net_dev *dev)
{
	close(dev->fd);
}

static int recv_frame(struct net_dev *dev, struct net_frame *frame, struct buf *err)
{
	ssize_t len = read(dev->fd, frame->data, NET_FRAME_MAX);

	if (len >= 0) {
		frame->len = len;
		frame->stamp_ns = inst_wall_ns(dev->net->inst);
		return 0;
	}
	/* EIO: the interface is down, and may come up again */
	if (errno == EAGAIN || errno == EINTR || errno == EIO)
		return -EAGAIN;
	len = -errno;
	buf_printf(err, "%s: reading the TAP: %s", dev->name, strerror(-len));
	return len;
}

static int send_frame(struct net_dev *dev, const struct net_frame *frame)
{
	return write(dev->fd, frame->data, frame->len) < 0 ? -errno : 0;
}

const struct net_dev_ops net_dev_tap = {
	.kind = "tap",
	.syntax = "tap:NAME",
	.open = open_tap,
	.close = close_tap,
	.recv = recv_frame,
	.send = send_frame,
};
