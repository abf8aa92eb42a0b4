/*
 * The memory of BPF_MAP_TYPE_RINGBUF and BPF_MAP_TYPE_USER_RINGBUF, as Linux and libbpf lay it out:
 *
 *	ours:      | back page | consumer page | producer page | data | spill |
 *	the memfd:             | consumer page | producer page | data | spill |
 *	record:    len 4 (bit 31 busy, bit 30 discarded) | pages from here to the back page 4 | bytes | to 8
 *
 * Linux maps the data twice, so that a record that goes past the end reads in one piece. Here `spill` is as
 * long as the data and holds what goes past the end of it; a record that is committed also has these bytes
 * at the data's start, for readers that wrap by themselves. So one plain mapping of a memfd serves every
 * reader. A writer in user space (libbpf) writes a record's bytes in one piece from the place of the first
 * one on, which is the data's start if the header was the last thing before the end.
 *
 * Invariants
 * 1. Positions only grow; position p stands at data + p % len. A record begins inside the data.
 * 2. The engine's own producer position is not the shared one, which user space could overwrite.
 * 3. A record's header is the last thing of it that is written (commit); who reads up to the first busy
 *    one has whole records.
 * 4. Of a ring that user space fills nothing is believed: see ring_peek.
 */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "base/types.h"

enum {
	RING_HDR_LEN = 8,
	RING_BUSY = 1U << 31,
	RING_DISCARD = 1U << 30,
	RING_PAGE = 4096,
	RING_RECORD_MAX = UINT32_MAX / 4,
	RING_SAMPLE_MAX = (1 << 24) - 1, /* bytes that a dynptr holds */
	RING_DRAIN_MAX = 128 * 1024,	 /* samples of one bpf_user_ringbuf_drain */
};

struct ring;

/* len: a power of two, of whole pages. -ENOMEM, -EMFILE. */
int ring_new(u32 len, struct ring **ret_ring);
/* Takes NULL. */
void ring_free(struct ring *ring);
/* The memfd; its owner stays the ring. */
int ring_mem_fd(const struct ring *ring);
/* An eventfd that is written to whenever Linux would wake who waits; the ring's own. -EMFILE. */
int ring_wake_fd(struct ring *ring, int *ret_fd);
/* Is it data of the ring? */
bool ring_owns(const struct ring *ring, const void *addr, size_t len);
/* Wakes who waits. */
void ring_wake(struct ring *ring);

/* --- filled by programs ------------------------------------------------------------------------- */

/* The bytes of a new record, 8-byte aligned; NULL: no room. */
void *ring_reserve(struct ring *ring, u64 size);
/* What ring_reserve gave goes to readers, or is skipped by them. flags: BPF_RB_NO_WAKEUP … */
void ring_commit(void *sample, u64 flags, bool discard);
/* bpf_ringbuf_output: -EINVAL, -EAGAIN. */
int ring_output(struct ring *ring, const void *data, u64 size, u64 flags);
/* bpf_ringbuf_query. */
u64 ring_query(const struct ring *ring, u64 what);

/* --- filled by user space ----------------------------------------------------------------------- */

/* Only one drains at a time: false if somebody does. */
bool ring_drain_begin(struct ring *ring);
void ring_drain_end(struct ring *ring);
/* The next sample. -ENODATA: none; -EAGAIN: it was discarded, look again; -EINVAL, -E2BIG: what user space
 * wrote is no record. */
int ring_peek(struct ring *ring, void **ret_sample, u32 *ret_size);
/* The sample of that size has been looked at. */
void ring_pass(struct ring *ring, u32 size);

#endif
