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

enum { TRIES = 24 };
static const uintptr_t STEP = 64 << 20;

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

static void *map_at(uintptr_t hint, size_t len)
{
	return mmap(
		(void *)hint, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int jit_mem_reserve(size_t len, const void *near_addr, struct jit_mem *ret_mem)
{
	const uintptr_t from = (uintptr_t)near_addr & ~(STEP - 1);
	size_t map_len = ROUND_UP(MAX(len, (size_t)1), (size_t)sysconf(_SC_PAGESIZE));
	void *at = MAP_FAILED;

	/* the system takes a hint only where all of it is free; elsewhere it gives memory that is far */
	for (uintptr_t i = 1; i <= TRIES && from > i * STEP; i++) {
		at = map_at(from - i * STEP, map_len);
		if (at == (void *)(from - i * STEP) || at == MAP_FAILED)
			break;
		if (i < TRIES)
			munmap(at, map_len);
	}
	if (at == MAP_FAILED)
		return -ENOMEM;
	*ret_mem = (struct jit_mem){.code = at, .len = map_len};
	return 0;
}

int jit_mem_fill(struct jit_mem *mem, const void *code, size_t len)
{
	size_t map_len = ROUND_UP(MAX(len, (size_t)1), (size_t)sysconf(_SC_PAGESIZE));
	int fd = make_memfd(), err;

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -ENOMEM : -errno;
	err = fill(fd, code, len, map_len);
	if (err)
		goto close_fd;
	if (mmap(mem->code, map_len, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0) ==
		MAP_FAILED) {
		err = errno == EPERM ? -EACCES : -errno;
		goto close_fd;
	}
	/* where the machine needs it: data caches are written back, instruction caches forget */
	__builtin___clear_cache((char *)mem->code, (char *)mem->code + len);
	if (mem->len > map_len)
		munmap(mem->code + map_len, mem->len - map_len);
	mem->len = map_len;
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
