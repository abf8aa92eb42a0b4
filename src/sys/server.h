/*
 * Serving an instance over a listening control socket: a thread that accepts, and one a connection. What
 * a peer may do is decided once, when it connects: it is of our own user, or root.
 *
 * The instance itself needs no thread of its own for this: handlers take the instance's locks like any
 * other caller. The threads block all signals.
 */
#ifndef SYS_SERVER_H
#define SYS_SERVER_H

#include "base/sink.h"
#include "base/types.h"
#include "core/inst.h"

struct sys_server;

enum { SYS_CONN_MAX = 64 };

/* Takes listen_fd over, also on failure. on_stop (may be NULL) is called on a connection's thread when a
 * client asks for the end. -ENOMEM, -EAGAIN (threads), -EMFILE. */
int sys_server_new(struct skep *inst, int listen_fd, void (*on_stop)(void *arg), void *arg,
	struct sys_server **ret_server);
/* Ends all connections and threads; not from a connection's thread. NULL is fine. */
void sys_server_free(struct sys_server *server);
/* For the instance's sink: sends text to the client whose request the calling thread works on. False: the
 * thread works on none. */
bool sys_server_log(struct sys_server *server, enum sink_level level, const char *text);

/* For connections. */
void sys_server_ask_stop(struct sys_server *server);
u64 sys_server_start_ns(const struct sys_server *server);

#endif
