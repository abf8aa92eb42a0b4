/*
 * The arena of arena.h. What is answered to odd requests is what Linux's kernel/bpf/arena.c answers.
 */
#include "core/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	GUARD_LEN = 1 << 15, /* on each side: what a 16-bit offset reaches */
	SCRATCH_LEN = 16 << 20,
	NODE_ANY = -1,
};

#define WINDOW_LEN (1ULL << 32)

struct arena {
	u8 *base; /* guard, window, guard */
	u64 user_start, user_end;
	u32 page_cnt;
	u64 *taken; /* a bit a page */
	int mem_fd;
	pthread_mutex_t lock;
};

static u64 low32(u64 addr)
{
	return addr & UINT32_MAX;
}

/* --- memory ------------------------------------------------------------------------------------ */

static int map_scratch(u8 *base, u64 len)
{
	int fd = memfd_create("bpf-arena-scratch", MFD_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, SCRATCH_LEN))
		err = -ENOMEM;
	for (u64 off = 0; off < len && !err; off += SCRATCH_LEN)
		if (!mem_map_fd(base + off, MIN(len - off, (u64)SCRATCH_LEN), fd))
			err = -ENOMEM;
	close(fd);
	return err;
}

static int map_window(struct arena *arena)
{
	u64 len = WINDOW_LEN + 2 * GUARD_LEN;
	void *base = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	if (base == MAP_FAILED)
		return -ENOMEM;
	arena->base = base;
	err = map_scratch(arena->base, len);
	if (err)
		munmap(base, len);
	return err;
}

/* Under the lock, or before anybody knows the arena. */
static int place(struct arena *arena, u64 user_start)
{
	u64 len = (u64)arena->page_cnt * ARENA_PAGE;

	if (user_start >> 32 != (user_start + len - 1) >> 32)
		return -ERANGE;
	if (!mem_map_fd((void *)(uintptr_t)(arena_window(arena) + low32(user_start)), len,
		    arena->mem_fd))
		return -ENOMEM;
	arena->user_start = user_start;
	arena->user_end = user_start + len;
	return 0;
}

int arena_new(u32 page_cnt, u64 user_start, struct arena **ret_arena)
{
	struct arena *arena = mem_zalloc(sizeof(*arena));
	int err = -ENOMEM;

	if (!arena)
		return -ENOMEM;
	arena->page_cnt = page_cnt;
	arena->taken = mem_array(page_cnt / 64 + 1, sizeof(u64));
	if (!arena->taken)
		goto free_arena;
	arena->mem_fd = memfd_create("bpf-map", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	err = arena->mem_fd < 0 ? -errno : 0;
	if (err)
		goto free_taken;
	if (ftruncate(arena->mem_fd, (off_t)page_cnt * ARENA_PAGE))
		err = -ENOMEM;
	if (!err)
		err = map_window(arena);
	if (err)
		goto close_mem;
	if (user_start)
		err = place(arena, user_start);
	if (err)
		goto unmap;
	pthread_mutex_init(&arena->lock, NULL);
	*ret_arena = arena;
	return 0;
unmap:
	munmap(arena->base, WINDOW_LEN + 2 * GUARD_LEN);
close_mem:
	close(arena->mem_fd);
free_taken:
	mem_free(arena->taken);
free_arena:
	mem_free(arena);
	return err;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	munmap(arena->base, WINDOW_LEN + 2 * GUARD_LEN);
	close(arena->mem_fd);
	mem_free(arena->taken);
	pthread_mutex_destroy(&arena->lock);
	mem_free(arena);
}

int arena_mem_fd(const struct arena *arena)
{
	return arena->mem_fd;
}

int arena_mapped(struct arena *arena, u64 user_start, u64 len)
{
	int err = 0;

	pthread_mutex_lock(&arena->lock);
	if (len != (u64)arena->page_cnt * ARENA_PAGE ||
		(arena->user_start && arena->user_start != user_start))
		err = -EBUSY;
	else if (!arena->user_start)
		err = place(arena, user_start);
	pthread_mutex_unlock(&arena->lock);
	return err;
}

u64 arena_user_start(const struct arena *arena)
{
	return arena->user_start;
}

u64 arena_user_end(const struct arena *arena)
{
	return arena->user_end;
}

u64 arena_window(const struct arena *arena)
{
	return (uintptr_t)arena->base + GUARD_LEN;
}

/* --- pages ------------------------------------------------------------------------------------- */

static bool is_taken(const struct arena *arena, u32 page)
{
	return arena->taken[page / 64] >> (page % 64) & 1;
}

static void mark(struct arena *arena, u32 page, bool taken)
{
	u64 bit = 1ULL << (page % 64);

	if (taken)
		arena->taken[page / 64] |= bit;
	else
		arena->taken[page / 64] &= ~bit;
}

/* The first page from `page` on that user space touched; page_cnt if there is none. */
static u32 next_touched(const struct arena *arena, u32 page)
{
	off_t off = lseek(arena->mem_fd, (off_t)page * ARENA_PAGE, SEEK_DATA);

	return off < 0 ? arena->page_cnt : (u32)(off / ARENA_PAGE);
}

/* Of cnt pages from `page` on the last that is taken; -1: none. */
static s64 last_taken(struct arena *arena, u32 page, u32 cnt)
{
	u32 touched = next_touched(arena, page);
	s64 last = touched < page + cnt ? (s64)touched : -1;

	for (u32 i = cnt; i && (s64)(page + i - 1) > last; i--)
		if (is_taken(arena, page + i - 1))
			return page + i - 1;
	return last;
}

/* The first run of cnt free pages; -1: none. */
static s64 find_free(struct arena *arena, u32 cnt)
{
	u32 page = 0;

	while (page + (u64)cnt <= arena->page_cnt) {
		s64 taken = last_taken(arena, page, cnt);

		if (taken < 0)
			return page;
		page = (u32)taken + 1;
	}
	return -1;
}

/* Under the lock: the number of the first page, -1. */
static s64 take_pages(struct arena *arena, u64 addr, u32 cnt)
{
	s64 page;

	if (!arena->user_start || cnt > arena->page_cnt || addr % ARENA_PAGE)
		return -1;
	if (addr) {
		page = (u32)(addr - arena->user_start) / ARENA_PAGE;
		if (page > arena->page_cnt - cnt || last_taken(arena, (u32)page, cnt) >= 0)
			return -1;
	} else {
		page = find_free(arena, cnt);
	}
	for (u32 i = 0; page >= 0 && i < cnt; i++)
		mark(arena, (u32)page + i, true);
	return page;
}

u64 arena_alloc_pages(struct arena *arena, u64 addr, u32 cnt, int node)
{
	s64 page;

	if (!cnt || (node != NODE_ANY && node != 0))
		return 0;
	pthread_mutex_lock(&arena->lock);
	page = take_pages(arena, addr, cnt);
	pthread_mutex_unlock(&arena->lock);
	return page < 0 ? 0 : arena->user_start + (u64)page * ARENA_PAGE;
}

int arena_reserve_pages(struct arena *arena, u64 addr, u32 cnt)
{
	u32 page = (u32)(addr - arena->user_start) / ARENA_PAGE;
	int err = 0;

	if (!cnt || addr % ARENA_PAGE)
		return 0;
	if (!arena->user_start || page + (u64)cnt > arena->page_cnt)
		return -EINVAL;
	pthread_mutex_lock(&arena->lock);
	if (last_taken(arena, page, cnt) >= 0)
		err = -EBUSY;
	for (u32 i = 0; !err && i < cnt; i++)
		mark(arena, page + i, true);
	pthread_mutex_unlock(&arena->lock);
	return err;
}

void arena_free_pages(struct arena *arena, u64 addr, u32 cnt)
{
	u64 full = (arena->user_start & ~(u64)UINT32_MAX) + low32(addr) / ARENA_PAGE * ARENA_PAGE;
	u64 end = MIN(arena->user_end, full + (u64)cnt * ARENA_PAGE);
	u32 page;

	if (!addr || full < arena->user_start || full >= end)
		return;
	page = (u32)((full - arena->user_start) / ARENA_PAGE);
	cnt = (u32)((end - full) / ARENA_PAGE);
	pthread_mutex_lock(&arena->lock);
	for (u32 i = 0; i < cnt; i++)
		mark(arena, page + i, false);
	if (fallocate(arena->mem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		    (off_t)page * ARENA_PAGE, (off_t)cnt * ARENA_PAGE) < 0)
		for (u32 i = 0; i < cnt; i++) /* they hold data still, so they stay taken */
			mark(arena, page + i, true);
	pthread_mutex_unlock(&arena->lock);
}
