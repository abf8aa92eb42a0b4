/*
 * The heap with failure injection. The counter costs one thread-local decrement an allocation, which
 * does not show next to malloc, so release builds keep it and tests exercise the code users run.
 */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	PAGE_LEN = 4096, /* where pages are larger, mem_pages_drop may do nothing */
	HUGE_LEN = 2 << 20,
};

static __thread u64 fail_in;
static __thread bool failed;

static bool fails_now(void)
{
	if (likely(!fail_in) || --fail_in)
		return false;
	failed = true;
	return true;
}

void *mem_alloc(size_t len)
{
	return fails_now() ? NULL : malloc(len ? len : 1);
}

void *mem_zalloc(size_t len)
{
	return fails_now() ? NULL : calloc(1, len ? len : 1);
}

void *mem_array(size_t cnt, size_t len)
{
	return fails_now() ? NULL : calloc(cnt ? cnt : 1, len ? len : 1);
}

void *mem_realloc(void *p, size_t cnt, size_t len)
{
	size_t total;

	if (fails_now() || __builtin_mul_overflow(cnt, len, &total))
		return NULL;
	return realloc(p, total ? total : 1);
}

void *mem_dup(const void *p, size_t len)
{
	void *copy = mem_alloc(len);

	if (copy && len)
		memcpy(copy, p, len);
	return copy;
}

void mem_free(void *p)
{
	free(p);
}

/* What is longer than a huge page is made of them, where the system has any. */
size_t mem_pages_len(size_t len)
{
	return len < HUGE_LEN || len > SIZE_MAX - HUGE_LEN ? len : ROUND_UP(len, (size_t)HUGE_LEN);
}

void *mem_pages(size_t len, bool lazy)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (lazy ? MAP_NORESERVE : 0);
	void *p;

	if (fails_now())
		return NULL;
	len = mem_pages_len(len);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (len >= HUGE_LEN)
		madvise(p, len, MADV_HUGEPAGE);
	return p;
}

void mem_pages_free(void *p, size_t len)
{
	if (p)
		munmap(p, mem_pages_len(len));
}

void mem_pages_drop(void *p, size_t len)
{
	uintptr_t first = ROUND_UP((uintptr_t)p, PAGE_LEN);
	uintptr_t end = ((uintptr_t)p + len) & ~(uintptr_t)(PAGE_LEN - 1);

	if (first < end)
		madvise((void *)first, end - first, MADV_DONTNEED);
}

/* The system call itself: a program may have wrapped the function to be told of its own mappings. */
void *mem_map_fd(void *at, size_t len, int fd)
{
	long addr = fails_now()
			    ? -1
			    : syscall(SYS_mmap, at, len, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_NORESERVE | (at ? MAP_FIXED : 0), fd, 0L);

	return addr == -1 ? NULL : (void *)addr;
}

void *mem_map_file(int fd, size_t len)
{
	void *p = fails_now() ? MAP_FAILED : mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

void mem_file_free(void *p, size_t len)
{
	if (p)
		munmap(p, len);
}

void mem_fail_at(u64 nth)
{
	fail_in = nth;
	failed = false;
}

bool mem_did_fail(void)
{
	return failed;
}
