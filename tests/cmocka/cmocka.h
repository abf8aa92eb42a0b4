/*
 * As much of cmocka's interface as tests for another machine use, for builds without its library. A
 * failed assertion ends the process.
 */
#ifndef TESTS_CMOCKA_CMOCKA_H
#define TESTS_CMOCKA_CMOCKA_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
};

#define cmocka_unit_test(f)                                                                        \
	{                                                                                          \
#f, f                                                                              \
	}
#define fail_msg(...)                                                                              \
	do {                                                                                       \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                    \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fputc('\n', stderr);                                                               \
		exit(1);                                                                           \
	} while (0)
#define assert_true(x)                                                                             \
	do {                                                                                       \
		if (!(x))                                                                          \
			fail_msg("%s does not hold", #x);                                          \
	} while (0)
#define assert_false(x)	   assert_true(!(x))
#define assert_null(x)	   assert_true(!(x))
#define assert_non_null(x) assert_true(x)
#define assert_int_equal(a, b)                                                                     \
	do {                                                                                       \
		const uint64_t left = (uint64_t)(a), right = (uint64_t)(b);                        \
		if (left != right)                                                                 \
			fail_msg("%s: %#llx, expected %#llx", #a, (unsigned long long)left,        \
				(unsigned long long)right);                                        \
	} while (0)
#define assert_int_not_equal(a, b)     assert_true((uint64_t)(a) != (uint64_t)(b))
#define assert_string_equal(a, b)      assert_true(!strcmp(a, b))
#define assert_ptr_equal(a, b)	       assert_true((a) == (b))
#define assert_memory_equal(a, b, len) assert_true(!memcmp(a, b, len))

#define cmocka_run_group_tests(tests, setup, teardown)                                             \
	run_tests(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

static inline int run_tests(const struct CMUnitTest *tests, size_t cnt, int (*setup)(void **state),
	int (*teardown)(void **state))
{
	void *state = NULL;

	if (setup && setup(&state))
		return 1;
	for (size_t i = 0; i < cnt; i++) {
		tests[i].run(&state);
		printf("ok %zu - %s\n", i + 1, tests[i].name);
	}
	return teardown && teardown(&state);
}

#endif
