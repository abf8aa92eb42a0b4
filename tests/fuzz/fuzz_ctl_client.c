/*
 * The control socket, client side: an arbitrary series of packets where the instance's answers and upcalls
 * are expected, while the client makes one call of each kind. Only where memory is written is chosen here: an
 * instance may write where the user's own call could, and a fuzzer has no memory to spare.
 *
 * Input, packet by packet:  flags | kind | a (4) | b (4) | value (2) | length | data
 *	flags bit 0	a descriptor comes along
 *	flags bit 1	the header's length is wrong by one
 *	flags bit 2	only half of the header is sent
 *	flags bit 3	on the first packet: it answers HELLO (else a good answer comes before)
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/remote.h"
#include "sys/proto.h"

enum {
	HEAD_LEN = 13,
	PACKETS_MAX = 64,
	FDS_FIRST = 64, /* descriptors from here on belong to the input being run */
	WITH_FD = 1,
	WRONG_LEN = 2,
	HALF = 4,
	ANSWERS_HELLO = 8,
};

static u8 scratch[256];
static int null_fd;

static u32 le(const u8 *p, int len)
{
	u32 value = 0;

	for (int i = 0; i < len; i++)
		value |= (u32)p[i] << 8 * i;
	return value;
}

static bool send_packet(int sock, u8 flags, struct sys_msg msg, const u8 *data)
{
	char raw[sizeof(msg) + 256];
	size_t len = sizeof(msg) + msg.len;

	msg.addr = (uintptr_t)scratch;
	if (flags & WITH_FD && !(flags & (WRONG_LEN | HALF)))
		return !sys_msg_send(sock, &msg, data, null_fd);
	memcpy(raw + sizeof(msg), data, msg.len);
	if (flags & WRONG_LEN)
		msg.len++;
	memcpy(raw, &msg, sizeof(msg));
	if (flags & HALF)
		len = sizeof(msg) / 2;
	return send(sock, raw, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void send_all(int sock, const u8 *data, size_t len)
{
	const struct sys_msg good = {.kind = SYS_MSG_RESULT, .len = sizeof(struct sys_status)};
	const struct sys_status status = {.pid = 1};

	if (!len || !(data[0] & ANSWERS_HELLO))
		sys_msg_send(sock, &good, &status, -1);
	for (int i = 0; i < PACKETS_MAX && len >= HEAD_LEN; i++) {
		struct sys_msg msg = {
			.kind = data[1],
			.a = le(data + 2, 4),
			.b = le(data + 6, 4),
			.value = (s16)le(data + 10, 2),
			.len = MIN(data[12], len - HEAD_LEN),
		};

		if (!send_packet(sock, data[0], msg, data + HEAD_LEN))
			break;
		data += HEAD_LEN + msg.len;
		len -= HEAD_LEN + msg.len;
	}
}

static int note_dev(void *arg, const struct port_dev *dev)
{
	return ++*(int *)arg > 3;
}

static int note_path(void *arg, const char *path)
{
	return ++*(int *)arg > 3;
}

static void use(struct port *p)
{
	const struct port_ops *ops = p->ops;
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY};
	char name[PORT_IFNAME_MAX];
	struct port_text err;
	struct port_xdp xdp;
	int cnt = 0;
	u64 value;
	u32 ifindex;

	ops->bpf(p, BPF_MAP_CREATE, &attr, sizeof(attr));
	ops->fdinfo(p, 0, "frozen", &value);
	ops->if_index(p, "a");
	ops->if_name(p, 1, name);
	ops->xdp_attach(p, 1, -1, 0, &err);
	ops->xdp_query(p, 1, &xdp);
	ops->dev_each(p, note_dev, &cnt);
	ops->dev_add(p, "veth:a,b", &ifindex, &err);
	ops->dev_join(p, 1, 2, &err);
	ops->dev_del(p, 1, &err);
	cnt = 0;
	ops->pin_each(p, note_path, &cnt);
	port_remote_shutdown(p);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* lower numbers are all taken, so that what an input brings is known by its number */
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (dup(null_fd) < FDS_FIRST - 1)
		;
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct port_text err;
	struct port *p;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		abort();
	send_all(ends[0], data, len);
	if (!port_remote_adopt(ends[1], "fuzz", &p, &err)) {
		use(p);
		port_close(p);
	}
	close(ends[0]);
	/* what was installed is the user's: nobody else closes it */
	close_range(FDS_FIRST, ~0U, 0);
	return 0;
}
