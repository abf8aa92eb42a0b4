/*
 * BTF through bpf(2): loaded, refused with its log, found by id, read back; and maps that name types
 * of it for their keys and values.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../btf/text.h"
#include "calls.h"

static const char good[] = "INT u32 size=4\n"	   /* 1 */
			   "INT u64 size=8\n"	   /* 2 */
			   "VAR counter type=2\n"  /* 3 */
			   "DATASEC .bss size=8\n" /* 4 */
			   "	type=3 off=0 size=8\n"
			   "STRUCT prefix size=8\n" /* 5 */
			   "	prefixlen type=1\n"
			   "	addr type=1 off=32\n";

static struct target t;

static int setup(void **state)
{
	struct skep *skep;

	assert_int_equal(skep_new(NULL, &skep), 0);
	t = target_of(skep);
	*state = skep;
	return 0;
}

static int teardown(void **state)
{
	skep_free(*state);
	return 0;
}

static int load(const struct buf *data, u32 level, char *log, u32 log_len)
{
	union sys_attr attr = {0};

	attr.btf_load.btf = (uintptr_t)data->data;
	attr.btf_load.btf_size = data->len;
	attr.btf_load.btf_log_level = level;
	attr.btf_load.btf_log_buf = (uintptr_t)log;
	attr.btf_load.btf_log_size = log_len;
	return (int)call(&t, BPF_BTF_LOAD, &attr);
}

static int load_text(const char *text)
{
	struct buf data = btf_text(text);
	int fd = load(&data, 0, NULL, 0);

	buf_done(&data);
	return fd;
}

static void what_was_loaded_is_found_and_read_back(void **state)
{
	struct buf data = btf_text(good);
	u8 back[512] = {0};
	struct bpf_btf_info shown = {.btf = (uintptr_t)back, .btf_size = sizeof(back)};
	int fd = load(&data, 0, NULL, 0), again;

	assert_true(fd >= 0);
	assert_int_equal(info(&t, fd, &shown, sizeof(shown)), 0);
	assert_int_equal(shown.btf_size, data.len);
	assert_memory_equal(back, data.data, data.len);
	again = by_id(&t, BPF_BTF_GET_FD_BY_ID, shown.id);
	assert_true(again >= 0);
	close(fd);
	close(again);
	assert_int_equal(by_id(&t, BPF_BTF_GET_FD_BY_ID, shown.id), -ENOENT);
	buf_done(&data);
}

static void what_is_refused_says_why(void **state)
{
	struct buf data = btf_text("INT u32 size=4\nPTR type=9");
	char log[512];

	assert_int_equal(load(&data, 1, log, sizeof(log)), -EINVAL);
	assert_non_null(strstr(log, "[2] PTR (anon) type_id=9 Invalid type_id\n"));
	assert_int_equal(load(&data, 1, log, 20), -ENOSPC);
	assert_int_equal(load(&data, 0, NULL, 0), -EINVAL);
	buf_done(&data);
}

static void maps_take_the_types_that_fit(void **state)
{
	static const struct {
		u32 type, flags, max, key_size, value_size, key_id, value_id;
		int err;
	} rows[] = {
		{BPF_MAP_TYPE_HASH, 0, 8, 4, 8, 1, 2, 0},
		{BPF_MAP_TYPE_HASH, 0, 8, 4, 8, 1, 1, -EINVAL}, /* a value of 4 bytes */
		{BPF_MAP_TYPE_HASH, 0, 8, 4, 8, 0, 2, -EINVAL}, /* no type for the key */
		{BPF_MAP_TYPE_HASH, 0, 8, 4, 8, 1, 0, -EINVAL}, /* none for the value */
		{BPF_MAP_TYPE_ARRAY, 0, 8, 4, 8, 1, 2, 0},
		{BPF_MAP_TYPE_ARRAY, 0, 1, 4, 8, 0, 4, 0},	 /* .bss */
		{BPF_MAP_TYPE_ARRAY, 0, 2, 4, 8, 0, 4, -EINVAL}, /* .bss is one value */
		{BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, 8, 8, 8, 5, 2, 0},
		{BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, 8, 8, 8, 2, 2, -EINVAL},
	};
	int btf_fd = load_text(good);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		union sys_attr attr = {0};
		struct bpf_map_info shown = {0};
		int fd;

		attr.map_create.map_type = rows[i].type;
		attr.map_create.map_flags = rows[i].flags;
		attr.map_create.max_entries = rows[i].max;
		attr.map_create.key_size = rows[i].key_size;
		attr.map_create.value_size = rows[i].value_size;
		attr.map_create.btf_fd = btf_fd;
		attr.map_create.btf_key_type_id = rows[i].key_id;
		attr.map_create.btf_value_type_id = rows[i].value_id;
		fd = (int)call(&t, BPF_MAP_CREATE, &attr);
		if ((fd < 0 ? fd : 0) != rows[i].err)
			fail_msg("row %zu: %d", i, fd);
		if (fd < 0)
			continue;
		assert_int_equal(info(&t, fd, &shown, sizeof(shown)), 0);
		assert_int_equal(shown.btf_key_type_id, rows[i].key_id);
		assert_int_equal(shown.btf_value_type_id, rows[i].value_id);
		close(fd);
	}
	close(btf_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_loaded_is_found_and_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_refused_says_why, setup, teardown),
		cmocka_unit_test_setup_teardown(maps_take_the_types_that_fit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
