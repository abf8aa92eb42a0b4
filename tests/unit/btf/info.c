/*
 * func_info and line_info as a table: the records, the errno and the complaint.
 */
#include "btf/info.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "base/buf.h"
#include "btf/btf.h"
#include "text.h"

enum { FUNC = 3, VOID_FUNC = 5, INT = 1 };

static const char types[] = "INT int size=4\n"
			    "FUNC_PROTO type=1\n"
			    "FUNC f type=2\n"
			    "FUNC_PROTO type=0\n"
			    "FUNC g type=4\n";

static struct btf_obj *btf;

static int setup(void **state)
{
	struct buf data = btf_text(types);
	int err = btf_new(data.data, data.len, NULL, &btf);

	buf_done(&data);
	return err;
}

static int teardown(void **state)
{
	btf_free(btf);
	return 0;
}

static void func_info_records(void **state)
{
	static const struct {
		u32 rec_size, cnt;
		u32 words[12];
		int err;
		const char *log;
	} rows[] = {
		{8, 1, {0, FUNC}, 0, ""},
		{8, 2, {0, FUNC, 5, VOID_FUNC}, 0, ""},
		{16, 2, {0, FUNC, 0, 0, 5, FUNC, 0, 0}, 0, ""},
		{16, 2, {0, FUNC, 0, 0, 5, FUNC, 0, 1}, -E2BIG,
			"nonzero tailing record in func info"},
		{4, 1, {0}, -EINVAL, "invalid func info rec size 4\n"},
		{10, 1, {0}, -EINVAL, "invalid func info rec size 10\n"},
		{256, 1, {0}, -EINVAL, "invalid func info rec size 256\n"},
		{8, 1, {1, FUNC}, -EINVAL, "nonzero insn_off 1 for the first func info record"},
		{8, 2, {0, FUNC, 0, FUNC}, -EINVAL,
			"same or smaller insn offset (0) than previous func info record (0)"},
		{8, 3, {0, FUNC, 7, FUNC, 3, FUNC}, -EINVAL,
			"same or smaller insn offset (3) than previous func info record (7)"},
		{8, 1, {0, INT}, -EINVAL, "invalid type id 1 in func info"},
		{8, 1, {0, 99}, -EINVAL, "invalid type id 99 in func info"},
		{8, 1, {0, 0xffffffff}, -EINVAL, "invalid type id -1 in func info"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct btf_recs recs = {rows[i].words, rows[i].cnt, rows[i].rec_size};
		struct bpf_func_info out[4];
		struct buf log = BUF_INIT;

		assert_int_equal(btf_func_info_check(btf, &recs, &log, out), rows[i].err);
		assert_string_equal(buf_text(&log), rows[i].log);
		if (!rows[i].err) {
			assert_int_equal(out[0].type_id, FUNC);
			assert_int_equal(out[rows[i].cnt - 1].insn_off, rows[i].cnt == 2 ? 5 : 0);
		}
		buf_done(&log);
	}
}

static void func_info_against_subprograms(void **state)
{
	static const struct {
		u32 cnt;
		struct bpf_func_info info[2];
		struct btf_subprog subprogs[2];
		const char *log; /* "" for none, accepted */
	} rows[] = {
		{2, {{0, FUNC}, {4, FUNC}}, {{0}, {4, true, true}}, ""},
		{2, {{0, VOID_FUNC}, {4, VOID_FUNC}}, {{0, true, true}, {4}}, ""},
		{1, {{0, FUNC}}, {{0}, {4}},
			"number of funcs in func_info doesn't match number of subprogs\n"},
		{2, {{0, FUNC}, {3, FUNC}}, {{0}, {4}},
			"func_info BTF section doesn't match subprog layout in BPF program\n"},
		{2, {{0, FUNC}, {4, VOID_FUNC}}, {{0}, {4, .has_ld_abs = true}},
			"LD_ABS is only allowed in functions that return 'int'.\n"},
		{2, {{0, FUNC}, {4, VOID_FUNC}}, {{0}, {4, .has_tail_call = true}},
			"tail_call is only allowed in functions that return 'int'.\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf log = BUF_INIT;
		int err = btf_func_info_layout_check(
			btf, rows[i].info, rows[i].cnt, rows[i].subprogs, 2, &log);

		assert_int_equal(err, *rows[i].log ? -EINVAL : 0);
		assert_string_equal(buf_text(&log), rows[i].log);
		buf_done(&log);
	}
}

static void without_func_info(void **state)
{
	struct btf_subprog subprogs[2] = {{0, true, true}, {4}};
	struct buf log = BUF_INIT;

	assert_int_equal(btf_no_func_info_check(subprogs, 2, &log), 0);
	subprogs[1].has_tail_call = true;
	assert_int_equal(btf_no_func_info_check(subprogs, 2, &log), -EINVAL);
	assert_string_equal(buf_text(&log), "tail_call is not allowed in subprogs without BTF\n");
	buf_reset(&log);
	subprogs[1].has_ld_abs = true;
	assert_int_equal(btf_no_func_info_check(subprogs, 2, &log), -EINVAL);
	assert_string_equal(buf_text(&log), "LD_ABS is not allowed in subprogs without BTF\n");
	buf_done(&log);
}

/* Five instructions, the second of which takes two places; subprograms at 0 and 3. */
static void line_info_records(void **state)
{
	static const struct bpf_insn insns[5] = {
		{.code = 0xb7}, {.code = 0x18}, {.code = 0}, {.code = 0xb7}, {.code = 0x95}};
	static const struct btf_subprog subprogs[2] = {{0}, {3}};
	static const struct {
		u32 rec_size, cnt;
		u32 words[24];
		int err;
		const char *log;
	} rows[] = {
		{16, 2, {0, 1, 1, 7, 3, 1, 1, 8}, 0, ""},
		{16, 3, {0, 1, 1, 7, 1, 1, 1, 7, 3, 1, 1, 8}, 0, ""},
		{20, 2, {0, 1, 1, 7, 0, 3, 1, 1, 8, 0}, 0, ""},
		{20, 2, {0, 1, 1, 7, 0, 3, 1, 1, 8, 5}, -E2BIG,
			"nonzero tailing record in line_info"},
		{12, 1, {0}, -EINVAL, ""},
		{256, 1, {0}, -EINVAL, ""},
		{18, 1, {0}, -EINVAL, ""},
		{16, 0x8000000, {0}, -EINVAL, ""},
		{16, 2, {0, 1, 1, 7, 0, 1, 1, 8}, -EINVAL,
			"Invalid line_info[1].insn_off:0 (prev_offset:0 prog->len:5)\n"},
		{16, 2, {0, 1, 1, 7, 5, 1, 1, 8}, -EINVAL,
			"Invalid line_info[1].insn_off:5 (prev_offset:0 prog->len:5)\n"},
		{16, 2, {0, 1, 1, 7, 2, 1, 1, 8}, -EINVAL,
			"Invalid insn code at line_info[1].insn_off\n"},
		{16, 1, {0, 999, 1, 7}, -EINVAL,
			"Invalid line_info[0].line_off or .file_name_off\n"},
		{16, 1, {0, 1, 999, 7}, -EINVAL,
			"Invalid line_info[0].line_off or .file_name_off\n"},
		{16, 1, {1, 1, 1, 7}, -EINVAL, "missing bpf_line_info for func#0\n"},
		{16, 2, {0, 1, 1, 7, 4, 1, 1, 7}, -EINVAL, "missing bpf_line_info for func#1\n"},
		{16, 1, {0, 1, 1, 7}, -EINVAL,
			"missing bpf_line_info for 1 funcs starting from func#1\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct btf_recs recs = {rows[i].words, rows[i].cnt, rows[i].rec_size};
		struct bpf_line_info out[4];
		struct buf log = BUF_INIT;
		u32 first[2] = {99, 99};
		int err = btf_line_info_check(btf, &recs, insns, 5, subprogs, 2, &log, out, first);

		assert_int_equal(err, rows[i].err);
		assert_string_equal(buf_text(&log), rows[i].log);
		if (!err) {
			assert_int_equal(first[0], 0);
			assert_int_equal(first[1], rows[i].cnt - 1);
			assert_int_equal(out[first[1]].line_col, 8);
		}
		buf_done(&log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(func_info_records),
		cmocka_unit_test(func_info_against_subprograms),
		cmocka_unit_test(without_func_info),
		cmocka_unit_test(line_info_records),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
