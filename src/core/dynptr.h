/*
 * A dynptr as it stands on a program's stack: 16 bytes, the layout of Linux's struct bpf_dynptr_kern.
 */
#ifndef CORE_DYNPTR_H
#define CORE_DYNPTR_H

#include "base/types.h"

enum {
	DYNPTR_SIZE_MASK = (1 << 24) - 1, /* of size */
	DYNPTR_TYPE_SHIFT = 28,
	DYNPTR_LOCAL = 1, /* memory of the program's, or a record that user space wrote */
	DYNPTR_RINGBUF = 2,
	DYNPTR_SKB = 3,
	DYNPTR_XDP = 4,
};

#define DYNPTR_RDONLY (1U << 31) /* of size */

struct dynptr {
	void *data; /* NULL: invalid */
	u32 size;   /* bytes, and what kind of dynptr it is */
	u32 offset; /* of the slice in data */
};

#endif
