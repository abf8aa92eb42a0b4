/*
 * Mapping code twice. The writable mapping is gone before the executable one is made, and the memfd is
 * sealed against writing, so nothing can open the code for writing later.
 */
#include "jit/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* Kernels before 6.3 do not know MFD_EXEC, and later ones may insist on it. */
static int make_memfd(void)
{
	int fd = memfd_create("skep-jit", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("skep-jit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

static int fill(int fd, const void *code, size_t len, size_t map_len)
{
	u8 *rw;

	if (ftruncate(fd, map_len))
		return -errno;
	rw = mmap(NULL, map_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (rw == MAP_FAILED)
		return -errno;
	memcpy(rw, code, len);
	munmap(rw, map_len);
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
		       ? -errno
		       : 0;
}

int jit_mem_new(const void *code, size_t len, struct jit_mem *ret_mem)
{
	size_t map_len = ROUND_UP(MAX(len, (size_t)1), (size_t)sysconf(_SC_PAGESIZE));
	int fd = make_memfd(), err;
	u8 *rx;

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -ENOMEM : -errno;
	err = fill(fd, code, len, map_len);
	if (err)
		goto close_fd;
	rx = mmap(NULL, map_len, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (rx == MAP_FAILED) {
		err = errno == EPERM ? -EACCES : -errno;
		goto close_fd;
	}
	*ret_mem = (struct jit_mem){.code = rx, .len = map_len};
close_fd:
	close(fd);
	return err;
}

void jit_mem_free(struct jit_mem *mem)
{
	if (mem->code)
		munmap(mem->code, mem->len);
	mem->code = NULL;
}
