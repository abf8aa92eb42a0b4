/*
 * A ring that user space fills, with libbpf's user_ring_buffer__*: what the engine takes out is what was put
 * in, in order, also where a record goes past the end of the data; what is no record is refused; a writer
 * that waits for room is woken. The port is made here, so that the engine's side of the ring is at hand.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <skep/skep.h>

#include "core/map.h"
#include "core/ring.h"
#include "port/port.h"
#include "sys/caller.h"
#include "sys/events.h"
#include "sys/fd.h"

enum { LEN = 4096, RECORDS = 3000, WAIT_MS = 5000 };

static struct skep *inst;
static struct sys_user user;
static struct user_ring_buffer *writer;
static struct map *map;
static struct ring *ring;
static int fd;

static long port_bpf(struct port *p, int cmd, union bpf_attr *attr, unsigned int size)
{
	return skep_bpf(inst, cmd, attr, size);
}

static int port_mapped(struct port *p, int map_fd, u64 addr, u64 len, u64 off, bool is_writable)
{
	struct sys_mapping mapping = {
		.addr = addr, .len = len, .off = off, .is_writable = is_writable};

	return sys_mapped(inst, &user, map_fd, &mapping);
}

static int port_wake_fd(struct port *p, int map_fd, bool *ret_is_writer)
{
	int wake, err = sys_wake_fd(inst, &user, map_fd, &wake, ret_is_writer);

	return err ? err : wake;
}

static void port_end(struct port *p)
{
}

static const struct port_ops ops = {
	.name = "test",
	.bpf = port_bpf,
	.mapped = port_mapped,
	.wake_fd = port_wake_fd,
	.close = port_end,
};

static struct port port = {&ops};

static int setup(void **state)
{
	struct obj *obj;

	assert_int_equal(skep_new(NULL, &inst), 0);
	sys_user_local_init(&user);
	port_use(&port);
	fd = bpf_map_create(BPF_MAP_TYPE_USER_RINGBUF, "u", 0, 0, LEN, NULL);
	assert_true(fd >= 0);
	writer = user_ring_buffer__new(fd, NULL);
	assert_non_null(writer);
	assert_int_equal(sys_fd_obj(inst, &user, fd, OBJ_MAP, &obj, NULL), 0);
	map = container_of(obj, struct map, obj);
	ring = container_of(map, struct map_ring, map)->ring;
	return 0;
}

static int teardown(void **state)
{
	user_ring_buffer__free(writer);
	obj_put(&map->obj);
	close(fd);
	skep_free(inst);
	port_use(NULL);
	return 0;
}

/* The n-th record: its bytes, or nothing if it was discarded. */
static u32 size_of(u32 n)
{
	return 1 + n * 37 % 700;
}

static bool is_discarded(u32 n)
{
	return n % 5 == 3;
}

static bool put(u32 n)
{
	u8 *sample = user_ring_buffer__reserve(writer, size_of(n));

	if (!sample)
		return false;
	memset(sample, (int)(n & 0xff), size_of(n));
	if (is_discarded(n))
		user_ring_buffer__discard(writer, sample);
	else
		user_ring_buffer__submit(writer, sample);
	return true;
}

static void expect(u32 n, const u8 *sample, u32 size)
{
	assert_int_equal(size, size_of(n));
	for (u32 i = 0; i < size; i++)
		assert_int_equal(sample[i], n & 0xff);
}

/* Takes one record out; false: there is none. */
static bool take(u32 n)
{
	void *sample;
	u32 size;
	int err = ring_peek(ring, &sample, &size);

	if (err == -ENODATA)
		return false;
	assert_int_equal(err, is_discarded(n) ? -EAGAIN : 0);
	if (!err) {
		expect(n, sample, size);
		ring_pass(ring, size);
	}
	return true;
}

static void records_come_out_as_they_went_in(void **state)
{
	u32 in = 0, out = 0;

	while (out < RECORDS) {
		while (in < RECORDS && put(in))
			in++;
		assert_true(in == RECORDS || errno == ENOSPC);
		assert_true(take(out));
		out++;
		while (out < in && out % 3 && take(out))
			out++;
	}
	assert_int_equal(in, RECORDS);
	assert_false(take(out));
}

static void what_is_no_record_is_refused(void **state)
{
	size_t len = (size_t)3 * RING_PAGE;
	u64 *producer = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, RING_PAGE);
	u32 *data, size;
	void *sample;

	assert_true(producer != MAP_FAILED);
	data = (u32 *)((u8 *)producer + RING_PAGE);
	*producer = 12;
	assert_int_equal(ring_peek(ring, &sample, &size), -EINVAL);
	*producer = 16;
	data[0] = 9; /* bytes, and room for 8 */
	assert_int_equal(ring_peek(ring, &sample, &size), -EINVAL);
	*producer = 1 << 20;
	data[0] = LEN;
	assert_int_equal(ring_peek(ring, &sample, &size), -E2BIG);
	data[0] = 8 | RING_BUSY;
	assert_int_equal(ring_peek(ring, &sample, &size), -ENODATA);
	munmap(producer, len);
}

static void readers_positions_are_not_for_writers_to_write(void **state)
{
	errno = 0;
	assert_true(mmap(NULL, RING_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	assert_int_equal(errno, EPERM);
}

static void *drain_later(void *arg)
{
	void *sample;
	u32 size;

	usleep(20000);
	while (!ring_peek(ring, &sample, &size))
		ring_pass(ring, size);
	ring_wake(ring);
	return NULL;
}

static void a_writer_without_room_waits_for_the_reader(void **state)
{
	pthread_t thread;
	void *sample;

	while ((sample = user_ring_buffer__reserve(writer, 100)))
		user_ring_buffer__submit(writer, sample);
	assert_int_equal(errno, ENOSPC);
	assert_null(user_ring_buffer__reserve_blocking(writer, 100, 1));
	assert_int_equal(pthread_create(&thread, NULL, drain_later, NULL), 0);
	sample = user_ring_buffer__reserve_blocking(writer, 100, WAIT_MS);
	assert_non_null(sample);
	user_ring_buffer__submit(writer, sample);
	pthread_join(thread, NULL);
}

static void only_one_drains_at_a_time(void **state)
{
	assert_true(ring_drain_begin(ring));
	assert_false(ring_drain_begin(ring));
	ring_drain_end(ring);
	assert_true(ring_drain_begin(ring));
	ring_drain_end(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_come_out_as_they_went_in, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_record_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			readers_positions_are_not_for_writers_to_write, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_writer_without_room_waits_for_the_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(only_one_drains_at_a_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
