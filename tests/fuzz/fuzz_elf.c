/*
 * Objects: arbitrary bytes as an ELF file, opened as the command opens one and loaded into an instance of this
 * process.
 *
 * An object is mostly numbers of 32 bits (offsets, sizes, ids, counts), and a byte more or less anywhere makes it
 * no object. So half of the mutations change such a number in place, to one that is near, small, large or found
 * elsewhere in the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/types.h"
#include "object.h"
#include "out.h"
#include "port/port.h"

enum { INSNS_MAX = 2000 }; /* the verifier has a target of its own */

static void load(struct bpf_object *object)
{
	static const struct port_opts opts = {
		.interp = true, .replay_clock = true, .cpus = 1, .insns_max = INSNS_MAX};
	struct port_text err = {0};
	struct port *port;

	if (port_open_local(&opts, &port, &err))
		abort();
	port_use(port);
	object_load(object);
	bpf_object__close(object);
	port_use(NULL);
	port_close(port);
}

static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	int fd = memfd_create("object", MFD_CLOEXEC);
	struct bpf_object *object;
	struct port_text err = {0};
	char path[64];

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	libbpf_set_print(say_nothing);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!object_try_open(path, &object, &err))
		load(object);
	close(fd);
	return 0;
}

__attribute__((weak)) size_t LLVMFuzzerMutate(u8 *data, size_t len, size_t max);

static u32 next_random(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static u32 any_number(const u8 *data, size_t words, u32 old, u32 *state)
{
	u32 number;

	switch (next_random(state) % 8) {
	case 0: return old + 1;
	case 1: return old - 1;
	case 2: return next_random(state) % 4 * 8;
	case 3: return next_random(state) % 64;
	case 4: return UINT32_MAX - next_random(state) % 16;
	case 5: return old ^ 1u << next_random(state) % 32;
	case 6: return 1u << next_random(state) % 32;
	default: memcpy(&number, data + next_random(state) % words * 4, 4); return number;
	}
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t len, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t len, size_t max, unsigned int seed)
{
	u32 state = seed, changes, number;

	if (len < 64 || next_random(&state) % 2)
		return LLVMFuzzerMutate(data, len, max);
	changes = 1 + next_random(&state) % 3;
	for (u32 i = 0; i < changes; i++) {
		u8 *at = data + next_random(&state) % (len / 4) * 4;

		memcpy(&number, at, 4);
		number = any_number(data, len / 4, number, &state);
		memcpy(at, &number, 4);
	}
	return len;
}
