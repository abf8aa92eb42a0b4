/*
 * A growing run of bytes with a limit: log texts, code under construction, packets of a message.
 * The first failure (no memory, or over the limit) sticks in `err`; later additions do nothing, so
 * that a writer checks once, at the end. The text is always NUL-terminated one byte past `len`.
 * Not thread-safe.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/types.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max; /* bytes; 0 means BUF_MAX */
	int err;    /* 0, -ENOMEM or -E2BIG */
};

enum { BUF_MAX = 1 << 30 };

#define BUF_INIT	    ((struct buf){0})
#define BUF_INIT_MAX(bytes) ((struct buf){.max = (bytes)})

void buf_done(struct buf *buf);
/* Forgets the content and the error, keeps the memory. */
void buf_reset(struct buf *buf);
/* Makes the next len bytes cost no growing. */
void buf_expect(struct buf *buf, size_t len);
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_str(struct buf *buf, const char *text);
/* Room for len bytes at the end, zeroed; NULL on failure. Valid until the next addition. */
void *buf_room(struct buf *buf, size_t len);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *buf, const char *fmt, ...);
__attribute__((format(printf, 2, 0))) void buf_vprintf(
	struct buf *buf, const char *fmt, va_list ap);
/* The text so far; "" when nothing was ever added. */
const char *buf_text(const struct buf *buf);

#endif
