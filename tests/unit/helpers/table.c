/*
 * The table of helpers as its readers need it: whole, in order, and with signatures that make sense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "helpers/helpers.h"
#include "isa/uapi.h"

enum { LAST = 211 /* cgrp_storage_delete, since Linux 6.2 */ };

static void every_number_of_linux_has_its_name(void **state)
{
	/* what <linux/bpf.h> of the build machine knows */
	static const char *const names[] = {
#define NAME(name) #name
		__BPF_FUNC_MAPPER(NAME)};

	assert_int_equal(hlp_table_cnt, LAST + 1);
	assert_null(hlp_table[0]);
	for (u32 id = 1; id < hlp_table_cnt; id++) {
		assert_non_null(hlp_table[id]);
		assert_int_equal(hlp_table[id]->id, id);
		if (id < ARRAY_SIZE(names))
			assert_string_equal(hlp_table[id]->name, names[id]);
	}
}

static void releases_rise_with_the_numbers(void **state)
{
	u32 last = 0;

	for (u32 id = 1; id < hlp_table_cnt; id++) {
		u32 since = hlp_table[id]->since_major * 100 + hlp_table[id]->since_minor;

		assert_true(since >= last);
		last = since;
	}
}

static bool is_size(u32 arg)
{
	return HLP_KIND(arg) == HLP_CONST_SIZE || HLP_KIND(arg) == HLP_CONST_SIZE_OR_ZERO;
}

/* A size stands right behind the memory it belongs to; a key or value needs a map before it. */
static void check_signature(const struct hlp_proto *proto)
{
	bool has_map = false, ended = false;

	for (u32 i = 0; i < HLP_ARG_MAX; i++) {
		u32 arg = proto->args[i], next = i + 1 < HLP_ARG_MAX ? proto->args[i + 1] : 0;
		bool is_fixed = arg & HLP_FIXED_SIZE;

		assert_true(HLP_KIND(arg) < HLP_ARG_KIND_CNT);
		assert_false(ended && arg != HLP_NONE);
		ended = arg == HLP_NONE;
		has_map |= HLP_KIND(arg) == HLP_CONST_MAP_PTR;
		if (HLP_KIND(arg) == HLP_MAP_KEY || HLP_KIND(arg) == HLP_MAP_VALUE)
			assert_true(has_map);
		if (is_size(arg))
			assert_true(i && HLP_KIND(proto->args[i - 1]) == HLP_MEM);
		assert_int_equal(is_fixed, proto->arg_size[i] != 0);
		if (HLP_KIND(arg) == HLP_MEM)
			assert_int_equal(is_size(next), !is_fixed);
		/* of kptr_xchg, the map's field says which struct it is */
		if (HLP_KIND(arg) == HLP_BTF_ID)
			assert_int_equal(
				proto->arg_btf[i] != NULL, proto->id != BPF_FUNC_kptr_xchg);
	}
	assert_int_equal(has_map, proto->maps != 0);
	assert_true(HLP_KIND(proto->ret) < HLP_RET_KIND_CNT);
	if (HLP_KIND(proto->ret) == HLP_RET_BTF_ID)
		assert_int_equal(proto->ret_btf != NULL, proto->id != BPF_FUNC_kptr_xchg);
	if (HLP_KIND(proto->ret) == HLP_RET_MAP_VALUE)
		assert_true(has_map);
}

static void signatures_are_well_formed(void **state)
{
	for (u32 id = 1; id < hlp_table_cnt; id++) {
		for (u32 i = 0; i <= hlp_table[id]->variant_cnt; i++)
			check_signature(&hlp_table[id][i]);
	}
}

/* No program has a choice between two rows of a helper. */
static void variants_stand_behind_their_helper_and_share_no_program(void **state)
{
	for (u32 id = 1; id < hlp_table_cnt; id++) {
		const struct hlp_proto *first = hlp_table[id];

		for (u32 i = 0; i <= first->variant_cnt; i++) {
			assert_int_equal(first[i].id, id);
			assert_string_equal(first[i].name, first->name);
			assert_int_not_equal(first[i].progs, 0);
			for (u32 j = 0; j < i; j++) {
				if (first[i].progs & first[j].progs)
					assert_true(first[i].hooks && first[j].hooks &&
						    !(first[i].hooks & first[j].hooks));
			}
		}
		if (id + 1 < hlp_table_cnt)
			assert_ptr_equal(first + first->variant_cnt + 1, hlp_table[id + 1]);
	}
}

/* An errno is no pointer: what returns an object and does not run must be able to return NULL. */
static void absent_helpers_return_no_object(void **state)
{
	for (u32 id = 1; id < hlp_table_cnt; id++) {
		const struct hlp_proto *proto = hlp_table[id];
		u32 kind = HLP_KIND(proto->ret);

		assert_int_not_equal(proto->doc[0], 0);
		if (!proto->fn)
			assert_non_null(proto->why);
		if (!proto->fn || !proto->why || kind == HLP_RET_INTEGER)
			continue;
		assert_true(proto->ret & HLP_MAYBE_NULL);
		assert_int_equal(proto->fn(0, 0, 0, 0, 0, NULL), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_of_linux_has_its_name),
		cmocka_unit_test(releases_rise_with_the_numbers),
		cmocka_unit_test(signatures_are_well_formed),
		cmocka_unit_test(variants_stand_behind_their_helper_and_share_no_program),
		cmocka_unit_test(absent_helpers_return_no_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
