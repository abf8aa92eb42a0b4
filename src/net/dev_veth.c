/*
 * veth:A,B - two devices in memory: what goes out of one comes in at the other. Each end has a bounded
 * queue of frames on their way in; a full queue refuses, as a full ring does.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/dev.h"

enum { QUEUE_MAX = 1024 };

struct slot {
	u8 *data;
	u32 len, cut_len;
	u64 stamp_ns;
};

struct veth {
	struct slot slots[QUEUE_MAX];
	u32 head, cnt;
};

static int make_end(struct net_dev *dev, const char *name, struct buf *err)
{
	int res = net_dev_set_name(dev, name, err);

	if (res)
		return res;
	dev->priv = mem_zalloc(sizeof(struct veth));
	return dev->priv ? 0 : -ENOMEM;
}

static void drop_end(struct net_dev *dev)
{
	mem_free(dev->priv);
	dev->priv = NULL;
	dev->name[0] = '\0';
}

static int open_pair(struct net_dev *dev, const char *args, struct buf *err)
{
	const char *comma = strchr(args, ',');
	char first[NET_NAME_LEN + 1];
	struct net_dev *twin;
	int res;

	if (!comma || strchr(comma + 1, ',') || dev->name[0]) {
		buf_printf(err, "'veth:%s': write veth:A,B with the names of the two ends", args);
		return -EINVAL;
	}
	snprintf(first, sizeof(first), "%.*s", (int)(comma - args), args);
	res = make_end(dev, first, err);
	if (res)
		goto drop_dev;
	res = net_dev_make(dev->net, dev->ops, &twin);
	if (res)
		goto drop_dev;
	res = make_end(twin, comma + 1, err);
	if (res)
		goto drop_twin;
	dev->twin = twin;
	twin->twin = dev;
	return 0;
drop_twin:
	mem_free(twin->priv);
	net_dev_unmake(twin);
drop_dev:
	drop_end(dev);
	return res;
}

static void close_end(struct net_dev *dev)
{
	struct veth *veth = dev->priv;

	for (; veth->cnt; veth->cnt--, veth->head = (veth->head + 1) % QUEUE_MAX)
		mem_free(veth->slots[veth->head].data);
	mem_free(veth);
}

static int recv_frame(struct net_dev *dev, struct net_frame *frame, struct buf *err)
{
	struct veth *veth = dev->priv;
	struct slot *slot = &veth->slots[veth->head];

	if (!veth->cnt)
		return -EAGAIN;
	memcpy(frame->data, slot->data, slot->len);
	frame->len = slot->len;
	frame->cut_len = slot->cut_len;
	frame->stamp_ns = slot->stamp_ns;
	mem_free(slot->data);
	slot->data = NULL;
	veth->head = (veth->head + 1) % QUEUE_MAX;
	veth->cnt--;
	return 0;
}

static int send_frame(struct net_dev *dev, const struct net_frame *frame)
{
	struct veth *veth;
	struct slot *slot;

	if (!dev->twin)
		return -ENODEV;
	veth = dev->twin->priv;
	if (veth->cnt == QUEUE_MAX)
		return -ENOBUFS;
	slot = &veth->slots[(veth->head + veth->cnt) % QUEUE_MAX];
	slot->data = mem_dup(frame->data, frame->len);
	if (!slot->data)
		return -ENOMEM;
	slot->len = frame->len;
	slot->cut_len = frame->cut_len;
	slot->stamp_ns = frame->stamp_ns;
	veth->cnt++;
	return 0;
}

static bool has_frame(const struct net_dev *dev)
{
	const struct veth *veth = dev->priv;

	return veth->cnt;
}

const struct net_dev_ops net_dev_veth = {
	.kind = "veth",
	.syntax = "veth:A,B",
	.open = open_pair,
	.close = close_end,
	.recv = recv_frame,
	.send = send_frame,
	.has_frame = has_frame,
};
