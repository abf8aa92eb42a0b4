/*
 * The caller behind a connection, reached by upcalls. An answer that is not one breaks the connection:
 * from then on every upcall fails at once, the handler under way sees an error like any other, and the
 * thread ends.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sys/conn.h"

#define to_conn(u) container_of(u, struct sys_conn, user)

/* Sends an upcall and waits for its answer, which leaves its data in conn->in. ret_fd may be NULL: then
 * a descriptor has no business in the answer. */
static int exchange(struct sys_conn *conn, const struct sys_msg *msg, const void *data, int pass_fd,
	u32 want, struct sys_msg *ret_answer, int *ret_fd)
{
	int fd = -1, err;

	if (conn->is_broken)
		return -EIO;
	err = sys_msg_send(conn->sock, msg, data, pass_fd);
	if (!err)
		err = sys_msg_recv(conn->sock, ret_answer, conn->in, &fd);
	if (err == -EMFILE) /* the answer is whole but for the descriptor we had no room for */
		return err;
	if (!err && (ret_answer->kind != want || (fd >= 0 && !ret_fd)))
		err = -EPROTO;
	if (err) {
		if (fd >= 0)
			close(fd);
		conn->is_broken = true;
		return -EIO;
	}
	if (ret_fd)
		*ret_fd = fd;
	return 0;
}

/* The write that waited goes first; if it fails, so does what comes after it. */
static int send_late(struct sys_conn *conn)
{
	struct sys_msg msg = {.kind = SYS_MSG_WRITE,
			       .addr = conn->late_addr,
			       .len = conn->late_len},
		       answer;
	int err;

	if (!conn->late_len)
		return 0;
	conn->late_len = 0;
	err = exchange(conn, &msg, conn->late, -1, SYS_MSG_DONE, &answer, NULL);
	return err ? err : answer.value ? -EFAULT : 0;
}

static int ask(struct sys_conn *conn, const struct sys_msg *msg, const void *data, int pass_fd,
	u32 want, struct sys_msg *ret_answer, int *ret_fd)
{
	int err = send_late(conn);

	return err ? err : exchange(conn, msg, data, pass_fd, want, ret_answer, ret_fd);
}

/* --- what comes along with a request, and with its result ---------------------------------------- */

static void fill_window(struct sys_window *window, u64 addr, const char *bytes, u32 len)
{
	window->addr = addr;
	window->len = MIN(len, sizeof(window->bytes));
	memcpy(window->bytes, bytes, window->len);
}

static bool read_window(const struct sys_window *window, u64 addr, void *ret, size_t len)
{
	u64 off = addr - window->addr;

	if (off > window->len || len > window->len - off)
		return false;
	memcpy(ret, window->bytes + off, len);
	return true;
}

void sys_conn_begin(struct sys_conn *conn, const struct sys_msg *msg, int fd)
{
	u32 attr_len = MIN(msg->b, SYS_ATTR_SIZE);
	u64 second;

	conn->attr.len = conn->key.len = conn->late_len = 0;
	conn->came_fd = fd;
	conn->came_number = fd >= 0 && msg->value <= INT32_MAX ? (int)msg->value : -1;
	if (msg->kind != SYS_MSG_BPF)
		return;
	fill_window(&conn->attr, msg->addr, conn->in, MIN(msg->len, attr_len));
	if (msg->len <= attr_len ||
		!read_window(&conn->attr, msg->addr + sizeof(u64), &second, sizeof(second)))
		return;
	fill_window(&conn->key, second, conn->in + attr_len, msg->len - attr_len);
}

void sys_conn_end(struct sys_conn *conn, struct sys_msg *result)
{
	if (conn->came_fd >= 0)
		close(conn->came_fd);
	conn->came_fd = conn->came_number = -1;
	if (!conn->late_len)
		return;
	result->a = 1;
	result->addr = conn->late_addr;
	result->len = conn->late_len;
}

/* --- the caller -------------------------------------------------------------------------------- */

static int read_remote(struct sys_user *user, u64 addr, void *ret, size_t len)
{
	struct sys_conn *conn = to_conn(user);

	if (read_window(&conn->attr, addr, ret, len) || read_window(&conn->key, addr, ret, len))
		return 0;
	while (len) {
		u32 part = MIN(len, SYS_MSG_DATA_MAX);
		struct sys_msg msg = {.kind = SYS_MSG_READ, .addr = addr, .a = part}, answer;
		int err = ask(conn, &msg, NULL, -1, SYS_MSG_DATA, &answer, NULL);

		if (err)
			return err;
		if (answer.value || answer.len != part)
			return -EFAULT;
		memcpy(ret, conn->in, part);
		ret = (char *)ret + part;
		addr += part;
		len -= part;
	}
	return 0;
}

static int write_remote(struct sys_user *user, u64 addr, const void *data, size_t len)
{
	struct sys_conn *conn = to_conn(user);

	if (len <= sizeof(conn->late)) {
		int err = send_late(conn);

		conn->late_addr = addr;
		conn->late_len = err ? 0 : len;
		memcpy(conn->late, data, len);
		return err;
	}
	while (len) {
		u32 part = MIN(len, SYS_MSG_DATA_MAX);
		struct sys_msg msg = {.kind = SYS_MSG_WRITE, .addr = addr, .len = part}, answer;
		int err = ask(conn, &msg, data, -1, SYS_MSG_DONE, &answer, NULL);

		if (err)
			return err;
		if (answer.value)
			return -EFAULT;
		data = (const char *)data + part;
		addr += part;
		len -= part;
	}
	return 0;
}

static int get_fd_remote(struct sys_user *user, int number, int *ret_fd)
{
	struct sys_msg msg = {.kind = SYS_MSG_FD, .value = number}, answer;
	struct sys_conn *conn = to_conn(user);
	int fd, err;

	if (number >= 0 && number == conn->came_number) {
		*ret_fd = conn->came_fd;
		return 0;
	}
	err = ask(conn, &msg, NULL, -1, SYS_MSG_DONE, &answer, &fd);
	if (err)
		return err;
	if (fd < 0)
		return -EBADF;
	*ret_fd = fd;
	return 0;
}

static void put_fd_remote(struct sys_user *user, int fd)
{
	if (fd != to_conn(user)->came_fd)
		close(fd);
}

static int install_fd_remote(struct sys_user *user, int fd)
{
	struct sys_msg msg = {.kind = SYS_MSG_INSTALL}, answer;
	int err = ask(to_conn(user), &msg, NULL, fd, SYS_MSG_DONE, &answer, NULL);

	close(fd);
	if (err)
		return err;
	return answer.value >= 0 && answer.value <= INT32_MAX ? (int)answer.value : -EMFILE;
}

const struct sys_user_ops sys_conn_user_ops = {
	.read = read_remote,
	.write = write_remote,
	.fd_get = get_fd_remote,
	.fd_put = put_fd_remote,
	.fd_install = install_fd_remote,
};
