/*
 * What a lookup costs user space: bpf(2) on one key of a small hash, on the kernel, on skep in this process, and on skep
 * by a caller who keeps the promises of skep_bpf_trusted.
 */
#include "bench.h"

#include <errno.h>
#include <linux/bpf.h>
#include <skep/skep.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 1024 };

typedef long (*bpf_fn)(struct skep *skep, int cmd, union bpf_attr *attr, unsigned int size);

static long bpf_kernel(struct skep *skep, int cmd, union bpf_attr *attr, unsigned int size)
{
	long ret = syscall(__NR_bpf, cmd, attr, size);

	return ret < 0 ? -errno : ret;
}

static long elem(struct skep *skep, bpf_fn bpf, int cmd, int fd, const void *key, const void *value)
{
	const unsigned int len = offsetof(union bpf_attr, flags) + sizeof(u64);
	union bpf_attr attr;

	memset(&attr, 0, len);
	attr.map_fd = (u32)fd;
	attr.key = (uintptr_t)key;
	attr.value = (uintptr_t)value;
	return bpf(skep, cmd, &attr, len);
}

static int make(struct skep *skep, bpf_fn bpf)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_HASH,
		.key_size = 4,
		.value_size = 8,
		.max_entries = ENTRIES};
	int fd = (int)bpf(skep, BPF_MAP_CREATE, &attr, sizeof(attr));

	for (u32 key = 0; fd >= 0 && key < ENTRIES; key++) {
		u64 value = key;

		elem(skep, bpf, BPF_MAP_UPDATE_ELEM, fd, &key, &value);
	}
	return fd;
}

/* Nanoseconds of a call. */
static double look_up(struct skep *skep, bpf_fn bpf, int fd)
{
	u64 start = now_ns(), value = 0, sum = 0;

	for (u32 i = 0; i < LOOPS; i++) {
		u32 key = i * 2654435761U % ENTRIES;

		if (!elem(skep, bpf, BPF_MAP_LOOKUP_ELEM, fd, &key, &value))
			sum += value;
	}
	return sum ? (double)(now_ns() - start) / LOOPS : -1;
}

void bench_calls(u32 rounds, struct figure ret_figures[2])
{
	static const char *const names[] = {"bpf(2) lookup", "trusted lookup"};
	static const bpf_fn fns[] = {skep_bpf, skep_bpf_trusted};
	double ns[3][ROUNDS_MAX];
	struct skep *skep = NULL;
	int fd = -1, kernel_fd = make(NULL, bpf_kernel);

	if (!skep_new(NULL, &skep))
		fd = make(skep, skep_bpf);
	for (u32 i = 0; i < rounds; i++) {
		for (u32 f = 0; f < ARRAY_SIZE(fns); f++)
			ns[f][i] = fd >= 0 ? look_up(skep, fns[f], fd) : -1;
		ns[2][i] = kernel_fd >= 0 ? look_up(NULL, bpf_kernel, kernel_fd) : -1;
	}
	for (u32 f = 0; f < ARRAY_SIZE(fns); f++)
		ret_figures[f] = (struct figure){.map = "HASH",
			.op = names[f],
			.key_size = 4,
			.entries = ENTRIES,
			.peer = "kernel",
			.skep_ns = least(ns[f], rounds),
			.peer_ns = least(ns[2], rounds)};
	if (kernel_fd >= 0)
		close(kernel_fd);
	if (fd >= 0)
		skep_close(skep, fd);
	skep_free(skep);
}
