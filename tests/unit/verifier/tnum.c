/*
 * Tristate numbers against concrete ones. Built twice: with VF_BITS=4 every operation is tried on every
 * pair of tnums and every pair of their members (and where the operation is optimal, its result must be
 * the smallest tnum there is); with 64 bits on random tnums around the boundaries.
 */
#include "domain.h"

#include "base/buf.h"
#include "verifier/tnum.h"

struct op {
	const char *name;
	struct tnum (*abstract)(struct tnum a, struct tnum b);
	u8 concrete;
	bool is_best; /* the result is the smallest tnum that holds every concrete result */
};

static const struct op ops[] = {
	{"add", tnum_add, BPF_ADD, true},
	{"sub", tnum_sub, BPF_SUB, true},
	{"and", tnum_and, BPF_AND, true},
	{"or", tnum_or, BPF_OR, true},
	{"xor", tnum_xor, BPF_XOR, true},
	{"mul", tnum_mul, BPF_MUL, false},
};

static bool is_well_formed(struct tnum t)
{
	return !(t.value & t.mask) && !((t.value | t.mask) & ~vf_umax(VF_BITS));
}

#if VF_BITS <= 4

enum { SIZE = 1 << VF_BITS };

static struct tnum all[SIZE * SIZE];
static size_t all_cnt;

static int enumerate(void **state)
{
	for (u64 mask = 0; mask < SIZE; mask++)
		for (u64 value = 0; value < SIZE; value++)
			if (!(mask & value))
				all[all_cnt++] = (struct tnum){value, mask};
	assert_int_equal(all_cnt, 81);
	return 0;
}

#define for_each_tnum(t) for (const struct tnum *t = all; t < all + all_cnt; t++)

static u32 members(struct tnum t)
{
	u32 set = 0;

	for (u64 x = 0; x < SIZE; x++)
		if ((x & ~t.mask) == t.value)
			set |= 1u << x;
	return set;
}

/* the smallest tnum that holds a non-empty set, found by search */
static struct tnum best(u32 set)
{
	struct tnum found = TNUM_UNKNOWN;

	for_each_tnum(t) if (!(set & ~members(*t)) &&
			     __builtin_popcountll(t->mask) < __builtin_popcountll(found.mask))
		found = *t;
	return found;
}

static u32 image(const struct op *op, u32 a, u32 b)
{
	u32 set = 0;

	for (u64 x = 0; x < SIZE; x++)
		for (u64 y = 0; y < SIZE; y++)
			if (a >> x & 1 && b >> y & 1)
				set |= 1u << concrete_alu(op->concrete, x, y, VF_BITS);
	return set;
}

#define SHOW(t) (unsigned)(t).value, (unsigned)(t).mask

static void binary_operations_hold_every_result(void **state)
{
	for (const struct op *op = ops; op < ops + ARRAY_SIZE(ops); op++) {
		for_each_tnum(a)
		{
			for_each_tnum(b)
			{
				struct tnum t = op->abstract(*a, *b);
				u32 results = image(op, members(*a), members(*b));

				CHECK(is_well_formed(t), "%s", op->name);
				for (u64 x = 0; x < SIZE; x++)
					CHECK(!(results >> x & 1) || tnum_has(t, x),
						"(%x; %x) %s (%x; %x) = (%x; %x) lacks %x",
						SHOW(*a), op->name, SHOW(*b), SHOW(t), (unsigned)x);
				if (op->is_best)
					CHECK(t.mask == best(results).mask,
						"(%x; %x) %s (%x; %x) = (%x; %x) is not best",
						SHOW(*a), op->name, SHOW(*b), SHOW(t));
			}
		}
	}
	report_checks("binary operations");
}

static void unary_operations_are_best(void **state)
{
	static const unsigned widths[] = {VF_HALF, VF_BITS};

	for_each_tnum(a)
	{
		u32 set = members(*a), neg = 0;

		for (u64 x = 0; x < SIZE; x++)
			if (set >> x & 1)
				neg |= 1u << concrete_alu(BPF_NEG, x, 0, VF_BITS);
		CHECK(members(tnum_neg(*a)) == members(best(neg)), "neg (%x; %x)", SHOW(*a));
		for (u8 shift = 0; shift < VF_BITS; shift++) {
			u32 lsh = 0, rsh = 0;

			for (u64 x = 0; x < SIZE; x++) {
				if (!(set >> x & 1))
					continue;
				lsh |= 1u << concrete_alu(BPF_LSH, x, shift, VF_BITS);
				rsh |= 1u << concrete_alu(BPF_RSH, x, shift, VF_BITS);
			}
			CHECK(members(tnum_lsh(*a, shift)) == lsh, "(%x; %x) << %u", SHOW(*a),
				shift);
			CHECK(members(tnum_rsh(*a, shift)) == rsh, "(%x; %x) >> %u", SHOW(*a),
				shift);
		}
		for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
			for (u8 shift = 0; shift < widths[w]; shift++) {
				u32 arsh = 0;

				for (u64 x = 0; x < SIZE; x++)
					if (set >> x & 1)
						arsh |= 1u << concrete_alu(
								BPF_ARSH, x, shift, widths[w]);
				CHECK(members(tnum_arsh(*a, shift, widths[w])) ==
						members(best(arsh)),
					"(%x; %x) s>> %u at %u bits", SHOW(*a), shift, widths[w]);
			}
		}
	}
	report_checks("unary operations and shifts");
}

static void ranges_give_the_smallest_tnum(void **state)
{
	for (u64 min = 0; min < SIZE; min++) {
		for (u64 max = min; max < SIZE; max++) {
			u32 set = 0;

			for (u64 x = min; x <= max; x++)
				set |= 1u << x;
			CHECK(members(tnum_range(min, max)) == members(best(set)), "[%x, %x]",
				(unsigned)min, (unsigned)max);
		}
	}
	report_checks("ranges");
}

static void set_operations_are_exact_or_best(void **state)
{
	for_each_tnum(a)
	{
		for_each_tnum(b)
		{
			u32 sa = members(*a), sb = members(*b);

			CHECK(tnum_in(*a, *b) == !(sb & ~sa), "(%x; %x) in (%x; %x)", SHOW(*b),
				SHOW(*a));
			CHECK(tnum_overlap(*a, *b) == !!(sa & sb), "(%x; %x) (%x; %x)", SHOW(*a),
				SHOW(*b));
			CHECK(members(tnum_union(*a, *b)) == members(best(sa | sb)),
				"(%x; %x) union (%x; %x)", SHOW(*a), SHOW(*b));
			CHECK(is_well_formed(tnum_intersect(*a, *b)), "intersect");
			if (sa & sb)
				CHECK(members(tnum_intersect(*a, *b)) == (sa & sb),
					"(%x; %x) intersect (%x; %x)", SHOW(*a), SHOW(*b));
		}
	}
	report_checks("set operations");
}

static void predicates_are_exact(void **state)
{
	for_each_tnum(a)
	{
		u32 set = members(*a);

		for (u64 x = 0; x < SIZE; x++) {
			CHECK(tnum_has(*a, x) == (set >> x & 1), "(%x; %x)", SHOW(*a));
			CHECK(tnum_equals_const(*a, x) == (set == 1u << x), "(%x; %x)", SHOW(*a));
		}
		for (u64 min = 0; min < SIZE; min++) {
			u32 from = set >> min << min;
			u64 member = ~0ull;
			bool found = tnum_first_from(*a, min, &member);

			CHECK(found == !!from, "(%x; %x) from %x", SHOW(*a), (unsigned)min);
			CHECK(member == (from ? (u64)__builtin_ctz(from) : ~0ull),
				"(%x; %x) from %x", SHOW(*a), (unsigned)min);
		}
		CHECK(tnum_is_const(*a) == (__builtin_popcount(set) == 1), "(%x; %x)", SHOW(*a));
		CHECK(tnum_is_unknown(*a) == (set == (1u << SIZE) - 1), "(%x; %x)", SHOW(*a));
		CHECK(tnum_is_aligned(*a, 0), "size 0");
		for (u64 size = 1; size < SIZE; size *= 2) {
			bool aligned = true;

			for (u64 x = 0; x < SIZE; x++)
				aligned &= !(set >> x & 1) || x % size == 0;
			CHECK(tnum_is_aligned(*a, size) == aligned, "(%x; %x)", SHOW(*a));
		}
	}
	report_checks("predicates");
}

static void subregisters_are_exact(void **state)
{
	const u64 low = vf_umax(VF_HALF);

	for_each_tnum(a)
	{
		u32 set = members(*a), cast = 0, clear = 0;

		for (u64 x = 0; x < SIZE; x++) {
			if (!(set >> x & 1))
				continue;
			cast |= 1u << (x & low);
			clear |= 1u << (x & ~low & vf_umax(VF_BITS));
		}
		CHECK(members(tnum_subreg(*a)) == cast, "(%x; %x)", SHOW(*a));
		CHECK(members(tnum_cast(*a, VF_HALF)) == cast, "(%x; %x)", SHOW(*a));
		CHECK(members(tnum_cast(*a, VF_BITS)) == set, "(%x; %x)", SHOW(*a));
		CHECK(members(tnum_clear_subreg(*a)) == clear, "(%x; %x)", SHOW(*a));
		CHECK(tnum_subreg_is_const(*a) == (__builtin_popcount(cast) == 1), "(%x; %x)",
			SHOW(*a));
		for_each_tnum(b)
		{
			u32 with = 0;

			for (u64 x = 0; x < SIZE * SIZE; x++)
				if (set >> (x / SIZE) & 1 && members(*b) >> (x % SIZE) & 1)
					with |= 1u << ((x / SIZE & ~low) | (x % SIZE & low));
			CHECK(members(tnum_with_subreg(*a, *b)) == with, "(%x; %x)", SHOW(*a));
			if (tnum_is_const(*b))
				CHECK(members(tnum_const_subreg(*a, b->value)) == with, "(%x; %x)",
					SHOW(*a));
		}
	}
	report_checks("sub-registers");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binary_operations_hold_every_result),
		cmocka_unit_test(unary_operations_are_best),
		cmocka_unit_test(ranges_give_the_smallest_tnum),
		cmocka_unit_test(set_operations_are_exact_or_best),
		cmocka_unit_test(predicates_are_exact),
		cmocka_unit_test(subregisters_are_exact),
	};

	return cmocka_run_group_tests(tests, enumerate, NULL);
}

#else

enum { ROUNDS = 400000 };

/* a tnum and a member of it */
static struct tnum random_tnum(u64 *ret_member)
{
	u64 mask = random_boundary(), member = random_boundary();

	if (random_next() & 1)
		mask &= random_next();
	*ret_member = member;
	return (struct tnum){member & ~mask, mask};
}

/* the first member from min on lies between min and any known member above it */
static void check_first_from(struct tnum a, u64 member, u64 min)
{
	u64 first = 0;
	bool found = tnum_first_from(a, min, &first);

	CHECK(found || member < min, "(%#llx; %#llx) from %#llx", (long long)a.value,
		(long long)a.mask, (long long)min);
	if (!found)
		return;
	CHECK(tnum_has(a, first) && first >= min, "(%#llx; %#llx) from %#llx", (long long)a.value,
		(long long)a.mask, (long long)min);
	CHECK(member < min || first <= member, "(%#llx; %#llx) from %#llx", (long long)a.value,
		(long long)a.mask, (long long)min);
}

static void operations_hold_random_results(void **state)
{
	for (int i = 0; i < ROUNDS; i++) {
		u64 x, y;
		struct tnum a = random_tnum(&x), b = random_tnum(&y);
		u8 shift = random_next() & 63;

		for (const struct op *op = ops; op < ops + ARRAY_SIZE(ops); op++) {
			struct tnum t = op->abstract(a, b);

			CHECK(is_well_formed(t) &&
					tnum_has(t, concrete_alu(op->concrete, x, y, 64)),
				"%s of %#llx %#llx", op->name, (long long)x, (long long)y);
		}
		CHECK(tnum_has(tnum_neg(a), -x), "neg");
		CHECK(tnum_has(tnum_lsh(a, shift), x << shift), "lsh");
		CHECK(tnum_has(tnum_rsh(a, shift), x >> shift), "rsh");
		CHECK(tnum_has(tnum_arsh(a, shift, 64), concrete_alu(BPF_ARSH, x, shift, 64)),
			"arsh");
		CHECK(tnum_has(tnum_arsh(a, shift & 31, 32),
			      concrete_alu(BPF_ARSH, x, shift & 31, 32)),
			"arsh32");
		CHECK(tnum_has(tnum_union(a, b), x) && tnum_has(tnum_union(a, b), y), "union");
		CHECK(tnum_has(tnum_range(MIN(x, y), MAX(x, y)), x), "range");
		CHECK(tnum_has(tnum_bswap(a, 16), __builtin_bswap16(x)), "bswap16");
		CHECK(tnum_has(tnum_bswap(a, 32), __builtin_bswap32(x)), "bswap32");
		CHECK(tnum_has(tnum_bswap(a, 64), __builtin_bswap64(x)), "bswap64");
		check_first_from(a, x, y);
		CHECK(tnum_has(tnum_range(MIN(x, y), MAX(x, y)), y), "range");
	}
	report_checks("random operations");
}

struct text_case {
	struct tnum t;
	const char *text;
};

static void texts_are_those_of_linux(void **state)
{
	static const struct text_case cases[] = {
		{{0, 0}, "0"},
		{{65535, 0}, "65535"},
		{{65536, 0}, "0x10000"},
		{{~0ull, 0}, "0xffffffffffffffff"},
		{{0, 0xff}, "(0x0; 0xff)"},
		{{0x100000000, 0xffffffff}, "(0x100000000; 0xffffffff)"},
		{{0, ~0ull}, "(0x0; 0xffffffffffffffff)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_INIT;

		tnum_print(&out, cases[i].t);
		assert_string_equal(buf_text(&out), cases[i].text);
		buf_done(&out);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_hold_random_results),
		cmocka_unit_test(texts_are_those_of_linux),
	};

	random_seed(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
