/*
 * Questions to an object: lookups, sizes, members, prototypes, names.
 */
#include "btf/btf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "base/buf.h"
#include "text.h"

static const char types[] = "INT int size=4 enc=1\n"	      /* 1 */
			    "INT \"unsigned char\" size=1\n"  /* 2 */
			    "TYPEDEF u8 type=2\n"	      /* 3 */
			    "CONST type=3\n"		      /* 4 */
			    "ARRAY elem=4 index=1 nelems=6\n" /* 5 */
			    "ARRAY elem=5 index=1 nelems=2\n" /* 6 */
			    "STRUCT packet size=32 kflag=1\n" /* 7 */
			    "	macs type=6 off=0\n"
			    "	next type=8 off=128\n"
			    "	flags type=1 off=192 bitsize=3\n"
			    "	rest type=1 off=195 bitsize=5\n"
			    "	type=9 off=224\n"
			    "PTR type=7\n"   /* 8 */
			    "UNION size=4\n" /* 9 */
			    "	word type=1\n"
			    "FUNC_PROTO type=1\n" /* 10 */
			    "	p type=8\n"
			    "	type=0\n"
			    "FUNC handle type=10 vlen=1\n" /* 11 */
			    "PTR type=10\n"		   /* 12 */
			    "CONST type=12\n"		   /* 13 */
			    "FUNC_PROTO type=0\n"	   /* 14 */
			    "FUNC nothing type=14\n"	   /* 15 */
			    "VAR counter type=6\n"	   /* 16 */
			    "DATASEC .bss size=12\n"	   /* 17 */
			    "	type=16 off=0 size=12\n"
			    "DECL_TAG \"contains:a:b\" type=7 idx=1\n" /* 18 */
			    "DECL_TAG other type=7 idx=1\n"	       /* 19 */
			    "DECL_TAG \"contains:c:d\" type=7 idx=1\n" /* 20 */
			    "FWD unseen\n"			       /* 21 */
			    "PTR type=21\n"			       /* 22 */
			    "ENUM colour size=4\n"		       /* 23 */
			    "	RED val=0\n"
			    "PTR type=5\n"		       /* 24 */
			    "ARRAY elem=12 index=1 nelems=3\n" /* 25 */
			    "PTR type=0\n"		       /* 26 */
			    "PTR type=26\n"		       /* 27 */
			    "PTR type=4\n"		       /* 28 */
			    "FWD either kflag=1\n"	       /* 29 */
			    "VOLATILE type=29\n"	       /* 30 */
			    "FUNC_PROTO type=23\n"	       /* 31 */
			    "FUNC paint type=31\n";	       /* 32 */

static struct btf_obj *object(const char *text)
{
	struct buf data = btf_text(text);
	struct btf_obj *btf = NULL;

	assert_int_equal(btf_new(data.data, data.len, NULL, &btf), 0);
	buf_done(&data);
	return btf;
}

static int setup(void **state)
{
	*state = object(types);
	return 0;
}

static int teardown(void **state)
{
	btf_free(*state);
	return 0;
}

static void finds_types_by_id_and_name(void **state)
{
	const struct btf_obj *btf = *state;
	u32 id = 99;

	assert_int_equal(btf_type_cnt(btf), 33);
	assert_true(btf_type_is(btf_type_at(btf, 0), BTF_KIND_UNKN));
	assert_null(btf_type_at(btf, 33));
	assert_string_equal(btf_type_name(btf, 7), "packet");
	assert_string_equal(btf_type_name(btf, 9), "");
	assert_string_equal(btf_type_name(btf, 1000), "");
	assert_int_equal(btf_find(btf, "packet", BTF_KIND_STRUCT, &id), 0);
	assert_int_equal(id, 7);
	id = 99;
	assert_int_equal(btf_find(btf, "packet", BTF_KIND_UNION, &id), -ENOENT);
	assert_int_equal(id, 99);
	assert_null(btf_str(btf, 100000));
	assert_string_equal(btf_kind_name(BTF_KIND_DATASEC), "DATASEC");
	assert_string_equal(btf_kind_name(77), "UNKNOWN");
}

static void finds_tags_one_after_the_other(void **state)
{
	const struct btf_obj *btf = *state;
	u32 id = 0;

	assert_int_equal(btf_find_decl_tag(btf, 7, 1, "contains:", 0, &id), 0);
	assert_int_equal(id, 18);
	assert_int_equal(btf_find_decl_tag(btf, 7, 1, "contains:", id, &id), 0);
	assert_int_equal(id, 20);
	assert_int_equal(btf_find_decl_tag(btf, 7, 1, "contains:", id, &id), -ENOENT);
	assert_int_equal(btf_find_decl_tag(btf, 7, 0, "contains:", 0, &id), -ENOENT);
}

static void knows_sizes_through_modifiers_and_arrays(void **state)
{
	static const struct {
		u32 id, sized_id, size;
	} rows[] = {{1, 1, 4}, {3, 2, 1}, {4, 2, 1}, {5, 5, 6}, {6, 6, 12}, {7, 7, 32}, {8, 8, 8},
		{13, 12, 8}, {16, 6, 12}, {17, 17, 12}, {23, 23, 4}, {25, 25, 24}};
	static const u32 sizeless[] = {0, 10, 11, 18, 21, 30, 33, UINT32_MAX};
	u32 id, size;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(btf_size(*state, rows[i].id, &id, &size), 0);
		assert_int_equal(id, rows[i].sized_id);
		assert_int_equal(size, rows[i].size);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizeless); i++)
		assert_int_equal(btf_size(*state, sizeless[i], NULL, &size), -EINVAL);
	assert_int_equal(btf_skip_modifiers(*state, 4), 2);
	assert_int_equal(btf_skip_modifiers(*state, 0), 0);
}

static void flattens_arrays(void **state)
{
	u32 id, cnt;

	assert_int_equal(btf_elems(*state, 6, &id, &cnt), 0);
	assert_int_equal(id, 4);
	assert_int_equal(cnt, 12);
	assert_int_equal(btf_elems(*state, 7, &id, &cnt), 0);
	assert_int_equal(id, 7);
	assert_int_equal(cnt, 1);
}

static void walks_members(void **state)
{
	const struct btf_type *t = btf_type_at(*state, 7);
	struct btf_field_ref m = btf_member_at(*state, t, 1);

	assert_int_equal(btf_type_vlen(t), 5);
	assert_string_equal(m.name, "next");
	assert_int_equal(m.type_id, 8);
	assert_int_equal(m.bit_off, 128);
	assert_int_equal(m.bit_size, 0);
	m = btf_member_at(*state, t, 3);
	assert_string_equal(m.name, "rest");
	assert_int_equal(m.bit_off, 195);
	assert_int_equal(m.bit_size, 5);
	m = btf_member_at(*state, t, 4);
	assert_string_equal(m.name, "");
}

static void reads_prototypes(void **state)
{
	static const u32 same[] = {10, 11, 12, 13};
	static const u32 other[] = {0, 1, 7, 8, 18, 26, 99};
	struct btf_proto proto;

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		assert_int_equal(btf_proto_of(*state, same[i], &proto), 0);
		assert_int_equal(proto.proto_id, 10);
		assert_int_equal(proto.ret_id, 1);
		assert_int_equal(proto.arg_cnt, 1);
		assert_int_equal(proto.args[0].type, 8);
		assert_true(proto.is_variadic);
	}
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		assert_int_equal(btf_proto_of(*state, other[i], &proto), -EINVAL);
	assert_int_equal(btf_func_linkage(btf_type_at(*state, 11)), BTF_FUNC_GLOBAL);
	assert_true(btf_func_returns_scalar(*state, 11));
	assert_true(btf_func_returns_scalar(*state, 32));
	assert_false(btf_func_returns_scalar(*state, 15));
}

static void prints_types_as_c(void **state)
{
	static const struct {
		u32 id;
		const char *text;
	} rows[] = {{0, "void"}, {1, "int"}, {4, "const u8"}, {6, "const u8[2][6]"},
		{7, "struct packet"}, {8, "struct packet *"}, {9, "union (anon)"},
		{10, "int(struct packet *, ...)"}, {12, "int (*)(struct packet *, ...)"},
		{13, "int (*const)(struct packet *, ...)"}, {14, "void(void)"},
		{22, "struct unseen *"}, {23, "enum colour"}, {24, "const u8 (*)[6]"},
		{25, "int (*[3])(struct packet *, ...)"}, {27, "void **"}, {28, "const u8 *"},
		{30, "volatile union either"}, {99, "(type 99)"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf text = BUF_INIT;

		btf_print_type(&text, *state, rows[i].id);
		assert_string_equal(buf_text(&text), rows[i].text);
		buf_done(&text);
	}
}

/* Each function takes two pointers to the one before: 2^40 words, were it written out. */
static void cuts_types_that_never_end(void **state)
{
	struct buf source = BUF_INIT, text = BUF_INIT;
	struct btf_obj *btf;

	buf_str(&source, "PTR type=2\nFUNC_PROTO type=0\n");
	for (int i = 0; i < 40; i++)
		buf_printf(&source, "PTR type=%d\nFUNC_PROTO type=0\n\ta type=%d\n\tb type=%d\n",
			2 * i + 4, 2 * i + 1, 2 * i + 1);
	btf = object(buf_text(&source));
	btf_print_type(&text, btf, 81);
	assert_true(text.len < 4096);
	assert_non_null(strstr(buf_text(&text), "..."));
	btf_free(btf);
	buf_done(&source);
	buf_done(&text);
}

static void refuses_what_is_too_large(void **state)
{
	struct btf_obj *btf = NULL;

	assert_int_equal(btf_new("", BTF_SIZE_MAX + 1, NULL, &btf), -E2BIG);
	assert_int_equal(btf_new(NULL, 0, NULL, &btf), -EINVAL);
	assert_null(btf);
	btf_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_types_by_id_and_name, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_tags_one_after_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(
			knows_sizes_through_modifiers_and_arrays, setup, teardown),
		cmocka_unit_test_setup_teardown(flattens_arrays, setup, teardown),
		cmocka_unit_test_setup_teardown(walks_members, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_prototypes, setup, teardown),
		cmocka_unit_test_setup_teardown(prints_types_as_c, setup, teardown),
		cmocka_unit_test(cuts_types_that_never_end),
		cmocka_unit_test(refuses_what_is_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
