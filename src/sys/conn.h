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
#include "sys/user.h"
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
	/* the attr of the request under way: reading it takes no upcall */
	u64 attr_addr;
	u32 attr_len;
	char attr[SYS_UARG_MAX];
	char in[SYS_MSG_DATA_MAX + 1], out[SYS_MSG_DATA_MAX];
};

extern const struct sys_user_ops sys_conn_user_ops;

/* Answers requests until the other side ends or breaks the rules. */
void sys_conn_serve(struct sys_conn *conn);
/* A message of the engine to whoever made the request under way. Called on the connection's thread. */
void sys_conn_log(struct sys_conn *conn, enum sink_level level, const char *text);

#endif
