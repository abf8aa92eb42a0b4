/*
 * The process that makes a bpf(2) call, seen from the engine: its memory and its descriptors. Handlers
 * know nothing else about it, so the same handlers serve a call from this process (caller.c) and
 * one that comes over the control socket (conn_user.c).
 *
 * Invariants: an address is only a number here and is never dereferenced, so a bad one gives -EFAULT
 * and no signal. A descriptor got with fd_get is borrowed and given back with fd_put.
 */
#ifndef SYS_CALLER_H
#define SYS_CALLER_H

#include <sys/types.h>

#include "base/types.h"

struct sys_user;

struct sys_user_ops {
	/* All of it, or -EFAULT (-EIO: the caller is gone). len may be 0. */
	int (*read)(struct sys_user *user, u64 addr, void *ret, size_t len);
	int (*write)(struct sys_user *user, u64 addr, const void *data, size_t len);
	/* A descriptor of this process for the caller's fd; if the caller is this process it may turn out not
	 * to be open. -EBADF. */
	int (*fd_get)(struct sys_user *user, int fd, int *ret_fd);
	void (*fd_put)(struct sys_user *user, int fd);
	/* Gives the caller a descriptor of ours and its number there >= 0; fd is taken over, also on
	 * failure. -EMFILE. */
	int (*fd_install)(struct sys_user *user, int fd);
};

struct sys_user {
	const struct sys_user_ops *ops;
	uid_t uid;
	bool is_us; /* this process: its uid is asked for when it is needed */
};

/* This process. */
void sys_user_local_init(struct sys_user *ret_user);
uid_t sys_user_uid(const struct sys_user *user);

static inline int sys_user_read(struct sys_user *user, u64 addr, void *ret, size_t len)
{
	return len ? user->ops->read(user, addr, ret, len) : 0;
}

static inline int sys_user_write(struct sys_user *user, u64 addr, const void *data, size_t len)
{
	return len ? user->ops->write(user, addr, data, len) : 0;
}

/* A copy of len bytes on the heap. -EFAULT, -ENOMEM. A length that no process can have is -EFAULT
 * before memory is asked for. */
int sys_user_dup(struct sys_user *user, u64 addr, size_t len, void **ret_copy);
/* At most cap - 1 bytes up to a NUL, NUL added; the length without it. -EFAULT; -ENAMETOOLONG only if
 * !may_cut. */
int sys_user_str(struct sys_user *user, u64 addr, char *ret, size_t cap, bool may_cut);

#endif
