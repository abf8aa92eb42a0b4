/*
 * The LPM trie against a model that tries every length: all prefixes of 16 bits that stand somewhere in a longer
 * key, so densely set that tables come, grow, swallow others, shrink and go.
 */
#include "fixture.h"
#include "maps/lpm.h"

#include <errno.h>
#include <stdlib.h>

enum { BITS = 16, CNT = 1 << BITS, DATA_MAX = 256, OPS = 60000, PROBES = 3 };

/* Which prefixes are there (0: none, else the value), by length and leading bits. */
struct model {
	struct map *map;
	u32 data_size, off; /* where in the data the bits begin */
	u32 values[BITS + 1][CNT];
	u32 cnt;
	u64 rng;
};

static u32 rnd(struct model *m, u32 below)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (u32)(m->rng >> 24) % below;
}

/* The bits before are always the same, those after are noise. */
static void make_key(struct model *m, u32 len, u32 bits, u8 *ret_key)
{
	u32 prefix_len = m->off + len;

	memcpy(ret_key, &prefix_len, sizeof(prefix_len));
	for (u32 i = 0; i < m->data_size; i++)
		ret_key[4 + i] = i * 8 < m->off ? 0xa5 : (u8)rnd(m, 256);
	for (u32 i = 0; i < BITS; i++) {
		u32 at = m->off + i;
		u8 mask = (u8)(0x80 >> at % 8);

		ret_key[4 + at / 8] &= (u8)~mask;
		ret_key[4 + at / 8] |= bits >> (BITS - 1 - i) & 1 ? mask : 0;
	}
}

static u32 top_bits(u32 bits, u32 len)
{
	return len ? bits >> (BITS - len) : 0;
}

static u32 *place(struct model *m, u32 len, u32 bits)
{
	return &m->values[len][top_bits(bits, len)];
}

static u32 longest(struct model *m, u32 max, u32 bits)
{
	for (u32 len = max + 1; len--;)
		if (*place(m, len, bits))
			return *place(m, len, bits);
	return 0;
}

static void check_lookups(struct model *m, u32 bits)
{
	u8 key[4 + DATA_MAX];

	for (u32 i = 0; i < PROBES; i++) {
		u32 len = i ? BITS : rnd(m, BITS + 1), want, got;
		const u64 *value;
		u64 copy = 0;

		bits = i == 2 ? rnd(m, CNT) : bits;
		make_key(m, len, bits, key);
		want = longest(m, len, bits);
		value = m->map->ops->lookup(m->map, key, 0);
		got = value ? (u32)*value : 0;
		if (got != want)
			fail_msg("%u/%u: found %u, expected %u", bits, len, got, want);
		assert_int_equal(map_user_lookup(m->map, key, &copy, 0), want ? 0 : -ENOENT);
		assert_int_equal(copy, want);
	}
}

/* Postorder: both halves, then the prefix itself. */
static void walk_model(struct model *m, u32 len, u32 bits, u8 *key, bool *is_first)
{
	u8 next[4 + DATA_MAX], want[4 + DATA_MAX];

	if (len < BITS) {
		walk_model(m, len + 1, bits, key, is_first);
		walk_model(m, len + 1, bits | 1U << (BITS - 1 - len), key, is_first);
	}
	if (!*place(m, len, bits))
		return;
	assert_int_equal(map_user_next_key(m->map, *is_first ? NULL : key, next), 0);
	make_key(m, len, bits, want);
	assert_memory_equal(next, want, 4 + m->off / 8 + len / 8);
	memcpy(key, next, sizeof(next));
	*is_first = false;
}

static void check_order(struct model *m)
{
	u8 key[4 + DATA_MAX], next[4 + DATA_MAX];
	bool is_first = true;

	walk_model(m, 0, 0, key, &is_first);
	assert_int_equal(map_user_next_key(m->map, is_first ? NULL : key, next), -ENOENT);
}

/* The invariants of lpm.h about nodes and tables; nodes with children below num (itself too) that are shorter than end. */
static u32 check_below(const struct lpm *lpm, u32 num, u32 above, u32 end)
{
	const struct lpm_node *node = lpm_node(lpm, num);
	u32 own_end = lpm_end(node->head), len = lpm_len(node->head), own = 0, cnt = 0;

	if (!num)
		return 0;
	assert_int_equal(lpm->parents[num], above);
	if (lpm_bits(node->head))
		assert_true(len >= end);
	else if (node->head & LPM_IM)
		assert_true(node->child[0] && node->child[1]);
	for (u32 side = 0; side < 2; side++) {
		u32 child = node->child[side];

		if (lpm_bits(node->head))
			own += check_below(lpm, child, num, own_end);
		else
			cnt += check_below(lpm, child, num, end);
	}
	if (lpm_bits(node->head))
		assert_int_equal(lpm->units[lpm_table(node->head)].node_cnt, own + 1);
	return cnt + (len < end && (node->child[0] || node->child[1]));
}

static void check_shape(struct model *m)
{
	const struct lpm *lpm = container_of(m->map, struct lpm, map);

	check_below(lpm, *lpm_root(lpm), 0, 0);
}

/* Mostly long ones, now and then a very short one. */
static u32 draw_len(struct model *m)
{
	u32 kind = rnd(m, 8);

	return kind == 0 ? rnd(m, BITS + 1) : kind < 6 ? BITS - rnd(m, 3) : BITS - 4 - rnd(m, 5);
}

static void change(struct model *m, u32 spread, u32 adds_of_8)
{
	u32 len = draw_len(m), bits = rnd(m, spread);
	u32 *there = place(m, len, bits);
	u64 value = rnd(m, 1 << 20) + 1;
	u8 key[4 + DATA_MAX];

	make_key(m, len, bits, key);
	if (rnd(m, 8) < adds_of_8) {
		u64 flags = rnd(m, 3);
		int want = *there ? (flags == BPF_NOEXIST ? -EEXIST : 0)
				  : (flags == BPF_EXIST			    ? -ENOENT
					    : m->cnt == m->map->max_entries ? -ENOSPC
									    : 0);

		assert_int_equal(map_user_update(m->map, key, &value, flags), want);
		if (!want) {
			m->cnt += !*there;
			*there = (u32)value;
		}
	} else {
		assert_int_equal(map_user_delete(m->map, key), *there ? 0 : -ENOENT);
		m->cnt -= *there != 0;
		*there = 0;
	}
	check_lookups(m, bits);
}

static void drop_all(struct model *m)
{
	u8 key[4 + DATA_MAX];

	while (!map_user_next_key(m->map, NULL, key))
		assert_int_equal(map_user_delete(m->map, key), 0);
	memset(m->values, 0, sizeof(m->values));
	m->cnt = 0;
}

static void run_model(u32 data_size, u32 off, u32 max_entries)
{
	struct model *m = calloc(1, sizeof(*m));
	struct skep inst;

	inst_start(&inst);
	*m = (struct model){.data_size = data_size, .off = off, .rng = data_size * 77 + off + 1};
	m->map = map_make(&inst, BPF_MAP_TYPE_LPM_TRIE, 4 + data_size, 8, max_entries, 0);
	for (u32 i = 0; i < OPS; i++) {
		/* phases: fill, some churn, empty; over all bits or a corner of them */
		u32 phase = i * 8 / OPS;

		change(m, phase % 4 < 2 ? CNT : CNT / 16,
			phase % 4 == 1	 ? 7
			: phase % 4 == 3 ? 1
					 : 5);
		if (i % (OPS / 16) == 0)
			check_order(m);
		if (i % (OPS / 64) == 0)
			check_shape(m);
	}
	drop_all(m);
	check_lookups(m, 1234);
	/* one after the other, upwards and downwards: the root moves up each time they double */
	for (u32 i = 0; i < MIN(max_entries, 6000U); i++) {
		u8 key[4 + DATA_MAX];
		u64 value = i + 1;
		u32 bits = i & 1 ? i : CNT - 1 - i;

		make_key(m, BITS, bits, key);
		assert_int_equal(map_user_update(m->map, key, &value, BPF_NOEXIST), 0);
		*place(m, BITS, bits) = (u32)value;
		check_lookups(m, bits);
	}
	check_order(m);
	obj_put(&m->map->obj);
	inst_done(&inst);
	free(m);
}

static void two_bytes(void **state)
{
	run_model(2, 0, 20000);
}

static void ipv4(void **state)
{
	run_model(4, 0, 20000);
	run_model(4, 13, 20000);
}

static void eight_bytes(void **state)
{
	run_model(8, 7, 20000);
	run_model(8, 48, 20000);
}

static void ipv6_across_words(void **state)
{
	run_model(16, 32, 20000);
	run_model(16, 57, 20000);
}

static void odd_and_longest_keys(void **state)
{
	run_model(5, 21, 20000);
	run_model(256, 1020, 20000);
}

static void full_maps(void **state)
{
	run_model(4, 16, 700);
	run_model(16, 100, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_bytes),
		cmocka_unit_test(ipv4),
		cmocka_unit_test(eight_bytes),
		cmocka_unit_test(ipv6_across_words),
		cmocka_unit_test(odd_and_longest_keys),
		cmocka_unit_test(full_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
