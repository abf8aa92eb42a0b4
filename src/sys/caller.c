/*
 * The caller's memory and descriptors: what is the same for every kind of caller, and the caller that
 * is this very process. Its memory is read and written with process_vm_readv/writev on our own pid: the
 * host kernel checks the addresses, and a bad one is an error instead of a signal.
 */
#include "sys/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"

enum { PAGE = 4096, ADDR_BITS = 56 /* no process has more */ };

int sys_user_dup(struct sys_user *user, u64 addr, size_t len, void **ret_copy)
{
	u8 probe;
	void *copy;
	int err;

	if (len >> ADDR_BITS)
		return -EFAULT;
	/* The last byte first: a wild length does not cost memory. */
	err = len ? sys_user_read(user, addr + len - 1, &probe, 1) : 0;
	if (err)
		return err;
	copy = mem_alloc(len);
	if (!copy)
		return -ENOMEM;
	err = sys_user_read(user, addr, copy, len);
	if (err)
		mem_free(copy);
	else
		*ret_copy = copy;
	return err;
}

/* Reads up to a page end at a time: the text may end just before memory that is not there. */
int sys_user_str(struct sys_user *user, u64 addr, char *ret, size_t cap, bool may_cut)
{
	size_t len = 0;

	while (len < cap - 1) {
		size_t part = MIN(cap - 1 - len, PAGE - (addr + len) % PAGE);
		int err = sys_user_read(user, addr + len, ret + len, part);
		char *end;

		if (err)
			return err;
		end = memchr(ret + len, 0, part);
		if (end)
			return (int)(end - ret);
		len += part;
	}
	ret[len] = 0;
	return may_cut ? (int)len : -ENAMETOOLONG;
}

/*
 * Where the host does not let us use process_vm_* on ourselves (a seccomp filter, a kernel without it), a
 * pipe does the same: write() and read() check their addresses too. From one address to the other in parts
 * that a pipe holds.
 */
static int copy_by_pipe(void *to, const void *from, size_t len)
{
	int ends[2], err = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	while (len && !err) {
		ssize_t part = write(ends[1], from, MIN(len, (size_t)PAGE));

		if (part <= 0 || read(ends[0], to, part) != part)
			err = -EFAULT;
		from = (const char *)from + part;
		to = (char *)to + part;
		len -= err ? 0 : part;
	}
	close(ends[0]);
	close(ends[1]);
	return err;
}

static bool is_forbidden(ssize_t done)
{
	return done < 0 && (errno == EPERM || errno == ENOSYS || errno == EACCES);
}

static int read_local(struct sys_user *user, u64 addr, void *ret, size_t len)
{
	struct iovec ours = {ret, len}, theirs = {(void *)(uintptr_t)addr, len};
	ssize_t done = process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0);

	if (unlikely(is_forbidden(done)))
		return copy_by_pipe(ret, theirs.iov_base, len);
	return done == (ssize_t)len ? 0 : -EFAULT;
}

static int write_local(struct sys_user *user, u64 addr, const void *data, size_t len)
{
	struct iovec ours = {(void *)data, len}, theirs = {(void *)(uintptr_t)addr, len};
	ssize_t done = process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0);

	if (unlikely(is_forbidden(done)))
		return copy_by_pipe(theirs.iov_base, data, len);
	return done == (ssize_t)len ? 0 : -EFAULT;
}

static int get_fd_local(struct sys_user *user, int fd, int *ret_fd)
{
	if (fd < 0)
		return -EBADF;
	*ret_fd = fd; /* whoever uses it finds out whether it is open */
	return 0;
}

static void put_fd_local(struct sys_user *user, int fd)
{
}

static int install_fd_local(struct sys_user *user, int fd)
{
	return fd;
}

static const struct sys_user_ops local_ops = {
	.read = read_local,
	.write = write_local,
	.fd_get = get_fd_local,
	.fd_put = put_fd_local,
	.fd_install = install_fd_local,
};

void sys_user_local_init(struct sys_user *ret_user)
{
	*ret_user = (struct sys_user){.ops = &local_ops, .uid = geteuid()};
}
