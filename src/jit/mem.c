/*
 * Chunks and what is free in them.
 *
 *	chunk   | code | free run | code | free run ...          offsets in the memfd = offsets in the mapping
 *
 * Invariants: the free runs of a chunk are sorted, do not touch and consist of whole granules; a chunk without
 * code is given back unless it is the arena's only one. The memfd is sealed against another size and is not
 * mapped for writing by anyone here.
 */
#include "jit/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "jit/dump.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum {
	TRIES = 24,
	GRANULE = 64, /* programs do not share a line of the cache */
	RUNS_MIN = 8,
};
static const uintptr_t STEP = 64 << 20;
static const size_t CHUNK_LEN = 4 << 20; /* address space; the system gives memory page by page */
static const size_t KEPT_LEN =
	64 << 10; /* at the front of a chunk without code, for the next program */

struct run_free {
	size_t off, len;
};

struct jit_chunk {
	struct jit_chunk *next;
	u8 *code;
	size_t len;
	int fd;
	struct run_free *runs;
	u32 run_cnt, run_cap;
	u32 used_cnt;  /* stretches with code; there is at most one free run more */
	size_t filled; /* behind it there never was code since the system last took memory back */
};

struct jit_arena {
	pthread_mutex_t lock;
	struct jit_chunk *chunks;
	struct jit_dump *dump; /* NULL: none */
};

int jit_arena_new(const char *dump_folder, struct jit_arena **ret_arena)
{
	struct jit_arena *arena = mem_zalloc(sizeof(*arena));
	int err;

	if (!arena)
		return -ENOMEM;
	err = dump_folder ? jit_dump_open(dump_folder, &arena->dump) : 0;
	if (err) {
		mem_free(arena);
		return err;
	}
	pthread_mutex_init(&arena->lock, NULL);
	*ret_arena = arena;
	return 0;
}

struct jit_dump *jit_arena_dump(const struct jit_arena *arena)
{
	return arena ? arena->dump : NULL;
}

static void free_chunk(struct jit_chunk *chunk)
{
	if (chunk->code)
		munmap(chunk->code, chunk->len);
	if (chunk->fd >= 0)
		close(chunk->fd);
	mem_free(chunk->runs);
	mem_free(chunk);
}

void jit_arena_free(struct jit_arena *arena)
{
	struct jit_chunk *chunk = arena ? arena->chunks : NULL, *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		free_chunk(chunk);
	}
	if (arena) {
		jit_dump_close(arena->dump);
		pthread_mutex_destroy(&arena->lock);
	}
	mem_free(arena);
}

/* Kernels before 6.3 do not know MFD_EXEC, and later ones may insist on it. */
static int make_memfd(size_t len)
{
	int fd = memfd_create("skep-jit", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC), err;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("skep-jit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -ENOMEM : -errno;
	if (ftruncate(fd, (off_t)len) ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void *map_at(uintptr_t hint, size_t len)
{
	return mmap(
		(void *)hint, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* The system takes a hint only where all of it is free; elsewhere it gives memory that is far. */
static void *map_near(const void *near_addr, size_t len)
{
	const uintptr_t from = (uintptr_t)near_addr & ~(STEP - 1);
	void *at = MAP_FAILED;

	for (uintptr_t i = 1; i <= TRIES && from > i * STEP; i++) {
		at = map_at(from - i * STEP, len);
		if (at == (void *)(from - i * STEP) || at == MAP_FAILED)
			break;
		if (i < TRIES)
			munmap(at, len);
	}
	return at == MAP_FAILED ? NULL : at;
}

static int open_chunk(struct jit_chunk *chunk, const void *near_addr)
{
	chunk->fd = make_memfd(chunk->len);
	if (chunk->fd < 0)
		return chunk->fd;
	chunk->code = map_near(near_addr, chunk->len);
	if (!chunk->code)
		return -ENOMEM;
	if (mmap(chunk->code, chunk->len, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, chunk->fd,
		    0) == MAP_FAILED)
		return errno == EPERM ? -EACCES : -errno;
	return 0;
}

static int add_chunk(struct jit_arena *arena, size_t len, const void *near_addr)
{
	struct jit_chunk *chunk = mem_zalloc(sizeof(*chunk));
	int err;

	if (!chunk)
		return -ENOMEM;
	chunk->fd = -1;
	chunk->len = ROUND_UP(MAX(len, CHUNK_LEN), (size_t)sysconf(_SC_PAGESIZE));
	chunk->runs = mem_array(RUNS_MIN, sizeof(*chunk->runs));
	err = chunk->runs ? open_chunk(chunk, near_addr) : -ENOMEM;
	if (err) {
		free_chunk(chunk);
		return err;
	}
	chunk->run_cap = RUNS_MIN;
	chunk->runs[chunk->run_cnt++] = (struct run_free){0, chunk->len};
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	return 0;
}

/* Room for the runs between one stretch more: giving back cannot fail. */
static int need_runs(struct jit_chunk *chunk)
{
	struct run_free *runs;

	if (chunk->used_cnt + 2 <= chunk->run_cap)
		return 0;
	runs = mem_realloc(chunk->runs, (size_t)chunk->run_cap * 2, sizeof(*runs));
	if (!runs)
		return -ENOMEM;
	chunk->runs = runs;
	chunk->run_cap *= 2;
	return 0;
}

/* From the front of the first run that is long enough; false: there is none. */
static bool take(struct jit_chunk *chunk, size_t len, size_t *ret_off)
{
	struct run_free *run;

	for (u32 i = 0; i < chunk->run_cnt; i++) {
		run = &chunk->runs[i];
		if (run->len < len)
			continue;
		*ret_off = run->off;
		run->off += len;
		run->len -= len;
		if (!run->len)
			memmove(run, run + 1, (--chunk->run_cnt - i) * sizeof(*run));
		return true;
	}
	return false;
}

static void give_back(struct jit_chunk *chunk, size_t off, size_t len)
{
	struct run_free *runs = chunk->runs;
	u32 i = 0;

	while (i < chunk->run_cnt && runs[i].off < off)
		i++;
	if (i < chunk->run_cnt && off + len == runs[i].off) {
		runs[i].off = off;
		runs[i].len += len;
	} else {
		memmove(runs + i + 1, runs + i, (chunk->run_cnt - i) * sizeof(*runs));
		runs[i] = (struct run_free){off, len};
		chunk->run_cnt++;
	}
	if (i && runs[i - 1].off + runs[i - 1].len == runs[i].off) {
		runs[i - 1].len += runs[i].len;
		memmove(runs + i, runs + i + 1, (--chunk->run_cnt - i) * sizeof(*runs));
	}
}

static int reserve(
	struct jit_arena *arena, size_t len, const void *near_addr, struct jit_mem *ret_mem)
{
	struct jit_chunk *chunk = arena->chunks;
	size_t off = 0;
	int err;

	while (chunk && !take(chunk, len, &off))
		chunk = chunk->next;
	if (!chunk) {
		err = add_chunk(arena, len, near_addr);
		if (err)
			return err;
		chunk = arena->chunks;
		take(chunk, len, &off);
	}
	chunk->used_cnt++;
	*ret_mem = (struct jit_mem){
		.arena = arena, .chunk = chunk, .code = chunk->code + off, .len = len};
	err = need_runs(chunk);
	if (!err)
		return 0;
	*ret_mem = (struct jit_mem){0};
	give_back(chunk, off, len);
	chunk->used_cnt--;
	return err;
}

int jit_mem_reserve(
	struct jit_arena *arena, size_t len, const void *near_addr, struct jit_mem *ret_mem)
{
	const bool is_own = !arena;
	int err = is_own ? jit_arena_new(NULL, &arena) : 0;

	if (err)
		return err;
	pthread_mutex_lock(&arena->lock);
	err = reserve(arena, ROUND_UP(MAX(len, (size_t)1), (size_t)GRANULE), near_addr, ret_mem);
	pthread_mutex_unlock(&arena->lock);
	if (!err)
		ret_mem->is_own = is_own;
	else if (is_own)
		jit_arena_free(arena);
	return err;
}

int jit_mem_fill(struct jit_mem *mem, const void *code, size_t len)
{
	const size_t kept = ROUND_UP(MAX(len, (size_t)1), (size_t)GRANULE);
	const size_t off = (size_t)(mem->code - mem->chunk->code);
	ssize_t done;

	pthread_mutex_lock(&mem->arena->lock);
	mem->chunk->filled = MAX(mem->chunk->filled, off + kept);
	if (kept != mem->len)
		give_back(mem->chunk, off + kept, mem->len - kept);
	pthread_mutex_unlock(&mem->arena->lock);
	mem->len = kept;
	for (size_t at = 0; at < len; at += (size_t)done) {
		done = pwrite(mem->chunk->fd, (const u8 *)code + at, len - at, (off_t)(off + at));
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done <= 0)
			return errno == ENOSPC ? -ENOMEM : -errno;
	}
	/* where the machine needs it: data caches are written back, instruction caches forget */
	__builtin___clear_cache((char *)mem->code, (char *)mem->code + len);
	return 0;
}

/* The last code of a chunk is gone: one is kept, with little memory, for the next program. */
static void drop_chunk(struct jit_arena *arena, struct jit_chunk *chunk)
{
	struct jit_chunk **at = &arena->chunks;

	if (arena->chunks == chunk && !chunk->next) {
		if (chunk->filled <= KEPT_LEN)
			return;
		/* where the system cannot, the memory stays for the next program */
		(void)!fallocate(chunk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)KEPT_LEN, (off_t)(chunk->len - KEPT_LEN));
		chunk->filled = KEPT_LEN;
		return;
	}
	while (*at != chunk)
		at = &(*at)->next;
	*at = chunk->next;
	free_chunk(chunk);
}

void jit_mem_free(struct jit_mem *mem)
{
	struct jit_arena *arena = mem->arena;

	if (!arena)
		return;
	pthread_mutex_lock(&arena->lock);
	give_back(mem->chunk, (size_t)(mem->code - mem->chunk->code), mem->len);
	if (!--mem->chunk->used_cnt)
		drop_chunk(arena, mem->chunk);
	pthread_mutex_unlock(&arena->lock);
	if (mem->is_own)
		jit_arena_free(arena);
	*mem = (struct jit_mem){0};
}
