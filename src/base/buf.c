/*
 * The growing buffer: capacity doubles, so adding n bytes one by one costs O(n).
 */
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { CAP_MIN = 64 };

static size_t max_len(const struct buf *buf)
{
	return buf->max ? buf->max : BUF_MAX;
}

static int grow(struct buf *buf, size_t add)
{
	size_t cap = buf->cap ? buf->cap : CAP_MIN;
	char *data;

	if (buf->err)
		return buf->err;
	if (add > max_len(buf) - buf->len)
		return buf->err = -E2BIG;
	if (buf->len + add < buf->cap)
		return 0;
	while (cap <= buf->len + add)
		cap *= 2;
	data = mem_realloc(buf->data, cap, 1);
	if (!data)
		return buf->err = -ENOMEM;
	buf->data = data;
	buf->cap = cap;
	return 0;
}

void buf_done(struct buf *buf)
{
	mem_free(buf->data);
	*buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->err = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (grow(buf, len))
		return;
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_str(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_expect(struct buf *buf, size_t len)
{
	grow(buf, len);
}

void *buf_room(struct buf *buf, size_t len)
{
	char *room;

	if (grow(buf, len))
		return NULL;
	room = buf->data + buf->len;
	memset(room, 0, len + 1);
	buf->len += len;
	return room;
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(buf, fmt, ap);
	va_end(ap);
}

/* Formats into the room that is there; only a text that does not fit is formatted a second time. */
void buf_vprintf(struct buf *buf, const char *fmt, va_list ap)
{
	size_t room = buf->cap > buf->len ? buf->cap - buf->len : 0;
	va_list again;
	int len;

	if (buf->err)
		return;
	va_copy(again, ap);
	len = vsnprintf(room ? buf->data + buf->len : NULL, room, fmt, again);
	va_end(again);
	if (len < 0 || (size_t)len >= room || (size_t)len > max_len(buf) - buf->len) {
		if (room)
			buf->data[buf->len] = '\0';
		if (len < 0 || grow(buf, len))
			return;
		vsnprintf(buf->data + buf->len, len + 1, fmt, ap);
	}
	buf->len += len;
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}
