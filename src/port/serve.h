/*
 * An instance made reachable under a name: its place taken, its control socket open, its pins marked.
 */
#ifndef PORT_SERVE_H
#define PORT_SERVE_H

#include "port/place.h"
#include "sys/server.h"

struct port_serving {
	struct port_place place;
	int lock_fd, dir_fd;
	struct sys_server *server;
};

/* on_stop (may be NULL) is called from another thread when a client asks for the end. -EEXIST: the name
 * runs. */
int port_serve_start(struct skep *inst, const char *name, void (*on_stop)(void *arg), void *arg,
	struct port_serving *ret_serving, struct port_text *err);
/* Ends connections; the place is left by port_serve_leave, once the instance's pins are gone. */
void port_serve_stop(struct port_serving *serving);
void port_serve_leave(struct port_serving *serving);

#endif
