/*
 * The kernel's types: read once, from the file that was named; the same answer every time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "btf/fields.h"
#include "core/inst.h"
#include "core/kbtf.h"

struct one_int {
	struct btf_header hdr;
	struct btf_type type;
	u32 bits;
	char strings[5];
};

static const struct one_int one_int = {
	.hdr = {.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(struct btf_header),
		.type_len = 16,
		.str_off = 16,
		.str_len = 5},
	.type = {.name_off = 1, .info = BTF_KIND_INT << 24, .size = 4},
	.bits = BTF_INT_SIGNED << 24 | 32,
	.strings = "\0int",
};

static char path[] = "/tmp/skep-kbtf-XXXXXX";

static void write_file(const void *data, size_t len)
{
	int fd;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void begin(struct skep *inst, const char *file)
{
	const struct inst_options opts = {.cpu_cnt = 1, .kernel_btf = file};

	assert_int_equal(inst_init(inst, &opts), 0);
}

static void types_are_found_by_name_and_stay(void **state)
{
	const struct btf_obj *btf = NULL, *again = NULL;
	struct skep inst;
	u32 id;

	(void)state;
	write_file(&one_int, offsetof(typeof(one_int), strings) + 5);
	begin(&inst, path);
	assert_int_equal(core_kbtf_get(&inst, &btf), 0);
	unlink(path);
	assert_int_equal(core_kbtf_get(&inst, &again), 0);
	assert_ptr_equal(btf, again);
	assert_int_equal(btf_find(btf, "int", BTF_KIND_INT, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(btf_find(btf, "int", BTF_KIND_STRUCT, &id), -ENOENT);
	assert_string_equal(core_kbtf_path(&inst), path);
	inst_done(&inst);
}

static void a_missing_file_is_said_every_time(void **state)
{
	const struct btf_obj *btf = NULL;
	struct skep inst;

	(void)state;
	begin(&inst, "/nowhere/btf");
	assert_int_equal(core_kbtf_get(&inst, &btf), -ENOENT);
	assert_int_equal(core_kbtf_get(&inst, &btf), -ENOENT);
	assert_null(btf);
	inst_done(&inst);
}

static void what_is_not_btf_is_refused(void **state)
{
	const struct btf_obj *btf = NULL;
	struct skep inst;

	(void)state;
	write_file("#!/bin/sh", 9);
	begin(&inst, path);
	assert_int_equal(core_kbtf_get(&inst, &btf), -EINVAL);
	unlink(path);
	inst_done(&inst);
}

static void lack_of_memory_passes(void **state)
{
	const struct btf_obj *btf = NULL;
	struct skep inst;
	u64 nth = 0;
	int err;

	(void)state;
	write_file(&one_int, offsetof(typeof(one_int), strings) + 5);
	begin(&inst, path);
	do {
		mem_fail_at(++nth);
		err = core_kbtf_get(&inst, &btf);
		mem_fail_at(0);
		assert_true(!err || err == -ENOMEM);
	} while (err);
	assert_true(nth > 3);
	assert_non_null(btf);
	unlink(path);
	inst_done(&inst);
}

static void a_path_too_long_is_refused(void **state)
{
	static char file[8192];
	const struct inst_options opts = {.cpu_cnt = 1, .kernel_btf = file};
	struct skep inst;

	(void)state;
	memset(file, 'a', sizeof(file) - 1);
	assert_int_equal(inst_init(&inst, &opts), -ENAMETOOLONG);
}

/* The whole file, as one may hand it to btf_new(); NULL where it cannot be read. */
static u8 *read_kernel(size_t *ret_len)
{
	FILE *file = fopen(CORE_KBTF_PATH, "re");
	u8 *data = file ? malloc(BTF_SIZE_MAX) : NULL;

	if (!data) {
		if (file)
			fclose(file);
		return NULL;
	}
	*ret_len = fread(data, 1, BTF_SIZE_MAX, file);
	fclose(file);
	return data;
}

static void check_same_types(const struct btf_obj *a, const struct btf_obj *b)
{
	assert_int_equal(btf_type_cnt(a), btf_type_cnt(b));
	for (u32 id = 1; id < btf_type_cnt(a); id++) {
		const struct btf_type *t = btf_type_at(a, id), *u = btf_type_at(b, id);
		u32 at_a = 0, at_b = 0, size_a = 0, size_b = 0;

		if (memcmp(t, u, sizeof(*t)))
			fail_msg("type %u is another", id);
		if (btf_size(a, id, &at_a, &size_a) != btf_size(b, id, &at_b, &size_b) ||
			at_a != at_b || size_a != size_b)
			fail_msg("type %u: sized by %u, %u bytes; checked: %u, %u", id, at_a,
				size_a, at_b, size_b);
		assert_int_equal(!btf_struct_fields(a, id), !btf_struct_fields(b, id));
		if (!t->name_off)
			continue;
		assert_int_equal(btf_find(a, btf_type_name(a, id), btf_type_kind(t), &at_a), 0);
		assert_int_equal(btf_find(b, btf_type_name(b, id), btf_type_kind(t), &at_b), 0);
		assert_int_equal(at_a, at_b);
	}
}

/* They are not checked again; a check would find nothing else. */
static void the_running_kernels_types_are_those_of_its_file(void **state)
{
	const struct btf_obj *btf = NULL;
	struct btf_obj *checked;
	struct skep inst;
	size_t len = 0;
	u8 *data = read_kernel(&len);

	(void)state;
	if (!data) {
		print_message("skipped: %s cannot be read\n", CORE_KBTF_PATH);
		skip();
	}
	assert_int_equal(btf_new(data, len, NULL, &checked), 0);
	begin(&inst, NULL);
	assert_int_equal(core_kbtf_get(&inst, &btf), 0);
	check_same_types(btf, checked);
	inst_done(&inst);
	btf_free(checked);
	free(data);
}

static void bytes_cut_short_are_refused_even_if_trusted(void **state)
{
	size_t len = offsetof(typeof(one_int), strings) + 5;
	struct one_int bytes = one_int;
	struct btf_obj *btf;

	(void)state;
	assert_int_equal(btf_new_trusted(&bytes, len, &btf), 0);
	assert_string_equal(btf_type_name(btf, 1), "int");
	btf_free(btf);
	assert_int_equal(btf_new_trusted(&bytes, len - 1, &btf), -EINVAL);
	/* a member takes more than the four bytes that are left */
	bytes.type.info = BTF_KIND_STRUCT << 24 | 1;
	assert_int_equal(btf_new_trusted(&bytes, len, &btf), -EINVAL);
	bytes.type.info = BTF_KIND_INT << 24;
	bytes.type.name_off = 5;
	assert_int_equal(btf_new_trusted(&bytes, len, &btf), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_found_by_name_and_stay),
		cmocka_unit_test(a_missing_file_is_said_every_time),
		cmocka_unit_test(what_is_not_btf_is_refused),
		cmocka_unit_test(lack_of_memory_passes),
		cmocka_unit_test(the_running_kernels_types_are_those_of_its_file),
		cmocka_unit_test(bytes_cut_short_are_refused_even_if_trusted),
		cmocka_unit_test(a_path_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
