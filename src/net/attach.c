/*
 * Attaching XDP programs to devices, with and without a link, by the rules of Linux's
 * dev_xdp_attach: one program a device, a link's program is changed only through the link, native and
 * generic mode exclude each other.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>

#include "base/mem.h"
#include "core/link.h"
#include "core/prog.h"
#include "net/dev.h"

struct net_xdp_link {
	struct link link;
	struct net *net;
	struct net_dev *dev; /* NULL once the device is gone or the link is detached */
};

#define to_xdp_link(l) container_of(l, struct net_xdp_link, link)

static void put_prog(struct prog *prog)
{
	if (prog)
		obj_put(&prog->obj);
}

/* The caller holds net->lock and drops *ret_old after releasing it. */
static void set_prog(struct net_dev *dev, struct prog *prog, struct prog **ret_old)
{
	*ret_old = dev->prog;
	if (prog)
		obj_get(&prog->obj);
	dev->prog = prog;
}

void net_xdp_drop(struct net_dev *dev)
{
	struct prog *old;

	if (dev->link)
		dev->link->dev = NULL;
	dev->link = NULL;
	set_prog(dev, NULL, &old);
	put_prog(old);
}

static int check_flags(u32 flags)
{
	u32 modes = flags & XDP_FLAGS_MODES;

	if (flags & ~XDP_FLAGS_MASK)
		return -EINVAL;
	if (modes & (modes - 1)) /* more than one */
		return -EINVAL;
	if (modes & XDP_FLAGS_HW_MODE) /* no device offloads */
		return -EOPNOTSUPP;
	return 0;
}

static int check_prog(const struct prog *prog)
{
	if (prog->type->type != BPF_PROG_TYPE_XDP)
		return -EINVAL;
	/* made to run behind a devmap or cpumap, not at a device's entry */
	if (prog->expected_attach_type == BPF_XDP_DEVMAP ||
		prog->expected_attach_type == BPF_XDP_CPUMAP)
		return -EINVAL;
	return 0;
}

static u32 mode_of(u32 flags)
{
	return flags & XDP_FLAGS_SKB_MODE ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

static int check_attach(
	const struct net_dev *dev, const struct prog *prog, u32 flags, const struct prog *old)
{
	if (!dev)
		return -ENODEV;
	if (dev->link)
		return -EBUSY;
	if ((flags & XDP_FLAGS_REPLACE) && dev->prog != old)
		return -EEXIST;
	if (!prog)
		return 0;
	if (dev->prog && mode_of(flags) != dev->xdp_flags)
		return -EEXIST;
	if ((flags & XDP_FLAGS_UPDATE_IF_NOEXIST) && dev->prog)
		return -EBUSY;
	return 0;
}

int net_xdp_attach(struct net *net, u32 ifindex, struct prog *prog, u32 flags, struct prog *old)
{
	struct prog *replaced = NULL;
	struct net_dev *dev;
	int err = check_flags(flags);

	if (!err && prog)
		err = check_prog(prog);
	if (err)
		return err;
	pthread_mutex_lock(&net->lock);
	dev = net_dev_find(net, ifindex);
	err = check_attach(dev, prog, flags, old);
	if (!err) {
		set_prog(dev, prog, &replaced);
		dev->xdp_flags = prog ? mode_of(flags) : 0;
	}
	pthread_mutex_unlock(&net->lock);
	put_prog(replaced);
	return err;
}

static void detach(struct link *link)
{
	struct net_xdp_link *xlink = to_xdp_link(link);
	struct prog *old = NULL;

	pthread_mutex_lock(&xlink->net->lock);
	if (xlink->dev) {
		xlink->dev->link = NULL;
		xlink->dev->xdp_flags = 0;
		set_prog(xlink->dev, NULL, &old);
		xlink->dev = NULL;
	}
	pthread_mutex_unlock(&xlink->net->lock);
	put_prog(old);
}

static int update(struct link *link, struct prog *prog, struct prog *old, u32 flags)
{
	struct net_xdp_link *xlink = to_xdp_link(link);
	struct prog *replaced = NULL;
	int err;

	(void)flags; /* BPF_F_REPLACE: the caller gives old then */
	pthread_mutex_lock(&xlink->net->lock);
	err = 0;
	if (!xlink->dev)
		err = -ENOLINK;
	else if (old && link->prog != old)
		err = -EPERM;
	else if (link->prog->type != prog->type ||
		 link->prog->expected_attach_type != prog->expected_attach_type)
		err = -EINVAL;
	if (!err && link->prog != prog) {
		struct prog *was = link->prog;

		set_prog(xlink->dev, prog, &replaced);
		obj_get(&prog->obj);
		link->prog = prog;
		pthread_mutex_unlock(&xlink->net->lock);
		put_prog(replaced);
		put_prog(was);
		return 0;
	}
	pthread_mutex_unlock(&xlink->net->lock);
	return err;
}

static void fill_info(const struct link *link, struct bpf_link_info *ret_info)
{
	const struct net_xdp_link *xlink = to_xdp_link(link);

	pthread_mutex_lock(&xlink->net->lock);
	ret_info->xdp.ifindex = xlink->dev ? xlink->dev->ifindex : 0;
	pthread_mutex_unlock(&xlink->net->lock);
}

static void free_link(struct link *link)
{
	mem_free(to_xdp_link(link));
}

static const struct link_ops xdp_link_ops = {
	.detach = detach,
	.update = update,
	.fill_info = fill_info,
	.free = free_link,
};

int net_xdp_link(struct net *net, u32 ifindex, struct prog *prog, u32 flags, struct link **ret_link)
{
	struct net_xdp_link *xlink;
	struct prog *replaced;
	struct net_dev *dev;
	int err = flags & ~XDP_FLAGS_MODES ? -EINVAL : check_flags(flags);

	if (!err)
		err = check_prog(prog);
	if (err)
		return err;
	xlink = mem_zalloc(sizeof(*xlink));
	if (!xlink)
		return -ENOMEM;
	xlink->net = net;
	pthread_mutex_lock(&net->lock);
	dev = net_dev_find(net, ifindex);
	err = dev ? 0 : -ENODEV;
	if (!err && (dev->link || dev->prog))
		err = -EBUSY;
	if (!err) {
		link_init(&xlink->link, net->inst, BPF_LINK_TYPE_XDP, BPF_XDP, prog, &xdp_link_ops);
		set_prog(dev, prog, &replaced);
		dev->xdp_flags = mode_of(flags);
		dev->link = xlink;
		xlink->dev = dev;
	}
	pthread_mutex_unlock(&net->lock);
	if (err) {
		mem_free(xlink);
		return err;
	}
	*ret_link = &xlink->link;
	return 0;
}

int net_dev_info(struct net *net, u32 ifindex, struct net_dev_info *ret_info)
{
	struct net_dev *dev, *peer;

	pthread_mutex_lock(&net->lock);
	dev = net_dev_find(net, ifindex);
	if (dev) {
		peer = dev->peer ? dev->peer : dev->twin;
		*ret_info = (struct net_dev_info){
			.kind = dev->ops->kind,
			.ifindex = ifindex,
			.peer_ifindex = peer ? peer->ifindex : 0,
			.prog_id = dev->prog ? dev->prog->obj.id : 0,
			.link_id = dev->link ? dev->link->link.obj.id : 0,
			.xdp_flags = dev->xdp_flags,
			.is_ended = dev->is_ended,
			.stats = dev->stats,
		};
		memcpy(ret_info->name, dev->name, sizeof(dev->name));
	}
	pthread_mutex_unlock(&net->lock);
	return dev ? 0 : -ENODEV;
}
