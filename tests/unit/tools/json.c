/*
 * The JSON writer: each case writes one thing twice, compact and pretty, and both layouts are
 * bpftool's, byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "json.h"

static void expect(void (*write)(struct json *w), bool pretty, const char *want)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	struct json w;

	assert_non_null(file);
	json_init(&w, file, pretty);
	write(&w);
	json_end_line(&w);
	fclose(file);
	assert_string_equal(text, want);
	free(text);
}

static void write_nothing(struct json *w)
{
}

static void nothing_written_is_an_empty_text(void **state)
{
	expect(write_nothing, false, "");
	expect(write_nothing, true, "");
}

static void write_null(struct json *w)
{
	json_null(w);
}

static void write_empty(struct json *w)
{
	json_start_array(w);
	json_start_object(w);
	json_name(w, "none");
	json_start_array(w);
	json_end_array(w);
	json_end_object(w);
	json_start_object(w);
	json_end_object(w);
	json_end_array(w);
}

static void empty_brackets_close_on_their_own_line(void **state)
{
	expect(write_null, true, "null\n");
	expect(write_empty, false, "[{\"none\":[]},{}]\n");
	expect(write_empty, true,
		"[{\n"
		"        \"none\": []\n"
		"    },{}\n"
		"]\n");
}

static void write_map(struct json *w)
{
	json_start_array(w);
	for (u32 i = 1; i < 3; i++) {
		json_start_object(w);
		json_uint_field(w, "id", i);
		json_name(w, "map_ids");
		json_start_array(w);
		json_uint(w, 4);
		json_uint(w, 5);
		json_end_array(w);
		json_bool_field(w, "jited", i == 1);
		json_end_object(w);
	}
	json_end_array(w);
}

static void names_stand_on_lines_and_values_of_arrays_follow_each_other(void **state)
{
	expect(write_map, false,
		"[{\"id\":1,\"map_ids\":[4,5],\"jited\":true},"
		"{\"id\":2,\"map_ids\":[4,5],\"jited\":false}]\n");
	expect(write_map, true,
		"[{\n"
		"        \"id\": 1,\n"
		"        \"map_ids\": [4,5\n"
		"        ],\n"
		"        \"jited\": true\n"
		"    },{\n"
		"        \"id\": 2,\n"
		"        \"map_ids\": [4,5\n"
		"        ],\n"
		"        \"jited\": false\n"
		"    }\n"
		"]\n");
}

static void write_bytes(struct json *w)
{
	json_start_object(w);
	json_name(w, "hex");
	json_hex_array(w, "\x0a\xff", 2);
	json_name(w, "decimal");
	json_byte_array(w, "\x0a\xff", 2);
	json_end_object(w);
}

static void bytes_are_hex_strings_or_decimal_numbers(void **state)
{
	expect(write_bytes, false, "{\"hex\":[\"0x0a\",\"0xff\"],\"decimal\":[10,255]}\n");
	expect(write_bytes, true,
		"{\n"
		"    \"hex\": [\"0x0a\",\"0xff\"\n"
		"    ],\n"
		"    \"decimal\": [10,255\n"
		"    ]\n"
		"}\n");
}

static void write_strings(struct json *w)
{
	json_start_array(w);
	json_string(w, "quote \" backslash \\ tab \t line \n return \r feed \f back \b");
	json_string(w, "it's \x01 \xc3\xa9");
	json_string_len(w, "a\0b", 3);
	json_end_array(w);
}

static void strings_are_escaped(void **state)
{
	expect(write_strings, false,
		"[\"quote \\\" backslash \\\\ tab \\t line \\n return \\r feed \\f back \\b\","
		"\"it's \\u0001 \xc3\xa9\",\"a\\u0000b\"]\n");
}

static void write_numbers(struct json *w)
{
	json_start_object(w);
	json_int_field(w, "least", INT64_MIN);
	json_uint_field(w, "most", UINT64_MAX);
	json_null_field(w, "none");
	json_string_field(w, "text", "");
	json_name(w, "raw");
	json_printf(w, "\"%#x\"", 255);
	json_end_object(w);
}

static void numbers_keep_all_their_digits(void **state)
{
	expect(write_numbers, false,
		"{\"least\":-9223372036854775808,\"most\":18446744073709551615,\"none\":null,"
		"\"text\":\"\",\"raw\":\"0xff\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_written_is_an_empty_text),
		cmocka_unit_test(empty_brackets_close_on_their_own_line),
		cmocka_unit_test(names_stand_on_lines_and_values_of_arrays_follow_each_other),
		cmocka_unit_test(bytes_are_hex_strings_or_decimal_numbers),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(numbers_keep_all_their_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
