/*
 * The log that PROG_LOAD and BTF_LOAD leave in the caller's buffer. Without BPF_LOG_FIXED the buffer
 * ends up with the end of the text, with it the beginning; always with a NUL. log_true_size is what
 * would have held all of it; -ENOSPC says that it did not fit (Linux >= 6.4).
 *
 * The text is kept here until the end, never more of it than the caller's buffer holds.
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include "base/types.h"

struct sys_user;

enum {
	SYS_LOG_LEVELS = 7, /* BPF_LOG_LEVEL1 | LEVEL2 | STATS: what a verifier looks at */
	SYS_LOG_FIXED = 8,
};

struct sys_log {
	u32 level;
	u64 buf;   /* the caller's; 0: only the size is counted */
	u32 total; /* its bytes */
	u64 len;   /* bytes written so far, without a NUL */
	char *kept;
	u32 cap;
	bool has_failed; /* no memory for the text */
};

/* -EINVAL for what Linux refuses: a buffer without size or level, unknown levels, over 1 GiB. */
int sys_log_init(struct sys_log *log, u32 level, u64 buf, u32 size);
/* Adds text; the first argument is the struct sys_log (so that it can be a callback). */
void sys_log_write(void *log, const char *text, size_t len);
/* Fills the caller's buffer. ret_true_size is set in every case. 0, -EFAULT, -ENOSPC, -ENOMEM. */
int sys_log_finish(struct sys_log *log, struct sys_user *user, u32 *ret_true_size);
void sys_log_done(struct sys_log *log);

#endif
