/*
 * Linux's format language for programs (bpf_trace_printk and its kin).
 */
#ifndef HELPERS_FORMAT_H
#define HELPERS_FORMAT_H

#include "base/types.h"

enum {
	HLP_FORMAT_ARGS_MAX = 12,
};

/* fmt has size bytes and must hold a zero byte. ret_text gets cap bytes at most, with a zero byte when cap
 * is not 0. The length of the whole text, which may be more than fits. -EINVAL: not in the language, or
 * more specifiers than args; -ENOSPC: strings too long. */
int hlp_format(const char *fmt, u32 size, const u64 *args, u32 arg_cnt, char *ret_text, u32 cap);

/* Whether the text is in the language and has a value for each of its specifiers; errors as above. */
int hlp_format_check(const char *fmt, u32 size, u32 arg_cnt);

#endif
