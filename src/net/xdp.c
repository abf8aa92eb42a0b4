/*
 * The XDP hook: the frame in its buffer becomes a struct xdp_buff, the program decides, and the
 * decision is carried out. Codes that XDP does not know count as ABORTED, as in Linux.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "core/prog.h"
#include "core/xdp.h"
#include "net/dev.h"

/* Linux gives a frame one page; what does not fit (offloaded or captured in large) gets what it needs, so that
 * the room after the frame is never less than Linux's. */
static u32 frame_size(u32 len)
{
	u32 need = XDP_HEADROOM + len + XDP_TAILROOM;

	return need <= XDP_FRAME_SZ ? XDP_FRAME_SZ : need;
}

static u32 decide(struct net_dev *dev, struct net_frame *frame, struct run *run)
{
	struct xdp_buff xdp = {
		.data = frame->data,
		.data_end = frame->data + frame->len,
		.data_meta = frame->data,
		.data_hard_start = frame->data - XDP_HEADROOM,
		.rxq = &dev->rxq,
		.frame_sz = frame_size(frame->len),
	};
	u32 action;

	xdp_set_regions(&xdp, run);
	run->redirect = (struct run_redirect){0};
	action = dev->net->inst->exec(dev->prog, &xdp, run);
	frame->data = xdp.data;
	frame->len = xdp.data_end - xdp.data;
	if (action <= XDP_REDIRECT)
		return action;
	sink_emit(&dev->net->inst->sink, SINK_DEBUG,
		"%s: program %u returned %u, which is no XDP action: the frame counts as ABORTED",
		dev->name, dev->prog->obj.id, action);
	return XDP_ABORTED;
}

static void pass(struct net_dev *dev, const struct net_frame *frame)
{
	if (dev->peer) {
		net_dev_send(dev->peer, frame);
		return;
	}
	dev->stats.passed_cnt++;
	if (dev->ops->record && dev->ops->record(dev, frame))
		dev->stats.tx_failed++;
}

static void redirect(struct net_dev *dev, const struct net_frame *frame, const struct run *run)
{
	struct net_dev *to = net_dev_find(dev->net, run->redirect.ifindex);

	if (!to || net_dev_send(to, frame))
		dev->stats.redirect_failed++;
}

void net_xdp_run(struct net_dev *dev, struct net_frame *frame, struct run *run)
{
	u32 action = XDP_PASS;

	dev->stats.rx_cnt++;
	dev->stats.rx_len += frame->len;
	if (dev->prog) {
		action = decide(dev, frame, run);
		dev->stats.action[action]++;
	}
	switch (action) {
	case XDP_PASS: pass(dev, frame); break;
	case XDP_TX: net_dev_send(dev, frame); break;
	case XDP_REDIRECT: redirect(dev, frame, run); break;
	default: break; /* dropped */
	}
}
