/*
 * The maps that programs send records through, keep storage in, or share pages by: what helpers and kernel
 * functions do with them, alone and with eight threads at once. Run under the thread sanitizer it finds
 * races; by itself it finds lost records, torn values and pages given out twice.
 */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "btf/fields.h"
#include "core/arena.h"
#include "core/event.h"
#include "core/ring.h"

enum { THREADS = 8, ROUNDS = 4000, RING_LEN = 1 << 16, FIELD_AT = 8 };

static struct skep inst;

static int start(void **state)
{
	inst_start(&inst);
	return 0;
}

static int end(void **state)
{
	inst_done(&inst);
	return 0;
}

static struct map *make(struct map_attr attr)
{
	struct map *map = NULL;

	assert_int_equal(map_new(&inst, &attr, &map), 0);
	return map;
}

static void in_threads(void *(*fn)(void *), void *arg)
{
	pthread_t threads[THREADS];

	for (u32 i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fn, arg), 0);
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* --- rings ------------------------------------------------------------------------------------- */

/* A consumer, as libbpf's: what stands between the positions, up to the first busy record. */
struct consumer {
	u64 *consumer_pos, *producer_pos;
	u8 *data;
	u64 len, cnt, discarded;
	size_t mapped;
};

static struct consumer consume_from(struct map *map)
{
	size_t mapped = 2 * RING_PAGE + 2 * (size_t)map->max_entries;
	u8 *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, map->mem_fd, 0);

	assert_true(base != MAP_FAILED);
	return (struct consumer){.consumer_pos = (u64 *)base,
		.producer_pos = (u64 *)(base + RING_PAGE),
		.data = base + (size_t)2 * RING_PAGE,
		.len = map->max_entries,
		.mapped = mapped};
}

/* Every byte of a record is its first one. */
static void check_record(const u8 *sample, u32 size)
{
	for (u32 i = 1; i < size; i++)
		assert_int_equal(sample[i], sample[0]);
}

static void consume(struct consumer *c)
{
	u64 pos = *c->consumer_pos;

	while (pos < __atomic_load_n(c->producer_pos, __ATOMIC_ACQUIRE)) {
		u8 *record = c->data + (pos & (c->len - 1));
		u32 word = __atomic_load_n((u32 *)record, __ATOMIC_ACQUIRE);
		u32 size = word & ~(u32)(RING_BUSY | RING_DISCARD);

		if (word & RING_BUSY)
			return;
		c->cnt++;
		if (word & RING_DISCARD)
			c->discarded++;
		else
			check_record(record + RING_HDR_LEN, size);
		pos += ROUND_UP(size + RING_HDR_LEN, 8);
		__atomic_store_n(c->consumer_pos, pos, __ATOMIC_RELEASE);
	}
}

static u64 sent, ended;

static void *produce(void *arg)
{
	struct ring *ring = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 size = 1 + i * 7 % 300;
		u8 *sample = ring_reserve(ring, size);

		if (!sample) {
			sched_yield();
			continue;
		}
		memset(sample, (int)(i & 0xff), size);
		__atomic_fetch_add(&sent, 1, __ATOMIC_RELAXED);
		ring_commit(sample, i % 3, i % 11 == 0);
	}
	__atomic_fetch_add(&ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *consume_all(void *arg)
{
	struct consumer *c = arg;

	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < THREADS)
		consume(c);
	consume(c);
	return NULL;
}

static void no_record_is_lost_or_torn(void **state)
{
	struct map *map = make((struct map_attr){BPF_MAP_TYPE_RINGBUF, 0, 0, RING_LEN});
	struct consumer c = consume_from(map);
	pthread_t reader;

	sent = ended = 0;
	assert_int_equal(pthread_create(&reader, NULL, consume_all, &c), 0);
	in_threads(produce, container_of(map, struct map_ring, map)->ring);
	pthread_join(reader, NULL);
	assert_int_equal(c.cnt, sent);
	assert_true(sent && c.discarded);
	assert_int_equal(*c.consumer_pos, *c.producer_pos);
	munmap(c.consumer_pos, c.mapped);
	obj_put(&map->obj);
}

static void a_ring_is_woken_as_linux_wakes_it(void **state)
{
	struct map *map = make((struct map_attr){BPF_MAP_TYPE_RINGBUF, 0, 0, RING_PAGE});
	struct ring *ring = container_of(map, struct map_ring, map)->ring;
	static const u8 data[64];
	u64 cnt;
	int fd;

	assert_int_equal(map->ops->wake_fd(map, &fd), 0);
	assert_int_equal(read(fd, &cnt, sizeof(cnt)), -1);
	assert_int_equal(ring_output(ring, data, 8, 0), 0); /* the reader stands here */
	assert_int_equal(ring_output(ring, data, 8, 0), 0); /* and not here */
	assert_int_equal(read(fd, &cnt, sizeof(cnt)), sizeof(cnt));
	assert_int_equal(cnt, 1);
	assert_int_equal(ring_output(ring, data, 8, BPF_RB_FORCE_WAKEUP), 0);
	assert_int_equal(read(fd, &cnt, sizeof(cnt)), sizeof(cnt));
	assert_int_equal(ring_output(ring, data, 8, 1 << 5), -EINVAL);
	assert_int_equal(ring_query(ring, BPF_RB_AVAIL_DATA), 48);
	assert_null(ring_reserve(ring, RING_PAGE - 8 - 48 + 1));
	assert_null(ring_reserve(ring, RING_PAGE));
	obj_put(&map->obj);
}

/* --- perf events -------------------------------------------------------------------------------- */

struct outputs {
	struct map *map;
	u64 ok, lost;
};

static void *output(void *arg)
{
	struct outputs *out = arg;
	u8 data[100];
	struct event_raw raw = {.data = data, .len = sizeof(data)};
	int err;

	for (u32 i = 0; i < ROUNDS; i++) {
		memset(data, (int)(i & 0xff), sizeof(data));
		err = event_output(out->map, BPF_F_CURRENT_CPU, 0, &raw);
		assert_true(!err || err == -ENOSPC);
		__atomic_fetch_add(err ? &out->lost : &out->ok, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int get_event(const struct map_fds *fds, int fd, enum obj_kind kind, struct obj **ret_obj)
{
	const struct event_attr attr = {.sample_type = 1 << 10, .wakeup = 1};
	int err = event_new(&inst, &attr, ret_obj);

	if (!err)
		event_enable(*ret_obj, true);
	return err ? err : obj_publish(*ret_obj);
}

static void events_count_what_they_could_not_write(void **state)
{
	const struct map_fds fds = {.get = get_event};
	struct map *map = make((struct map_attr){BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1});
	struct outputs out = {.map = map};
	struct event_raw raw = {0};
	u32 key = 0, fd = 0;

	assert_int_equal(event_output(map, 0, 0, &raw), -ENOENT);
	assert_int_equal(event_output(map, 1, 0, &raw), -E2BIG);
	assert_int_equal(map_user_update_fds(map, &key, &fd, 0, &fds), 0);
	assert_int_equal(event_output(map, 0, 0, &raw), -ENOSPC);     /* not mapped yet */
	assert_int_equal(event_output(map, 0, 1, &raw), -EOPNOTSUPP); /* another CPU's */
	assert_int_equal(event_map(((struct map_handle *)map->ops->lookup(map, &key, 0))->obj,
				 (u64)3 * RING_PAGE),
		0);
	in_threads(output, &out);
	assert_int_equal(out.ok + out.lost, (u64)THREADS * ROUNDS);
	assert_int_equal(out.ok, (2 * RING_PAGE - 1) / 112);
	obj_put(&map->obj);
}

/* --- storage and stacks -------------------------------------------------------------------------- */

static void *use_storage(void *arg)
{
	struct map *map = arg;
	u64 value[2], got[2];

	for (u32 i = 0; i < ROUNDS; i++) {
		struct map_owner_key key = {.id = i % 13};

		value[0] = value[1] = i;
		switch (i % 5) {
		case 0: map->ops->remove(map, &key); break;
		case 1:
		case 2: map_user_update(map, &key, value, 0); break;
		case 3:
			if (!map_user_lookup(map, &key, got, 0))
				assert_int_equal(got[0], got[1]);
			break;
		default: map->ops->lookup(map, &key, 0);
		}
	}
	return NULL;
}

static void storage_is_of_one_update(void **state)
{
	struct map *map = make((struct map_attr){.type = BPF_MAP_TYPE_TASK_STORAGE,
		.key_size = 4,
		.value_size = 16,
		.flags = BPF_F_NO_PREALLOC,
		.btf_key_type_id = 1,
		.btf_value_type_id = 1});

	in_threads(use_storage, map);
	obj_put(&map->obj);
}

static void *put_stacks(void *arg)
{
	struct map *map = arg;
	u64 addrs[16], got[16];
	u32 key;
	int id;

	for (u32 i = 0; i < ROUNDS; i++) {
		for (u32 j = 0; j < ARRAY_SIZE(addrs); j++)
			addrs[j] = i % 50 + 1;
		id = map->ops->put_stack(map, addrs, ARRAY_SIZE(addrs), BPF_F_REUSE_STACKID);
		assert_true(id >= 0 || id == -ENOMEM);
		key = (u32)id;
		if (id < 0 || map_user_lookup(map, &key, got, 0))
			continue;
		for (u32 j = 1; j < ARRAY_SIZE(got); j++)
			assert_int_equal(got[j], got[0]);
		if (i % 7 == 0)
			map_user_delete(map, &key);
	}
	return NULL;
}

static void stacks_are_not_mixed(void **state)
{
	struct map *map = make((struct map_attr){BPF_MAP_TYPE_STACK_TRACE, 4, 16 * 8, 32});

	in_threads(put_stacks, map);
	obj_put(&map->obj);
}

static void a_stack_has_one_id(void **state)
{
	struct map *map = make((struct map_attr){BPF_MAP_TYPE_STACK_TRACE, 4, 4 * 8, 4});
	u64 addrs[6] = {1, 2, 3, 4, 5, 6}, got[4];
	u32 key;
	int id = map->ops->put_stack(map, addrs, 6, 2);

	assert_true(id >= 0);
	assert_int_equal(map->ops->put_stack(map, addrs + 2, 4, 0), id);
	assert_int_equal(map->ops->put_stack(map, addrs, 6, 6), -EFAULT);
	assert_int_equal(map->ops->put_stack(map, addrs, 6, 1 << 13), -EINVAL);
	key = (u32)id;
	assert_int_equal(map_user_lookup(map, &key, got, 0), 0);
	assert_memory_equal(got, addrs + 2, sizeof(got));
	obj_put(&map->obj);
}

/* --- values with a lock -------------------------------------------------------------------------- */

static void *write_locked(void *arg)
{
	struct map *map = arg;
	u64 value[4] = {0}, got[4];
	u32 key = 0;

	for (u32 i = 0; i < ROUNDS; i++) {
		value[0] = value[2] = value[3] = i;
		if (i % 2)
			assert_int_equal(map_user_update(map, &key, value, BPF_F_LOCK), 0);
		assert_int_equal(map_user_lookup(map, &key, got, BPF_F_LOCK), 0);
		assert_int_equal(got[0], got[2]);
		assert_int_equal(got[0], got[3]);
		assert_int_equal(got[1], 0);
	}
	return NULL;
}

static void a_locked_value_is_never_torn(void **state)
{
	struct btf_fields *fields = mem_zalloc(sizeof(*fields));
	struct map *map = make((struct map_attr){BPF_MAP_TYPE_ARRAY, 4, 32, 1});

	fields->mask = BTF_FIELD_SPIN_LOCK;
	fields->cnt = 1;
	fields->items[0] = (struct btf_field){
		.kind = BTF_FIELD_SPIN_LOCK, .off = FIELD_AT, .size = sizeof(u64)};
	map->fields = fields;
	in_threads(write_locked, map);
	obj_put(&map->obj);
}

/* --- arenas -------------------------------------------------------------------------------------- */

enum { PAGES = 256, USER_AT = 0x10000000 };

static u8 page_owner[PAGES];

static void *use_pages(void *arg)
{
	struct arena *arena = arg;

	for (u32 i = 0; i < ROUNDS / 4; i++) {
		u32 cnt = 1 + i % 5;
		u64 addr = arena_alloc_pages(arena, 0, cnt, -1);
		u32 page = (u32)(addr - USER_AT) / ARENA_PAGE;

		if (!addr)
			continue;
		assert_true(page + cnt <= PAGES);
		for (u32 j = 0; j < cnt; j++) {
			u64 *at = (u64 *)(uintptr_t)(arena_window(arena) + addr + j * ARENA_PAGE);

			assert_false(
				__atomic_exchange_n(&page_owner[page + j], 1, __ATOMIC_ACQ_REL));
			assert_int_equal(*at, 0);
			*at = addr;
		}
		for (u32 j = 0; j < cnt; j++)
			__atomic_store_n(&page_owner[page + j], 0, __ATOMIC_RELEASE);
		arena_free_pages(arena, addr, cnt);
	}
	return NULL;
}

static struct arena *arena_of(struct map *map)
{
	return container_of(map, struct map_arena, map)->arena;
}

static struct map *make_arena(void)
{
	return make((struct map_attr){.type = BPF_MAP_TYPE_ARENA,
		.max_entries = PAGES,
		.flags = BPF_F_MMAPABLE,
		.extra = USER_AT});
}

static void no_page_is_given_out_twice(void **state)
{
	struct map *map = make_arena();

	in_threads(use_pages, arena_of(map));
	assert_int_equal(arena_alloc_pages(arena_of(map), 0, PAGES, -1), USER_AT);
	assert_int_equal(arena_alloc_pages(arena_of(map), 0, 1, -1), 0);
	obj_put(&map->obj);
}

static void pages_are_the_same_from_both_sides(void **state)
{
	struct map *map = make_arena();
	struct arena *arena = arena_of(map);
	u64 *user = mmap(NULL, (size_t)PAGES * ARENA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		map->mem_fd, 0);
	u64 page = ARENA_PAGE / sizeof(u64), addr;

	assert_true(user != MAP_FAILED);
	user[3 * page] = 42; /* user space touched page 3: it is taken */
	assert_int_equal(*(u64 *)(uintptr_t)(arena_window(arena) + USER_AT + 3 * ARENA_PAGE), 42);
	assert_int_equal(arena_alloc_pages(arena, USER_AT + 3 * ARENA_PAGE, 1, -1), 0);
	addr = arena_alloc_pages(arena, 0, 4, -1);
	assert_int_equal(addr, USER_AT + 4 * ARENA_PAGE);
	*(u64 *)(uintptr_t)(arena_window(arena) + addr) = 7;
	assert_int_equal(user[4 * page], 7);
	arena_free_pages(arena, addr, 4);
	assert_int_equal(arena_alloc_pages(arena, addr, 1, -1), addr);
	assert_int_equal(user[4 * page], 0);
	assert_int_equal(arena_alloc_pages(arena, addr + 1, 1, -1), 0);
	assert_int_equal(arena_alloc_pages(arena, 0, PAGES + 1, -1), 0);
	assert_int_equal(arena_reserve_pages(arena, USER_AT, 3), 0);
	assert_int_equal(arena_reserve_pages(arena, USER_AT + 2 * ARENA_PAGE, 2), -EBUSY);
	assert_int_equal(arena_reserve_pages(arena, USER_AT, PAGES + 1), -EINVAL);
	assert_int_equal(arena_alloc_pages(arena, USER_AT, 1, -1), 0);
	munmap(user, (size_t)PAGES * ARENA_PAGE);
	obj_put(&map->obj);
}

static void no_address_of_a_program_faults(void **state)
{
	struct map *map = make_arena();
	u8 *window = (u8 *)(uintptr_t)arena_window(arena_of(map));

	for (u64 at = 0; at < 1ULL << 32; at += 0x7fff000)
		*(volatile u8 *)(window + at) = 1;
	*(volatile u8 *)(window - 32768) = 1;
	*(volatile u8 *)(window + (1ULL << 32) + 32759) = 1;
	obj_put(&map->obj);
}

static void an_arena_is_mapped_at_one_place(void **state)
{
	struct map *map = make((struct map_attr){
		.type = BPF_MAP_TYPE_ARENA, .max_entries = PAGES, .flags = BPF_F_MMAPABLE});
	u64 len = (u64)PAGES * ARENA_PAGE;

	assert_int_equal(arena_alloc_pages(arena_of(map), 0, 1, -1), 0);
	assert_int_equal(map->ops->mapped(map, 0xfffff000, len, 0, true), -ERANGE);
	assert_int_equal(map->ops->mapped(map, USER_AT, len - ARENA_PAGE, 0, true), -EBUSY);
	assert_int_equal(map->ops->mapped(map, USER_AT, len, 0, true), 0);
	assert_int_equal(map->ops->mapped(map, USER_AT + ARENA_PAGE, len, 0, true), -EBUSY);
	assert_int_equal(map->ops->mapped(map, USER_AT, len, 0, false), 0);
	assert_int_equal(arena_alloc_pages(arena_of(map), 0, 1, -1), USER_AT);
	obj_put(&map->obj);
}

/* --- storage of cgroups --------------------------------------------------------------------------- */

static void attaching_makes_a_cgroups_value(void **state)
{
	struct map *map = make((struct map_attr){BPF_MAP_TYPE_CGROUP_STORAGE, 8, 8, 0});
	u64 key = 77, next, value = 5, got;

	assert_int_equal(map_user_update(map, &key, &value, 0), -ENOENT);
	assert_int_equal(map->ops->add_key(map, &key), 0);
	assert_int_equal(map_user_update(map, &key, &value, 0), 0);
	assert_int_equal(map->ops->add_key(map, &key), 0); /* it has one */
	assert_int_equal(map_user_lookup(map, &key, &got, 0), 0);
	assert_int_equal(got, 5);
	assert_int_equal(map_user_next_key(map, NULL, &next), 0);
	assert_int_equal(next, key);
	assert_int_equal(map_user_delete(map, &key), -EINVAL);
	assert_int_equal(map->ops->remove_added(map, &key), 0);
	assert_int_equal(map_user_lookup(map, &key, &got, 0), -ENOENT);
	obj_put(&map->obj);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_record_is_lost_or_torn),
		TEST(a_ring_is_woken_as_linux_wakes_it),
		TEST(events_count_what_they_could_not_write),
		TEST(storage_is_of_one_update),
		TEST(stacks_are_not_mixed),
		TEST(a_stack_has_one_id),
		TEST(a_locked_value_is_never_torn),
		TEST(no_page_is_given_out_twice),
		TEST(pages_are_the_same_from_both_sides),
		TEST(no_address_of_a_program_faults),
		TEST(an_arena_is_mapped_at_one_place),
		TEST(attaching_makes_a_cgroups_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
