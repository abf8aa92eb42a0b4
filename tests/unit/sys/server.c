/*
 * The control socket's server against clients that break its rules: whatever comes, the connection ends and
 * the instance goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "calls.h"
#include "sys/proto.h"
#include "sys/server.h"
#include "sys/verbs.h"

struct fixture {
	struct skep *skep;
	struct sys_server *server;
	struct sockaddr_un addr;
	int stops;
};

static char data[SYS_MSG_DATA_MAX + 1];

static void count_stop(void *arg)
{
	struct fixture *f = arg;

	__atomic_add_fetch(&f->stops, 1, __ATOMIC_SEQ_CST);
}

static int setup(void **state)
{
	static struct fixture f;
	char dir[] = "/tmp/skep-test-server-XXXXXX";
	int sock;

	memset(&f, 0, sizeof(f));
	assert_non_null(mkdtemp(dir));
	f.addr.sun_family = AF_UNIX;
	strcpy(f.addr.sun_path, dir);
	strcat(f.addr.sun_path, "/s");
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&f.addr, sizeof(f.addr)), 0);
	assert_int_equal(listen(sock, 100), 0);
	assert_int_equal(skep_new(NULL, &f.skep), 0);
	assert_int_equal(sys_server_new(f.skep, sock, count_stop, &f, &f.server), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sys_server_free(f->server);
	skep_free(f->skep);
	unlink(f->addr.sun_path);
	*strrchr(f->addr.sun_path, '/') = 0;
	rmdir(f->addr.sun_path);
	return 0;
}

static int dial(struct fixture *f)
{
	const struct timeval patience = {.tv_sec = 20};
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(sock, (struct sockaddr *)&f->addr, sizeof(f->addr)), 0);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return sock;
}

/* A message and the next one that comes. */
static int talk(int sock, struct sys_msg msg, const void *with, struct sys_msg *ret)
{
	int fd, err = sys_msg_send(sock, &msg, with, -1);

	return err ? err : sys_msg_recv(sock, ret, data, &fd);
}

static int greet(int sock)
{
	struct sys_msg hello = {.kind = SYS_MSG_HELLO,
			       .a = SYS_PROTO_MAGIC,
			       .b = SYS_PROTO_VERSION},
		       answer;
	int err = talk(sock, hello, NULL, &answer);

	if (err)
		return err;
	assert_int_equal(answer.kind, SYS_MSG_RESULT);
	return (int)answer.value;
}

static int dial_and_greet(struct fixture *f)
{
	int sock = dial(f);

	assert_int_equal(greet(sock), 0);
	return sock;
}

static void assert_serves(struct fixture *f)
{
	int sock = dial_and_greet(f);

	close(sock);
}

static void assert_closed(int sock)
{
	struct sys_msg msg;
	int fd;

	assert_int_equal(sys_msg_recv(sock, &msg, data, &fd), -EPIPE);
	close(sock);
}

static void hello_comes_first(void **state)
{
	struct sys_msg status = {.kind = SYS_MSG_STATUS};
	int sock = dial(*state);

	assert_int_equal(sys_msg_send(sock, &status, NULL, -1), 0);
	assert_closed(sock);
	assert_serves(*state);
}

static void another_version_is_told_so(void **state)
{
	struct sys_msg hello = {.kind = SYS_MSG_HELLO,
			       .a = SYS_PROTO_MAGIC,
			       .b = SYS_PROTO_VERSION + 1},
		       answer;
	int sock = dial(*state);

	assert_int_equal(talk(sock, hello, NULL, &answer), 0);
	assert_int_equal(answer.value, -EPROTONOSUPPORT);
	close(sock);
}

static void nonsense_ends_the_connection(void **state)
{
	static const struct {
		const char *what;
		struct sys_msg msg;
		size_t send_len; /* 0: header only */
	} rows[] = {
		{"kind 0", {.kind = 0}, 0},
		{"unknown kind", {.kind = 1000}, 0},
		{"an upcall", {.kind = SYS_MSG_READ, .a = 8}, 0},
		{"an answer", {.kind = SYS_MSG_DONE}, 0},
		{"length without data", {.kind = SYS_MSG_STATUS, .len = 8}, 0},
		{"data without length", {.kind = SYS_MSG_STATUS}, 40},
		{"length over all", {.kind = SYS_MSG_STATUS, .len = 0xffffffff}, 0},
		{"short header", {.kind = SYS_MSG_STATUS}, 5},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int sock = dial_and_greet(*state);
		char raw[64] = {0};
		size_t len = rows[i].send_len ? rows[i].send_len : sizeof(rows[i].msg);

		memcpy(raw, &rows[i].msg, sizeof(rows[i].msg));
		assert_int_equal(send(sock, raw, len, MSG_NOSIGNAL), len);
		assert_closed(sock);
	}
	assert_serves(*state);
}

static void a_descriptor_nobody_asked_for_ends_the_connection(void **state)
{
	struct sys_msg status = {.kind = SYS_MSG_STATUS};
	int sock = dial_and_greet(*state), fd = open("/dev/null", O_RDONLY);

	assert_int_equal(sys_msg_send(sock, &status, NULL, fd), 0);
	close(fd);
	assert_closed(sock);
	assert_serves(*state);
}

/* The server asks for memory in the middle of a call; the client answers something else. */
static void wrong_answers_end_the_call_and_the_connection(void **state)
{
	static const struct sys_msg answers[] = {
		{.kind = SYS_MSG_DONE},
		{.kind = SYS_MSG_RESULT},
		{.kind = SYS_MSG_STATUS},
		{.kind = 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		int sock = dial_and_greet(*state);
		struct sys_msg bpf = {.kind = SYS_MSG_BPF,
				       .a = BPF_MAP_CREATE,
				       .b = 72,
				       .addr = 4096},
			       answer;

		assert_int_equal(talk(sock, bpf, NULL, &answer), 0);
		assert_int_equal(answer.kind, SYS_MSG_READ);
		assert_int_equal(answer.addr, 4096);
		assert_int_equal(answer.a, 72);
		assert_int_equal(sys_msg_send(sock, &answers[i], NULL, -1), 0);
		assert_closed(sock);
	}
	assert_serves(*state);
}

static void memory_that_is_not_there_is_efault(void **state)
{
	static const struct {
		s64 value;
		u32 len;
	} answers[] = {{-EFAULT, 0}, {0, 0}, {0, 71}, {-1, 72}, {1, 72}};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		int sock = dial_and_greet(*state);
		struct sys_msg bpf = {.kind = SYS_MSG_BPF,
				       .a = BPF_MAP_CREATE,
				       .b = 72,
				       .addr = 4096},
			       answer;
		struct sys_msg reply = {
			.kind = SYS_MSG_DATA, .value = answers[i].value, .len = answers[i].len};
		char zeros[72] = {0};

		assert_int_equal(talk(sock, bpf, NULL, &answer), 0);
		assert_int_equal(talk(sock, reply, zeros, &answer), 0);
		assert_int_equal(answer.kind, SYS_MSG_RESULT);
		assert_int_equal(answer.value, -EFAULT);
		close(sock);
	}
}

/* A map is made and given; the client is gone before it takes it. Nothing may be left of it. */
static void a_client_that_dies_in_a_call_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct target t = target_of(f->skep);

	for (int step = 0; step < 2; step++) {
		int sock = dial_and_greet(f);
		union sys_attr attr = {0};
		struct sys_msg bpf = {.kind = SYS_MSG_BPF,
				       .a = BPF_MAP_CREATE,
				       .b = 72,
				       .addr = 4096,
				       .len = 72},
			       answer;
		int fd;

		attr.map_create.map_type = BPF_MAP_TYPE_ARRAY;
		attr.map_create.key_size = attr.map_create.value_size = 4;
		attr.map_create.max_entries = 1;
		assert_int_equal(sys_msg_send(sock, &bpf, &attr, -1), 0);
		if (step) {
			assert_int_equal(sys_msg_recv(sock, &answer, data, &fd), 0);
			assert_int_equal(answer.kind, SYS_MSG_INSTALL);
			assert_true(fd >= 0);
			close(fd);
		}
		close(sock);
	}
	for (int i = 0; i < 2000 && next_id(&t, BPF_MAP_GET_NEXT_ID, 0); i++)
		usleep(1000);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
}

static void connections_are_limited(void **state)
{
	int socks[SYS_CONN_MAX], more;

	for (int i = 0; i < SYS_CONN_MAX; i++)
		socks[i] = dial_and_greet(*state);
	more = dial(*state);
	assert_true(greet(more) < 0);
	close(more);
	for (int i = 0; i < SYS_CONN_MAX; i++)
		close(socks[i]);
	/* places become free again, a moment after the ends */
	for (int i = 0; i < 200; i++) {
		more = dial(*state);
		if (!greet(more))
			break;
		close(more);
		more = -1;
		usleep(10000);
	}
	assert_true(more >= 0);
	close(more);
}

static void a_client_may_ask_for_the_end(void **state)
{
	struct fixture *f = *state;
	struct sys_msg shutdown = {.kind = SYS_MSG_SHUTDOWN}, answer;
	int sock = dial_and_greet(f);

	assert_int_equal(talk(sock, shutdown, NULL, &answer), 0);
	assert_int_equal(answer.value, 0);
	assert_int_equal(__atomic_load_n(&f->stops, __ATOMIC_SEQ_CST), 1);
	close(sock);
}

static void texts_must_be_texts(void **state)
{
	static const struct {
		u32 kind, len;
		const char *text;
	} rows[] = {
		{SYS_MSG_DEV_ADD, 8, "veth:a\0b"},
		{SYS_MSG_DEV_INDEX, 0, ""},
		{SYS_MSG_DEV_INDEX, 3, "a\0b"},
		{SYS_MSG_FDINFO, 0, ""},
		{SYS_MSG_FDINFO, 40, "0123456789012345678901234567890123456789"},
		{SYS_MSG_PIN_NEXT, 2, "/\0"},
	};
	int sock = dial_and_greet(*state);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sys_msg msg = {.kind = rows[i].kind, .len = rows[i].len}, answer;

		assert_int_equal(talk(sock, msg, rows[i].text, &answer), 0);
		assert_int_equal(answer.kind, SYS_MSG_RESULT);
		assert_int_equal(answer.value, -EINVAL);
	}
	close(sock);
}

static void a_device_error_comes_with_its_sentence(void **state)
{
	struct sys_msg add = {.kind = SYS_MSG_DEV_ADD, .len = 6}, answer;
	int sock = dial_and_greet(*state);

	assert_int_equal(talk(sock, add, "nonono", &answer), 0);
	assert_int_equal(answer.value, -EINVAL);
	assert_non_null(strstr(data, "nonono"));
	close(sock);
}

static void ending_the_server_ends_waiting_clients(void **state)
{
	struct fixture *f = *state;
	int sock = dial_and_greet(f);

	sys_server_free(f->server);
	f->server = NULL;
	assert_closed(sock);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hello_comes_first),
		TEST(another_version_is_told_so),
		TEST(nonsense_ends_the_connection),
		TEST(a_descriptor_nobody_asked_for_ends_the_connection),
		TEST(wrong_answers_end_the_call_and_the_connection),
		TEST(memory_that_is_not_there_is_efault),
		TEST(a_client_that_dies_in_a_call_leaves_nothing),
		TEST(connections_are_limited),
		TEST(a_client_may_ask_for_the_end),
		TEST(texts_must_be_texts),
		TEST(a_device_error_comes_with_its_sentence),
		TEST(ending_the_server_ends_waiting_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
