/*
 * Key and value types of maps, a row a case, and the special fields found in a value.
 */
#include "btf/mapkv.h"

#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "base/buf.h"
#include "btf/btf.h"
#include "btf/fields.h"
#include "text.h"

static const char types[] = "INT u32 size=4\n"	  /* 1 */
			    "INT u64 size=8\n"	  /* 2 */
			    "STRUCT key size=8\n" /* 3 */
			    "	prefixlen type=1\n"
			    "	addr type=1 off=32\n"
			    "STRUCT bpf_spin_lock size=4\n" /* 4 */
			    "	val type=1\n"
			    "STRUCT locked size=8\n" /* 5 */
			    "	count type=1\n"
			    "	lock type=4 off=32\n"
			    "VAR v type=1\n"	    /* 6 */
			    "DATASEC .bss size=4\n" /* 7 */
			    "	type=6 off=0 size=4\n"
			    "ARRAY elem=2 index=1 nelems=2\n" /* 8 */
			    "STRUCT bpf_timer size=16\n"      /* 9 */
			    "	o type=8\n"
			    "STRUCT timed size=24\n" /* 10 */
			    "	x type=2\n"
			    "	timer type=9 off=64\n"
			    "STRUCT twice size=16\n" /* 11 */
			    "	a type=5\n"
			    "	b type=5 off=64\n"
			    "STRUCT two_timers size=32\n" /* 12 */
			    "	a type=9\n"
			    "	b type=9 off=128\n"
			    "TYPEDEF t type=5\n"	       /* 13 */
			    "FWD f\n"			       /* 14 */
			    "TYPE_TAG kptr type=3\n"	       /* 15 */
			    "PTR type=15\n"		       /* 16 */
			    "ARRAY elem=16 index=1 nelems=3\n" /* 17 */
			    "STRUCT owner size=32\n"	       /* 18 */
			    "	x type=2\n"
			    "	p type=17 off=64\n"
			    "STRUCT cgroup_key size=16\n" /* 19 */
			    "	id type=2\n"
			    "	attach type=1 off=64\n";

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

#define T(name) BPF_MAP_TYPE_##name

static void maps_and_their_types(void **state)
{
	static const struct {
		struct btf_map_want want;
		int err;
		u32 mask; /* of fields */
	} rows[] = {
		{{T(HASH), 0, 8, 4, 4, 1, 1}, 0},
		{{T(HASH), 0, 8, 8, 8, 3, 2}, 0},
		{{T(HASH), 0, 8, 8, 4, 1, 1}, -EINVAL},	 /* key of 8 bytes, type of 4 */
		{{T(HASH), 0, 8, 4, 8, 1, 1}, -EINVAL},	 /* value of 8 bytes, type of 4 */
		{{T(HASH), 0, 8, 4, 4, 0, 1}, -EINVAL},	 /* no key type */
		{{T(HASH), 0, 8, 4, 4, 99, 1}, -EINVAL}, /* unknown key type */
		{{T(HASH), 0, 8, 4, 8, 1, 14}, -EINVAL}, /* a forward has no size */
		{{T(ARRAY), 0, 8, 4, 8, 1, 2}, 0},
		{{T(ARRAY), 0, 8, 4, 8, 4, 2}, -EINVAL}, /* an index is an int */
		{{T(ARRAY), 0, 1, 4, 4, 0, 7}, 0},	 /* .bss */
		{{T(ARRAY), 0, 2, 4, 4, 0, 7}, -EINVAL}, /* .bss is one value */
		{{T(ARRAY), 0, 1, 4, 4, 0, 1}, -EINVAL}, /* no key, no section */
		{{T(PERCPU_ARRAY), 0, 1, 4, 4, 0, 7}, -EINVAL},
		{{T(LPM_TRIE), BPF_F_NO_PREALLOC, 8, 8, 4, 3, 1}, 0},
		{{T(LPM_TRIE), BPF_F_NO_PREALLOC, 8, 8, 4, 2, 1}, -EINVAL},
		{{T(DEVMAP), 0, 8, 4, 4, 1, 1}, -BTF_ENOTSUPP},
		{{T(BLOOM_FILTER), 0, 8, 0, 4, 0, 1}, 0},
		{{T(SK_STORAGE), 0, 0, 4, 4, 1, 1}, 0},
		{{T(SK_STORAGE), 0, 0, 8, 4, 2, 1}, -EINVAL},
		{{T(CGROUP_STORAGE), 0, 0, 16, 4, 19, 1}, 0},
		{{T(CGROUP_STORAGE), 0, 0, 8, 4, 2, 1}, 0},
		{{T(CGROUP_STORAGE), 0, 0, 8, 4, 3, 1}, -EINVAL},
		{{T(UNSPEC), 0, 8, 4, 4, 1, 1}, -EINVAL},
		{{1000, 0, 8, 4, 4, 1, 1}, -EINVAL},
		{{T(HASH), 0, 8, 4, 8, 1, 5}, 0, BTF_FIELD_SPIN_LOCK},
		{{T(HASH), 0, 8, 4, 8, 1, 13}, 0, BTF_FIELD_SPIN_LOCK}, /* through a typedef */
		{{T(LRU_HASH), 0, 8, 4, 8, 1, 5}, -EOPNOTSUPP},
		{{T(PERCPU_HASH), 0, 8, 4, 8, 1, 5}, -EOPNOTSUPP},
		{{T(HASH), BPF_F_RDONLY_PROG, 8, 4, 8, 1, 5}, -EACCES},
		{{T(ARRAY), 0, 8, 4, 24, 1, 10}, 0, BTF_FIELD_TIMER},
		{{T(PERCPU_ARRAY), 0, 8, 4, 24, 1, 10}, -EOPNOTSUPP},
		{{T(HASH), 0, 8, 4, 32, 1, 12}, 0}, /* two timers: counts as none */
		{{T(PERCPU_HASH), 0, 8, 4, 32, 1, 18}, 0, BTF_FIELD_KPTR_REF},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct btf_fields *fields = NULL;
		int err = btf_map_check(btf, &rows[i].want, &fields);

		if (err != rows[i].err || (fields ? fields->mask : 0) != rows[i].mask)
			fail_msg("row %zu: %d, fields %#x", i, err, fields ? fields->mask : 0);
		btf_fields_free(fields);
	}
}

static void fields_have_places(void **state)
{
	struct btf_fields *fields = NULL;
	const struct btf_field *lock;

	assert_int_equal(btf_fields_find(btf, 5, BTF_FIELD_SPIN_LOCK, 8, &fields), 0);
	lock = btf_fields_at(fields, BTF_FIELD_SPIN_LOCK);
	assert_non_null(lock);
	assert_int_equal(lock->off, 4);
	assert_int_equal(lock->size, 4);
	assert_null(btf_fields_at(fields, BTF_FIELD_TIMER));
	btf_fields_free(fields);

	assert_int_equal(btf_fields_find(btf, 18, BTF_FIELD_KPTR, 32, &fields), 0);
	assert_int_equal(fields->cnt, 3);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(fields->items[i].off, 8 + 8 * i);
		assert_int_equal(fields->items[i].type_id, 3);
		assert_false(fields->items[i].of_kernel);
	}
	btf_fields_free(fields);
	assert_int_equal(btf_fields_find(btf, 1, BTF_FIELD_KPTR, 4, &fields), -EINVAL);
	assert_non_null(btf_struct_fields(btf, 5));
	assert_null(btf_struct_fields(btf, 3));
}

/* 31 structs deep, each with two of the next, all empty: 2^31 leaves. */
static void a_nest_without_end_is_refused(void **state)
{
	struct buf source = BUF_INIT, data;
	struct btf_obj *deep = NULL;

	buf_str(&source, "STRUCT bpf_refcount size=4\nSTRUCT s size=0\n");
	for (int i = 0; i < 29; i++)
		buf_printf(&source, "STRUCT s size=0\n\ta type=%d\n\tb type=%d\n", i + 2, i + 2);
	buf_str(&source, "STRUCT top size=4\n\tr type=1\n\ts type=31 off=32\n");
	data = btf_text(buf_text(&source));
	assert_int_equal(btf_new(data.data, data.len, NULL, &deep), -E2BIG);
	buf_done(&source);
	buf_done(&data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_and_their_types),
		cmocka_unit_test(fields_have_places),
		cmocka_unit_test(a_nest_without_end_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
