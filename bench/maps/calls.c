/*
 * What a lookup costs user space: bpf(2) on one key of a small hash, on skep in this process and on the kernel.
 */
#include "bench.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include "port/port.h"

enum { ENTRIES = 1024 };

static int make(struct port *port)
{
	int fd;

	port_use(port);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "calls", 4, 8, ENTRIES, NULL);
	for (u32 key = 0; fd >= 0 && key < ENTRIES; key++) {
		u64 value = key;

		bpf_map_update_elem(fd, &key, &value, BPF_ANY);
	}
	return fd;
}

/* Nanoseconds of a call. */
static double look_up(struct port *port, int fd)
{
	u64 start, value, sum = 0;

	port_use(port);
	start = now_ns();
	for (u32 i = 0; i < LOOPS; i++) {
		u32 key = i * 2654435761U % ENTRIES;

		if (!bpf_map_lookup_elem(fd, &key, &value))
			sum += value;
	}
	return sum ? (double)(now_ns() - start) / LOOPS : -1;
}

struct figure bench_calls(struct port *skep, struct port *kernel, u32 rounds)
{
	struct figure f = {.map = "HASH",
		.op = "bpf(2) lookup",
		.key_size = 4,
		.entries = ENTRIES,
		.peer = "kernel",
		.skep_ns = -1,
		.peer_ns = -1};
	double ours[ROUNDS_MAX], theirs[ROUNDS_MAX];
	int fd = make(skep), kernel_fd = make(kernel);

	for (u32 i = 0; i < rounds; i++) {
		ours[i] = fd >= 0 ? look_up(skep, fd) : -1;
		theirs[i] = kernel_fd >= 0 ? look_up(kernel, kernel_fd) : -1;
	}
	f.skep_ns = least(ours, rounds);
	f.peer_ns = least(theirs, rounds);
	close(fd);
	close(kernel_fd);
	return f;
}
