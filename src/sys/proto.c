/*
 * Sending and receiving one message. What comes is not trusted: lengths are compared with what really
 * came, and descriptors that do not belong to a message are closed.
 */
#include "sys/proto.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS_MAX = 4 /* room to receive, so that a sender of several is seen and refused */ };

union control {
	char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int sys_msg_send(int sock, const struct sys_msg *msg, const void *data, int pass_fd)
{
	struct iovec parts[] = {{(void *)msg, sizeof(*msg)}, {(void *)data, msg->len}};
	struct msghdr head = {.msg_iov = parts, .msg_iovlen = msg->len ? 2 : 1};
	union control control = {0};
	ssize_t done;

	if (msg->len > SYS_MSG_DATA_MAX)
		return -EMSGSIZE;
	if (pass_fd >= 0) {
		struct cmsghdr *cmsg = &control.align;

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &pass_fd, sizeof(int));
		head.msg_control = control.room;
		head.msg_controllen = CMSG_SPACE(sizeof(int));
	}
	do
		done = sendmsg(sock, &head, MSG_NOSIGNAL);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

/* The only descriptor of a message, or -1; any more are closed and make it no message. */
static int take_fds(struct msghdr *head, int *ret_fd)
{
	int fds[FDS_MAX], cnt = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(head); cmsg; cmsg = CMSG_NXTHDR(head, cmsg)) {
		size_t len = cmsg->cmsg_len - CMSG_LEN(0);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < len / sizeof(int) && cnt < FDS_MAX; i++)
			memcpy(&fds[cnt++], CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
	}
	if (cnt == 1) {
		*ret_fd = fds[0];
		return 0;
	}
	for (int i = 0; i < cnt; i++)
		close(fds[i]);
	return cnt ? -EPROTO : 0;
}

int sys_msg_recv(int sock, struct sys_msg *ret_msg, char *ret_data, int *ret_fd)
{
	struct sys_msg msg;
	struct iovec parts[] = {{&msg, sizeof(msg)}, {ret_data, SYS_MSG_DATA_MAX}};
	union control control;
	struct msghdr head = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	int fd = -1, err;
	ssize_t done;

	do
		done = recvmsg(sock, &head, MSG_CMSG_CLOEXEC);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (!done)
		return -EPIPE;
	err = take_fds(&head, &fd);
	if (!err && (head.msg_flags & MSG_TRUNC || (size_t)done < sizeof(msg) ||
			    msg.len != done - sizeof(msg)))
		err = -EPROTO;
	/* The message is whole, only its descriptor found no place here. */
	if (!err && head.msg_flags & MSG_CTRUNC)
		err = -EMFILE;
	if (err && fd >= 0)
		close(fd);
	if (err && err != -EMFILE)
		return err;
	ret_data[msg.len] = 0;
	*ret_msg = msg;
	*ret_fd = err ? -1 : fd;
	return err;
}
