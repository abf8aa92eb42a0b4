/*
 * Texts for people, made by format.c: lines in the instance's trace ring, and text in memory.
 */
#include <errno.h>

#include "core/inst.h"
#include "helpers/fns.h"
#include "helpers/format.h"

enum {
	PRINTK_ARGS = 3,
	TEXT_LEN = 1024, /* bytes of a line with its zero byte; longer lines are cut */
};

/* Values in memory: 8 bytes each. */
static bool may_be_args(u64 args, u32 len)
{
	return !(len % sizeof(u64)) && len <= HLP_FORMAT_ARGS_MAX * sizeof(u64) && (!len || args);
}

static u64 write_line(const char *fmt, u32 size, const u64 *args, u32 arg_cnt, struct run *run)
{
	char text[TEXT_LEN];
	int len = hlp_format(fmt, size, args, arg_cnt, text, sizeof(text));

	/* A line that found no memory is lost, like one that the ring has no room for. */
	if (len >= 0)
		(void)trace_write(&run->inst->trace, run->cpu, inst_now_ns(run->inst), text);
	return (u64)len;
}

u64 hlp_trace_printk(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	u64 args[PRINTK_ARGS] = {r3, r4, r5};

	return write_line(hlp_ptr(r1), (u32)r2, args, PRINTK_ARGS, run);
}

u64 hlp_trace_vprintk(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	u32 len = (u32)r4;

	if (!may_be_args(r3, len))
		return (u64)-EINVAL;
	return write_line(hlp_ptr(r1), (u32)r2, hlp_ptr(r3), len / sizeof(u64), run);
}

/* The length with the zero byte of the whole text. */
u64 hlp_snprintf(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	int len;

	if (!may_be_args(r4, (u32)r5))
		return (u64)-EINVAL;
	len = hlp_format(
		hlp_ptr(r3), UINT32_MAX, hlp_ptr(r4), (u32)r5 / sizeof(u64), hlp_ptr(r1), (u32)r2);
	return (u64)(len < 0 ? len : len + 1);
}
