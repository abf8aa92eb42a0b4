/*
 * The control socket, server side: an arbitrary series of packets on a connection, which are taken for
 * requests or for the answers to what the server asks, as it comes. The connection is served to its end and
 * everything must be gone then.
 *
 * Input, packet by packet:  flags | kind | a (4) | b (4) | addr (4) | value (2) | length | data
 *	flags bit 0	a descriptor comes along
 *	flags bit 1	the header's length is wrong by one
 *	flags bit 2	only half of the header is sent
 *	flags bit 3	on the first packet: there is no HELLO before it
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <skep/skep.h>

#include "base/bug.h"
#include "core/inst.h"
#include "sys/conn.h"
#include "sys/fd.h"
#include "sys/pin.h"
#include "sys/server.h"

enum {
	HEAD_LEN = 17,
	PACKETS_MAX = 64,
	WITH_FD = 1,
	WRONG_LEN = 2,
	HALF = 4,
	NO_HELLO = 8,
};

static struct skep *skep;
static struct sys_server *server;
static int null_fd;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct skep_options opts = {.sz = sizeof(opts), .flags = SKEP_REPLAY, .cpu_cnt = 1};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	sa_family_t anywhere = AF_UNIX; /* an address the kernel chooses, not in the file system */

	if (bind(listener, (struct sockaddr *)&anywhere, sizeof(anywhere)) || listen(listener, 1))
		abort();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || skep_new(&opts, &skep) ||
		sys_server_new(skep, listener, NULL, NULL, &server))
		abort();
	return 0;
}

static u32 le(const u8 *p, int len)
{
	u32 value = 0;

	for (int i = 0; i < len; i++)
		value |= (u32)p[i] << 8 * i;
	return value;
}

/* Nothing of the host may be opened: every device is a veth pair. And no test may take for ever. */
static void tame(struct sys_msg *msg, char *data)
{
	union sys_attr attr = {0};

	if (msg->kind == SYS_MSG_DEV_ADD)
		memcpy(data, "veth:", MIN(msg->len, 5));
	if (msg->kind != SYS_MSG_BPF && msg->kind != SYS_MSG_DATA)
		return;
	memcpy(&attr, data, MIN(msg->len, SYS_ATTR_SIZE));
	attr.map_create.max_entries &= 0xfff; /* also a run's data_size_out */
	attr.map_create.value_size &= 0x3fff; /* also data_size_in */
	attr.uapi.test.repeat &= 7;
	memcpy(data, &attr, MIN(msg->len, SYS_ATTR_SIZE));
}

/* False: the socket has no room for more. */
static bool send_packet(int sock, u8 flags, struct sys_msg msg, const u8 *from)
{
	char raw[sizeof(msg) + 256];
	size_t len = sizeof(msg) + msg.len;

	memcpy(raw + sizeof(msg), from, msg.len);
	tame(&msg, raw + sizeof(msg));
	if (flags & WITH_FD && !(flags & (WRONG_LEN | HALF)))
		return !sys_msg_send(sock, &msg, raw + sizeof(msg), null_fd);
	if (flags & WRONG_LEN)
		msg.len++;
	memcpy(raw, &msg, sizeof(msg));
	if (flags & HALF)
		len = sizeof(msg) / 2;
	return send(sock, raw, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void send_all(int sock, const u8 *data, size_t len)
{
	const struct sys_msg hello = {
		.kind = SYS_MSG_HELLO, .a = SYS_PROTO_MAGIC, .b = SYS_PROTO_VERSION};

	if (!len || !(data[0] & NO_HELLO))
		sys_msg_send(sock, &hello, NULL, -1);
	for (int i = 0; i < PACKETS_MAX && len >= HEAD_LEN; i++) {
		struct sys_msg msg = {
			.kind = data[1],
			.a = le(data + 2, 4),
			.b = le(data + 6, 4),
			.addr = le(data + 10, 4),
			.value = (s16)le(data + 14, 2),
			.len = MIN(data[16], len - HEAD_LEN),
		};

		if (!send_packet(sock, data[0], msg, data + HEAD_LEN))
			break;
		data += HEAD_LEN + msg.len;
		len -= HEAD_LEN + msg.len;
	}
}

static void forget_everything(void)
{
	char path[SYS_PIN_PATH_MAX];
	struct sys_dev dev = {0};

	while (!sys_pin_path_after(skep, "", path, sizeof(path)))
		sys_pin_del(skep, path);
	while (!sys_dev_next(skep, 0, &dev))
		sys_dev_del(skep, dev.ifindex);
	sys_fd_reap(skep);
	for (int kind = 0; kind < OBJ_KIND_CNT; kind++)
		skep_bug_if(skep->tables[kind].cnt, "%u objects of kind %d are left",
			skep->tables[kind].cnt, kind);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static struct sys_conn conn;
	int ends[2];

	/* Not blocking: a server that waits for more than there is finds the connection broken. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		abort();
	send_all(ends[0], data, len);
	memset(&conn, 0, sizeof(conn));
	conn.server = server;
	conn.inst = skep;
	conn.sock = ends[1];
	conn.user = (struct sys_user){.ops = &sys_conn_user_ops};
	sys_conn_serve(&conn);
	sys_tail_done(&conn.tail);
	close(ends[1]);
	close(ends[0]); /* and with it descriptors in flight */
	forget_everything();
	return 0;
}
