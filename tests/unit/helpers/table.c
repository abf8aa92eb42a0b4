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

/* A size stands right behind the memory it belongs to; a key or value needs a map before it. */
static void signatures_are_well_formed(void **state)
{
	for (u32 id = 1; id < hlp_table_cnt; id++) {
		const struct hlp_proto *proto = hlp_table[id];
		bool has_map = false, ended = false;

		for (u32 i = 0; proto->fn && i < HLP_ARG_MAX; i++) {
			enum hlp_arg kind = HLP_KIND(proto->args[i]);
			bool is_fixed = proto->args[i] & HLP_FIXED_SIZE;

			assert_false(ended && kind != HLP_NONE);
			ended = kind == HLP_NONE;
			has_map |= kind == HLP_CONST_MAP_PTR;
			if (kind == HLP_MAP_KEY || kind == HLP_MAP_VALUE)
				assert_true(has_map);
			if (kind == HLP_CONST_SIZE || kind == HLP_CONST_SIZE_OR_ZERO)
				assert_int_equal(HLP_KIND(proto->args[i - 1]), HLP_MEM);
			assert_int_equal(is_fixed, proto->arg_size[i] != 0);
			if (kind == HLP_MEM && !is_fixed)
				assert_true(i + 1 < HLP_ARG_MAX &&
					    (HLP_KIND(proto->args[i + 1]) == HLP_CONST_SIZE ||
						    HLP_KIND(proto->args[i + 1]) ==
							    HLP_CONST_SIZE_OR_ZERO));
		}
		assert_int_equal(has_map, proto->maps != 0);
		assert_int_equal(proto->fn != NULL, proto->progs != 0);
		assert_int_equal(proto->fn != NULL, proto->doc[0] != 0);
	}
}

/* A tail call counts, because the program called may move the frame. */
static void only_moves_of_the_frame_change_packets(void **state)
{
	for (u32 id = 1; id < hlp_table_cnt; id++) {
		bool moves = id == BPF_FUNC_xdp_adjust_head || id == BPF_FUNC_xdp_adjust_tail ||
			     id == BPF_FUNC_xdp_adjust_meta || id == BPF_FUNC_tail_call;

		assert_int_equal(hlp_table[id]->changes_pkt, moves);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_of_linux_has_its_name),
		cmocka_unit_test(releases_rise_with_the_numbers),
		cmocka_unit_test(signatures_are_well_formed),
		cmocka_unit_test(only_moves_of_the_frame_change_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
