/*
 * Keys and values on a line: each row is a map's item, the words, and the bytes or the error they make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "map_data.h"

enum { ITEM_MAX = 64, WORDS_MAX = 16 };

struct row {
	u32 type, size;
	const char *words;
	const char *bytes; /* hex; NULL: an error */
	const char *error; /* what it says, in part */
};

static const struct row rows[] = {
	/* bytes, decimal, octal and hexadecimal */
	{BPF_MAP_TYPE_HASH, 4, "1 2 3 4", "01020304"},
	{BPF_MAP_TYPE_HASH, 4, "0xff 255 017 0", "ffff0f00"},
	{BPF_MAP_TYPE_HASH, 4, "hex c0 a8 01 5", "c0a80105"},
	{BPF_MAP_TYPE_HASH, 1, "7", "07"},
	{BPF_MAP_TYPE_HASH, 1, "hex ff", "ff"},
	{BPF_MAP_TYPE_HASH, 3, "1 2 3", "010203"},
	/* nothing is cut */
	{BPF_MAP_TYPE_HASH, 4, "1 2 3 256", NULL,
		"byte 4 of the key is '256': a byte is at most 255"},
	{BPF_MAP_TYPE_HASH, 4, "hex 100 0 0 0", NULL, "byte 1 of the key is '100'"},
	{BPF_MAP_TYPE_HASH, 4, "1 2 x 4", NULL, "error parsing byte: x (byte 3"},
	{BPF_MAP_TYPE_HASH, 4, "1 2 -3 4", NULL, "error parsing byte: -3"},
	{BPF_MAP_TYPE_HASH, 4, "1 2 3", NULL, "the key of this map has 4 bytes, but 3 were given"},
	{BPF_MAP_TYPE_HASH, 4, "1 2 3 4 5", NULL, "has 4 bytes, but 5 were given"},
	{BPF_MAP_TYPE_HASH, 4, "hex 01", NULL, "has 4 bytes, but 1 was given"},
	{BPF_MAP_TYPE_HASH, 1, "256", NULL, "'256'"},
	/* one number, in the machine's order */
	{BPF_MAP_TYPE_HASH, 4, "258", "02010000"},
	{BPF_MAP_TYPE_HASH, 8, "-2", "feffffffffffffff"},
	{BPF_MAP_TYPE_HASH, 2, "0xffff", "ffff"},
	{BPF_MAP_TYPE_HASH, 2, "65536", NULL, "does not fit the 2 bytes"},
	{BPF_MAP_TYPE_HASH, 4, "4294967296", NULL, "does not fit the 4 bytes"},
	{BPF_MAP_TYPE_HASH, 4, "-2147483648", "00000080"},
	{BPF_MAP_TYPE_HASH, 4, "-2147483649", NULL, "does not fit the 4 bytes"},
	{BPF_MAP_TYPE_HASH, 8, "18446744073709551616", NULL, "does not fit the 8 bytes"},
	{BPF_MAP_TYPE_HASH, 3, "5", NULL, "has 3 bytes, but 1 was given"},
	/* addresses, as on the wire */
	{BPF_MAP_TYPE_HASH, 4, "192.168.1.5", "c0a80105"},
	{BPF_MAP_TYPE_HASH, 4, "192.168.1.256", NULL, "has 4 bytes, but 1 was given"},
	{BPF_MAP_TYPE_HASH, 8, "192.168.1.5", NULL, "has 8 bytes, but 1 was given"},
	{BPF_MAP_TYPE_HASH, 16, "fe80::1", "fe800000000000000000000000000001"},
	{BPF_MAP_TYPE_HASH, 4, "fe80::1", NULL, "has 4 bytes"},
	{BPF_MAP_TYPE_LPM_TRIE, 8, "10.1.0.0/16", "100000000a010000"},
	{BPF_MAP_TYPE_LPM_TRIE, 20, "2001:db8::/32", "2000000020010db8000000000000000000000000"},
	{BPF_MAP_TYPE_LPM_TRIE, 8, "10.1.0.0/33", NULL, "has 8 bytes, but 1 was given"},
	{BPF_MAP_TYPE_LPM_TRIE, 8, "10.1.0.0/", NULL, "has 8 bytes, but 1 was given"},
	{BPF_MAP_TYPE_HASH, 8, "10.1.0.0/16", NULL, "has 8 bytes, but 1 was given"},
	{BPF_MAP_TYPE_ARRAY, 4, "0.0.0.1", NULL, "has 4 bytes, but 1 was given"}, /* an index */
	/* where data ends */
	{BPF_MAP_TYPE_HASH, 2, "1 2 value 3", "0102"},
	{BPF_MAP_TYPE_HASH, 2, "1 2 noexist", "0102"},
	{BPF_MAP_TYPE_HASH, 2, "", NULL, "data expected after 'key'"},
	{BPF_MAP_TYPE_HASH, 2, "hex", NULL, "data expected after 'hex'"},
	{BPF_MAP_TYPE_HASH, 2, "value 3", NULL, "data expected after 'key'"},
};

static int split(char *text, char **words)
{
	char *save, *word;
	int cnt = 0;

	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		words[cnt++] = word;
	return cnt;
}

static void bytes_of(const char *hex, u8 *ret)
{
	for (size_t i = 0; hex[2 * i]; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1]};

		ret[i] = (u8)strtoul(digits, NULL, 16);
	}
}

/* JSON mode keeps the error in the writer's stream instead of on stderr. */
static void check(const struct row *row)
{
	struct map_data data = {.info = {.type = row->type, .key_size = row->size}};
	char line[256], *words[WORDS_MAX], *said = NULL;
	u8 want[ITEM_MAX] = {0}, got[ITEM_MAX] = {0};
	struct tool tool = {.json = true};
	size_t said_len;
	FILE *stream = open_memstream(&said, &said_len);
	struct args args = {.words = words};
	int err;

	assert_non_null(stream);
	json_init(&tool.w, stream, false);
	snprintf(line, sizeof(line), "%s", row->words);
	args.cnt = split(line, words);
	err = map_data_parse(&tool, &data, MAP_KEY, &args, got);
	fclose(stream);
	if (row->bytes) {
		bytes_of(row->bytes, want);
		if (err || memcmp(want, got, sizeof(want)))
			fail_msg("'%s' for %u bytes: %s", row->words, row->size, said);
	} else if (!err || !strstr(said, row->error)) {
		fail_msg("'%s' for %u bytes: '%s', not '%s'", row->words, row->size, said,
			row->error);
	}
	free(said);
}

static void words_become_bytes_or_an_error(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_become_bytes_or_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
