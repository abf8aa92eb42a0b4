/*
 * The trace ring. Lines are allocated one by one: printing from programs is rare and for people.
 */
#include "core/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"

enum { COMM_LEN = 16, NSEC_PER_USEC = 1000, USEC_PER_SEC = 1000000 };

int trace_init(struct trace *trace)
{
	*trace = (struct trace){.lines = mem_array(TRACE_LINES_MAX, sizeof(char *))};
	if (!trace->lines)
		return -ENOMEM;
	pthread_mutex_init(&trace->lock, NULL);
	return 0;
}

static void drop_oldest(struct trace *trace)
{
	mem_free(trace->lines[trace->head]);
	trace->lines[trace->head] = NULL;
	trace->head = (trace->head + 1) % TRACE_LINES_MAX;
	trace->cnt--;
}

void trace_done(struct trace *trace)
{
	if (!trace->lines)
		return;
	while (trace->cnt)
		drop_oldest(trace);
	mem_free(trace->lines);
	pthread_mutex_destroy(&trace->lock);
	trace->lines = NULL;
}

int trace_write(struct trace *trace, u32 cpu, u64 now_ns, const char *text)
{
	char line[TRACE_TEXT_MAX + 128], comm[COMM_LEN] = "?";
	u64 usec = now_ns / NSEC_PER_USEC;
	char *copy;
	int len;

	prctl(PR_GET_NAME, comm);
	len = snprintf(line, sizeof(line),
		"%16s-%-7d [%03u] ..... %5llu.%06llu: bpf_trace_printk: %.*s", comm, (int)getpid(),
		cpu, (unsigned long long)(usec / USEC_PER_SEC),
		(unsigned long long)(usec % USEC_PER_SEC), (int)TRACE_TEXT_MAX, text);
	copy = mem_dup(line, len + 1);
	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&trace->lock);
	if (trace->cnt == TRACE_LINES_MAX) {
		drop_oldest(trace);
		trace->lost++;
	}
	trace->lines[(trace->head + trace->cnt++) % TRACE_LINES_MAX] = copy;
	pthread_mutex_unlock(&trace->lock);
	return 0;
}

void trace_read(struct trace *trace, struct buf *ret_out, u64 *ret_lost)
{
	pthread_mutex_lock(&trace->lock);
	while (trace->cnt) {
		buf_str(ret_out, trace->lines[trace->head]);
		buf_str(ret_out, "\n");
		drop_oldest(trace);
	}
	*ret_lost = trace->lost;
	trace->lost = 0;
	pthread_mutex_unlock(&trace->lock);
}
