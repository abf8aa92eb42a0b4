/*
 * The jitdump file, read back as perf reads it: a header, records with their lengths, the lines of a function
 * before its code; and the mapping that perf finds it by.
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
#include "jit/dump.h"

enum {
	FILE_MAX = 4096,
	HEADER_LEN = 40,
	RECORD_LEN = 16,
	CODE_LOAD = 0,
	DEBUG_INFO = 2,
	CODE_CLOSE = 3
};

static const u8 code[] = {0xb8, 1, 0, 0, 0, 0xc3};
static const struct jit_line lines[] = {{code, 7, "a.c"}, {code + 5, 9, "b.h"}};
static const struct jit_symbol symbol = {"twice", code, sizeof(code), lines, ARRAY_SIZE(lines)};

struct fixture {
	char folder[64], path[128];
	u8 data[FILE_MAX];
	size_t len;
};

static struct fixture fix;

static int make_folder(void **state)
{
	strcpy(fix.folder, "/tmp/skep-jitdump-XXXXXX");
	if (!mkdtemp(fix.folder))
		return -1;
	snprintf(fix.path, sizeof(fix.path), "%s/jit-%d.dump", fix.folder, (int)getpid());
	return 0;
}

static int remove_folder(void **state)
{
	unlink(fix.path);
	return rmdir(fix.folder);
}

static void read_file(void)
{
	FILE *file = fopen(fix.path, "r");

	assert_non_null(file);
	fix.len = fread(fix.data, 1, sizeof(fix.data), file);
	fclose(file);
}

static u64 field(size_t at, size_t len)
{
	u64 value = 0;

	assert_true(at + len <= fix.len);
	memcpy(&value, fix.data + at, len);
	return value;
}

static bool is_mapped_executable(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool is_found = false;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		is_found |= strstr(line, fix.path) && strstr(line, " r-xp ");
	fclose(maps);
	return is_found;
}

static void records_are_as_perf_reads_them(void **state)
{
	struct jit_dump *dump = NULL;
	size_t at = HEADER_LEN;

	assert_int_equal(jit_dump_open(fix.folder, &dump), 0);
	assert_true(is_mapped_executable());
	assert_int_equal(jit_dump_add(dump, &symbol), 0);
	jit_dump_close(dump);
	assert_false(is_mapped_executable());
	read_file();
	assert_memory_equal(fix.data, "DTiJ", 4);
	assert_int_equal(field(8, 4), HEADER_LEN);
	assert_int_equal(field(20, 4), getpid());

	assert_int_equal(field(at, 4), DEBUG_INFO);
	assert_int_equal(field(at + RECORD_LEN, 8), (uintptr_t)code);
	assert_int_equal(field(at + RECORD_LEN + 8, 8), 2);
	assert_int_equal(field(at + RECORD_LEN + 16, 8), (uintptr_t)code);
	assert_int_equal(field(at + RECORD_LEN + 24, 4), 7);
	assert_string_equal((char *)fix.data + at + RECORD_LEN + 32, "a.c");
	assert_int_equal(field(at + RECORD_LEN + 36, 8), (uintptr_t)code + 5);
	at += field(at + 4, 4);

	assert_int_equal(field(at, 4), CODE_LOAD);
	assert_int_equal(field(at + RECORD_LEN + 8, 8), (uintptr_t)code);
	assert_int_equal(field(at + RECORD_LEN + 16, 8), (uintptr_t)code);
	assert_int_equal(field(at + RECORD_LEN + 24, 8), sizeof(code));
	assert_string_equal((char *)fix.data + at + RECORD_LEN + 40, "twice");
	assert_memory_equal(fix.data + at + RECORD_LEN + 46, code, sizeof(code));
	at += field(at + 4, 4);

	assert_int_equal(field(at, 4), CODE_CLOSE);
	assert_int_equal(at + field(at + 4, 4), fix.len);
}

static void functions_are_numbered(void **state)
{
	const struct jit_symbol plain = {.name = "f", .code = code, .len = sizeof(code)};
	struct jit_dump *dump = NULL;
	size_t at = HEADER_LEN;

	assert_int_equal(jit_dump_open(fix.folder, &dump), 0);
	assert_int_equal(jit_dump_add(dump, &plain), 0);
	assert_int_equal(jit_dump_add(dump, &plain), 0);
	jit_dump_close(dump);
	read_file();
	for (u64 i = 0; i < 2; i++, at += field(at + 4, 4)) {
		assert_int_equal(field(at, 4), CODE_LOAD);
		assert_int_equal(field(at + RECORD_LEN + 32, 8), i);
	}
}

static void what_cannot_be_made_is_an_error(void **state)
{
	struct jit_dump *dump = NULL;

	assert_int_equal(jit_dump_open("/nowhere/at/all", &dump), -ENOENT);
	mem_fail_at(1);
	assert_int_equal(jit_dump_open(fix.folder, &dump), -ENOMEM);
	mem_fail_at(0);
	assert_null(dump);
	assert_int_equal(jit_dump_open(fix.folder, &dump), 0);
	mem_fail_at(1);
	assert_int_equal(jit_dump_add(dump, &symbol), -ENOMEM);
	mem_fail_at(0);
	jit_dump_close(dump);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_as_perf_reads_them),
		cmocka_unit_test(functions_are_numbered),
		cmocka_unit_test(what_cannot_be_made_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
