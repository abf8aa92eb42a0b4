/*
 * Can the running kernel be compared with? It must let us use bpf(2) and be at least the release that
 * skep follows: older ones differ where they were changed since (csum_diff's lengths, limits of tries …).
 */
#ifndef DIFF_KERNEL_H
#define DIFF_KERNEL_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/types.h"
#include "isa/uapi.h"

enum {
	KERNEL_MAJOR = 6,
	KERNEL_MINOR = 18,
	KERNEL_SKIP = 77, /* exit status of a test that cannot run */
};

/* True, and the reason printed, if it cannot. */
static inline bool kernel_is_missing(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	long fd = syscall(__NR_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	unsigned major = 0, minor = 0;
	struct utsname uts;

	if (fd < 0) {
		printf("skipped: bpf(2) cannot be used here: %s\n", strerror(errno));
		return true;
	}
	close((int)fd);
	if (uname(&uts) || sscanf(uts.release, "%u.%u", &major, &minor) != 2 ||
		major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR)) {
		printf("skipped: Linux %d.%d is what skep follows, and this one is older: %s\n",
			KERNEL_MAJOR, KERNEL_MINOR, uts.release);
		return true;
	}
	return false;
}

#endif
