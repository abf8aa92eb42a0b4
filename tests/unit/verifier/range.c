/*
 * Intervals against concrete numbers: every range with a signed and an unsigned side at 3 bits, in every
 * pair; at 4 bits every pair of one-sided ranges (the sides of a sum, difference or product do not see
 * each other); and random ranges around the boundaries at 32 and 64 bits.
 */
#include "domain.h"

#include "verifier/range.h"

enum { MAX_BITS = 4, MAX_RANGES = 20000, RANDOM_ROUNDS = 300000 };

static struct vf_range ranges[MAX_RANGES];
static u32 member_sets[MAX_RANGES];
static size_t range_cnt;

static u32 members(struct vf_range a, unsigned bits)
{
	u32 set = 0;

	for (u64 x = 0; x < 1u << bits; x++) {
		s64 s = concrete_signed(x, bits);

		if (a.umin <= x && x <= a.umax && a.smin <= s && s <= a.smax)
			set |= 1u << x;
	}
	return set;
}

static void add_range(struct vf_range a, unsigned bits)
{
	u32 set = members(a, bits);

	if (!set)
		return;
	ranges[range_cnt] = a;
	member_sets[range_cnt++] = set;
}

static void enumerate(unsigned bits, bool two_sided)
{
	s64 n = 1 << bits, half = n / 2;

	range_cnt = 0;
	for (s64 umin = 0; umin < n; umin++) {
		for (s64 umax = umin; umax < n; umax++) {
			for (s64 smin = -half; smin < half; smin++) {
				for (s64 smax = smin; smax < half; smax++) {
					bool u_free = umin == 0 && umax == n - 1;
					bool s_free = smin == -half && smax == half - 1;

					if (two_sided || u_free || s_free)
						add_range((struct vf_range){umin, umax, smin, smax},
							bits);
				}
			}
		}
	}
}

#define SHOW(a) (int)(a).umin, (int)(a).umax, (int)(a).smin, (int)(a).smax
#define RANGE	"u[%d,%d] s[%d,%d]"

struct op {
	const char *name;
	struct vf_range (*abstract)(struct vf_range a, struct vf_range b, unsigned bits);
	u8 concrete;
};

static const struct op ops[] = {
	{"+", vf_range_add, BPF_ADD},
	{"-", vf_range_sub, BPF_SUB},
	{"*", vf_range_mul, BPF_MUL},
};

static void try_every_pair(unsigned bits)
{
	for (const struct op *op = ops; op < ops + ARRAY_SIZE(ops); op++) {
		for (size_t i = 0; i < range_cnt; i++) {
			/* reached[y]: results of all members of the first range with y */
			u32 reached[1 << MAX_BITS] = {0};

			for (u64 x = 0; x < 1u << bits; x++)
				for (u64 y = 0; member_sets[i] >> x & 1 && y < 1u << bits; y++)
					reached[y] |= 1u << concrete_alu(op->concrete, x, y, bits);
			for (size_t j = 0; j < range_cnt; j++) {
				struct vf_range res = op->abstract(ranges[i], ranges[j], bits);
				u32 set = 0;

				for (u64 y = 0; y < 1u << bits; y++)
					if (member_sets[j] >> y & 1)
						set |= reached[y];
				CHECK(!(set & ~members(res, bits)), RANGE " %s " RANGE " = " RANGE,
					SHOW(ranges[i]), op->name, SHOW(ranges[j]), SHOW(res));
			}
		}
	}
}

static void arithmetic_holds_every_result(void **state)
{
	enumerate(3, true);
	try_every_pair(3);
	report_checks("arithmetic at 3 bits");
	enumerate(4, false);
	try_every_pair(4);
	report_checks("arithmetic at 4 bits");
}

static void an_interval_that_always_wraps_stays_exact(void **state)
{
	struct vf_range a = {14, 15, -2, -1}, b = {3, 4, 3, 4};
	struct vf_range sum = vf_range_add(a, b, 4), diff = vf_range_sub(b, a, 4);

	assert_int_equal(sum.umin, 1);
	assert_int_equal(sum.umax, 3);
	assert_int_equal(diff.umin, 4);
	assert_int_equal(diff.umax, 6);
	/* some results wrap: nothing is known */
	sum = vf_range_add((struct vf_range){13, 15, -8, 7}, (struct vf_range){1, 2, 1, 2}, 4);
	assert_int_equal(sum.umin, 0);
	assert_int_equal(sum.umax, 15);
}

static void shifts_hold_every_result(void **state)
{
	for (unsigned bits = 2; bits <= MAX_BITS; bits++) {
		enumerate(bits, true);
		for (size_t i = 0; i < range_cnt; i++) {
			for (u8 shift = 0; shift < bits; shift++) {
				u32 lsh = members(vf_range_lsh(ranges[i], shift, bits), bits);
				u32 rsh = members(vf_range_rsh(ranges[i], shift, bits), bits);
				u32 arsh = members(vf_range_arsh(ranges[i], shift, bits), bits);

				for (u64 x = 0; x < 1u << bits; x++) {
					u64 signed_shift = concrete_signed(x, bits) >> shift;

					if (!(member_sets[i] >> x & 1))
						continue;
					CHECK(lsh >> (x << shift & vf_umax(bits)) & 1,
						RANGE " << %u", SHOW(ranges[i]), shift);
					CHECK(rsh >> (x >> shift) & 1, RANGE " >> %u",
						SHOW(ranges[i]), shift);
					CHECK(arsh >> (signed_shift & vf_umax(bits)) & 1,
						RANGE " s>> %u", SHOW(ranges[i]), shift);
				}
			}
		}
	}
	report_checks("shifts");
}

/* and, or, xor: of the bits all that is used is the tnum of the result, given here as the best one */
static struct tnum best_tnum(u32 set)
{
	u64 zeros = 0, ones = 0;

	for (u64 x = 0; x < 16; x++) {
		if (set >> x & 1) {
			ones |= x;
			zeros |= ~x & 15;
		}
	}
	return (struct tnum){ones & ~zeros, ones & zeros};
}

static void bitwise_operations_hold_every_result(void **state)
{
	const unsigned bits = 3;

	enumerate(bits, true);
	for (size_t i = 0; i < range_cnt; i++) {
		for (size_t j = 0; j < range_cnt; j++) {
			u32 and = 0, or = 0, xor = 0;

			for (u64 x = 0; x < 8; x++) {
				for (u64 y = 0; member_sets[i] >> x & 1 && y < 8; y++) {
					if (!(member_sets[j] >> y & 1))
						continue;
					and |= 1u << (x & y);
					or |= 1u << (x | y);
					xor |= 1u << (x ^ y);
				}
			}
			CHECK(!(and&~members(
				      vf_range_and(ranges[i], ranges[j], best_tnum(and), bits),
				      bits)),
				RANGE " & " RANGE, SHOW(ranges[i]), SHOW(ranges[j]));
			CHECK(!(or &~members(vf_range_or(ranges[i], ranges[j], best_tnum(or), bits),
					   bits)),
				RANGE " | " RANGE, SHOW(ranges[i]), SHOW(ranges[j]));
			CHECK(!(xor&~members(vf_range_xor(best_tnum(xor), bits), bits)),
				RANGE " ^ " RANGE, SHOW(ranges[i]), SHOW(ranges[j]));
		}
	}
	report_checks("bitwise operations");
}

static void deduction_loses_no_member(void **state)
{
	for (unsigned bits = 2; bits <= MAX_BITS; bits++) {
		enumerate(bits, true);
		for (size_t i = 0; i < range_cnt; i++) {
			struct vf_range res = vf_range_deduce(ranges[i], bits);

			CHECK(members(res, bits) == member_sets[i], RANGE " -> " RANGE,
				SHOW(ranges[i]), SHOW(res));
		}
	}
	report_checks("deduction");
}

static void bits_bound_a_range(void **state)
{
	const unsigned bits = 4;

	enumerate(bits, true);
	for (size_t i = 0; i < range_cnt; i++) {
		for (u64 mask = 0; mask < 16; mask++) {
			for (u64 value = 0; value < 16; value++) {
				struct tnum t = {value & ~mask, mask};
				struct vf_range res = vf_range_meet_tnum(ranges[i], t, bits);
				u32 set = 0;

				if (value & mask)
					continue;
				for (u64 x = 0; x < 16; x++)
					set |= ((x & ~mask) == value) << x;
				set &= member_sets[i];
				CHECK(!(set & ~members(res, bits)), RANGE " meets (%x; %x)",
					SHOW(ranges[i]), (unsigned)value, (unsigned)mask);
			}
		}
	}
	report_checks("bounds from bits");
}

static void sets_compare_as_their_bounds(void **state)
{
	const unsigned bits = 3;

	enumerate(bits, true);
	for (size_t i = 0; i < range_cnt; i++) {
		for (u64 x = 0; x < 8; x++)
			CHECK(vf_range_has(ranges[i], x, bits) == (member_sets[i] >> x & 1), RANGE,
				SHOW(ranges[i]));
		CHECK(vf_range_is_sane(ranges[i]), RANGE, SHOW(ranges[i]));
		CHECK(vf_range_in(vf_range_unbounded(bits), ranges[i]), RANGE, SHOW(ranges[i]));
		for (size_t j = 0; j < range_cnt; j++) {
			struct vf_range both = vf_range_intersect(ranges[i], ranges[j]);

			CHECK(members(both, bits) == (member_sets[i] & member_sets[j]),
				RANGE " " RANGE, SHOW(ranges[i]), SHOW(ranges[j]));
			if (vf_range_in(ranges[i], ranges[j]))
				CHECK(!(member_sets[j] & ~member_sets[i]), RANGE " in " RANGE,
					SHOW(ranges[j]), SHOW(ranges[i]));
		}
	}
	for (u64 x = 0; x < 8; x++) {
		CHECK(members(vf_range_const(x, bits), bits) == 1u << x, "%u", (unsigned)x);
		CHECK(vf_range_is_const(vf_range_const(x, bits)), "%u", (unsigned)x);
	}
	report_checks("comparison");
}

/* a range and a member of it */
static struct vf_range random_range(unsigned bits, u64 *ret_member)
{
	u64 x = vf_zext(random_boundary(), bits), y = vf_zext(random_boundary(), bits);
	u64 z = vf_zext(random_boundary(), bits);
	struct vf_range a = vf_range_unbounded(bits);
	s64 sx = vf_sext(x, bits), sy = vf_sext(y, bits), sz = vf_sext(z, bits);

	if (random_next() & 3) {
		a.umin = MIN(x, MIN(y, z));
		a.umax = MAX(x, MAX(y, z));
	}
	if (random_next() & 3) {
		a.smin = MIN(sx, MIN(sy, sz));
		a.smax = MAX(sx, MAX(sy, sz));
	}
	*ret_member = x;
	return a;
}

static void operations_hold_random_results(void **state)
{
	static const unsigned widths[] = {32, 64};

	for (int i = 0; i < RANDOM_ROUNDS; i++) {
		unsigned bits = widths[i & 1];
		u64 x, y;
		struct vf_range a = random_range(bits, &x), b = random_range(bits, &y);
		u8 shift = random_next() & (bits - 1);

		for (const struct op *op = ops; op < ops + ARRAY_SIZE(ops); op++)
			CHECK(vf_range_has(op->abstract(a, b, bits),
				      concrete_alu(op->concrete, x, y, bits), bits),
				"%#llx %s %#llx at %u bits", (long long)x, op->name, (long long)y,
				bits);
		CHECK(vf_range_has(vf_range_lsh(a, shift, bits), x << shift, bits), "lsh");
		CHECK(vf_range_has(vf_range_rsh(a, shift, bits), x >> shift, bits), "rsh");
		CHECK(vf_range_has(vf_range_arsh(a, shift, bits), vf_sext(x, bits) >> shift, bits),
			"arsh");
		CHECK(vf_range_has(vf_range_deduce(a, bits), x, bits), "deduce %#llx at %u bits",
			(long long)x, bits);
	}
	report_checks("random operations");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic_holds_every_result),
		cmocka_unit_test(an_interval_that_always_wraps_stays_exact),
		cmocka_unit_test(shifts_hold_every_result),
		cmocka_unit_test(bitwise_operations_hold_every_result),
		cmocka_unit_test(deduction_loses_no_member),
		cmocka_unit_test(bits_bound_a_range),
		cmocka_unit_test(sets_compare_as_their_bounds),
		cmocka_unit_test(operations_hold_random_results),
	};

	random_seed(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
