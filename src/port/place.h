/*
 * Where instances are found: RUNTIME/skep/NAME/ with
 *
 *   lock       held (OFD lock) for as long as the instance runs: the proof that it does
 *   ctl.sock   its control socket
 *   log        what nobody was there to be told
 *   pins/      a marker for each pin
 *
 * Invariant: only the holder of the lock makes or removes anything in the folder, so what is found there
 * without the lock held was left by a process that was killed, and is cleaned up by the next holder.
 */
#ifndef PORT_PLACE_H
#define PORT_PLACE_H

#include <sys/un.h>

#include "port/port.h"

enum { PLACE_PATH_MAX = 512 };

struct port_place {
	char name[PORT_NAME_MAX];
	char dir[PLACE_PATH_MAX];
};

/* RUNTIME/skep, made if `make`. -EACCES: not ours alone; -ENOENT. */
int port_place_base(bool make, char ret_dir[PLACE_PATH_MAX], struct port_text *err);
/* The place of that name; nothing is made. -EINVAL: no name for an instance; -ENAMETOOLONG. */
int port_place_of(
	const char *name, bool make_base, struct port_place *ret_place, struct port_text *err);
/* The socket's address. -ENAMETOOLONG. */
int port_place_socket(const struct port_place *place, struct sockaddr_un *ret_addr);
/* Makes the folder and takes the lock. -EEXIST: an instance of that name runs. */
int port_place_take(const struct port_place *place, int *ret_lock_fd, struct port_text *err);
/* True if an instance runs there. */
bool port_place_is_taken(const struct port_place *place);
/* The holder removes everything and lets go of the lock. */
void port_place_leave(const struct port_place *place, int lock_fd);

#endif
