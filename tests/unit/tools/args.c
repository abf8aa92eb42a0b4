/*
 * Words of a line: numbers are read whole or not at all, keywords may be cut short.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "args.h"

static void numbers_are_read_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *word;
		u64 max;
		int err;
		u64 value;
	} rows[] = {
		{"0", 10, 0, 0},
		{"10", 10, 0, 10},
		{"11", 10, -ERANGE, 0},
		{"0x1f", 255, 0, 31},
		{"017", 255, 0, 15},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, -ERANGE, 0},
		{"", 10, -EINVAL, 0},
		{NULL, 10, -EINVAL, 0},
		{"-1", UINT64_MAX, -EINVAL, 0},
		{"+1", 10, -EINVAL, 0},
		{" 1", 10, -EINVAL, 0},
		{"1x", 10, -EINVAL, 0},
		{"1 ", 10, -EINVAL, 0},
		{"x", 10, -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 value = 42;

		assert_int_equal(args_number(rows[i].word, rows[i].max, &value), rows[i].err);
		assert_true(value == (rows[i].err ? 42 : rows[i].value));
	}
}

static void keywords_may_be_cut_short_but_not_misspelt(void **state)
{
	char *words[] = {"sh", "show", "showx", "", "pinned"};
	struct args a = {.cnt = ARRAY_SIZE(words), .words = words};

	assert_true(args_take(&a, "show"));
	assert_true(args_take(&a, "show"));
	assert_false(args_take(&a, "show"));
	assert_string_equal(args_next(&a), "showx");
	assert_false(args_take(&a, "show"));
	assert_string_equal(args_next(&a), "");
	assert_false(args_take_exact(&a, "pin"));
	assert_true(args_take_exact(&a, "pinned"));
	assert_null(args_peek(&a));
	assert_null(args_next(&a));
	assert_false(args_is(&a, "show"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
		cmocka_unit_test(keywords_may_be_cut_short_but_not_misspelt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
