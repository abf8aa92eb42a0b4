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
static int ask(struct sys_conn *conn, const struct sys_msg *msg, const void *data, int pass_fd,
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

static bool read_attr(const struct sys_conn *conn, u64 addr, void *ret, size_t len)
{
	u64 off = addr - conn->attr_addr;

	if (off > conn->attr_len || len > conn->attr_len - off)
		return false;
	memcpy(ret, conn->attr + off, len);
	return true;
}

static int read_remote(struct sys_user *user, u64 addr, void *ret, size_t len)
{
	struct sys_conn *conn = to_conn(user);

	if (read_attr(conn, addr, ret, len))
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
	int fd, err = ask(to_conn(user), &msg, NULL, -1, SYS_MSG_DONE, &answer, &fd);

	if (err)
		return err;
	if (fd < 0)
		return -EBADF;
	*ret_fd = fd;
	return 0;
}

static void put_fd_remote(struct sys_user *user, int fd)
{
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
