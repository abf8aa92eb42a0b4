/*
 * BPF tokens: delegated rights. An instance has one user, who may do everything, so there are no
 * tokens to have: a descriptor given as one is refused as Linux refuses a descriptor that is none.
 */
#ifndef SYS_TOKEN_H
#define SYS_TOKEN_H

#include <errno.h>
#include <fcntl.h>

#include "sys/call.h"

/* -EBADF: not open; -EINVAL: not a token. */
static inline int sys_token_check(struct sys_call *call, int fd)
{
	int own, err = call->user->ops->fd_get(call->user, fd, &own);

	if (err)
		return err;
	err = fcntl(own, F_GETFD) < 0 ? -EBADF : -EINVAL;
	call->user->ops->fd_put(call->user, own);
	return err;
}

#endif
