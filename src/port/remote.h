/*
 * A connection to a running instance: requests out, and while one is under way, what the instance asks of
 * this process's memory and descriptors.
 */
#ifndef PORT_REMOTE_H
#define PORT_REMOTE_H

#include "port/place.h"
#include "sys/verbs.h"

/* -ENOENT: none of that name runs; -EACCES: another user's; -EPROTONOSUPPORT: another version. */
int port_remote_open(const struct port_place *place, struct port **ret, struct port_text *err);
/* The same on a connected socket, which is taken over, also on failure; name is for messages. */
int port_remote_adopt(int sock, const char *name, struct port **ret, struct port_text *err);
int port_remote_status(struct port *p, struct sys_status *ret_status);
/* Asks it to end; it does so after the answer. */
int port_remote_shutdown(struct port *p);

#endif
