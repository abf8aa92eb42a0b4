/*
 * The ring of ring.h. Rules of room, positions and waking are those of Linux's kernel/bpf/ringbuf.c.
 */
#include "core/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "isa/uapi.h"

struct ring {
	u8 *base; /* the back page, which holds the address of this */
	u64 *consumer_pos, *shared_producer_pos;
	u8 *data;
	u64 mask;
	size_t len; /* bytes mapped */
	pthread_mutex_t lock;
	u64 producer_pos, pending_pos;
	u32 busy; /* somebody drains */
	int mem_fd;
	int wake_fd; /* -1 until somebody waits */
};

struct ring_hdr {
	u32 len;
	u32 page_off;
};

enum { POS_PAGES = 2 };

static int map_pages(struct ring *ring)
{
	size_t file_len = ring->len - RING_PAGE;
	u8 *base = mmap(
		NULL, ring->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return -ENOMEM;
	if (ftruncate(ring->mem_fd, (off_t)file_len) ||
		!mem_map_fd(base + RING_PAGE, file_len, ring->mem_fd)) {
		munmap(base, ring->len);
		return -ENOMEM;
	}
	ring->base = base;
	ring->consumer_pos = (u64 *)(base + RING_PAGE);
	ring->shared_producer_pos = (u64 *)(base + (size_t)2 * RING_PAGE);
	ring->data = base + (size_t)(1 + POS_PAGES) * RING_PAGE;
	memcpy(base, &ring, sizeof(ring));
	return 0;
}

int ring_new(u32 len, struct ring **ret_ring)
{
	struct ring *ring = mem_zalloc(sizeof(*ring));
	int err;

	if (!ring)
		return -ENOMEM;
	ring->mask = len - 1;
	ring->len = (size_t)(1 + POS_PAGES) * RING_PAGE + 2 * (size_t)len;
	ring->wake_fd = -1;
	ring->mem_fd = memfd_create("bpf-map", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	err = ring->mem_fd < 0 ? -errno : map_pages(ring);
	if (err) {
		if (ring->mem_fd >= 0)
			close(ring->mem_fd);
		mem_free(ring);
		return err;
	}
	pthread_mutex_init(&ring->lock, NULL);
	*ret_ring = ring;
	return 0;
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	munmap(ring->base, ring->len);
	close(ring->mem_fd);
	if (ring->wake_fd >= 0)
		close(ring->wake_fd);
	pthread_mutex_destroy(&ring->lock);
	mem_free(ring);
}

int ring_mem_fd(const struct ring *ring)
{
	return ring->mem_fd;
}

bool ring_owns(const struct ring *ring, const void *addr, size_t len)
{
	u64 off = (u64)((const u8 *)addr - ring->data), size = 2 * (ring->mask + 1);

	return off < size && len <= size - off;
}

static u64 load_pos(const u64 *pos)
{
	return __atomic_load_n(pos, __ATOMIC_ACQUIRE);
}

void ring_wake(struct ring *ring)
{
	int fd = __atomic_load_n(&ring->wake_fd, __ATOMIC_ACQUIRE);

	if (fd >= 0)
		eventfd_write(fd, 1);
}

int ring_wake_fd(struct ring *ring, int *ret_fd)
{
	int fd, err = 0;

	pthread_mutex_lock(&ring->lock);
	if (ring->wake_fd < 0) {
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd < 0)
			err = -errno;
		else
			__atomic_store_n(&ring->wake_fd, fd, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&ring->lock);
	if (err)
		return err;
	*ret_fd = ring->wake_fd;
	/* what is there already is news to who begins to wait */
	if (ring_query(ring, BPF_RB_AVAIL_DATA))
		ring_wake(ring);
	return 0;
}

/* --- filled by programs ------------------------------------------------------------------------- */

static u64 record_len(u64 size)
{
	return ROUND_UP(size + RING_HDR_LEN, 8);
}

/* Moves pending_pos over records that are no longer busy. */
static void pass_committed(struct ring *ring)
{
	while (ring->pending_pos < ring->producer_pos) {
		const struct ring_hdr *hdr =
			(const void *)(ring->data + (ring->pending_pos & ring->mask));
		u32 len = __atomic_load_n(&hdr->len, __ATOMIC_ACQUIRE);

		if (len & RING_BUSY)
			break;
		ring->pending_pos += record_len(len & ~(u32)RING_DISCARD);
	}
	/* only if user space wrote where it must not */
	if (ring->pending_pos > ring->producer_pos)
		ring->pending_pos = ring->producer_pos;
}

void *ring_reserve(struct ring *ring, u64 size)
{
	u64 len = record_len(size), next;
	struct ring_hdr *hdr = NULL;

	if (size > RING_RECORD_MAX || len > ring->mask + 1)
		return NULL;
	pthread_mutex_lock(&ring->lock);
	pass_committed(ring);
	next = ring->producer_pos + len;
	if (next - load_pos(ring->consumer_pos) <= ring->mask &&
		next - ring->pending_pos <= ring->mask) {
		hdr = (void *)(ring->data + (ring->producer_pos & ring->mask));
		hdr->page_off = (u32)(((u8 *)hdr - ring->base) / RING_PAGE);
		__atomic_store_n(&hdr->len, (u32)size | RING_BUSY, __ATOMIC_RELEASE);
		ring->producer_pos = next;
		__atomic_store_n(ring->shared_producer_pos, next, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&ring->lock);
	return hdr ? hdr + 1 : NULL;
}

/* What stands in the spill also to the data's start, where a reader finds it who wraps by himself. */
static void copy_spill(struct ring *ring, u64 at, u32 size)
{
	u64 end = at + RING_HDR_LEN + size, len = ring->mask + 1;

	if (end > len)
		memcpy(ring->data, ring->data + len, end - len);
}

void ring_commit(void *sample, u64 flags, bool discard)
{
	struct ring_hdr *hdr = (struct ring_hdr *)sample - 1;
	const u8 *base = (u8 *)((uintptr_t)hdr & ~(uintptr_t)(RING_PAGE - 1)) -
			 (size_t)hdr->page_off * RING_PAGE;
	struct ring *ring;
	u64 at;

	memcpy(&ring, base, sizeof(ring));
	at = (u64)((u8 *)hdr - ring->data);
	copy_spill(ring, at, MIN(hdr->len & ~(u32)RING_BUSY, (u32)(ring->mask + 1 - RING_HDR_LEN)));
	__atomic_store_n(
		&hdr->len, (hdr->len ^ RING_BUSY) | (discard ? RING_DISCARD : 0), __ATOMIC_SEQ_CST);
	if (flags & BPF_RB_FORCE_WAKEUP ||
		(!(flags & BPF_RB_NO_WAKEUP) &&
			(__atomic_load_n(ring->consumer_pos, __ATOMIC_SEQ_CST) & ring->mask) == at))
		ring_wake(ring);
}

int ring_output(struct ring *ring, const void *data, u64 size, u64 flags)
{
	void *sample;

	if (flags & ~(u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP))
		return -EINVAL;
	sample = ring_reserve(ring, size);
	if (!sample)
		return -EAGAIN;
	memcpy(sample, data, size);
	ring_commit(sample, flags, false);
	return 0;
}

u64 ring_query(const struct ring *ring, u64 what)
{
	u64 consumer = load_pos(ring->consumer_pos);
	u64 producer = load_pos(ring->shared_producer_pos);

	switch (what) {
	case BPF_RB_AVAIL_DATA: return producer - consumer;
	case BPF_RB_RING_SIZE: return ring->mask + 1;
	case BPF_RB_CONS_POS: return consumer;
	case BPF_RB_PROD_POS: return producer;
	default: return 0;
	}
}

/* --- filled by user space ----------------------------------------------------------------------- */

bool ring_drain_begin(struct ring *ring)
{
	return !__atomic_exchange_n(&ring->busy, 1, __ATOMIC_ACQUIRE);
}

void ring_drain_end(struct ring *ring)
{
	__atomic_store_n(&ring->busy, 0, __ATOMIC_RELEASE);
}

int ring_peek(struct ring *ring, void **ret_sample, u32 *ret_size)
{
	u64 producer = load_pos(ring->shared_producer_pos), len;
	u64 consumer = load_pos(ring->consumer_pos);
	const struct ring_hdr *hdr;
	u32 word, size;

	if (producer % 8)
		return -EINVAL;
	if (consumer >= producer)
		return -ENODATA;
	hdr = (const void *)(ring->data + (consumer & ring->mask & ~7ULL));
	word = __atomic_load_n(&hdr->len, __ATOMIC_ACQUIRE);
	size = word & ~(u32)(RING_BUSY | RING_DISCARD);
	len = record_len(size);
	if (len > producer - consumer)
		return -EINVAL;
	if (len > ring->mask + 1 || size > RING_SAMPLE_MAX)
		return -E2BIG;
	if (word & RING_DISCARD) {
		ring_pass(ring, size);
		return -EAGAIN;
	}
	if (word & RING_BUSY)
		return -ENODATA;
	*ret_sample = ring->data + ((consumer + RING_HDR_LEN) & ring->mask & ~7ULL);
	*ret_size = size;
	return 0;
}

void ring_pass(struct ring *ring, u32 size)
{
	u64 consumer = load_pos(ring->consumer_pos);

	__atomic_store_n(ring->consumer_pos, consumer + record_len(size), __ATOMIC_RELEASE);
}
