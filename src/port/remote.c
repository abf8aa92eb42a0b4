/*
 * The client of the control socket (sys/proto.h has the dialogue). The instance reaches nothing here
 * that the user's own call did not hand it: it is the same user's process, and addresses are checked by
 * the host kernel, as in a system call.
 *
 * A connection that breaks stays broken: every call after that is -EIO.
 */
#include "port/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "port/devs.h"
#include "port/events.h"
#include "port/text.h"
#include "port/wait.h"
#include "sys/attr.h"
#include "sys/proto.h"
#include "sys/caller.h"

enum { POLL_MS = 50 };

struct remote {
	struct port port;
	int sock;
	bool is_broken;
	struct sys_user self;
	struct port_wake *wakes; /* wake_cnt of them */
	u32 wake_cnt;
	char in[SYS_MSG_DATA_MAX + 1];
	char scratch[SYS_MSG_DATA_MAX];
};

#define to_remote(p) container_of(p, struct remote, port)

/* --- what the instance asks -------------------------------------------------------------------- */

static int answer_read(struct remote *r, const struct sys_msg *ask)
{
	struct sys_msg answer = {.kind = SYS_MSG_DATA};

	if (ask->a > SYS_MSG_DATA_MAX)
		return -EPROTO;
	answer.value = sys_user_read(&r->self, ask->addr, r->scratch, ask->a);
	answer.len = answer.value ? 0 : ask->a;
	return sys_msg_send(r->sock, &answer, r->scratch, -1);
}

static int answer_write(struct remote *r, const struct sys_msg *ask)
{
	struct sys_msg answer = {.kind = SYS_MSG_DONE};

	answer.value = sys_user_write(&r->self, ask->addr, r->in, ask->len);
	return sys_msg_send(r->sock, &answer, NULL, -1);
}

static int answer_fd(struct remote *r, const struct sys_msg *ask)
{
	struct sys_msg answer = {.kind = SYS_MSG_DONE};
	int err = -EBADF;

	if (ask->value >= 0 && ask->value <= INT_MAX)
		err = sys_msg_send(r->sock, &answer, NULL, (int)ask->value);
	if (err != -EBADF)
		return err;
	answer.value = -EBADF; /* it is not open */
	return sys_msg_send(r->sock, &answer, NULL, -1);
}

/* The descriptor is this process's now. */
static int answer_install(struct remote *r, int fd)
{
	struct sys_msg answer = {.kind = SYS_MSG_DONE, .value = fd < 0 ? -EMFILE : fd};
	int err = sys_msg_send(r->sock, &answer, NULL, -1);

	if (err && fd >= 0)
		close(fd);
	return err;
}

static int serve(struct remote *r, const struct sys_msg *msg, int fd)
{
	if (msg->kind == SYS_MSG_INSTALL)
		return answer_install(r, fd);
	if (fd >= 0) {
		close(fd);
		return -EPROTO;
	}
	switch (msg->kind) {
	case SYS_MSG_READ: return answer_read(r, msg);
	case SYS_MSG_WRITE: return answer_write(r, msg);
	case SYS_MSG_FD: return answer_fd(r, msg);
	case SYS_MSG_LOG:
		if (r->port.say)
			r->port.say(r->port.say_arg, (int)msg->a, r->in);
		return 0;
	default: return -EPROTO;
	}
}

/* One request to its result, whose data stands in r->in with a NUL behind it. */
static int dialogue(struct remote *r, const struct sys_msg *request, const void *data, int pass_fd,
	struct sys_msg *ret_result)
{
	struct sys_msg without = *request;
	int fd, err = sys_msg_send(r->sock, request, data, pass_fd);

	if (err == -EBADF && pass_fd >= 0) { /* another thread has just closed it */
		without.value = -1;
		err = sys_msg_send(r->sock, &without, data, -1);
	}
	while (!err) {
		err = sys_msg_recv(r->sock, ret_result, r->in, &fd);
		if (err && err != -EMFILE)
			break;
		if (!err && ret_result->kind == SYS_MSG_RESULT && fd < 0)
			return 0;
		err = serve(r, ret_result, fd);
	}
	return err;
}

static s64 request_with(struct remote *r, const struct sys_msg *msg, const void *data, int pass_fd,
	struct sys_msg *ret_result)
{
	if (r->is_broken || dialogue(r, msg, data, pass_fd, ret_result)) {
		r->is_broken = true;
		return -EIO;
	}
	/* the last thing the call wrote */
	if (ret_result->a && sys_user_write(&r->self, ret_result->addr, r->in, ret_result->len))
		return -EFAULT;
	return ret_result->value;
}

static s64 request(
	struct remote *r, const struct sys_msg *msg, const void *data, struct sys_msg *ret_result)
{
	return request_with(r, msg, data, -1, ret_result);
}

/* A request whose result is a structure. */
static int request_struct(
	struct remote *r, const struct sys_msg *msg, const void *data, void *ret, size_t len)
{
	struct sys_msg result;
	s64 value = request(r, msg, data, &result);

	if (value < 0)
		return (int)value;
	if (result.len != len)
		return -EPROTO;
	memcpy(ret, r->in, len);
	return 0;
}

static int request_text(struct remote *r, const struct sys_msg *msg, const void *data,
	s64 *ret_value, struct port_text *err)
{
	struct sys_msg result;
	s64 value = request(r, msg, data, &result);

	err->text[0] = 0;
	if (r->is_broken)
		return port_fail(-EIO, err, "the instance has ended");
	if (value < 0) {
		snprintf(err->text, sizeof(err->text), "%.*s", PORT_TEXT_MAX - 1,
			result.len ? r->in : "");
		return (int)value;
	}
	if (ret_value)
		*ret_value = value;
	return 0;
}

/* --- the port ---------------------------------------------------------------------------------- */

/* Commands whose attr begins with a descriptor, and of these the ones whose second word points at a key. */
static const u64 fd_cmds = 1ull << BPF_MAP_LOOKUP_ELEM | 1ull << BPF_MAP_UPDATE_ELEM |
			   1ull << BPF_MAP_DELETE_ELEM | 1ull << BPF_MAP_GET_NEXT_KEY |
			   1ull << BPF_MAP_FREEZE | 1ull << BPF_MAP_LOOKUP_AND_DELETE_ELEM |
			   1ull << BPF_PROG_TEST_RUN | 1ull << BPF_OBJ_GET_INFO_BY_FD;
static const u64 key_cmds = 1ull << BPF_MAP_LOOKUP_ELEM | 1ull << BPF_MAP_UPDATE_ELEM |
			    1ull << BPF_MAP_DELETE_ELEM | 1ull << BPF_MAP_GET_NEXT_KEY |
			    1ull << BPF_MAP_LOOKUP_AND_DELETE_ELEM;

static bool is_one_of(int cmd, u64 cmds)
{
	return cmd >= 0 && cmd < 64 && cmds >> cmd & 1;
}

/* The key's bytes behind the attr's: as many as may be one, of those that can be read. */
static u32 add_key(struct remote *r, const union bpf_attr *attr, char *to)
{
	u64 page = 4096, addr = attr->key;
	u32 len = MIN((u64)SYS_MSG_KEY_MAX, page - addr % page);

	return addr && !sys_user_read(&r->self, addr, to, len) ? len : 0;
}

/* What the call will ask for goes along; what cannot be had is found out by the instance. */
static long remote_bpf(struct port *p, int cmd, union bpf_attr *attr, unsigned int size)
{
	struct remote *r = to_remote(p);
	struct sys_msg msg = {.kind = SYS_MSG_BPF,
			       .a = cmd,
			       .b = size,
			       .addr = (uintptr_t)attr,
			       .value = -1},
		       result;
	union {
		union bpf_attr attr;
		char bytes[SYS_ATTR_SIZE + SYS_MSG_KEY_MAX];
	} with = {0};
	int fd = -1;

	msg.len = MIN(size, (unsigned)SYS_ATTR_SIZE);
	if (sys_user_read(&r->self, msg.addr, with.bytes, msg.len))
		msg.len = 0;
	if (msg.len >= sizeof(u32) && is_one_of(cmd, fd_cmds) && (int)with.attr.map_fd >= 0 &&
		fcntl((int)with.attr.map_fd, F_GETFD) >= 0)
		msg.value = fd = (int)with.attr.map_fd;
	if (msg.len >= 2 * sizeof(u64) && is_one_of(cmd, key_cmds))
		msg.len += add_key(r, &with.attr, with.bytes + msg.len);
	return request_with(r, &msg, with.bytes, fd, &result);
}

static int remote_fdinfo(struct port *p, int fd, const char *key, u64 *ret)
{
	struct sys_msg msg = {.kind = SYS_MSG_FDINFO, .value = fd, .len = strlen(key)};

	return request_struct(to_remote(p), &msg, key, ret, sizeof(*ret));
}

static int remote_event_open(struct port *p, const struct perf_event_attr *attr, int cpu)
{
	struct sys_msg msg = {.kind = SYS_MSG_EVENT_OPEN, .len = sizeof(struct sys_event)}, result;
	struct sys_event event;

	port_event_from(attr, cpu, &event);
	return (int)request(to_remote(p), &msg, &event, &result);
}

static int remote_event_enable(struct port *p, int fd, bool on)
{
	struct sys_msg msg = {.kind = SYS_MSG_EVENT_ENABLE, .value = fd, .a = on}, result;

	return (int)request(to_remote(p), &msg, NULL, &result);
}

static int remote_mapped(struct port *p, int fd, u64 addr, u64 len, u64 off, bool is_writable)
{
	struct sys_mapping mapping = {
		.addr = addr, .len = len, .off = off, .is_writable = is_writable};
	struct sys_msg msg = {.kind = SYS_MSG_MAPPED, .value = fd, .len = sizeof(mapping)}, result;

	return (int)request(to_remote(p), &msg, &mapping, &result);
}

/* The descriptor stays open: an epoll set knows what it waits for by it. */
static int remote_wake_fd(struct port *p, int fd, bool *ret_is_writer)
{
	struct sys_msg msg = {.kind = SYS_MSG_WAKE_FD, .value = fd}, result;
	struct remote *r = to_remote(p);
	struct stat st;
	u32 is_writer;
	s64 wake;

	if (fstat(fd, &st) < 0)
		return -errno;
	for (u32 i = 0; i < r->wake_cnt; i++)
		if (r->wakes[i].ino == st.st_ino) {
			*ret_is_writer = r->wakes[i].is_writer;
			return r->wakes[i].fd;
		}
	if (!port_wakes_grow(&r->wakes, r->wake_cnt))
		return -ENOMEM;
	wake = request(r, &msg, NULL, &result);
	if (wake < 0)
		return (int)wake;
	memcpy(&is_writer, r->in, sizeof(is_writer));
	r->wakes[r->wake_cnt++] = (struct port_wake){
		.ino = st.st_ino, .fd = (int)wake, .is_writer = is_writer};
	*ret_is_writer = is_writer;
	return (int)wake;
}

static int remote_if_index(struct port *p, const char *name)
{
	struct sys_msg msg = {.kind = SYS_MSG_DEV_INDEX, .len = strlen(name)}, result;

	return (int)request(to_remote(p), &msg, name, &result);
}

static int get_dev(struct remote *r, u32 kind, u32 ifindex, struct sys_dev *ret)
{
	struct sys_msg msg = {.kind = kind, .a = ifindex};
	int err = request_struct(r, &msg, NULL, ret, sizeof(*ret));

	ret->name[sizeof(ret->name) - 1] = ret->kind[sizeof(ret->kind) - 1] = 0;
	return err;
}

static int remote_if_name(struct port *p, u32 ifindex, char ret[PORT_IFNAME_MAX])
{
	struct sys_dev dev;
	int err = get_dev(to_remote(p), SYS_MSG_DEV_GET, ifindex, &dev);

	if (!err)
		memcpy(ret, dev.name, PORT_IFNAME_MAX);
	return err;
}

static int remote_xdp_attach(
	struct port *p, u32 ifindex, int prog_fd, u32 flags, struct port_text *err)
{
	struct sys_msg msg = {
		.kind = SYS_MSG_XDP_ATTACH, .a = ifindex, .b = flags, .value = prog_fd};

	return request_text(to_remote(p), &msg, NULL, NULL, err);
}

static int remote_xdp_query(struct port *p, u32 ifindex, struct port_xdp *ret)
{
	struct sys_dev dev;
	int err = get_dev(to_remote(p), SYS_MSG_DEV_GET, ifindex, &dev);

	if (!err)
		port_xdp_from(&dev, ret);
	return err;
}

static int remote_dev_each(
	struct port *p, int (*fn)(void *arg, const struct port_dev *dev), void *arg)
{
	struct sys_dev dev = {0};
	struct port_dev shown;
	int ret = 0;

	while (!ret) {
		ret = get_dev(to_remote(p), SYS_MSG_DEV_NEXT, dev.ifindex, &dev);
		if (ret)
			return ret == -ENODEV ? 0 : ret;
		port_dev_from(&dev, &shown);
		ret = fn(arg, &shown);
	}
	return ret;
}

/* The instance has a working directory of its own, so relative paths of captures are made absolute. */
static int whole_paths(const char *spec, char *ret, size_t cap)
{
	const char *args = strstr(spec, "pcap:");
	char cwd[PATH_MAX];
	size_t len;

	if (!args || (args != spec && args[-1] != '=') || !getcwd(cwd, sizeof(cwd)))
		return snprintf(ret, cap, "%s", spec) < (int)cap ? 0 : -ENAMETOOLONG;
	args += strlen("pcap:");
	len = snprintf(ret, cap, "%.*s", (int)(args - spec), spec);
	while (len < cap) {
		size_t part = strcspn(args, ",");
		bool is_relative = part && args[0] != '/' && !(part == 1 && args[0] == '-');

		len += snprintf(ret + len, cap - len, "%s%s%.*s%s", is_relative ? cwd : "",
			is_relative ? "/" : "", (int)part, args, args[part] ? "," : "");
		if (!args[part])
			return len < cap ? 0 : -ENAMETOOLONG;
		args += part + 1;
	}
	return -ENAMETOOLONG;
}

static int remote_dev_add(struct port *p, const char *spec, u32 *ret_ifindex, struct port_text *err)
{
	struct sys_msg msg = {.kind = SYS_MSG_DEV_ADD};
	char whole[SYS_SPEC_MAX];
	s64 ifindex = 0;
	int ret = whole_paths(spec, whole, sizeof(whole));

	if (ret)
		return port_fail(ret, err, "the device's description is too long");
	msg.len = strlen(whole);
	ret = request_text(to_remote(p), &msg, whole, &ifindex, err);
	if (!ret)
		*ret_ifindex = (u32)ifindex;
	return ret;
}

static int remote_dev_del(struct port *p, u32 ifindex, struct port_text *err)
{
	struct sys_msg msg = {.kind = SYS_MSG_DEV_DEL, .a = ifindex};

	return request_text(to_remote(p), &msg, NULL, NULL, err);
}

static int remote_dev_join(struct port *p, u32 a, u32 b, struct port_text *err)
{
	struct sys_msg msg = {.kind = SYS_MSG_DEV_JOIN, .a = a, .b = b};

	return request_text(to_remote(p), &msg, NULL, NULL, err);
}

/* The instance moves frames by itself: here one only watches. */
static int watch(struct port *p, const struct port_run *run, const struct port_wait *wait)
{
	struct sys_status status;
	u64 start = 0;
	int err;

	for (bool is_first = true; !(run->stop && *run->stop); is_first = false) {
		err = port_remote_status(p, &status);
		if (err)
			return err;
		if (is_first)
			start = status.rx_cnt;
		if (status.is_idle || (run->count && status.rx_cnt - start >= run->count))
			break;
		port_wait_ms(wait, POLL_MS);
	}
	return 0;
}

static int remote_run(struct port *p, const struct port_run *run, struct port_text *err)
{
	struct port_wait wait;
	int ret;

	err->text[0] = 0;
	port_wait_begin(&wait);
	ret = watch(p, run, &wait);
	port_wait_end(&wait);
	return ret ? port_fail(ret, err, "the instance has ended") : 0;
}

static int remote_pin_each(struct port *p, int (*fn)(void *arg, const char *path), void *arg)
{
	struct remote *r = to_remote(p);
	struct sys_msg msg = {.kind = SYS_MSG_PIN_NEXT}, result;
	char path[PATH_MAX] = "";
	s64 value;
	int ret = 0;

	while (!ret) {
		msg.len = strlen(path);
		value = request(r, &msg, path, &result);
		if (value < 0)
			return value == -ENOENT ? 0 : (int)value;
		if (!result.len || result.len >= sizeof(path))
			return -EPROTO;
		memcpy(path, r->in, result.len + 1);
		ret = fn(arg, path);
	}
	return ret;
}

static long try_trace_read(struct remote *r, char *buf, size_t len)
{
	struct sys_msg msg = {.kind = SYS_MSG_TRACE_READ, .a = MIN(len, SYS_MSG_DATA_MAX)}, result;
	s64 value = request(r, &msg, NULL, &result);

	if (value <= 0)
		return value;
	if (result.len > len)
		return -EPROTO;
	memcpy(buf, r->in, result.len);
	return result.len;
}

/* The stream ends with the instance. */
static long remote_trace_read(struct port *p, char *buf, size_t len)
{
	struct remote *r = to_remote(p);
	struct port_wait wait;
	long ret;

	port_wait_begin(&wait);
	while (!(ret = try_trace_read(r, buf, len)))
		if (port_wait_ms(&wait, POLL_MS)) {
			ret = -EINTR;
			break;
		}
	port_wait_end(&wait);
	return r->is_broken ? 0 : ret;
}

static void remote_close(struct port *p)
{
	struct remote *r = to_remote(p);

	for (u32 i = 0; i < r->wake_cnt; i++)
		close(r->wakes[i].fd);
	mem_free(r->wakes);
	close(r->sock);
	mem_free(r);
}

int port_remote_status(struct port *p, struct sys_status *ret_status)
{
	struct sys_msg msg = {.kind = SYS_MSG_STATUS};

	return request_struct(to_remote(p), &msg, NULL, ret_status, sizeof(*ret_status));
}

int port_remote_shutdown(struct port *p)
{
	struct sys_msg msg = {.kind = SYS_MSG_SHUTDOWN}, result;

	return (int)request(to_remote(p), &msg, NULL, &result);
}

static int connect_to(const struct port_place *place, struct port_text *err)
{
	struct sockaddr_un addr;
	int sock, ret = port_place_socket(place, &addr);

	if (ret)
		return ret;
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (!connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return sock;
	ret = -errno;
	close(sock);
	if (ret == -ECONNREFUSED) /* left by an instance that was killed */
		return -ENOENT;
	if (ret == -EACCES)
		return port_fail(ret, err, "instance %s belongs to another user", place->name);
	return ret;
}

static const struct port_ops remote_ops;

int port_remote_open(const struct port_place *place, struct port **ret, struct port_text *err)
{
	int sock = connect_to(place, err);

	return sock < 0 ? sock : port_remote_adopt(sock, place->name, ret, err);
}

int port_remote_adopt(int sock, const char *name, struct port **ret, struct port_text *err)
{
	struct sys_msg hello = {
		.kind = SYS_MSG_HELLO, .a = SYS_PROTO_MAGIC, .b = SYS_PROTO_VERSION};
	struct sys_status status;
	struct remote *r;
	int res;

	r = mem_zalloc(sizeof(*r));
	if (!r) {
		close(sock);
		return -ENOMEM;
	}
	r->port.ops = &remote_ops;
	r->sock = sock;
	sys_user_local_init(&r->self);
	res = request_struct(r, &hello, NULL, &status, sizeof(status));
	if (!res) {
		*ret = &r->port;
		return 0;
	}
	remote_close(&r->port);
	if (res == -EIO) /* closed without an answer: not our user, or too many connections */
		return port_fail(-EACCES, err,
			"instance %s does not serve us: it belongs to another user, or has too "
			"many connections",
			name);
	return port_fail(res, err,
		"instance %s runs another version of skep: end it with the skep that started it",
		name);
}

static const struct port_ops remote_ops = {
	.name = "instance",
	.bpf = remote_bpf,
	.statfs = port_statfs_bpf,
	.fdinfo = remote_fdinfo,
	.event_open = remote_event_open,
	.event_enable = remote_event_enable,
	.mapped = remote_mapped,
	.wake_fd = remote_wake_fd,
	.if_index = remote_if_index,
	.if_name = remote_if_name,
	.xdp_attach = remote_xdp_attach,
	.xdp_query = remote_xdp_query,
	.dev_each = remote_dev_each,
	.dev_add = remote_dev_add,
	.dev_del = remote_dev_del,
	.dev_join = remote_dev_join,
	.run = remote_run,
	.pin_each = remote_pin_each,
	.trace_read = remote_trace_read,
	.close = remote_close,
};
