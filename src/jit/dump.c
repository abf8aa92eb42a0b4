/*
 * Records of jitdump. perf finds the file by the mapping of its first page that can be executed: that mapping is
 * the only reason for it, and stays until the end. Times are of CLOCK_MONOTONIC, perf's with -k 1.
 */
#include "jit/dump.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
	MAGIC = 0x4A695444,
	VERSION = 1,
	CODE_LOAD = 0,
	CODE_DEBUG_INFO = 2,
	CODE_CLOSE = 3,
	PATH_LEN = 4096,
#if defined(__x86_64__)
	MACHINE = EM_X86_64,
#elif defined(__aarch64__)
	MACHINE = EM_AARCH64,
#else
	MACHINE = EM_NONE,
#endif
};

struct header {
	u32 magic, version, len, machine, pad, pid;
	u64 time, flags;
};

struct record {
	u32 id, len;
	u64 time;
};

struct load {
	u32 pid, tid;
	u64 vma, code, len, idx;
};

struct debug_info {
	u64 code, cnt;
};

struct debug_line {
	u64 code;
	u32 line, discriminator;
};

struct jit_dump {
	pthread_mutex_t lock;
	int fd;
	void *marker;
	size_t marker_len;
	u64 cnt; /* functions so far */
};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static int write_all(int fd, const void *data, size_t len)
{
	ssize_t done;

	for (size_t at = 0; at < len; at += (size_t)done) {
		done = write(fd, (const u8 *)data + at, len - at);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done < 0)
			return -errno;
	}
	return 0;
}

static int begin(struct jit_dump *dump, const char *folder)
{
	const struct header header = {.magic = MAGIC,
		.version = VERSION,
		.len = sizeof(header),
		.machine = MACHINE,
		.pid = (u32)getpid(),
		.time = now_ns()};
	char path[PATH_LEN];

	if (snprintf(path, sizeof(path), "%s/jit-%d.dump", folder, (int)getpid()) >=
		(int)sizeof(path))
		return -ENAMETOOLONG;
	dump->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (dump->fd < 0)
		return -errno;
	dump->marker_len = (size_t)sysconf(_SC_PAGESIZE);
	dump->marker = mmap(
		NULL, dump->marker_len, PROT_READ | PROT_EXEC, MAP_PRIVATE, dump->fd, 0);
	if (dump->marker == MAP_FAILED)
		return -errno;
	return write_all(dump->fd, &header, sizeof(header));
}

int jit_dump_open(const char *folder, struct jit_dump **ret_dump)
{
	struct jit_dump *dump = mem_zalloc(sizeof(*dump));
	int err;

	if (!dump)
		return -ENOMEM;
	pthread_mutex_init(&dump->lock, NULL);
	dump->fd = -1;
	dump->marker = MAP_FAILED;
	err = MACHINE == EM_NONE ? -EINVAL : begin(dump, folder);
	if (err)
		jit_dump_close(dump);
	else
		*ret_dump = dump;
	return err;
}

void jit_dump_close(struct jit_dump *dump)
{
	const struct record end = {.id = CODE_CLOSE, .len = sizeof(end), .time = now_ns()};

	if (!dump)
		return;
	if (dump->fd >= 0) {
		write_all(dump->fd, &end, sizeof(end));
		close(dump->fd);
	}
	if (dump->marker != MAP_FAILED)
		munmap(dump->marker, dump->marker_len);
	pthread_mutex_destroy(&dump->lock);
	mem_free(dump);
}

/* A record whose length is known at its end. */
static void end_record(struct buf *out, size_t start)
{
	const u32 len = (u32)(out->len - start);

	if (!out->err)
		memcpy(out->data + start + offsetof(struct record, len), &len, sizeof(len));
}

static void add_lines(struct buf *out, const struct jit_symbol *symbol)
{
	const struct record record = {.id = CODE_DEBUG_INFO, .time = now_ns()};
	const struct debug_info info = {(uintptr_t)symbol->code, symbol->line_cnt};
	const size_t start = out->len;

	buf_add(out, &record, sizeof(record));
	buf_add(out, &info, sizeof(info));
	for (u32 i = 0; i < symbol->line_cnt; i++) {
		const struct jit_line *line = &symbol->lines[i];
		const struct debug_line entry = {(uintptr_t)line->code, line->line, 0};

		buf_add(out, &entry, sizeof(entry));
		buf_add(out, line->file, strlen(line->file) + 1);
	}
	end_record(out, start);
}

static void add_code(struct buf *out, const struct jit_symbol *symbol, u64 idx)
{
	const struct record record = {.id = CODE_LOAD, .time = now_ns()};
	const struct load load = {.pid = (u32)getpid(),
		.tid = (u32)syscall(SYS_gettid),
		.vma = (uintptr_t)symbol->code,
		.code = (uintptr_t)symbol->code,
		.len = symbol->len,
		.idx = idx};
	const size_t start = out->len;

	buf_add(out, &record, sizeof(record));
	buf_add(out, &load, sizeof(load));
	buf_add(out, symbol->name, strlen(symbol->name) + 1);
	buf_add(out, symbol->code, symbol->len);
	end_record(out, start);
}

int jit_dump_add(struct jit_dump *dump, const struct jit_symbol *symbol)
{
	struct buf out = BUF_INIT;
	int err;

	pthread_mutex_lock(&dump->lock);
	/* lines come before the code that they are of */
	if (symbol->line_cnt)
		add_lines(&out, symbol);
	add_code(&out, symbol, dump->cnt);
	err = out.err ? out.err : write_all(dump->fd, out.data, out.len);
	dump->cnt += !err;
	pthread_mutex_unlock(&dump->lock);
	buf_done(&out);
	return err;
}
