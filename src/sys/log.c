/*
 * A log of which the first or the last part is kept: the last part lives in a ring of total - 1 bytes
 * that grows to that size as text comes, so that a large buffer costs nothing while the log is short.
 */
#include "sys/log.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "sys/caller.h"

enum { LOG_SIZE_MAX = UINT32_MAX >> 2, LOG_CAP_MIN = 4096 };

int sys_log_init(struct sys_log *log, u32 level, u64 buf, u32 size)
{
	*log = (struct sys_log){.level = level, .buf = buf, .total = size};
	if (!buf != !size || (buf && !level))
		return -EINVAL;
	if (level & ~(SYS_LOG_LEVELS | SYS_LOG_FIXED) || size > LOG_SIZE_MAX)
		return -EINVAL;
	return 0;
}

/* Bytes of text that the caller's buffer holds beside the NUL. */
static u32 room(const struct sys_log *log)
{
	return log->total ? log->total - 1 : 0;
}

static bool grow(struct sys_log *log, u64 need)
{
	u64 cap = log->cap ? log->cap : LOG_CAP_MIN;
	char *more;

	while (cap < need)
		cap *= 2;
	cap = MIN(cap, room(log));
	if (cap == log->cap)
		return true;
	more = mem_realloc(log->kept, cap, 1);
	if (!more) {
		log->has_failed = true;
		return false;
	}
	log->kept = more;
	log->cap = cap;
	return true;
}

/* Byte n of the text stands at n % room: the ring begins to overwrite only once it is full. */
void sys_log_write(void *arg, const char *text, size_t len)
{
	struct sys_log *log = arg;
	u32 max = room(log);
	u64 at = log->len;

	log->len += len;
	if (!log->buf || !max || log->has_failed)
		return;
	if (log->level & SYS_LOG_FIXED)
		len = at < max ? MIN(len, max - at) : 0;
	if (!grow(log, MIN(at + len, max)))
		return;
	if (len > max) {
		text += len - max;
		at += len - max;
		len = max;
	}
	while (len) {
		u32 part = MIN(len, max - at % max);

		memcpy(log->kept + at % max, text, part);
		text += part;
		at += part;
		len -= part;
	}
}

static int copy_out(struct sys_log *log, struct sys_user *user)
{
	u32 max = room(log), len = MIN(log->len, max), start = 0;
	int err = 0;

	if (max && !(log->level & SYS_LOG_FIXED) && log->len > max)
		start = log->len % max;
	err = sys_user_write(user, log->buf, log->kept + start, len - start);
	if (!err && start)
		err = sys_user_write(user, log->buf + len - start, log->kept, start);
	if (!err)
		err = sys_user_write(user, log->buf + len, "", 1);
	return err;
}

int sys_log_finish(struct sys_log *log, struct sys_user *user, u32 *ret_true_size)
{
	int err;

	*ret_true_size = log->level && log->len ? MIN(log->len + 1, UINT32_MAX) : 0;
	if (!log->buf || !*ret_true_size)
		return 0;
	if (log->has_failed)
		return -ENOMEM;
	err = copy_out(log, user);
	if (err)
		return err;
	return *ret_true_size > log->total ? -ENOSPC : 0;
}

void sys_log_done(struct sys_log *log)
{
	mem_free(log->kept);
	log->kept = NULL;
}
