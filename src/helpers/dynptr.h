/*
 * Dynptrs (core/dynptr.h) as helpers and kernel functions use them. Of packets and frames data is the context, and
 * offset and size count in the packet, which may have become shorter since.
 */
#ifndef HELPERS_DYNPTR_H
#define HELPERS_DYNPTR_H

#include "core/dynptr.h"

static inline u32 dynptr_size(const struct dynptr *ptr)
{
	return ptr->size & DYNPTR_SIZE_MASK;
}

static inline u32 dynptr_type(const struct dynptr *ptr)
{
	return ptr->size << 1 >> (DYNPTR_TYPE_SHIFT + 1);
}

static inline void dynptr_set(struct dynptr *ret, void *data, u32 type, u32 size)
{
	*ret = (struct dynptr){.data = data, .size = size | type << DYNPTR_TYPE_SHIFT};
}

/* -E2BIG: not inside. */
int dynptr_check(const struct dynptr *ptr, u32 off, u32 len);
/* -EINVAL (nothing there, read-only, flags), -E2BIG, -EFAULT (the packet is shorter by now). */
int dynptr_read(const struct dynptr *ptr, u32 off, void *to, u32 len);
int dynptr_write(const struct dynptr *ptr, u32 off, const void *from, u32 len, u64 flags);
/* Where the bytes are, if they are in memory in one piece; NULL. Checked by dynptr_check before. */
void *dynptr_at(const struct dynptr *ptr, u32 off, u32 len);

#endif
