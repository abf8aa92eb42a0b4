/*
 * Memory that may not be there: read through the operating system, which answers for a bad address where a
 * load would end the process. One system call a read, of up to a page for strings.
 */
#ifndef HELPERS_PEEK_H
#define HELPERS_PEEK_H

#include "base/types.h"

/* All of len bytes, or -EFAULT and ret_bytes holds anything. */
int hlp_peek(u64 addr, void *ret_bytes, u32 len);
/* A string of at most cap - 1 bytes, cut if it is longer, with a zero byte: its length with that byte. 0 if cap
 * is 0. -EFAULT: it runs into memory that is not there, and ret_text holds anything. */
int hlp_peek_text(u64 addr, char *ret_text, u32 cap);

#endif
