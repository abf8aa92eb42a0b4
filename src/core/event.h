/*
 * The engine's counterpart of a perf event of type PERF_COUNT_SW_BPF_OUTPUT: a ring of records that
 * programs fill through a PERF_EVENT_ARRAY and user space maps. Layout and rules are those of
 * perf_event_open(2), as libbpf's perf_buffer reads them.
 *
 *	memfd:   | struct perf_event_mmap_page | data, a power of two of pages |
 *	record:  struct perf_event_header | fields that sample_type asks for | u32 size | bytes, to 8 |
 *
 * Invariants
 * 1. There is a ring once user space has mapped it: the length of the mapping is that of the ring. Before,
 *    records go nowhere, as with Linux.
 * 2. data_head only grows and is ours; the page's copy is never read. data_tail is user space's and only
 *    says how much room there is.
 * 3. What found no room is counted, and a PERF_RECORD_LOST stands before the next record that does.
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/obj.h"

struct event;
struct map;

/* What perf_event_open(2) was asked for, of what matters here. */
struct event_attr {
	u32 cpu;
	u64 sample_type; /* PERF_SAMPLE_RAW and others that need no more than the engine knows */
	u32 wakeup;	 /* wake every so many records, or bytes if is_watermark */
	bool is_watermark;
};

/* Bytes of a record, in up to two parts (a context's packet follows the program's data). */
struct event_raw {
	const void *data;
	u32 len;
	const void *more;
	u32 more_len;
};

/* Unpublished, with one reference. -EINVAL: a sample_type that needs more; -ENOMEM, -EMFILE. */
int event_new(struct skep *inst, const struct event_attr *attr, struct obj **ret_event);
/* The memfd; the event's own. */
int event_mem_fd(const struct obj *event);
/* An eventfd that is written to whenever Linux would wake who polls; the event's own. */
int event_wake_fd(const struct obj *event);
/* User space maps it: len bytes from the beginning. -EINVAL: not 1 + a power of two of pages, or mapped
 * with another length. */
int event_map(struct obj *event, u64 len);
/* PERF_EVENT_IOC_ENABLE and _DISABLE. */
void event_enable(struct obj *event, bool on);
/* A record for whoever reads. -ENOSPC: no room, counted as lost; -E2BIG. */
int event_write(struct obj *event, u32 cpu, u64 now_ns, const struct event_raw *raw);
/* bpf_perf_event_output into a PERF_EVENT_ARRAY: -EINVAL, -E2BIG, -ENOENT, -EOPNOTSUPP, -ENOSPC. */
int event_output(struct map *map, u64 flags, u32 cpu, const struct event_raw *raw);

#endif
