/*
 * The devices of an instance and the step that moves frames between them.
 */
#include "net/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/prog.h"
#include "net/dev.h"
#include "vm/vm.h"

enum {
	IFINDEX_MAX = 0x7ffffffe,
	EVENT_MAX = 16,
	BATCH = 64, /* frames of one device before the next has its turn */
};

static const struct net_dev_ops *const kinds[] = {
	&net_dev_pcap,
	&net_dev_tap,
	&net_dev_packet,
	&net_dev_veth,
};

#define to_dev(p) list_entry(p, struct net_dev, node)

static int open_events(struct net *net)
{
	struct epoll_event ev = {.events = EPOLLIN};

	net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (net->epoll_fd < 0)
		return -errno;
	net->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (net->wake_fd < 0)
		return -errno;
	return epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, net->wake_fd, &ev) ? -errno : 0;
}

/* Linux's check of a test run's ingress device: one receive queue each, number 0. */
static int check_rxq(struct skep *inst, u32 ifindex, u32 queue)
{
	struct net *net = inst->net;
	bool is_there;

	pthread_mutex_lock(&net->devs_lock);
	is_there = net_dev_find(net, ifindex);
	pthread_mutex_unlock(&net->devs_lock);
	if (!is_there)
		return -ENODEV;
	return queue ? -EINVAL : 0;
}

int net_of(struct skep *inst, struct net **ret_net)
{
	struct net *net = inst->net;
	int err;

	if (net) {
		*ret_net = net;
		return 0;
	}
	net = mem_zalloc(sizeof(*net));
	if (!net)
		return -ENOMEM;
	net->inst = inst;
	net->epoll_fd = net->wake_fd = -1;
	list_init(&net->devs);
	pthread_mutex_init(&net->lock, NULL);
	pthread_mutex_init(&net->devs_lock, NULL);
	net->room = mem_alloc(NET_ROOM_LEN);
	err = net->room ? open_events(net) : -ENOMEM;
	if (err) {
		net_free(net);
		return err;
	}
	inst->check_rxq = check_rxq;
	*ret_net = inst->net = net;
	return 0;
}

static void dev_free(struct net_dev *dev)
{
	net_xdp_drop(dev);
	if (dev->peer)
		dev->peer->peer = NULL;
	if (dev->twin)
		dev->twin->twin = NULL;
	if (dev->net->next == dev)
		dev->net->next = NULL;
	if (dev->fd >= 0)
		epoll_ctl(dev->net->epoll_fd, EPOLL_CTL_DEL, dev->fd, NULL);
	dev->ops->close(dev);
	net_dev_unmake(dev);
}

void net_free(struct net *net)
{
	if (!net)
		return;
	pthread_mutex_lock(&net->lock);
	list_for_each_safe (pos, &net->devs)
		dev_free(to_dev(pos));
	pthread_mutex_unlock(&net->lock);
	if (net->inst->net == net) {
		net->inst->check_rxq = NULL;
		net->inst->net = NULL;
	}
	if (net->epoll_fd >= 0)
		close(net->epoll_fd);
	if (net->wake_fd >= 0)
		close(net->wake_fd);
	pthread_mutex_destroy(&net->devs_lock);
	pthread_mutex_destroy(&net->lock);
	mem_free(net->room);
	mem_free(net);
}

struct net_dev *net_dev_find(struct net *net, u32 ifindex)
{
	list_for_each (pos, &net->devs)
		if (to_dev(pos)->ifindex == ifindex)
			return to_dev(pos);
	return NULL;
}

static struct net_dev *find_name(struct net *net, const char *name)
{
	list_for_each (pos, &net->devs)
		if (!strcmp(to_dev(pos)->name, name))
			return to_dev(pos);
	return NULL;
}

int net_dev_make(struct net *net, const struct net_dev_ops *ops, struct net_dev **ret_dev)
{
	struct net_dev *dev;

	if (net->last_ifindex == IFINDEX_MAX)
		return -ENFILE;
	dev = mem_zalloc(sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	dev->net = net;
	dev->ops = ops;
	dev->fd = -1;
	dev->ifindex = ++net->last_ifindex;
	dev->rxq.ifindex = dev->ifindex;
	pthread_mutex_lock(&net->devs_lock);
	list_add_tail(&dev->node, &net->devs);
	pthread_mutex_unlock(&net->devs_lock);
	*ret_dev = dev;
	return 0;
}

void net_dev_unmake(struct net_dev *dev)
{
	pthread_mutex_lock(&dev->net->devs_lock);
	list_del(&dev->node);
	pthread_mutex_unlock(&dev->net->devs_lock);
	mem_free(dev);
}

/* Linux's dev_valid_name, and no '=' or ':' or ',' because specs use them. */
int net_dev_set_name(struct net_dev *dev, const char *name, struct buf *err)
{
	size_t len = strlen(name);

	if (!len || len >= NET_NAME_LEN || !strcmp(name, ".") || !strcmp(name, "..") ||
		strpbrk(name, "/:=, \t\n\v\f\r")) {
		buf_printf(err,
			"'%s' is not a device name: 1 to %d characters, no '/', ':', '=', ',' or "
			"space",
			name, NET_NAME_LEN - 1);
		return -EINVAL;
	}
	if (find_name(dev->net, name)) {
		buf_printf(err, "a device named '%s' exists; give another name with NAME=KIND:…",
			name);
		return -EEXIST;
	}
	memcpy(dev->name, name, len + 1);
	return 0;
}

/* pcap0, pcap1, … */
static int set_default_name(struct net_dev *dev, struct buf *err)
{
	char name[NET_NAME_LEN];

	for (u32 i = 0;; i++) {
		snprintf(name, sizeof(name), "%.8s%u", dev->ops->kind, i);
		if (!find_name(dev->net, name))
			return net_dev_set_name(dev, name, err);
	}
}

static const struct net_dev_ops *find_kind(const char *spec, const char **ret_args, struct buf *err)
{
	size_t len = strcspn(spec, ":");

	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strlen(kinds[i]->kind) != len || strncmp(kinds[i]->kind, spec, len))
			continue;
		*ret_args = spec[len] ? spec + len + 1 : "";
		return kinds[i];
	}
	buf_printf(err, "unknown kind of device in '%s'; kinds are", spec);
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++)
		buf_printf(err, "%s %s", i ? "," : "", kinds[i]->syntax);
	return NULL;
}

static int watch(struct net_dev *dev)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = dev};

	if (dev->fd < 0)
		return 0;
	return epoll_ctl(dev->net->epoll_fd, EPOLL_CTL_ADD, dev->fd, &ev) ? -errno : 0;
}

static int add_locked(struct net *net, const char *spec, struct buf *err, u32 *ret_ifindex)
{
	const char *equals = strchr(spec, '='), *colon = strchr(spec, ':'), *args;
	const struct net_dev_ops *ops;
	char name[NET_NAME_LEN + 1] = "";
	struct net_dev *dev;
	int res;

	if (equals && (!colon || equals < colon)) {
		snprintf(name, sizeof(name), "%.*s", (int)(equals - spec), spec);
		spec = equals + 1;
	} else {
		equals = NULL;
	}
	ops = find_kind(spec, &args, err);
	if (!ops)
		return -EINVAL;
	res = net_dev_make(net, ops, &dev);
	if (res)
		return res;
	if (equals)
		res = net_dev_set_name(dev, name, err);
	if (!res)
		res = ops->open(dev, args, err);
	if (res)
		goto free_bare;
	if (!dev->name[0])
		res = set_default_name(dev, err);
	if (!res)
		res = watch(dev);
	if (res) {
		dev_free(dev);
		return res;
	}
	*ret_ifindex = dev->ifindex;
	return 0;
free_bare:
	net_dev_unmake(dev);
	return res;
}

int net_dev_add(struct net *net, const char *spec, struct buf *err, u32 *ret_ifindex)
{
	int res;

	pthread_mutex_lock(&net->lock);
	res = add_locked(net, spec, err, ret_ifindex);
	pthread_mutex_unlock(&net->lock);
	if (res && !err->len)
		buf_printf(err, "cannot add device '%s': %s", spec, strerror(-res));
	net_wake(net);
	return res;
}

int net_dev_del(struct net *net, u32 ifindex)
{
	struct net_dev *dev, *twin;

	pthread_mutex_lock(&net->lock);
	dev = net_dev_find(net, ifindex);
	if (dev) {
		twin = dev->twin;
		dev_free(dev);
		if (twin)
			dev_free(twin);
	}
	pthread_mutex_unlock(&net->lock);
	return dev ? 0 : -ENODEV;
}

int net_dev_join(struct net *net, u32 ifindex_a, u32 ifindex_b)
{
	struct net_dev *a, *b;
	int err = 0;

	pthread_mutex_lock(&net->lock);
	a = net_dev_find(net, ifindex_a);
	b = net_dev_find(net, ifindex_b);
	if (!a || !b)
		err = -ENODEV;
	else if (a == b)
		err = -EINVAL;
	else if (a->peer || b->peer)
		err = -EBUSY;
	if (!err) {
		a->peer = b;
		b->peer = a;
	}
	pthread_mutex_unlock(&net->lock);
	return err;
}

u32 net_dev_next(struct net *net, u32 ifindex)
{
	u32 next = 0;

	pthread_mutex_lock(&net->lock);
	list_for_each (pos, &net->devs) {
		if (to_dev(pos)->ifindex <= ifindex)
			continue;
		next = to_dev(pos)->ifindex;
		break;
	}
	pthread_mutex_unlock(&net->lock);
	return next;
}

u32 net_dev_index(struct net *net, const char *name)
{
	struct net_dev *dev;
	u32 ifindex;

	pthread_mutex_lock(&net->lock);
	dev = find_name(net, name);
	ifindex = dev ? dev->ifindex : 0;
	pthread_mutex_unlock(&net->lock);
	return ifindex;
}

const char *net_dev_syntax(u32 idx)
{
	return idx < ARRAY_SIZE(kinds) ? kinds[idx]->syntax : NULL;
}

int net_dev_send(struct net_dev *dev, const struct net_frame *frame)
{
	int err = dev->ops->send(dev, frame);

	if (err) {
		dev->stats.tx_failed++;
		return err;
	}
	dev->stats.tx_cnt++;
	dev->stats.tx_len += frame->len;
	return 0;
}

static bool has_frame(const struct net_dev *dev)
{
	return !dev->is_ended && dev->ops->has_frame && dev->ops->has_frame(dev);
}

static bool any_has_frame(struct net *net)
{
	list_for_each (pos, &net->devs)
		if (has_frame(to_dev(pos)))
			return true;
	return false;
}

/* Up to max frames of one device through its program. */
static int take(struct net_dev *dev, u32 max, struct run *run, u32 *taken, struct buf *err)
{
	struct net *net = dev->net;
	struct net_frame frame;
	int res;

	for (u32 i = 0; i < max && !dev->is_ended; i++) {
		frame = (struct net_frame){.data = net->room + XDP_HEADROOM};
		res = dev->ops->recv(dev, &frame, err);
		if (res == -EAGAIN)
			return 0;
		if (res) {
			dev->is_ended = true;
			if (dev->fd >= 0)
				epoll_ctl(net->epoll_fd, EPOLL_CTL_DEL, dev->fd, NULL);
			return res == -ENODATA ? 0 : res;
		}
		if (frame.stamp_ns && net->inst->clock == INST_CLOCK_REPLAY)
			net->inst->replay_ns = frame.stamp_ns;
		++*taken;
		net_xdp_run(dev, &frame, run);
	}
	return 0;
}

/* One turn over all devices, beginning after the one that was served last. */
static int turn(struct net *net, u32 budget, struct run *run, u32 *taken, struct buf *err)
{
	struct list *start = net->next ? &net->next->node : net->devs.next, *pos = start;
	int res = 0;

	do {
		if (pos != &net->devs) {
			u32 max = MIN((u32)BATCH, budget - *taken);

			res = take(to_dev(pos), max, run, taken, err);
		}
		pos = pos->next;
	} while (pos != start && *taken < budget && !res);
	net->next = pos == &net->devs ? NULL : to_dev(pos);
	return res;
}

static void wait_ready(struct net *net, int timeout_ms)
{
	struct epoll_event events[EVENT_MAX];
	u64 wakes;
	int cnt = epoll_wait(net->epoll_fd, events, EVENT_MAX, timeout_ms);

	for (int i = 0; i < cnt; i++)
		if (!events[i].data.ptr && read(net->wake_fd, &wakes, sizeof(wakes)) < 0)
			continue;
}

int net_step(struct net *net, int timeout_ms, u32 budget, struct buf *err)
{
	bool is_ready;
	struct run *run;
	u32 taken = 0;
	int res;

	if (net->inst->reap)
		net->inst->reap(net->inst);
	pthread_mutex_lock(&net->lock);
	is_ready = any_has_frame(net);
	pthread_mutex_unlock(&net->lock);
	if (!is_ready)
		wait_ready(net, timeout_ms);
	pthread_mutex_lock(&net->lock);
	run = vm_run_get(net->inst, 0);
	res = turn(net, budget, run, &taken, err);
	vm_run_put(run);
	if (any_has_frame(net))
		net_wake(net);
	pthread_mutex_unlock(&net->lock);
	return res ? res : (int)taken;
}

bool net_is_done(struct net *net)
{
	bool is_done = true;

	pthread_mutex_lock(&net->lock);
	list_for_each (pos, &net->devs) {
		struct net_dev *dev = to_dev(pos);

		if (has_frame(dev) || (!dev->is_ended && dev->fd >= 0))
			is_done = false;
	}
	pthread_mutex_unlock(&net->lock);
	return is_done;
}

int net_fd(const struct net *net)
{
	return net->epoll_fd;
}

void net_wake(struct net *net)
{
	u64 one = 1;
	int saved = errno;

	if (write(net->wake_fd, &one, sizeof(one)) < 0)
		errno = saved; /* full: it is awake already */
}

int net_flush(struct net *net, struct buf *err)
{
	int res = 0, one;

	pthread_mutex_lock(&net->lock);
	list_for_each (pos, &net->devs) {
		struct net_dev *dev = to_dev(pos);

		one = dev->ops->flush ? dev->ops->flush(dev) : 0;
		if (!one || res)
			continue;
		res = one;
		buf_printf(
			err, "%s: the output could not be written: %s", dev->name, strerror(-one));
	}
	pthread_mutex_unlock(&net->lock);
	return res;
}
