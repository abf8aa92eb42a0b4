/*
 * Values by type, a row a case: bytes and how they print, words and the bytes they make or what is
 * said against them.
 */
#include "btf_value.h"

#include <bpf/btf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "../btf/text.h"
#include "base/mem.h"

enum {
	INT = 1,
	U8,
	U16,
	U32,
	U64,
	S8,
	CHAR,
	BOOL,
	PTR,
	COLOUR,
	LPM4,
	ADDR16,
	LPM6,
	NAME,
	BITS,
	UNION,
	INNER,
	OUTER,
	U16S,
	FLAGS64,
	U128,
	SECTION_VAR,
	SECTION,
	CONST_INT,
	FLOAT,
	DOUBLE,
	KEY,
	U8S,
	GRID_ROW,
	GRID,
	FWD,
	TAGGED,
	MAC,
	WIDE,
};

static const char types[] = "INT int size=4 enc=1\n"		 /* INT */
			    "INT \"unsigned char\" size=1\n"	 /* U8 */
			    "INT \"unsigned short\" size=2\n"	 /* U16 */
			    "INT \"unsigned int\" size=4\n"	 /* U32 */
			    "INT u64 size=8\n"			 /* U64 */
			    "INT \"signed char\" size=1 enc=1\n" /* S8 */
			    "INT char size=1 enc=2\n"		 /* CHAR */
			    "INT _Bool size=1 enc=4\n"		 /* BOOL */
			    "PTR type=0\n"			 /* PTR */
			    "ENUM colour size=4\n"		 /* COLOUR */
			    "	RED val=0\n"
			    "	GREEN val=7\n"
			    "	BLUE val=-3\n"
			    "STRUCT lpm4 size=8\n" /* LPM4 */
			    "	prefixlen type=4\n"
			    "	addr type=4 off=32\n"
			    "ARRAY elem=2 index=1 nelems=16\n" /* ADDR16 */
			    "STRUCT lpm6 size=20\n"	       /* LPM6 */
			    "	prefixlen type=4\n"
			    "	addr type=12 off=32\n"
			    "ARRAY elem=7 index=1 nelems=8\n" /* NAME */
			    "STRUCT bits size=4 kflag=1\n"    /* BITS */
			    "	a type=4 off=0 bitsize=3\n"
			    "	b type=1 off=3 bitsize=5\n"
			    "	c type=10 off=8 bitsize=4\n"
			    "	d type=3 off=16\n"
			    "UNION either size=4\n" /* UNION */
			    "	word type=4\n"
			    "	half type=3\n"
			    "STRUCT size=4\n" /* INNER, anonymous */
			    "	x type=3\n"
			    "	y type=3 off=16\n"
			    "STRUCT outer size=24\n" /* OUTER */
			    "	id type=4\n"
			    "	type=17 off=32\n"
			    "	list type=19 off=64\n"
			    "	c type=10 off=128\n"
			    "	u type=16 off=160\n"
			    "ARRAY elem=3 index=1 nelems=3\n" /* U16S */
			    "ENUM64 flags size=8\n"	      /* FLAGS64 */
			    "	HIGH val=0x100000000\n"
			    "INT \"unsigned __int128\" size=16\n" /* U128 */
			    "VAR counter type=24 linkage=1\n"	  /* SECTION_VAR */
			    "DATASEC .data size=4\n"		  /* SECTION */
			    "	type=22 off=0 size=4\n"
			    "CONST type=32\n"	    /* CONST_INT */
			    "FLOAT float size=4\n"  /* FLOAT */
			    "FLOAT double size=8\n" /* DOUBLE */
			    "STRUCT key size=8\n"   /* KEY */
			    "	port type=3\n"
			    "	proto type=2 off=16\n"
			    "	addr type=4 off=32\n"
			    "ARRAY elem=2 index=1 nelems=4\n"  /* U8S */
			    "ARRAY elem=2 index=1 nelems=2\n"  /* GRID_ROW */
			    "ARRAY elem=29 index=1 nelems=2\n" /* GRID */
			    "FWD unseen\n"		       /* FWD */
			    "TYPEDEF number type=1\n"	       /* TAGGED */
			    "ARRAY elem=2 index=1 nelems=6\n"  /* MAC */
			    "STRUCT wide size=16\n"	       /* WIDE */
			    "	a type=5\n"
			    "	b type=8 off=64\n"
			    "	c type=9 off=64\n";

static struct btf *btf;

static int setup(void **state)
{
	struct buf data = btf_text(types);

	btf = btf__new(data.data, data.len);
	buf_done(&data);
	return btf ? 0 : -1;
}

static int teardown(void **state)
{
	btf__free(btf);
	return 0;
}

/* "0a 01" to bytes */
static size_t unhex(const char *text, u8 *ret)
{
	size_t len = 0;
	unsigned int byte;

	for (; sscanf(text, "%2x", &byte) == 1; text += text[2] ? 3 : 2)
		ret[len++] = (u8)byte;
	return len;
}

static int print(u32 id, const u8 *data, size_t len, bool text, char **ret)
{
	size_t out_len;
	FILE *out = open_memstream(ret, &out_len);
	struct json w;
	int err;

	json_init(&w, out, false);
	err = btf_value_print(&w, btf, id, data, len, text);
	fclose(out);
	return err;
}

static void values_print_as_their_type_says(void **state)
{
	static const struct {
		u32 id;
		const char *bytes, *json, *text; /* text NULL: as JSON */
	} rows[] = {
		{INT, "ff ff ff ff", "-1"},
		{U32, "ff ff ff ff", "4294967295"},
		{U32, "0a 01 00 09", "150995210"},
		{U64, "ff ff ff ff ff ff ff ff", "18446744073709551615"},
		{S8, "80", "-128"},
		{U16, "01 02", "513"},
		{CHAR, "61", "\"a\""},
		{CHAR, "01", "\"\\u0001\"", "0x1"},
		{CHAR, "22", "\"\\\"\""},
		{CHAR, "ff", "\"\\u00ff\"", "0xff"},
		{BOOL, "01", "true"},
		{BOOL, "00", "false"},
		{PTR, "00 10 00 00 00 00 00 00", "4096", "0x1000"},
		{PTR, "00 00 00 00 00 00 00 00", "0", "(nil)"},
		{COLOUR, "07 00 00 00", "\"GREEN\""},
		{COLOUR, "fd ff ff ff", "\"BLUE\""},
		{COLOUR, "08 00 00 00", "8"},
		{FLAGS64, "00 00 00 00 01 00 00 00", "\"HIGH\""},
		{FLAGS64, "05 00 00 00 00 00 00 00", "5"},
		{U128, "01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", "\"0x1\"", "0x1"},
		{U128, "01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00", "\"0x20000000000000001\"",
			"0x20000000000000001"},
		{NAME, "65 74 68 30 00 00 00 00", "\"eth0\""},
		{NAME, "65 74 68 30 65 74 68 31",
			"[\"e\",\"t\",\"h\",\"0\",\"e\",\"t\",\"h\",\"1\"]"},
		{NAME, "00 00 00 00 00 00 00 00", "\"\""},
		{U16S, "01 00 02 00 03 00", "[1,2,3]"},
		{GRID, "01 02 03 04", "[[1,2],[3,4]]"},
		{BITS, "2d 07 39 30", "{\"a\":\"0x5\",\"b\":\"0x5\",\"c\":\"0x7\",\"d\":12345}",
			"{\"a\":0x5,\"b\":0x5,\"c\":0x7,\"d\":12345}"},
		{UNION, "01 00 02 00", "{\"word\":131073,\"half\":1}"},
		{OUTER, "01 00 00 00 02 00 03 00 04 00 05 00 06 00 00 00 07 00 00 00 08 00 00 00",
			"{\"id\":1,\"\":{\"x\":2,\"y\":3},\"list\":[4,5,6],\"c\":\"GREEN\","
			"\"u\":{\"word\":8,\"half\":8}}"},
		{SECTION, "05 00 00 00", "{\".data\":[{\"counter\":5}]}"},
		{CONST_INT, "05 00 00 00", "5"},
		{FLOAT, "00 00 c0 3f", "1.5"},
		{FLOAT, "00 00 80 7f", "[\"0x00\",\"0x00\",\"0x80\",\"0x7f\"]"},
		{DOUBLE, "00 00 00 00 00 00 f8 3f", "1.5"},
		{LPM4, "10 00 00 00 c0 a8 00 00", "{\"prefixlen\":16,\"addr\":43200}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *as_text = rows[i].text ? rows[i].text : rows[i].json;
		u8 data[64];
		size_t len = unhex(rows[i].bytes, data);
		char *out;

		assert_int_equal(print(rows[i].id, data, len, false, &out), 0);
		assert_string_equal(out, rows[i].json);
		free(out);
		assert_int_equal(print(rows[i].id, data, len, true, &out), 0);
		assert_string_equal(out, as_text);
		free(out);
	}
}

static void what_cannot_print_writes_nothing(void **state)
{
	static const struct {
		u32 id;
		size_t len;
	} rows[] = {{INT, 3}, {INT, 5}, {FWD, 4}, {99, 4}, {0, 4}, {OUTER, 23}, {ADDR16, 4}};
	u8 data[64] = {0};
	char *out;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(print(rows[i].id, data, rows[i].len, false, &out), -EINVAL);
		assert_string_equal(out, "");
		free(out);
	}
}

#define ZERO4  "00 00 00 00"
#define ZERO12 ZERO4 " " ZERO4 " " ZERO4

static void words_make_values(void **state)
{
	static const struct {
		u32 id;
		const char *words, *bytes;
	} rows[] = {
		{INT, "5", "05 00 00 00"},
		{INT, "-1", "ff ff ff ff"},
		{INT, "-2147483648", "00 00 00 80"},
		{INT, "0x10", "10 00 00 00"},
		{INT, "010", "08 00 00 00"},
		{INT, "  7 ", "07 00 00 00"},
		{U32, "4294967295", "ff ff ff ff"},
		{U32, "10 1 0 9", "0a 01 00 09"},
		{U32, "0x0a 0x01 0x00 0x09", "0a 01 00 09"},
		{U32, "hex 0a 01 00 09", "0a 01 00 09"},
		{U32, "192.168.1.5", "c0 a8 01 05"},
		{INT, "10.1.0.9", "0a 01 00 09"},
		{U8, "255", "ff"},
		{S8, "-128", "80"},
		{CHAR, "'a'", "61"},
		{CHAR, "-1", "ff"},
		{CHAR, "255", "ff"},
		{BOOL, "true", "01"},
		{BOOL, "0", "00"},
		{U64, "18446744073709551615", "ff ff ff ff ff ff ff ff"},
		{U128, "0x20000000000000001", "01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00"},
		{PTR, "0x1000", "00 10 00 00 00 00 00 00"},
		{COLOUR, "GREEN", "07 00 00 00"},
		{COLOUR, "\"BLUE\"", "fd ff ff ff"},
		{COLOUR, "9", "09 00 00 00"},
		{COLOUR, "-3", "fd ff ff ff"},
		{FLAGS64, "HIGH", "00 00 00 00 01 00 00 00"},
		{LPM4, "192.168.0.0/16", "10 00 00 00 c0 a8 00 00"},
		{LPM4, "0.0.0.0/0", "00 00 00 00 00 00 00 00"},
		{LPM4, "10.0.0.1", "20 00 00 00 0a 00 00 01"},
		{LPM4, "{16, 192.168.0.0}", "10 00 00 00 c0 a8 00 00"},
		{LPM6, "fe80::/10", "0a 00 00 00 fe 80 00 00 " ZERO12},
		{ADDR16, "fe80::1", "fe 80 00 00 " ZERO4 " " ZERO4 " 00 00 00 01"},
		{U8S, "10.0.0.1", "0a 00 00 01"},
		{MAC, "02:00:00:00:00:ff", "02 00 00 00 00 ff"},
		{NAME, "eth0", "65 74 68 30 00 00 00 00"},
		{NAME, "\"a b\"", "61 20 62 00 00 00 00 00"},
		{NAME, "12345678", "31 32 33 34 35 36 37 38"},
		{NAME, "1 2 3 4 5 6 7 8", "01 02 03 04 05 06 07 08"},
		{U16S, "{1, 2, 3}", "01 00 02 00 03 00"},
		{U16S, "[1,2]", "01 00 02 00 00 00"},
		{U16S, "{}", "00 00 00 00 00 00"},
		{GRID, "{{1, 2}, {3, 4}}", "01 02 03 04"},
		{KEY, "{port=80, proto = 6, addr=10.0.0.1}", "50 00 06 00 0a 00 00 01"},
		{KEY, "{ addr=10.0.0.1 }", "00 00 00 00 0a 00 00 01"},
		{KEY, "{80, 6}", "50 00 06 00 00 00 00 00"},
		{KEY, "{.port=80}", "50 00 00 00 00 00 00 00"},
		{KEY, "{\"port\": 80, \"addr\": 1}", "50 00 00 00 01 00 00 00"},
		{KEY, "80 0 6 0 10 0 0 1", "50 00 06 00 0a 00 00 01"},
		{BITS, "{a=5, b=-1, c=GREEN, d=12345}", "fd 07 39 30"},
		{BITS, "{b=15}", "78 00 00 00"},
		{UNION, "{half=2}", "02 00 00 00"},
		{UNION, "{7}", "07 00 00 00"},
		{OUTER, "{id=1, y=3, list={4}, c=RED, u={half=5}}",
			"01 00 00 00 00 00 03 00 04 00 00 00 00 00 00 00 00 00 00 00 05 00 00 00"},
		{OUTER, "{1, {2, 3}}", "01 00 00 00 02 00 03 00 " ZERO12 " " ZERO4},
		{SECTION, "{counter=5}", "05 00 00 00"},
		{CONST_INT, "5", "05 00 00 00"},
		{FLOAT, "1.5", "00 00 c0 3f"},
		{DOUBLE, "-2", "00 00 00 00 00 00 00 c0"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u8 want[64], got[64];
		size_t len = unhex(rows[i].bytes, want);
		char why[BTF_VALUE_ERROR_MAX] = "";

		memset(got, 0xee, sizeof(got));
		if (btf_value_parse(rows[i].words, btf, rows[i].id, got, len, why, sizeof(why)))
			fail_msg("%s: %s", rows[i].words, why);
		if (memcmp(got, want, len))
			fail_msg("%s: %02x %02x %02x %02x", rows[i].words, got[0], got[1], got[2],
				got[3]);
	}
}

static void wrong_words_are_explained(void **state)
{
	static const struct {
		u32 id;
		size_t len;
		const char *words;
		int err;
		const char *why;
	} rows[] = {
		{U8, 1, "256", -ERANGE, "256 does not fit unsigned char (1 byte): 0 to 255"},
		{U8, 1, "-1", -ERANGE, "-1 does not fit unsigned char (1 byte): 0 to 255"},
		{S8, 1, "128", -ERANGE, "128 does not fit signed char (1 byte): -128 to 127"},
		{S8, 1, "-129", -ERANGE, "-129 does not fit signed char (1 byte): -128 to 127"},
		{INT, 4, "2147483648", -ERANGE,
			"2147483648 does not fit int (4 bytes): -2147483648 to 2147483647"},
		{U64, 8, "18446744073709551616", -ERANGE,
			"18446744073709551616 does not fit u64 (8 bytes): 0 to "
			"18446744073709551615"},
		{U64, 8, "99999999999999999999999999999999999999999999", -ERANGE,
			"99999999999999999999999999999999999999999999 does not fit u64 (8 bytes): "
			"0 "
			"to 18446744073709551615"},
		{BOOL, 1, "2", -ERANGE, "2 does not fit _Bool (1 bit): 0 to 1"},
		{U32, 4, "ten", -EINVAL, "'ten' is not a number, as unsigned int needs"},
		{U32, 4, "", -EINVAL, "a value is missing: a number for unsigned int"},
		{U32, 4, "08", -EINVAL, "'08' is not a number, as unsigned int needs"},
		{U32, 4, "0x", -EINVAL, "'0x' is not a number, as unsigned int needs"},
		{U32, 4, "5 apples", -EINVAL, "'apples' is left over"},
		{U32, 4, "10 1 0", -EINVAL, "3 bytes given, but unsigned int has 4"},
		{U32, 4, "10 1 0 9 9", -EINVAL, "5 bytes given, but unsigned int has 4"},
		{U32, 4, "10 1 0 256", -ERANGE, "byte 4 is 256: a byte is at most 255 (0xff)"},
		{U32, 4, "hex 0a 01 100 09", -ERANGE,
			"byte 3 is 100: a byte is at most 255 (0xff)"},
		{U32, 4, "hex 0a 0g 00 09", -EINVAL,
			"byte 2 is '0g 00 09', not a number from 0 to 255"},
		{U32, 4, "hex 0a", -EINVAL, "1 byte given, but unsigned int has 4"},
		{U32, 4, "192.168.1.300", -EINVAL,
			"'192.168.1.300' is not a number or an address, as unsigned int needs"},
		{U64, 8, "192.168.1.5", -EINVAL,
			"192.168.1.5 is an address of 4 bytes, but u64 has 8"},
		{U32, 4, "fe80::1", -EINVAL,
			"fe80::1 is an address of 16 bytes, but unsigned int has 4"},
		{U32, 4, "10.0.0.0/8", -EINVAL, "unsigned int is no prefix: '/' has no meaning"},
		{LPM4, 8, "10.0.0.0/33", -ERANGE,
			"'/33': a prefix of this address has 0 to 32 bits"},
		{LPM4, 8, "10.0.0.0/", -ERANGE, "'/': a prefix of this address has 0 to 32 bits"},
		{LPM4, 8, "fe80::/10", -EINVAL,
			"fe80:: is an address of 16 bytes, but struct lpm4 has 4"},
		{COLOUR, 4, "PINK", -EINVAL, "enum colour has no value named 'PINK'"},
		{NAME, 8, "waytoolong", -ERANGE,
			"the text has 10 characters, but char[8] has room for 8"},
		{NAME, 8, "\"waytoolong\"", -ERANGE,
			"the text is longer than char[8] has room for"},
		{NAME, 8, "\"open", -EINVAL, "the text has no '\"' at its end"},
		{NAME, 8, "1 2 3", -EINVAL, "3 bytes given, but char[8] has 8"},
		{U16S, 6, "{1, 2, 3, 4}", -EINVAL, "more than 3 values"},
		{U16S, 6, "{1, 70000}", -ERANGE,
			"[1]: 70000 does not fit unsigned short (2 bytes): 0 to 65535"},
		{U16S, 6, "{1, 2", -EINVAL, "'': a ',' or '}' is missing before it"},
		{U16S, 6, "5", -EINVAL, "'5' is not {…}, as unsigned short[3] needs"},
		{KEY, 8, "{prt=80}", -EINVAL, "struct key has no member 'prt'"},
		{KEY, 8, "{port=70000}", -ERANGE,
			"port: 70000 does not fit unsigned short (2 bytes): 0 to 65535"},
		{KEY, 8, "{port=1, port=2}", -EINVAL, "port: given twice"},
		{KEY, 8, "{1, 2, 3, 4}", -EINVAL, "more values than struct key has members"},
		{KEY, 8, "{port=80", -EINVAL, "'': a ',' or '}' is missing before it"},
		{KEY, 8, "{port=80} x", -EINVAL, "'x' is left over"},
		{KEY, 8, "80", -EINVAL, "'80' is not {…}, as struct key needs"},
		{UNION, 4, "{1, 2}", -EINVAL, "more values than union either has members"},
		{UNION, 4, "{word=1, half=2}", -EINVAL, "half: given twice"},
		{BITS, 4, "{a=8}", -ERANGE, "a: 8 does not fit unsigned int (3 bits): 0 to 7"},
		{BITS, 4, "{b=16}", -ERANGE, "b: 16 does not fit int (5 bits): -16 to 15"},
		{OUTER, 24, "{list={1, 2, {3}}}", -EINVAL,
			"list[2]: '{3}}}' is not a number, as unsigned short needs"},
		{OUTER, 24, "{u={half=x}}", -EINVAL,
			"u.half: 'x}}' is not a number, as unsigned short needs"},
		{SECTION, 4, "{cnt=5}", -EINVAL, ".data has no variable 'cnt'"},
		{INT, 8, "5", -EINVAL, "int has 4 bytes, not 8"},
		{TAGGED, 4, "x", -EINVAL, "'x' is not a number, as number needs"},
		{FWD, 4, "5", -EINVAL, "unseen has 0 bytes, not 4"},
		{99, 4, "5", -EINVAL, "type 99 is not known"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char why[BTF_VALUE_ERROR_MAX] = "";
		u8 data[64], untouched[64];
		int err;

		memset(data, 0xee, sizeof(data));
		memset(untouched, 0xee, sizeof(untouched));
		err = btf_value_parse(
			rows[i].words, btf, rows[i].id, data, rows[i].len, why, sizeof(why));
		if (err != rows[i].err || strcmp(why, rows[i].why))
			fail_msg("%s: %d %s", rows[i].words, err, why);
		assert_memory_equal(data, untouched, sizeof(data));
	}
}

/* A text printed is a text that reads: what was read prints the same again. */
static void what_prints_reads_back(void **state)
{
	static const u32 ids[] = {INT, U64, COLOUR, KEY, U16S, GRID, LPM4, NAME, INNER};
	u8 data[64];
	u32 seed = 1;

	for (int round = 0; round < 2000; round++) {
		u32 id = ids[round % ARRAY_SIZE(ids)];
		size_t len = (size_t)btf__resolve_size(btf, id);
		char *out, *again, why[BTF_VALUE_ERROR_MAX] = "";

		for (size_t i = 0; i < len; i++) {
			seed = seed * 1664525 + 1013904223;
			data[i] = id == NAME ? (u8)(i < 7 ? 'a' + (seed >> 24) % 26 : 0)
					     : (u8)(seed >> 24);
		}
		assert_int_equal(print(id, data, len, false, &out), 0);
		memset(data, 0xee, sizeof(data));
		if (btf_value_parse(out, btf, id, data, len, why, sizeof(why)))
			fail_msg("%s: %s", out, why);
		assert_int_equal(print(id, data, len, false, &again), 0);
		assert_string_equal(out, again);
		free(out);
		free(again);
	}
}

static void no_memory_is_told(void **state)
{
	char why[BTF_VALUE_ERROR_MAX];
	u8 data[8];

	for (u64 nth = 1; nth <= 2; nth++) {
		mem_fail_at(nth);
		assert_int_equal(
			btf_value_parse("{port=1}", btf, KEY, data, 8, why, sizeof(why)), -ENOMEM);
	}
	mem_fail_at(3);
	assert_int_equal(btf_value_parse("{port=1}", btf, KEY, data, 8, why, sizeof(why)), 0);
	mem_fail_at(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_print_as_their_type_says),
		cmocka_unit_test(what_cannot_print_writes_nothing),
		cmocka_unit_test(words_make_values),
		cmocka_unit_test(wrong_words_are_explained),
		cmocka_unit_test(what_prints_reads_back),
		cmocka_unit_test(no_memory_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
