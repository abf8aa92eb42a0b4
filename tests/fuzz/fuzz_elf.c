/*
 * Objects: arbitrary bytes as an ELF file, opened as the command opens one and loaded into an instance of this
 * process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/types.h"
#include "object.h"
#include "out.h"
#include "port/port.h"

static void load(struct bpf_object *object)
{
	static const struct port_opts opts = {.interp = true, .replay_clock = true, .cpus = 1};
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
