/*
 * Accepting connections and ending them.
 */
#include "sys/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/conn.h"
#include "sys/sys.h"

struct sys_server {
	struct skep *inst;
	int listen_fd, stop_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* guards conns */
	struct list conns;
	u64 start_ns;
	void (*on_stop)(void *arg);
	void *arg;
};

#define to_conn(p) list_entry(p, struct sys_conn, node)

u64 sys_server_start_ns(const struct sys_server *server)
{
	return server->start_ns;
}

void sys_server_ask_stop(struct sys_server *server)
{
	if (server->on_stop)
		server->on_stop(server->arg);
}

/* Threads are made with every signal blocked: signals are the main thread's. */
static int start_thread(pthread_t *ret_thread, void *(*run)(void *), void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(ret_thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void conn_free(struct sys_conn *conn)
{
	close(conn->sock);
	sys_tail_done(&conn->tail);
	mem_free(conn);
}

static void *run_conn(void *arg)
{
	struct sys_conn *conn = arg;
	struct sys_server *server = conn->server;

	sys_conn_serve(conn);
	/* The other side learns at once that nobody listens, though the thread is joined later. */
	shutdown(conn->sock, SHUT_RDWR);
	pthread_mutex_lock(&server->lock);
	conn->is_done = true;
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* Takes a connection (ended ones only, or any) out of the list. */
static struct sys_conn *take_conn(struct sys_server *server, bool any)
{
	struct sys_conn *conn = NULL;

	pthread_mutex_lock(&server->lock);
	list_for_each (pos, &server->conns) {
		if (!any && !to_conn(pos)->is_done)
			continue;
		conn = to_conn(pos);
		list_del(pos);
		break;
	}
	pthread_mutex_unlock(&server->lock);
	return conn;
}

static void join_ended(struct sys_server *server)
{
	struct sys_conn *conn;

	while ((conn = take_conn(server, false))) {
		pthread_join(conn->thread, NULL);
		conn_free(conn);
	}
}

static bool may_connect(int sock, uid_t *ret_uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*ret_uid = peer.uid;
	return peer.uid == geteuid() || peer.uid == 0;
}

static u32 conn_cnt(struct sys_server *server)
{
	u32 cnt = 0;

	pthread_mutex_lock(&server->lock);
	list_for_each (pos, &server->conns)
		cnt++;
	pthread_mutex_unlock(&server->lock);
	return cnt;
}

/* A client that does not take what it asked for must not hold a lock of ours for ever. */
static const struct timeval send_patience = {.tv_sec = 10};

/* A peer that is not served finds its connection closed. */
static void add_conn(struct sys_server *server, int sock)
{
	struct sys_conn *conn;
	uid_t uid;

	if (!may_connect(sock, &uid) || conn_cnt(server) >= SYS_CONN_MAX)
		goto close_sock;
	conn = mem_zalloc(sizeof(*conn));
	if (!conn)
		goto close_sock;
	conn->server = server;
	conn->inst = server->inst;
	conn->sock = sock;
	conn->came_fd = conn->came_number = -1;
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &send_patience, sizeof(send_patience));
	conn->user = (struct sys_user){.ops = &sys_conn_user_ops, .uid = uid};
	pthread_mutex_lock(&server->lock);
	list_add_tail(&conn->node, &server->conns);
	if (start_thread(&conn->thread, run_conn, conn)) {
		list_del(&conn->node);
		pthread_mutex_unlock(&server->lock);
		conn_free(conn);
		return;
	}
	pthread_mutex_unlock(&server->lock);
	return;
close_sock:
	close(sock);
}

/* With no descriptor left, accepting fails at once each time: the pause keeps that from spinning. */
enum { ACCEPT_PAUSE_US = 10000 };

static void *run_server(void *arg)
{
	struct sys_server *server = arg;
	struct pollfd fds[] = {
		{.fd = server->listen_fd, .events = POLLIN},
		{.fd = server->stop_fd, .events = POLLIN},
	};

	while (!fds[1].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[0].revents && !fds[1].revents) {
			int sock = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);

			join_ended(server);
			if (sock >= 0)
				add_conn(server, sock);
			else
				usleep(ACCEPT_PAUSE_US);
		}
	}
	return NULL;
}

int sys_server_new(struct skep *inst, int listen_fd, void (*on_stop)(void *arg), void *arg,
	struct sys_server **ret_server)
{
	struct sys_server *server = mem_zalloc(sizeof(*server));
	int err = -ENOMEM;

	if (!server)
		goto close_listen;
	server->inst = inst;
	server->listen_fd = listen_fd;
	server->start_ns = sys_clock_ns();
	server->on_stop = on_stop;
	server->arg = arg;
	list_init(&server->conns);
	server->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (server->stop_fd < 0) {
		err = -errno;
		goto free_server;
	}
	pthread_mutex_init(&server->lock, NULL);
	err = start_thread(&server->thread, run_server, server);
	if (err)
		goto close_stop;
	*ret_server = server;
	return 0;
close_stop:
	pthread_mutex_destroy(&server->lock);
	close(server->stop_fd);
free_server:
	mem_free(server);
close_listen:
	close(listen_fd);
	return err;
}

void sys_server_free(struct sys_server *server)
{
	struct sys_conn *conn;
	u64 one = 1;

	if (!server)
		return;
	while (write(server->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(server->thread, NULL);
	while ((conn = take_conn(server, true))) {
		shutdown(conn->sock, SHUT_RDWR);
		pthread_join(conn->thread, NULL);
		conn_free(conn);
	}
	close(server->listen_fd);
	close(server->stop_fd);
	pthread_mutex_destroy(&server->lock);
	mem_free(server);
}

bool sys_server_log(struct sys_server *server, enum sink_level level, const char *text)
{
	struct sys_conn *conn = NULL;

	pthread_mutex_lock(&server->lock);
	list_for_each (pos, &server->conns)
		if (!to_conn(pos)->is_done && pthread_equal(to_conn(pos)->thread, pthread_self()))
			conn = to_conn(pos);
	pthread_mutex_unlock(&server->lock);
	if (conn)
		sys_conn_log(conn, level, text);
	return conn;
}
