/*
 * The growing buffer and the failing heap under it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

static void text_grows_and_stays_terminated(void **state)
{
	struct buf buf = BUF_INIT;

	assert_string_equal(buf_text(&buf), "");
	for (int i = 0; i < 1000; i++)
		buf_printf(&buf, "%d,", i % 10);
	assert_int_equal(buf.len, 2000);
	assert_int_equal(strlen(buf_text(&buf)), 2000);
	buf_reset(&buf);
	buf_str(&buf, "ab");
	buf_add(&buf, "c\0d", 3);
	assert_memory_equal(buf.data, "abc\0d", 6);
	memcpy(buf_room(&buf, 2), "xy", 2);
	assert_memory_equal(buf.data, "abc\0dxy", 8);
	buf_done(&buf);
}

static void limit_is_an_error_that_sticks(void **state)
{
	struct buf buf = BUF_INIT_MAX(4);

	buf_str(&buf, "1234");
	assert_int_equal(buf.err, 0);
	buf_str(&buf, "5");
	assert_int_equal(buf.err, -E2BIG);
	buf_str(&buf, "");
	assert_string_equal(buf_text(&buf), "1234");
	assert_null(buf_room(&buf, 1));
	buf_done(&buf);
}

static void no_memory_is_an_error_that_sticks(void **state)
{
	struct buf buf = BUF_INIT;

	mem_fail_at(1);
	buf_str(&buf, "a");
	assert_true(mem_did_fail());
	assert_int_equal(buf.err, -ENOMEM);
	buf_str(&buf, "b");
	assert_string_equal(buf_text(&buf), "");
	buf_reset(&buf);
	buf_str(&buf, "c");
	assert_string_equal(buf_text(&buf), "c");
	mem_fail_at(0);
	buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows_and_stays_terminated),
		cmocka_unit_test(limit_is_an_error_that_sticks),
		cmocka_unit_test(no_memory_is_an_error_that_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
