/*
 * One connection of the control socket: a thread that answers one request after the other, and the
 * caller behind it as a struct sys_user whose memory and descriptors are reached by asking it.
 */
#ifndef SYS_CONN_H
#define SYS_CONN_H

#include <pthread.h>

#include "base/list.h"
#include "sys/attr.h"
#include "sys/proto.h"
#include "sys/caller.h"
#include "sys/verbs.h"

struct sys_server;

struct sys_conn {
	struct list node; /* in the server's list, under its lock */
	struct sys_server *server;
	struct skep *inst;
	pthread_t thread;
	bool is_done; /* the thread has ended and may be joined */
	int sock;
	bool is_greeted;
	bool is_broken; /* the other side is gone or talks nonsense: every upcall fails */
	struct sys_user user;
	struct sys_tail tail;
	/* What came along with the request under way, so that it need not be asked for. */
	struct sys_window {
		u64 addr;
		u32 len;
		char bytes[SYS_UARG_MAX];
	} attr, key;
	int came_fd, came_number; /* our descriptor for the client's; -1: none */
	/* The last write of the request under way, not yet sent: it goes with the result, or before the
	 * next upcall. */
	u64 late_addr;
	u32 late_len; /* 0: none */
	char late[SYS_MSG_LATE_MAX];
	char in[SYS_MSG_DATA_MAX + 1], out[SYS_MSG_DATA_MAX];
};

extern const struct sys_user_ops sys_conn_user_ops;
/* A request begins: what came with the message (its data in conn->in). fd is taken over. */
void sys_conn_begin(struct sys_conn *conn, const struct sys_msg *msg, int fd);
/* It ends: the late write moves into the result. */
void sys_conn_end(struct sys_conn *conn, struct sys_msg *result);

/* Answers requests until the other side ends or breaks the rules. */
void sys_conn_serve(struct sys_conn *conn);
/* A message of the engine to whoever made the request under way. Called on the connection's thread. */
void sys_conn_log(struct sys_conn *conn, enum sink_level level, const char *text);

#endif
