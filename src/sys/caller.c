/*
 * The caller's memory and descriptors: what is the same for every kind of caller, and the caller that
 * is this very process. Its memory is read and written with process_vm_readv/writev on our own pid: the
 * host kernel checks the addresses, and a bad one is an error instead of a signal. One kind of address is good
 * without asking: what lies on the calling thread's stack above our own frame, where attributes and keys
 * mostly are. A thread that runs on a stack of its own making is not found there and takes the other way.
 */
#include "sys/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

static int read_far(u64 addr, void *ret, size_t len)
{
	struct iovec ours = {ret, len}, theirs = {(void *)(uintptr_t)addr, len};
	ssize_t done = process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0);

	if (unlikely(is_forbidden(done)))
		return copy_by_pipe(ret, theirs.iov_base, len);
	return done == (ssize_t)len ? 0 : -EFAULT;
}

static int write_far(u64 addr, const void *data, size_t len)
{
	struct iovec ours = {(void *)data, len}, theirs = {(void *)(uintptr_t)addr, len};
	ssize_t done = process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0);

	if (unlikely(is_forbidden(done)))
		return copy_by_pipe(theirs.iov_base, data, len);
	return done == (ssize_t)len ? 0 : -EFAULT;
}

/* Where the thread's stack ends; 0: not asked yet, 1: not known. */
static __thread uintptr_t stack_end;

static uintptr_t find_stack_end(void)
{
	pthread_attr_t attr;
	uintptr_t end = 1;
	void *start;
	size_t len;

	if (pthread_getattr_np(pthread_self(), &attr))
		return end;
	if (!pthread_attr_getstack(&attr, &start, &len) &&
		(uintptr_t)__builtin_frame_address(0) - (uintptr_t)start < len)
		end = (uintptr_t)start + len;
	pthread_attr_destroy(&attr);
	return end;
}

static bool is_on_stack(u64 addr, size_t len)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

	if (unlikely(!stack_end))
		stack_end = find_stack_end();
	return addr >= frame && addr < stack_end && len <= stack_end - addr;
}

/* Bytes of others' frames, which checkers of memory do not like to see touched. */
__attribute__((no_sanitize_address, no_sanitize_thread)) static void copy_bytes(
	void *to, const void *from, size_t len)
{
	struct word {
		u64 bytes;
	} __attribute__((packed));
	volatile u8 *dst = to;
	const volatile u8 *src = from;

	for (; len >= sizeof(struct word); len -= 8, dst += 8, src += 8)
		((volatile struct word *)dst)->bytes = ((const volatile struct word *)src)->bytes;
	while (len--)
		*dst++ = *src++;
}

static int read_local(struct sys_user *user, u64 addr, void *ret, size_t len)
{
	if (is_on_stack(addr, len)) {
		copy_bytes(ret, (const void *)(uintptr_t)addr, len);
		return 0;
	}
	return read_far(addr, ret, len);
}

static int write_local(struct sys_user *user, u64 addr, const void *data, size_t len)
{
	if (is_on_stack(addr, len)) {
		copy_bytes((void *)(uintptr_t)addr, data, len);
		return 0;
	}
	return write_far(addr, data, len);
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
	*ret_user = (struct sys_user){.ops = &local_ops, .is_us = true};
}

uid_t sys_user_uid(const struct sys_user *user)
{
	return user->is_us ? geteuid() : user->uid;
}
