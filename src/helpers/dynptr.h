/*
 * struct bpf_dynptr as it lies on a program's stack: Linux's 16 bytes. No program can write them.
 *
 *	data 8 | size: 24 bits, type << 28, read-only bit 31 | off 4
 *
 * data NULL: it points to nothing. Of packets and frames data is the context, and off and size count in the
 * packet, which may have become shorter since.
 */
#ifndef HELPERS_DYNPTR_H
#define HELPERS_DYNPTR_H

#include "base/types.h"

enum { DYNPTR_LOCAL = 1, DYNPTR_RINGBUF, DYNPTR_SKB, DYNPTR_XDP };

enum {
	DYNPTR_SIZE_MAX = (1 << 24) - 1,
	DYNPTR_TYPE_SHIFT = 28,
};
#define DYNPTR_RDONLY (1U << 31)

struct hlp_dynptr {
	void *data;
	u32 size, off;
};

static inline u32 dynptr_size(const struct hlp_dynptr *ptr)
{
	return ptr->size & DYNPTR_SIZE_MAX;
}

static inline u32 dynptr_type(const struct hlp_dynptr *ptr)
{
	return ptr->size << 1 >> (DYNPTR_TYPE_SHIFT + 1);
}

static inline void dynptr_set(struct hlp_dynptr *ret, void *data, u32 type, u32 size)
{
	*ret = (struct hlp_dynptr){.data = data, .size = size | type << DYNPTR_TYPE_SHIFT};
}

/* -E2BIG: not inside. */
int dynptr_check(const struct hlp_dynptr *ptr, u32 off, u32 len);
/* -EINVAL (nothing there, read-only, flags), -E2BIG, -EFAULT (the packet is shorter by now). */
int dynptr_read(const struct hlp_dynptr *ptr, u32 off, void *to, u32 len);
int dynptr_write(const struct hlp_dynptr *ptr, u32 off, const void *from, u32 len, u64 flags);
/* Where the bytes are, if they are in memory in one piece; NULL. Checked by dynptr_check before. */
void *dynptr_at(const struct hlp_dynptr *ptr, u32 off, u32 len);

#endif
