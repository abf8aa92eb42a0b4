/*
 * Objects: arbitrary bytes as an ELF file, opened as the command opens one and loaded into an instance of this
 * process.
 *
 * An object is mostly numbers of 32 bits (offsets, sizes, ids, counts), and a byte more or less anywhere makes it
 * no object. So most mutations change such a number in place, to one that is near, small, large or found
 * elsewhere in the file.
 */
#include <bpf/btf.h>
#include <elf.h>
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

/* alone: the first program only, as `run` and `verify` do; else all of them, as `prog loadall` does. */
static void load(struct bpf_object *object, bool alone)
{
	static const struct port_opts opts = {
		.interp = true, .replay_clock = true, .cpus = 1, .insns_max = INSNS_MAX};
	struct port_text err = {0};
	struct bpf_program *prog;
	struct port *port;

	if (port_open_local(&opts, &port, &err))
		abort();
	port_use(port);
	bpf_object__for_each_program(prog, object)
	{
		if (alone && prog != bpf_object__next_program(object, NULL))
			bpf_program__set_autoload(prog, false);
	}
	object_load(object);
	bpf_object__close(object);
	port_use(NULL);
	port_close(port);
}

static void print_nothing(void *ctx, const char *fmt, va_list args)
{
}

/* `btf dump file FILE format c` */
static void write_as_c(const char *path)
{
	struct port_text err = {0};
	struct btf_dump *dump;
	struct btf *btf;

	if (object_types(path, &btf, &err))
		return;
	dump = btf_dump__new(btf, print_nothing, NULL, NULL);
	for (u32 id = 1; id < btf__type_cnt(btf); id++)
		if (!dump || btf_dump__dump_type(dump, id))
			break;
	btf_dump__free(dump);
	btf__free(btf);
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
		load(object, data[len - 1] & 1);
	write_as_c(path);
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

/* Some number of a section, so that a large one is no likelier than a small one; else of the whole file. */
static u8 *any_place(u8 *data, size_t len, u32 *state)
{
	Elf64_Ehdr head;
	Elf64_Shdr sec;
	u64 at, words;

	memcpy(&head, data, sizeof(head));
	if (head.e_shnum && next_random(state) % 8) {
		at = head.e_shoff + next_random(state) % head.e_shnum * sizeof(sec);
		if (at < len && len - at >= sizeof(sec)) {
			memcpy(&sec, data + at, sizeof(sec));
			words = sec.sh_size / 4;
			if (words && sec.sh_offset < len && sec.sh_size <= len - sec.sh_offset)
				return data + sec.sh_offset + next_random(state) % words * 4;
		}
	}
	return data + next_random(state) % (len / 4) * 4;
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t len, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t len, size_t max, unsigned int seed)
{
	u32 state = seed, changes, number;

	if (len < sizeof(Elf64_Ehdr) || !(next_random(&state) % 4))
		return LLVMFuzzerMutate(data, len, max);
	changes = 1 + next_random(&state) % 3;
	for (u32 i = 0; i < changes; i++) {
		u8 *at = any_place(data, len, &state);

		memcpy(&number, at, 4);
		number = any_number(data, len / 4, number, &state);
		memcpy(at, &number, 4);
	}
	return len;
}
