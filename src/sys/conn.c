/*
 * The requests of a connection. A handler gets the message with its data, leaves data of its own in
 * conn->out and says how much; what it returns is the result's value.
 */
#include "sys/conn.h"
#include "sys/events.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sys/server.h"
#include "sys/fd.h"
#include "sys/sys.h"

/* Only the name of a device, a key or a path comes as text; it has no NUL inside. */
static bool is_text(const struct sys_conn *conn, const struct sys_msg *msg)
{
	return msg->len && !memchr(conn->in, 0, msg->len);
}

static u32 put(struct sys_conn *conn, const void *data, size_t len)
{
	memcpy(conn->out, data, len);
	return len;
}

static s64 do_status(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	struct sys_status status;

	sys_status_get(conn->inst, sys_server_start_ns(conn->server), &status);
	*ret_len = put(conn, &status, sizeof(status));
	return 0;
}

static s64 do_hello(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	if (msg->a != SYS_PROTO_MAGIC || msg->b != SYS_PROTO_VERSION)
		return -EPROTONOSUPPORT;
	conn->is_greeted = true;
	return do_status(conn, msg, ret_len);
}

static s64 do_bpf(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	return sys_bpf(conn->inst, &conn->user, (int)msg->a, msg->addr, msg->b);
}

static s64 do_dev_add(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	struct buf text = BUF_INIT;
	u32 ifindex;
	int err;

	if ((msg->len && !is_text(conn, msg)) || msg->len > SYS_SPEC_MAX)
		return -EINVAL;
	err = sys_dev_add(conn->inst, conn->in, &text, &ifindex);
	if (err)
		*ret_len = put(conn, buf_text(&text), MIN(text.len, sizeof(conn->out)));
	buf_done(&text);
	return err ? err : (s64)ifindex;
}

static s64 do_dev_del(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	return sys_dev_del(conn->inst, msg->a);
}

static s64 do_dev_join(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	return sys_dev_join(conn->inst, msg->a, msg->b);
}

static s64 do_dev_next(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	struct sys_dev dev;
	int err = sys_dev_next(conn->inst, msg->a, &dev);

	if (!err)
		*ret_len = put(conn, &dev, sizeof(dev));
	return err;
}

static s64 do_dev_get(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	struct sys_dev dev;
	int err = sys_dev_get(conn->inst, msg->a, &dev);

	if (!err)
		*ret_len = put(conn, &dev, sizeof(dev));
	return err;
}

static s64 do_dev_index(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	return is_text(conn, msg) ? sys_dev_index(conn->inst, conn->in) : -EINVAL;
}

static s64 do_xdp_attach(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	return sys_xdp_attach(conn->inst, &conn->user, msg->a, (int)msg->value, msg->b);
}

static s64 do_fdinfo(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	char key[32];
	u64 value;
	int err;

	if (!is_text(conn, msg) || msg->len >= sizeof(key))
		return -EINVAL;
	memcpy(key, conn->in, msg->len + 1); /* upcalls reuse conn->in */
	err = sys_fdinfo(conn->inst, &conn->user, (int)msg->value, key, &value);
	if (!err)
		*ret_len = put(conn, &value, sizeof(value));
	return err;
}

static s64 do_pin_next(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	int err;

	if (msg->len && !is_text(conn, msg))
		return -EINVAL;
	err = sys_pin_next(conn->inst, conn->in, conn->out, SYS_PIN_PATH_MAX);
	if (!err)
		*ret_len = strlen(conn->out);
	return err;
}

static s64 do_trace_read(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	long len = sys_trace_read(
		conn->inst, &conn->tail, conn->out, MIN(msg->a, sizeof(conn->out)));

	*ret_len = len > 0 ? len : 0;
	return len;
}

static s64 do_event_open(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	struct sys_event event;

	if (msg->len != sizeof(event))
		return -EINVAL;
	memcpy(&event, conn->in, sizeof(event)); /* upcalls reuse conn->in */
	return sys_event_open(conn->inst, &conn->user, &event);
}

static s64 do_event_enable(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	return sys_event_enable(conn->inst, &conn->user, (int)msg->value, msg->a);
}

static s64 do_mapped(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	struct sys_mapping mapping;

	if (msg->len != sizeof(mapping))
		return -EINVAL;
	memcpy(&mapping, conn->in, sizeof(mapping));
	return sys_mapped(conn->inst, &conn->user, (int)msg->value, &mapping);
}

/* The client gets a descriptor of its own on the object's eventfd. */
static s64 do_wake_fd(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	bool is_writer;
	u32 word;
	int fd, err = sys_wake_fd(conn->inst, &conn->user, (int)msg->value, &fd, &is_writer);

	if (err)
		return err;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = conn->user.ops->fd_install(&conn->user, fd);
	word = is_writer;
	if (err >= 0)
		*ret_len = put(conn, &word, sizeof(word));
	return err;
}

static s64 do_shutdown(struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len)
{
	sys_server_ask_stop(conn->server);
	return 0;
}

static s64 (*const handlers[SYS_MSG_REQUEST_END])(
	struct sys_conn *conn, const struct sys_msg *msg, u32 *ret_len) = {
	[SYS_MSG_HELLO] = do_hello,
	[SYS_MSG_BPF] = do_bpf,
	[SYS_MSG_STATUS] = do_status,
	[SYS_MSG_DEV_ADD] = do_dev_add,
	[SYS_MSG_DEV_DEL] = do_dev_del,
	[SYS_MSG_DEV_JOIN] = do_dev_join,
	[SYS_MSG_DEV_NEXT] = do_dev_next,
	[SYS_MSG_DEV_GET] = do_dev_get,
	[SYS_MSG_DEV_INDEX] = do_dev_index,
	[SYS_MSG_XDP_ATTACH] = do_xdp_attach,
	[SYS_MSG_FDINFO] = do_fdinfo,
	[SYS_MSG_PIN_NEXT] = do_pin_next,
	[SYS_MSG_TRACE_READ] = do_trace_read,
	[SYS_MSG_EVENT_OPEN] = do_event_open,
	[SYS_MSG_EVENT_ENABLE] = do_event_enable,
	[SYS_MSG_MAPPED] = do_mapped,
	[SYS_MSG_WAKE_FD] = do_wake_fd,
	[SYS_MSG_SHUTDOWN] = do_shutdown,
};

/* False: the connection ends. Nothing but HELLO is answered before it, and only BPF has a descriptor. */
static bool may_serve(const struct sys_conn *conn, const struct sys_msg *msg, bool has_fd)
{
	if (msg->kind >= SYS_MSG_REQUEST_END || !handlers[msg->kind])
		return false;
	if (!conn->is_greeted && msg->kind != SYS_MSG_HELLO)
		return false;
	return !has_fd || (msg->kind == SYS_MSG_BPF && msg->value >= 0);
}

static bool serve_one(struct sys_conn *conn)
{
	struct sys_msg msg, result = {.kind = SYS_MSG_RESULT};
	int fd, err = sys_msg_recv(conn->sock, &msg, conn->in, &fd);

	if (err ==
		-EMFILE) /* the descriptor found no room: the call asks for it again, and says so */
		msg.value = -1;
	else if (err)
		return false;
	if (!may_serve(conn, &msg, fd >= 0)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	sys_conn_begin(conn, &msg, fd);
	result.value = handlers[msg.kind](conn, &msg, &result.len);
	sys_conn_end(conn, &result);
	if (conn->is_broken)
		return false;
	return !sys_msg_send(conn->sock, &result, result.a ? conn->late : conn->out, -1);
}

void sys_conn_serve(struct sys_conn *conn)
{
	while (serve_one(conn))
		;
	conn->is_broken = true;
	/* What the client had open is closed by now, or will be at once. */
	sys_fd_reap(conn->inst);
}

void sys_conn_log(struct sys_conn *conn, enum sink_level level, const char *text)
{
	struct sys_msg msg = {
		.kind = SYS_MSG_LOG, .a = level, .len = MIN(strlen(text), SYS_MSG_DATA_MAX)};

	if (!conn->is_broken)
		conn->is_broken = sys_msg_send(conn->sock, &msg, text, -1) != 0;
}
