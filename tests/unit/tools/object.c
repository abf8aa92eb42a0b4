/*
 * Object files that are none, and logs: what is wrong with a file is told in one sentence, and the
 * complaint is found among the lines of a log.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "object.h"
#include "object/log.h"

/* A whole ELF header, as clang's, with no section behind it. */
static const Elf64_Ehdr good = {
	.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	.e_type = ET_REL,
	.e_machine = EM_BPF,
	.e_version = EV_CURRENT,
	.e_ehsize = sizeof(good),
	.e_shoff = sizeof(good),
	.e_shentsize = sizeof(Elf64_Shdr),
	.e_shnum = 1,
};

static void expect_refused(const void *data, size_t len, const char *words)
{
	char path[] = "/tmp/skep-unit-XXXXXX";
	struct port_text text = {0};
	struct bpf_object *object;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
	if (object_try_open(path, &object, &text) >= 0 || !strstr(text.text, words) ||
		!strstr(text.text, path))
		fail_msg("'%s' does not say '%s'", text.text, words);
	unlink(path);
}

static void a_file_that_is_no_object_is_told_apart(void **state)
{
	Elf64_Shdr past_end = {.sh_type = SHT_PROGBITS, .sh_offset = 100, .sh_size = 1000};
	Elf64_Shdr wraps = {.sh_type = SHT_PROGBITS, .sh_offset = 100, .sh_size = -50ULL};
	u8 bytes[sizeof(good) + sizeof(past_end)];
	Elf64_Ehdr head = good;

	expect_refused("", 0, "not an ELF file");
	expect_refused("text", 4, "not an ELF file");
	expect_refused(&good, 20, "cut short: not even its ELF header");
	expect_refused(&good, sizeof(good), "cut short: its section table ends at byte 128");
	memcpy(bytes, &good, sizeof(good));
	memcpy(bytes + sizeof(good), &past_end, sizeof(past_end));
	expect_refused(bytes, sizeof(bytes), "cut short: section 0 ends at byte 1100");
	memcpy(bytes + sizeof(good), &wraps, sizeof(wraps));
	expect_refused(bytes, sizeof(bytes), "cut short: section 0");
	head.e_machine = EM_X86_64;
	expect_refused(&head, sizeof(head), "for another machine (number 62)");
	head = good;
	head.e_ident[EI_DATA] = ELFDATA2MSB;
	expect_refused(&head, sizeof(head), "big endian");
	head = good;
	head.e_shoff = 0;
	expect_refused(&head, sizeof(head), "has no sections");
	head.e_shoff = UINT64_MAX - 10;
	expect_refused(&head, sizeof(head), "cut short");
}

static void missing_files_and_folders_are_named(void **state)
{
	struct port_text text = {0};
	struct bpf_object *object;

	assert_int_equal(object_try_open("/nonexistent.o", &object, &text), -ENOENT);
	assert_string_equal(text.text, "/nonexistent.o: No such file or directory");
	assert_int_equal(object_try_open("/tmp", &object, &text), -EINVAL);
	assert_non_null(strstr(text.text, "/tmp is no file"));
}

static void the_complaint_is_the_last_line_that_is_one(void **state)
{
	static const struct {
		const char *log, *reason;
	} rows[] = {
		{"R1 !read_ok\n", "R1 !read_ok"},
		{"0: (95) exit\nR0 !read_ok\nprocessed 1 insns (limit 1000000) max_states_per_insn "
		 "0 "
		 "total_states 0 peak_states 0 mark_read 0\n",
			"R0 !read_ok"},
		{"bad\nverification time 7 usec\nstack depth 8\nprocessed 2 insns\n", "bad"},
		{"8: (5d) if r2 != r1 goto pc-5 infinite loop detected at insn 4\ncur state: R1=1\n"
		 "old state: R1=1\n",
			"infinite loop detected at insn 4"},
		{"no newline", "no newline"},
		{"processed 2 insns\n", NULL},
		{"\n\n", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = 0;
		const char *reason = object_log_reason(rows[i].log, &len);

		if (!rows[i].reason)
			assert_null(reason);
		else if (!reason || len != strlen(rows[i].reason) ||
			 memcmp(reason, rows[i].reason, len))
			fail_msg("not '%s' but '%.*s'", rows[i].reason, (int)len,
				reason ? reason : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_no_object_is_told_apart),
		cmocka_unit_test(missing_files_and_folders_are_named),
		cmocka_unit_test(the_complaint_is_the_last_line_that_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
