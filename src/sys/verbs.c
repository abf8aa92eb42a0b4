/*
 * The verbs beside bpf(2), each a few lines over layer net and the tables.
 */
#include "sys/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/map.h"
#include "core/prog.h"
#include "net/net.h"
#include "sys/fd.h"
#include "sys/sys.h"
#include "sys/caller.h"

int sys_dev_add(struct skep *inst, const char *spec, struct buf *err, u32 *ret_ifindex)
{
	return net_dev_add(inst->net, spec, err, ret_ifindex);
}

int sys_dev_del(struct skep *inst, u32 ifindex)
{
	return net_dev_del(inst->net, ifindex);
}

int sys_dev_join(struct skep *inst, u32 ifindex_a, u32 ifindex_b)
{
	return net_dev_join(inst->net, ifindex_a, ifindex_b);
}

static int read_dev(struct skep *inst, u32 ifindex, struct sys_dev *ret_dev)
{
	struct net_dev_info info;
	int err = net_dev_info(inst->net, ifindex, &info);

	if (err)
		return err;
	_Static_assert((int)SYS_DEV_ACTIONS == (int)NET_ACTION_CNT, "actions are the same");
	_Static_assert((int)SYS_DEV_NAME_LEN == (int)NET_NAME_LEN, "names are the same");
	memset(ret_dev, 0, sizeof(*ret_dev));
	memcpy(ret_dev->name, info.name, sizeof(ret_dev->name));
	snprintf(ret_dev->kind, sizeof(ret_dev->kind), "%s", info.kind);
	ret_dev->ifindex = info.ifindex;
	ret_dev->peer_ifindex = info.peer_ifindex;
	ret_dev->prog_id = info.prog_id;
	ret_dev->link_id = info.link_id;
	ret_dev->xdp_flags = info.xdp_flags;
	ret_dev->is_ended = info.is_ended;
	ret_dev->rx_cnt = info.stats.rx_cnt;
	ret_dev->rx_len = info.stats.rx_len;
	ret_dev->tx_cnt = info.stats.tx_cnt;
	ret_dev->tx_len = info.stats.tx_len;
	ret_dev->tx_failed = info.stats.tx_failed;
	ret_dev->redirect_failed = info.stats.redirect_failed;
	ret_dev->passed_cnt = info.stats.passed_cnt;
	memcpy(ret_dev->action, info.stats.action, sizeof(ret_dev->action));
	return 0;
}

/* Links whose descriptors were closed are not shown any more. */
int sys_dev_get(struct skep *inst, u32 ifindex, struct sys_dev *ret_dev)
{
	sys_fd_reap(inst);
	return read_dev(inst, ifindex, ret_dev);
}

int sys_dev_next(struct skep *inst, u32 ifindex, struct sys_dev *ret_dev)
{
	int err;

	sys_fd_reap(inst);
	do {
		ifindex = net_dev_next(inst->net, ifindex);
		if (!ifindex)
			return -ENODEV;
		err = read_dev(inst, ifindex, ret_dev); /* -ENODEV: it went just now */
	} while (err);
	return 0;
}

int sys_dev_index(struct skep *inst, const char *name)
{
	u32 ifindex = net_dev_index(inst->net, name);

	return ifindex ? (int)ifindex : -ENODEV;
}

int sys_xdp_attach(struct skep *inst, struct sys_user *user, u32 ifindex, int prog_fd, u32 flags)
{
	struct obj *obj = NULL;
	int err = 0;

	sys_fd_reap(inst);
	if (prog_fd >= 0)
		err = sys_fd_obj(inst, user, prog_fd, OBJ_PROG, &obj, NULL);
	if (err)
		return err;
	err = net_xdp_attach(
		inst->net, ifindex, obj ? container_of(obj, struct prog, obj) : NULL, flags, NULL);
	obj_put(obj);
	return err;
}

static int map_fdinfo(struct map *map, const char *key, u64 *ret_value)
{
	bool is_jited;
	u32 type;

	if (!strcmp(key, "memlock")) {
		*ret_value = map->ops->mem_usage ? map->ops->mem_usage(map) : 0;
		return 0;
	}
	if (!strcmp(key, "frozen")) {
		*ret_value = map->is_frozen;
		return 0;
	}
	if (strncmp(key, "owner_", strlen("owner_")) || !map->ops->owner ||
		!map->ops->owner(map, &type, &is_jited))
		return -ENOENT;
	if (!strcmp(key, "owner_prog_type"))
		*ret_value = type;
	else if (!strcmp(key, "owner_jited"))
		*ret_value = is_jited;
	else
		return -ENOENT;
	return 0;
}

/* Linux counts whole pages of instructions. */
static int prog_fdinfo(const struct prog *prog, const char *key, u64 *ret_value)
{
	u64 page = sysconf(_SC_PAGESIZE);

	if (strcmp(key, "memlock"))
		return -ENOENT;
	*ret_value = ROUND_UP(prog->code.insn_cnt * sizeof(struct bpf_insn), page);
	return 0;
}

int sys_fdinfo(struct skep *inst, struct sys_user *user, int fd, const char *key, u64 *ret_value)
{
	struct obj *obj;
	int err = sys_fd_obj(inst, user, fd, OBJ_KIND_CNT, &obj, NULL);

	if (err)
		return err;
	if (obj->kind == OBJ_MAP)
		err = map_fdinfo(container_of(obj, struct map, obj), key, ret_value);
	else if (obj->kind == OBJ_PROG)
		err = prog_fdinfo(container_of(obj, struct prog, obj), key, ret_value);
	else
		err = -ENOENT;
	obj_put(obj);
	return err;
}

int sys_pin_next(struct skep *inst, const char *after, char *ret_path, size_t cap)
{
	sys_pins_sweep(inst);
	return sys_pin_path_after(inst, after, ret_path, cap);
}

void sys_status_get(struct skep *inst, u64 start_ns, struct sys_status *ret_status)
{
	struct sys_status status = {.pid = getpid(), .cpu_cnt = inst->cpu_cnt};
	struct sys_dev dev = {0};

	while (!sys_dev_next(inst, dev.ifindex, &dev)) {
		status.dev_cnt++;
		status.rx_cnt += dev.rx_cnt;
	}
	sys_fd_reap(inst);
	pthread_mutex_lock(&inst->lock);
	for (int kind = 0; kind < OBJ_KIND_CNT; kind++)
		status.obj_cnt[kind] = inst->tables[kind].cnt;
	pthread_mutex_unlock(&inst->lock);
	status.is_idle = sys_is_idle(inst);
	status.uptime_ns = sys_clock_ns() - start_ns;
	*ret_status = status;
}

/* --- trace ------------------------------------------------------------------------------------- */

static void refill(struct skep *inst, struct sys_tail *tail)
{
	u64 lost = 0;

	buf_reset(&tail->text);
	tail->off = 0;
	trace_read(&inst->trace, &tail->text, &lost);
	/* The kernel's words for a ring that overflowed. */
	if (lost)
		buf_printf(&tail->text, "CPU:0 [LOST %llu EVENTS]\n", (unsigned long long)lost);
}

long sys_trace_read(struct skep *inst, struct sys_tail *tail, char *ret, size_t len)
{
	size_t part;

	if (tail->off == tail->text.len)
		refill(inst, tail);
	if (tail->text.err)
		return tail->text.err;
	part = MIN(len, tail->text.len - tail->off);
	memcpy(ret, buf_text(&tail->text) + tail->off, part);
	tail->off += part;
	return (long)part;
}

void sys_tail_done(struct sys_tail *tail)
{
	buf_done(&tail->text);
}

/* --- moving frames ----------------------------------------------------------------------------- */

int sys_step(struct skep *inst, int timeout_ms, u32 budget, struct buf *err)
{
	return net_step(inst->net, timeout_ms, budget, err);
}

bool sys_is_idle(struct skep *inst)
{
	return net_is_done(inst->net);
}

void sys_wake(struct skep *inst)
{
	net_wake(inst->net);
}

int sys_flush(struct skep *inst, struct buf *err)
{
	return net_flush(inst->net, err);
}
