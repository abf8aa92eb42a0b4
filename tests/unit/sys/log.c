/*
 * The log in the caller's buffer, against the simplest model of it: all text in one long string, of which
 * the buffer gets the first or the last bytes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sys/log.h"
#include "sys/caller.h"

enum { TEXT_MAX = 20000, ROOM_MAX = 300 };

static struct sys_user user;

static void attributes_have_to_be_sane(void **state)
{
	static const struct {
		u32 level;
		u64 buf;
		u32 size;
		int err;
	} rows[] = {
		{0, 0, 0, 0},
		{1, 0, 0, 0}, /* only the size is asked for */
		{1, 4096, 100, 0},
		{15, 4096, 1, 0},
		{1, 4096, UINT32_MAX >> 2, 0},
		{0, 4096, 100, -EINVAL}, /* a buffer without a level */
		{1, 4096, 0, -EINVAL},
		{1, 0, 100, -EINVAL},
		{16, 4096, 100, -EINVAL},
		{1, 4096, (UINT32_MAX >> 2) + 1, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sys_log log;

		assert_int_equal(
			sys_log_init(&log, rows[i].level, rows[i].buf, rows[i].size), rows[i].err);
	}
}

/* One log of random pieces into a buffer of `room` bytes. */
static void try_one(u32 room, u32 level, u32 pieces)
{
	static char text[TEXT_MAX], buf[ROOM_MAX + 1];
	struct sys_log log;
	u32 len = 0, true_size, kept, start;
	int err;

	memset(buf, '#', sizeof(buf));
	assert_int_equal(sys_log_init(&log, level, (uintptr_t)buf, room), 0);
	for (u32 i = 0; i < pieces; i++) {
		u32 part = rand() % 3 ? rand() % 20 : rand() % 800;

		if (len + part > TEXT_MAX)
			break;
		for (u32 k = 0; k < part; k++)
			text[len + k] = 'a' + rand() % 26;
		sys_log_write(&log, text + len, part);
		len += part;
	}
	err = sys_log_finish(&log, &user, &true_size);
	sys_log_done(&log);
	assert_int_equal(true_size, len ? len + 1 : 0);
	assert_int_equal(err, len + 1 > room && len ? -ENOSPC : 0);
	assert_int_equal(buf[room], '#');
	if (!len) {
		assert_int_equal(buf[0], '#');
		return;
	}
	kept = MIN(len, room - 1);
	start = level & SYS_LOG_FIXED ? 0 : len - kept;
	assert_memory_equal(buf, text + start, kept);
	assert_int_equal(buf[kept], 0);
}

static void the_buffer_has_the_beginning_or_the_end(void **state)
{
	srand(1);
	for (u32 room = 1; room <= ROOM_MAX; room++)
		for (u32 pieces = 0; pieces < 30; pieces += 1 + pieces / 3) {
			try_one(room, 1, pieces);
			try_one(room, 2 | SYS_LOG_FIXED, pieces);
		}
}

static void without_a_buffer_the_size_is_told(void **state)
{
	struct sys_log log;
	u32 true_size;

	assert_int_equal(sys_log_init(&log, 1, 0, 0), 0);
	sys_log_write(&log, "hello", 5);
	assert_int_equal(sys_log_finish(&log, &user, &true_size), 0);
	assert_int_equal(true_size, 6);
	sys_log_done(&log);
}

static void a_bad_buffer_is_efault(void **state)
{
	struct sys_log log;
	u32 true_size;

	assert_int_equal(sys_log_init(&log, 1, 8, 100), 0);
	sys_log_write(&log, "hello", 5);
	assert_int_equal(sys_log_finish(&log, &user, &true_size), -EFAULT);
	assert_int_equal(true_size, 6);
	sys_log_done(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_have_to_be_sane),
		cmocka_unit_test(the_buffer_has_the_beginning_or_the_end),
		cmocka_unit_test(without_a_buffer_the_size_is_told),
		cmocka_unit_test(a_bad_buffer_is_efault),
	};

	sys_user_local_init(&user);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
