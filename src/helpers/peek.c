/*
 * The reads of peek.h, with process_vm_readv(2) on the own process.
 */
#include "helpers/peek.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE_LEN = 4096 };

int hlp_peek(u64 addr, void *ret_bytes, u32 len)
{
	struct iovec local = {ret_bytes, len};
	struct iovec remote = {(void *)(uintptr_t)addr, len};

	if (!len)
		return 0;
	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

/* Page by page: what stands behind the string need not be there. */
int hlp_peek_text(u64 addr, char *ret_text, u32 cap)
{
	u32 len = 0, part;
	char *end;

	while (len < cap) {
		part = (u32)MIN(PAGE_LEN - (addr + len) % PAGE_LEN, (u64)(cap - len));
		if (hlp_peek(addr + len, ret_text + len, part))
			return -EFAULT;
		end = memchr(ret_text + len, 0, part);
		if (end)
			return (int)(end - ret_text) + 1;
		len += part;
	}
	if (cap)
		ret_text[cap - 1] = 0;
	return (int)cap;
}
