/*
 * The ring of event.h. When readers are woken and what is lost follows Linux's kernel/events/ring_buffer.c.
 */
#include "core/event.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/map.h"

enum {
	PAGE_LEN = 4096,
	KNOWN_SAMPLES = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD |
			PERF_SAMPLE_RAW,
	FIXED_MAX = 4 * 8, /* bytes of the fields before the raw data */
	RECORD_MAX = UINT16_MAX,
};

struct event {
	struct obj obj;
	struct event_attr attr;
	int mem_fd, wake_fd;
	pthread_mutex_t lock;
	bool is_on;
	u8 *base;
	u64 len; /* bytes mapped; 0: no ring yet */
	u64 head;
	u64 lost;
	u64 wake_head; /* bytes: the next watermark is counted from here */
	u32 wake_cnt;  /* records since readers were woken */
};

struct lost_record {
	struct perf_event_header header;
	u64 id, lost;
};

static struct event *to_event(const struct obj *obj)
{
	return container_of(obj, struct event, obj);
}

/* --- life -------------------------------------------------------------------------------------- */

static void free_event(struct obj *obj)
{
	struct event *event = to_event(obj);

	if (event->base)
		munmap(event->base, event->len);
	close(event->mem_fd);
	close(event->wake_fd);
	pthread_mutex_destroy(&event->lock);
	mem_free(event);
}

static const struct obj_ops event_ops = {
	.free = free_event,
};

int event_new(struct skep *inst, const struct event_attr *attr, struct obj **ret_event)
{
	struct event *event;
	int err;

	if (attr->sample_type & ~(u64)KNOWN_SAMPLES)
		return -EINVAL;
	event = mem_zalloc(sizeof(*event));
	if (!event)
		return -ENOMEM;
	event->attr = *attr;
	event->mem_fd = memfd_create("perf-event", MFD_CLOEXEC);
	event->wake_fd = event->mem_fd < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event->wake_fd < 0) {
		err = -errno;
		if (event->mem_fd >= 0)
			close(event->mem_fd);
		mem_free(event);
		return err;
	}
	pthread_mutex_init(&event->lock, NULL);
	obj_init(&event->obj, inst, OBJ_EVENT, &event_ops);
	*ret_event = &event->obj;
	return 0;
}

int event_mem_fd(const struct obj *event)
{
	return to_event(event)->mem_fd;
}

int event_wake_fd(const struct obj *event)
{
	return to_event(event)->wake_fd;
}

static int make_ring(struct event *event, u64 len)
{
	struct perf_event_mmap_page *page;
	void *base;

	if (ftruncate(event->mem_fd, (off_t)len))
		return -ENOMEM;
	base = mem_map_fd(NULL, len, event->mem_fd);
	if (!base)
		return -ENOMEM;
	page = base;
	page->data_offset = PAGE_LEN;
	page->data_size = len - PAGE_LEN;
	event->base = base;
	event->len = len;
	return 0;
}

int event_map(struct obj *obj, u64 len)
{
	struct event *event = to_event(obj);
	u64 pages = len / PAGE_LEN - 1;
	int err = 0;

	if (len % PAGE_LEN || len < 2 * PAGE_LEN || pages & (pages - 1))
		return -EINVAL;
	pthread_mutex_lock(&event->lock);
	if (event->len && event->len != len)
		err = -EINVAL;
	else if (!event->len)
		err = make_ring(event, len);
	pthread_mutex_unlock(&event->lock);
	return err;
}

void event_enable(struct obj *obj, bool on)
{
	__atomic_store_n(&to_event(obj)->is_on, on, __ATOMIC_RELEASE);
}

/* --- records ----------------------------------------------------------------------------------- */

/* Bytes into the ring at head, which moves; they may wrap. */
static void put(struct event *event, const void *data, u64 len)
{
	u64 size = event->len - PAGE_LEN, at = event->head & (size - 1),
	    first = MIN(len, size - at);

	memcpy(event->base + PAGE_LEN + at, data, first);
	memcpy(event->base + PAGE_LEN, (const u8 *)data + first, len - first);
	event->head += len;
}

static u64 raw_len(const struct event_raw *raw)
{
	return (u64)raw->len + raw->more_len;
}

/* The fields before the raw data, in the order of the header file. */
static u32 fixed_fields(const struct event *event, u32 cpu, u64 now_ns, u8 ret_fields[FIXED_MAX])
{
	u32 tid[2] = {(u32)getpid(), (u32)syscall(SYS_gettid)}, where[2] = {cpu, 0};
	u64 type = event->attr.sample_type, period = 1;
	u32 len = 0;

#define FIELD(flag, value)                                                                         \
	if (type & (flag)) {                                                                       \
		memcpy(ret_fields + len, &(value), sizeof(value));                                 \
		len += sizeof(value);                                                              \
	}
	FIELD(PERF_SAMPLE_TID, tid)
	FIELD(PERF_SAMPLE_TIME, now_ns)
	FIELD(PERF_SAMPLE_CPU, where)
	FIELD(PERF_SAMPLE_PERIOD, period)
#undef FIELD
	return len;
}

static bool has_room(const struct event *event, u64 len)
{
	const struct perf_event_mmap_page *page = (const void *)event->base;
	u64 tail = __atomic_load_n(&page->data_tail, __ATOMIC_ACQUIRE);
	u64 size = event->len - PAGE_LEN;

	return ((tail - event->head - 1) & (size - 1)) >= len;
}

static void put_lost(struct event *event)
{
	struct lost_record record = {
		.header = {.type = PERF_RECORD_LOST, .size = sizeof(record)},
		.id = event->obj.id,
		.lost = event->lost,
	};

	event->lost = 0;
	put(event, &record, sizeof(record));
}

static void put_sample(struct event *event, const u8 *fields, u32 fields_len,
	const struct event_raw *raw, u32 record_len)
{
	struct perf_event_header header = {.type = PERF_RECORD_SAMPLE,
		.misc = PERF_RECORD_MISC_KERNEL,
		.size = (u16)record_len};
	u32 size = record_len - sizeof(header) - fields_len - sizeof(size);

	put(event, &header, sizeof(header));
	put(event, fields, fields_len);
	if (!(event->attr.sample_type & PERF_SAMPLE_RAW))
		return;
	put(event, &size, sizeof(size));
	put(event, raw->data, raw->len);
	if (raw->more_len)
		put(event, raw->more, raw->more_len);
	event->head += size - raw_len(raw); /* as in Linux, padding is what was there */
}

/* Does the record that ends at head wake who waits? */
static bool is_time_to_wake(struct event *event)
{
	u64 size = event->len - PAGE_LEN, mark = size / 2;
	bool wakes = false;

	if (event->attr.is_watermark && event->attr.wakeup)
		mark = MIN(size, (u64)event->attr.wakeup);
	if (event->head - event->wake_head > mark) {
		event->wake_head += mark;
		wakes = true;
	}
	if (!event->attr.is_watermark && event->attr.wakeup &&
		++event->wake_cnt >= event->attr.wakeup) {
		event->wake_cnt = 0;
		wakes = true;
	}
	return wakes;
}

/* Under the lock. */
static int write_locked(
	struct event *event, const u8 *fields, u32 fields_len, const struct event_raw *raw, u64 len)
{
	struct perf_event_mmap_page *page = (void *)event->base;

	if (!event->len)
		return -ENOSPC;
	if (!has_room(event, len + (event->lost ? sizeof(struct lost_record) : 0))) {
		event->lost++;
		return -ENOSPC;
	}
	if (event->lost)
		put_lost(event);
	put_sample(event, fields, fields_len, raw, (u32)len);
	__atomic_store_n(&page->data_head, event->head, __ATOMIC_RELEASE);
	if (is_time_to_wake(event))
		eventfd_write(event->wake_fd, 1);
	return 0;
}

int event_write(struct obj *obj, u32 cpu, u64 now_ns, const struct event_raw *raw)
{
	struct event *event = to_event(obj);
	u8 fields[FIXED_MAX];
	u32 fields_len = fixed_fields(event, cpu, now_ns, fields);
	u64 len = sizeof(struct perf_event_header) + fields_len;
	int err;

	if (event->attr.sample_type & PERF_SAMPLE_RAW)
		len += ROUND_UP(raw_len(raw) + sizeof(u32), 8);
	if (len > RECORD_MAX)
		return -E2BIG;
	pthread_mutex_lock(&event->lock);
	err = write_locked(event, fields, fields_len, raw, len);
	pthread_mutex_unlock(&event->lock);
	return err;
}

int event_output(struct map *map, u64 flags, u32 cpu, const struct event_raw *raw)
{
	u64 index = flags & BPF_F_INDEX_MASK;
	const struct map_handle *handle;
	struct event *event;
	struct obj *obj;
	u32 key;

	if (index == BPF_F_CURRENT_CPU)
		index = cpu;
	if (index >= map->max_entries)
		return -E2BIG;
	key = (u32)index;
	handle = map->ops->lookup(map, &key, cpu);
	obj = handle ? __atomic_load_n(&handle->obj, __ATOMIC_ACQUIRE) : NULL;
	if (!obj)
		return -ENOENT;
	event = to_event(obj);
	if (!__atomic_load_n(&event->is_on, __ATOMIC_ACQUIRE) || event->attr.cpu != cpu)
		return -EOPNOTSUPP;
	return event_write(obj, cpu, inst_now_ns(map->obj.inst), raw);
}
