/*
 * The table of kernel functions: it is searched by halves, so its rows stand in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/types.h"
#include "core/kfunc.h"

static const struct {
	const char *name;
	u32 flags;
} rows[] = {
#define KFUNC(name, hooks, flags) {#name, flags},
#include "verifier/kfuncs.def"
};

static void rows_are_sorted_by_name(void **state)
{
	for (size_t i = 1; i < ARRAY_SIZE(rows); i++)
		assert_true(strcmp(rows[i - 1].name, rows[i].name) < 0);
}

/* new makes the iterator, next may give NULL, destroy ends it: all three or none */
static void iterators_have_three_functions(void **state)
{
	u32 cnt[3] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cnt[0] += (rows[i].flags & KF_ITER_NEW) != 0;
		cnt[1] += (rows[i].flags & KF_ITER_NEXT) != 0;
		cnt[2] += (rows[i].flags & KF_ITER_DESTROY) != 0;
		if (rows[i].flags & KF_ITER_NEXT)
			assert_true(rows[i].flags & KF_RET_NULL);
	}
	assert_true(cnt[0] > 0);
	assert_int_equal(cnt[0], cnt[1]);
	assert_int_equal(cnt[0], cnt[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sorted_by_name),
		cmocka_unit_test(iterators_have_three_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
