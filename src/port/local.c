/*
 * The port of an instance in this process: calls go straight to layer sys, with this process as the user.
 */
#include "port/port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "port/devs.h"
#include "port/events.h"
#include "port/serve.h"
#include "port/text.h"
#include "port/wait.h"
#include "sys/inst.h"
#include "sys/sys.h"
#include "sys/caller.h"

enum {
	STEP_MS = 100, /* how long a signal that came just before waiting may go unseen */
	STEP_FRAMES = 1024,
	TRACE_PAUSE_MS = 20,
};

struct local {
	struct port port;
	struct skep inst;
	struct sys_user user;
	struct sys_tail tail;
	struct port_serving serving;
	bool is_serving;
};

#define to_local(p) container_of(p, struct local, port)

static void emit(void *arg, enum sink_level level, const char *text)
{
	struct local *l = arg;

	if (__atomic_load_n(&l->is_serving, __ATOMIC_ACQUIRE) &&
		sys_server_log(l->serving.server, level, text))
		return;
	if (l->port.say)
		l->port.say(l->port.say_arg, level, text);
}

static long local_bpf(struct port *p, int cmd, union bpf_attr *attr, unsigned int size)
{
	struct local *l = to_local(p);

	return sys_bpf(&l->inst, &l->user, cmd, (uintptr_t)attr, size);
}

static int local_fdinfo(struct port *p, int fd, const char *key, u64 *ret)
{
	struct local *l = to_local(p);

	return sys_fdinfo(&l->inst, &l->user, fd, key, ret);
}

static int local_event_open(struct port *p, const struct perf_event_attr *attr, int cpu)
{
	struct local *l = to_local(p);
	struct sys_event event;

	port_event_from(attr, cpu, &event);
	return sys_event_open(&l->inst, &l->user, &event);
}

static int local_event_enable(struct port *p, int fd, bool on)
{
	struct local *l = to_local(p);

	return sys_event_enable(&l->inst, &l->user, fd, on);
}

static int local_mapped(struct port *p, int fd, u64 addr, u64 len, u64 off, bool is_writable)
{
	struct sys_mapping mapping = {
		.addr = addr, .len = len, .off = off, .is_writable = is_writable};
	struct local *l = to_local(p);

	return sys_mapped(&l->inst, &l->user, fd, &mapping);
}

static int local_wake_fd(struct port *p, int fd, bool *ret_is_writer)
{
	struct local *l = to_local(p);
	int wake, err = sys_wake_fd(&l->inst, &l->user, fd, &wake, ret_is_writer);

	return err ? err : wake;
}

static int local_if_index(struct port *p, const char *name)
{
	return sys_dev_index(&to_local(p)->inst, name);
}

static int local_if_name(struct port *p, u32 ifindex, char ret[PORT_IFNAME_MAX])
{
	struct sys_dev dev;
	int err = sys_dev_get(&to_local(p)->inst, ifindex, &dev);

	if (!err)
		memcpy(ret, dev.name, PORT_IFNAME_MAX);
	return err;
}

static int local_xdp_attach(
	struct port *p, u32 ifindex, int prog_fd, u32 flags, struct port_text *err)
{
	struct local *l = to_local(p);

	err->text[0] = 0;
	return sys_xdp_attach(&l->inst, &l->user, ifindex, prog_fd, flags);
}

static int local_xdp_query(struct port *p, u32 ifindex, struct port_xdp *ret)
{
	struct sys_dev dev;
	int err = sys_dev_get(&to_local(p)->inst, ifindex, &dev);

	if (!err)
		port_xdp_from(&dev, ret);
	return err;
}

static int local_dev_each(
	struct port *p, int (*fn)(void *arg, const struct port_dev *dev), void *arg)
{
	struct sys_dev dev = {0};
	struct port_dev shown;
	int ret = 0;

	while (!ret && !sys_dev_next(&to_local(p)->inst, dev.ifindex, &dev)) {
		port_dev_from(&dev, &shown);
		ret = fn(arg, &shown);
	}
	return ret;
}

/* Moves a text of layer sys into the caller's, and frees it. */
static void take_text(struct buf *text, struct port_text *err)
{
	snprintf(err->text, sizeof(err->text), "%s", buf_text(text));
	buf_done(text);
}

static int local_dev_add(struct port *p, const char *spec, u32 *ret_ifindex, struct port_text *err)
{
	struct buf text = BUF_INIT;
	int ret = sys_dev_add(&to_local(p)->inst, spec, &text, ret_ifindex);

	take_text(&text, err);
	return ret;
}

static int local_dev_del(struct port *p, u32 ifindex, struct port_text *err)
{
	err->text[0] = 0;
	return sys_dev_del(&to_local(p)->inst, ifindex);
}

static int local_dev_join(struct port *p, u32 a, u32 b, struct port_text *err)
{
	err->text[0] = 0;
	return sys_dev_join(&to_local(p)->inst, a, b);
}

/*
 * Frames until the user, the count or the devices end it. A device that breaks is told of in text and
 * fails nothing: the others go on to their end.
 */
static void move_frames(struct local *l, const struct port_run *run, struct buf *text)
{
	u64 cnt = 0;

	while (!(run->stop && *run->stop) && (!run->count || cnt < run->count)) {
		u64 budget = run->count ? run->count - cnt : STEP_FRAMES;
		int taken = sys_step(&l->inst, STEP_MS, MIN(budget, (u64)STEP_FRAMES), text);

		if (taken > 0)
			cnt += taken;
		if (taken <= 0 && sys_is_idle(&l->inst))
			break;
	}
}

static int local_run(struct port *p, const struct port_run *run, struct port_text *err)
{
	struct buf text = BUF_INIT;
	int ret;

	move_frames(to_local(p), run, &text);
	ret = sys_flush(&to_local(p)->inst, &text);
	take_text(&text, err);
	return ret;
}

static int local_pin_each(struct port *p, int (*fn)(void *arg, const char *path), void *arg)
{
	char path[SYS_PIN_PATH_MAX] = "";
	int ret = 0;

	while (!ret && !sys_pin_next(&to_local(p)->inst, path, path, sizeof(path)))
		ret = fn(arg, path);
	return ret;
}

static long local_trace_read(struct port *p, char *buf, size_t len)
{
	struct local *l = to_local(p);
	struct port_wait wait;
	long ret;

	port_wait_begin(&wait);
	while (!(ret = sys_trace_read(&l->inst, &l->tail, buf, len)))
		if (port_wait_ms(&wait, TRACE_PAUSE_MS)) {
			ret = -EINTR;
			break;
		}
	port_wait_end(&wait);
	return ret;
}

static int local_serve(struct port *p, const char *name, struct port_text *err)
{
	struct local *l = to_local(p);
	int ret;

	if (l->is_serving)
		return port_fail(
			-EBUSY, err, "the instance listens already, as %s", l->serving.place.name);
	ret = port_serve_start(&l->inst, name, NULL, NULL, &l->serving, err);
	if (!ret)
		__atomic_store_n(&l->is_serving, true, __ATOMIC_RELEASE);
	return ret;
}

static void local_close(struct port *p)
{
	struct local *l = to_local(p);
	bool was_serving = l->is_serving;

	if (was_serving) {
		port_serve_stop(&l->serving);
		l->is_serving = false;
	}
	sys_inst_done(&l->inst);
	if (was_serving)
		port_serve_leave(&l->serving);
	sys_tail_done(&l->tail);
	mem_free(l);
}

static const struct port_ops local_ops;

int port_open_local(const struct port_opts *opts, struct port **ret, struct port_text *err)
{
	struct inst_options want = {0};
	struct local *l = mem_zalloc(sizeof(*l));
	int res;

	if (!l)
		return -ENOMEM;
	want = (struct inst_options){
		.sink = {.emit = emit, .arg = l},
		.cpu_cnt = opts->cpus,
		.no_jit = opts->interp,
		.checked = opts->checked,
		.jitdump = opts->jitdump,
		.checked_jit = opts->checked_jit,
		.clock = opts->replay_clock ? INST_CLOCK_REPLAY : INST_CLOCK_REAL,
		.kernel_btf = opts->kernel_btf,
	};
	res = sys_inst_init(&l->inst, &want);
	if (res) {
		mem_free(l);
		return port_fail(res, err, "%s", port_errno_text(res));
	}
	l->inst.verify_insns_max = opts->insns_max;
	l->inst.verify_only = opts->verify_only;
	sys_user_local_init(&l->user);
	l->port.ops = &local_ops;
	*ret = &l->port;
	return 0;
}

static const struct port_ops local_ops = {
	.name = "local",
	.bpf = local_bpf,
	.statfs = port_statfs_bpf,
	.fdinfo = local_fdinfo,
	.event_open = local_event_open,
	.event_enable = local_event_enable,
	.mapped = local_mapped,
	.wake_fd = local_wake_fd,
	.if_index = local_if_index,
	.if_name = local_if_name,
	.xdp_attach = local_xdp_attach,
	.xdp_query = local_xdp_query,
	.dev_each = local_dev_each,
	.dev_add = local_dev_add,
	.dev_del = local_dev_del,
	.dev_join = local_dev_join,
	.run = local_run,
	.pin_each = local_pin_each,
	.trace_read = local_trace_read,
	.serve = local_serve,
	.close = local_close,
};
