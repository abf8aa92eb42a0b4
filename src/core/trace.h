/*
 * The trace ring: what bpf_trace_printk wrote, read by `skep prog tracelog`. A bounded ring of text
 * lines in the format of the kernel's trace_pipe; when it is full the oldest line goes and is counted.
 * Thread-safe.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include <pthread.h>

#include "base/buf.h"
#include "base/types.h"

enum { TRACE_LINES_MAX = 4096, TRACE_TEXT_MAX = 1024 };

struct trace {
	pthread_mutex_t lock;
	char **lines;
	u32 head, cnt; /* oldest line, lines held */
	u64 lost;
};

int trace_init(struct trace *trace);
void trace_done(struct trace *trace);
/* One line, text without newline; comm and pid of the caller's process, cpu and time as given. */
int trace_write(struct trace *trace, u32 cpu, u64 now_ns, const char *text);
/* Moves all lines into out, one each with its newline, and the number lost since the last read. */
void trace_read(struct trace *trace, struct buf *ret_out, u64 *ret_lost);

#endif
