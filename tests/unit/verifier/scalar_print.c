/*
 * Texts of scalars, as the log of Linux 6.18 shows them. The cases were read off that log; a test of
 * tests/diff compares further ones with the running kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "isa/uapi.h"
#include "verifier/scalar.h"

static void assert_text(const struct vf_scalar *s, const char *text)
{
	struct buf out = BUF_INIT;

	vf_scalar_print(&out, s);
	assert_string_equal(buf_text(&out), text);
	buf_done(&out);
}

static void constants_are_plain_numbers(void **state)
{
	static const struct {
		u64 value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{32767, "32767"},
		{32768, "0x8000"},
		{-1ull, "-1"},
		{-32768ull, "-32768"},
		{-32769ull, "0xffffffffffff7fff"},
		{0xffffffff, "0xffffffff"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vf_scalar s = vf_scalar_const(cases[i].value);

		assert_text(&s, cases[i].text);
	}
}

static void bounds_that_say_nothing_are_left_out(void **state)
{
	struct vf_scalar s = vf_scalar_unknown();

	assert_text(&s, "scalar()");
	s.umin = 1;
	assert_text(&s, "scalar(umin=1)");
}

static void equal_bounds_share_one_number(void **state)
{
	struct vf_scalar s = vf_scalar_between(0, 255);

	assert_text(&s, "scalar(smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff))");
	s = vf_scalar_between(0, 0xffffffff);
	assert_text(&s, "scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))");
	s = vf_scalar_between(5, 0x7fffffff);
	assert_text(&s, "scalar(smin=umin=smin32=umin32=5,smax=umax=umax32=0x7fffffff,"
			"var_off=(0x0; 0x7fffffff))");
}

static void negative_and_positive_do_not_mix(void **state)
{
	struct vf_scalar s = vf_scalar_unknown();

	vf_scalar_sext(&s, 8, 64);
	assert_text(&s, "scalar(smin=smin32=-128,smax=smax32=127)");
	s = vf_scalar_unknown();
	vf_scalar_sext(&s, 32, 64);
	assert_text(&s, "scalar(smin=0xffffffff80000000,smax=0x7fffffff)");
	/* all ones: -1 as a signed number, a large one as an unsigned */
	s = vf_scalar_unknown();
	s.smax = -1;
	s.umax = ~0ull - 1;
	assert_text(&s, "scalar(smax=-1,umax=0xfffffffffffffffe)");
}

static void small_32bit_numbers_are_decimal_and_large_ones_unextended_hex(void **state)
{
	struct vf_scalar s = vf_scalar_unknown();

	s.s32min = -5;
	s.s32max = 70000;
	assert_text(&s, "scalar(smin32=-5,smax32=0x11170)");
	s.s32min = -70000;
	assert_text(&s, "scalar(smin32=0xfffeee90,smax32=0x11170)");
}

static void fields_continue_a_list(void **state)
{
	struct vf_scalar s = vf_scalar_from_tnum((struct tnum){0, 6});
	struct buf out = BUF_INIT;
	const char *sep = ",";

	buf_str(&out, "id=1");
	vf_scalar_print_fields(&out, &s, &sep);
	assert_string_equal(
		buf_text(&out), "id=1,smin=smin32=0,smax=umax=smax32=umax32=6,var_off=(0x0; 0x6)");
	assert_string_equal(sep, ",");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants_are_plain_numbers),
		cmocka_unit_test(bounds_that_say_nothing_are_left_out),
		cmocka_unit_test(equal_bounds_share_one_number),
		cmocka_unit_test(negative_and_positive_do_not_mix),
		cmocka_unit_test(small_32bit_numbers_are_decimal_and_large_ones_unextended_hex),
		cmocka_unit_test(fields_continue_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
