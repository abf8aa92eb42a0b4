/*
 * The abstract scalar against concrete numbers. Built three times.
 *
 * With VF_BITS=4 (2-bit sub-registers) the abstract values are the closest descriptions of every set of
 * the sixteen numbers: 3,175 of them, each tried in every operation, condition and width with every
 * other. A set of numbers is a 16-bit mask, so one comparison of masks checks every concrete pair.
 * That takes minutes: --share N tries one of N rows of pairs, and the test run takes one of 64, another
 * one each time. With VF_BITS=3 the same is done in full.
 *
 * With 64 bits: random values around the boundaries, each abstract operand holding two known members.
 */
#include "domain.h"

#include "verifier/scalar.h"

#define for_each_op(op)                                                                            \
	for (const struct named_op *op = alu_ops; op < alu_ops + ARRAY_SIZE(alu_ops); op++)
#define for_each_condition(c)                                                                      \
	for (const struct named_op *c = conditions; c < conditions + ARRAY_SIZE(conditions); c++)

static const unsigned widths[] = {VF_BITS, VF_HALF};

#define SHOW(s)                                                                                    \
	(unsigned long long)(s).var_off.value, (unsigned long long)(s).var_off.mask,               \
		(unsigned long long)(s).umin, (unsigned long long)(s).umax, (long long)(s).smin,   \
		(long long)(s).smax, (s).u32min, (s).u32max, (s).s32min, (s).s32max
#define SCALAR "{(%llx; %llx) u[%llx,%llx] s[%lld,%lld] u32[%x,%x] s32[%d,%d]}"

#if VF_BITS <= 4

enum {
	SIZE = 1 << VF_BITS,
	HALF_SIZE = 1 << VF_HALF, /* numbers of a sub-register */
	ALL = (1 << SIZE) - 1,	  /* the set of all numbers */
};

static struct vf_scalar values[ALL];
static u16 sets[ALL]; /* the members of each */
static size_t value_cnt;
static size_t share = 1, phase;

/* ---- sets of numbers ---- */

/* Members of each component, so that those of a scalar are five look-ups. */
static u16 tnum_sets[SIZE][SIZE], unsigned_sets[SIZE][SIZE], signed_sets[SIZE][SIZE];
static u16 low_unsigned_sets[HALF_SIZE][HALF_SIZE], low_signed_sets[HALF_SIZE][HALF_SIZE];

/* the signed numbers of a width, counted from the least */
static s64 nth_signed(u64 n, unsigned bits)
{
	return (s64)n - (1 << (bits - 1));
}

static void fill_component_sets(void)
{
	for (u64 x = 0; x < SIZE; x++) {
		s64 s = concrete_signed(x, VF_BITS), low = concrete_signed(x, VF_HALF);

		for (u64 i = 0; i < SIZE; i++) {
			for (u64 j = 0; j < SIZE; j++) {
				tnum_sets[i][j] |= ((x & ~j) == i) << x;
				unsigned_sets[i][j] |= (i <= x && x <= j) << x;
				signed_sets[i][j] |=
					(nth_signed(i, VF_BITS) <= s && s <= nth_signed(j, VF_BITS))
					<< x;
			}
		}
		for (u64 i = 0; i < HALF_SIZE; i++) {
			for (u64 j = 0; j < HALF_SIZE; j++) {
				low_unsigned_sets[i][j] |=
					(i <= x % HALF_SIZE && x % HALF_SIZE <= j) << x;
				low_signed_sets[i][j] |= (nth_signed(i, VF_HALF) <= low &&
								 low <= nth_signed(j, VF_HALF))
							 << x;
			}
		}
	}
}

static u32 members(const struct vf_scalar *s)
{
	const int bias = SIZE / 2, low_bias = HALF_SIZE / 2;

	return tnum_sets[s->var_off.value % SIZE][s->var_off.mask % SIZE] &
	       unsigned_sets[s->umin % SIZE][s->umax % SIZE] &
	       signed_sets[(u64)(s->smin + bias) % SIZE][(u64)(s->smax + bias) % SIZE] &
	       low_unsigned_sets[s->u32min % HALF_SIZE][s->u32max % HALF_SIZE] &
	       low_signed_sets[(u32)(s->s32min + low_bias) % HALF_SIZE]
			      [(u32)(s->s32max + low_bias) % HALF_SIZE];
}

/* Every field within its type: nothing that the masks in members() would hide. */
static bool is_well_formed(const struct vf_scalar *s)
{
	const int bias = SIZE / 2, low_bias = HALF_SIZE / 2;

	return !(s->var_off.value & s->var_off.mask) &&
	       (s->var_off.value | s->var_off.mask) < SIZE && s->umin < SIZE && s->umax < SIZE &&
	       (u64)(s->smin + bias) < SIZE && (u64)(s->smax + bias) < SIZE &&
	       s->u32min < HALF_SIZE && s->u32max < HALF_SIZE &&
	       (u32)(s->s32min + low_bias) < HALF_SIZE && (u32)(s->s32max + low_bias) < HALF_SIZE;
}

static bool holds(const struct vf_scalar *s, u32 set)
{
	return is_well_formed(s) && !(set & ~members(s));
}

/* ---- every abstract value ---- */

static void include(struct vf_scalar *s, u64 x, bool is_first)
{
	s64 sx = concrete_signed(x, VF_BITS), low = concrete_signed(x, VF_HALF);

	if (is_first) {
		*s = vf_scalar_const(x);
		return;
	}
	s->var_off.mask |= s->var_off.value ^ x;
	s->var_off.value &= ~s->var_off.mask;
	s->umin = MIN(s->umin, x);
	s->umax = MAX(s->umax, x);
	s->smin = MIN(s->smin, sx);
	s->smax = MAX(s->smax, sx);
	s->u32min = MIN(s->u32min, x % HALF_SIZE);
	s->u32max = MAX(s->u32max, x % HALF_SIZE);
	s->s32min = MIN(s->s32min, low);
	s->s32max = MAX(s->s32max, low);
	/* keep the known bits known: value bits in which all agree */
	s->var_off.value |= x & ~s->var_off.mask;
}

static struct vf_scalar closest(u32 set)
{
	struct vf_scalar s = vf_scalar_unknown();
	bool is_first = true;

	for (u64 x = 0; x < SIZE; x++) {
		if (set >> x & 1) {
			include(&s, x, is_first);
			is_first = false;
		}
	}
	return s;
}

static int enumerate(void **state)
{
	fill_component_sets();
	for (u32 set = 1; set <= ALL; set++) {
		struct vf_scalar s = closest(set);

		/* a closest description is that of its own members: take it at that set only */
		if (members(&s) != set)
			continue;
		values[value_cnt] = s;
		sets[value_cnt++] = set;
	}
	assert_int_equal(value_cnt, VF_BITS == 4 ? 3175 : 134);
	phase = random_next() % share;
	return 0;
}

static void closest_values_are_synced(void **state)
{
	for (size_t i = 0; i < value_cnt; i++) {
		struct vf_scalar s = values[i];

		vf_scalar_sync(&s);
		CHECK(vf_scalar_is_subset(&s, &values[i]) && vf_scalar_is_subset(&values[i], &s),
			SCALAR " became " SCALAR, SHOW(values[i]), SHOW(s));
		CHECK(vf_scalar_is_sane(&s), SCALAR, SHOW(s));
		for (u64 x = 0; x < SIZE; x++)
			CHECK(vf_scalar_has(&s, x) == (sets[i] >> x & 1), SCALAR, SHOW(s));
	}
	report_checks("closest values");
}

static bool step(u64 *min, u64 *max, u64 n)
{
	if (++*max < n)
		return true;
	if (++*min < n) {
		*max = *min;
		return true;
	}
	*min = *max = 0;
	return false;
}

static void try_sync(struct vf_scalar s)
{
	struct vf_scalar before = s;
	u32 set = members(&s);

	if (!set)
		return;
	vf_scalar_sync(&s);
	CHECK(holds(&s, set), SCALAR " became " SCALAR, SHOW(before), SHOW(s));
}

/* All tnums and all bounds of the sub-register with the given bounds; one of `share`, at random. */
static void try_syncs(struct vf_scalar s)
{
	u64 a = 0, b = 0, c = 0, d = 0;

	do {
		do {
			for (u64 bits = 0; bits < SIZE * SIZE; bits++) {
				u64 mask = bits % SIZE, value = bits / SIZE;

				if (mask & value || random_next() % share)
					continue;
				s.var_off = (struct tnum){value, mask};
				s.u32min = a;
				s.u32max = b;
				s.s32min = nth_signed(c, VF_HALF);
				s.s32max = nth_signed(d, VF_HALF);
				try_sync(s);
			}
		} while (step(&c, &d, HALF_SIZE));
	} while (step(&a, &b, HALF_SIZE));
}

/* Any components, not fitting each other: sync must not lose a member. */
static void sync_loses_no_member(void **state)
{
	struct vf_scalar s = vf_scalar_unknown();
	u64 a = 0, b = 0, c = 0, d = 0;

	do {
		do {
			if (!(unsigned_sets[a][b] & signed_sets[c][d]))
				continue;
			s.umin = a;
			s.umax = b;
			s.smin = nth_signed(c, VF_BITS);
			s.smax = nth_signed(d, VF_BITS);
			try_syncs(s);
		} while (step(&c, &d, SIZE));
	} while (step(&a, &b, SIZE));
	report_checks("sync");
}

/* ---- arithmetic ---- */

/* of_low[b] and of_high[b]: results of one abstract operand with every set of eight concrete ones */
struct image {
	u16 of_low[256], of_high[256];
};

static void make_image(struct image *img, u32 set, u8 op, unsigned bits)
{
	u16 single[16] = {0};

	for (u64 y = 0; y < SIZE; y++)
		for (u64 x = 0; x < SIZE; x++)
			if (set >> x & 1)
				single[y] |= 1u << concrete_alu(op, x, y, bits);
	img->of_low[0] = img->of_high[0] = 0;
	for (u32 b = 1; b < 256; b++) {
		int y = __builtin_ctz(b);

		img->of_low[b] = img->of_low[b & (b - 1)] | single[y];
		img->of_high[b] = img->of_high[b & (b - 1)] | single[y + 8];
	}
}

static void try_op(size_t i, const struct named_op *op, unsigned bits)
{
	struct image img;

	make_image(&img, sets[i], op->op, bits);
	for (size_t j = 0; j < value_cnt; j++) {
		u32 results = img.of_low[sets[j] & 255] | img.of_high[sets[j] >> 8];
		struct vf_scalar s = values[i];

		vf_scalar_alu(&s, op->op, &values[j], bits);
		CHECK(holds(&s, results), SCALAR " %s " SCALAR " = " SCALAR " at %u bits lacks %x",
			SHOW(values[i]), op->name, SHOW(values[j]), SHOW(s), bits,
			results & ~members(&s));
	}
}

static void arithmetic_holds_every_result(void **state)
{
	for (size_t i = phase; i < value_cnt; i += share)
		for_each_op(op) for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
			try_op(i, op, widths[w]);
	report_checks("arithmetic");
}

static void forks_hold_every_member(void **state)
{
	static const u8 ops[] = {BPF_AND, BPF_OR, BPF_XOR};
	struct vf_scalar constant = vf_scalar_const(1), unknown = vf_scalar_unknown(), zero;
	u32 forks = 0;

	for (size_t i = 0; i < value_cnt; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(ops); k++) {
			struct vf_scalar s = values[i];

			if (!vf_scalar_fork(&s, ops[k], &constant, &zero))
				continue;
			CHECK(ops[k] != BPF_XOR, SCALAR, SHOW(values[i]));
			CHECK(holds(&s, sets[i] & members(&s)) &&
					!(sets[i] & ~(members(&s) | members(&zero))),
				SCALAR " into " SCALAR " and " SCALAR, SHOW(values[i]), SHOW(s),
				SHOW(zero));
			forks++;
		}
		zero = values[i];
		CHECK(!vf_scalar_fork(&zero, BPF_AND, &unknown, &zero), SCALAR, SHOW(values[i]));
	}
	assert_true(forks > 0);
	report_checks("forks");
}

static void pointer_offsets_hold_every_result(void **state)
{
	for (size_t i = phase; i < value_cnt; i += share) {
		struct image add, sub;

		make_image(&add, sets[i], BPF_ADD, VF_BITS);
		make_image(&sub, sets[i], BPF_SUB, VF_BITS);
		for (size_t j = 0; j < value_cnt; j++) {
			u32 low = sets[j] & 255, high = sets[j] >> 8;
			struct vf_scalar s = values[i];

			vf_scalar_ptr_add(&s, &values[j]);
			CHECK(holds(&s, add.of_low[low] | add.of_high[high]),
				SCALAR " + " SCALAR " = " SCALAR, SHOW(values[i]), SHOW(values[j]),
				SHOW(s));
			s = values[i];
			vf_scalar_ptr_sub(&s, &values[j]);
			CHECK(holds(&s, sub.of_low[low] | sub.of_high[high]),
				SCALAR " - " SCALAR " = " SCALAR, SHOW(values[i]), SHOW(values[j]),
				SHOW(s));
		}
	}
	report_checks("pointer offsets");
}

static void conversions_hold_every_result(void **state)
{
	for (size_t i = 0; i < value_cnt; i++) {
		for (unsigned from = 1; from <= VF_BITS; from++) {
			struct vf_scalar s = values[i];
			u32 results = 0;

			for (u64 x = 0; x < SIZE; x++)
				if (sets[i] >> x & 1)
					results |= 1u << (x & vf_umax(from));
			vf_scalar_truncate(&s, from);
			CHECK(holds(&s, results), SCALAR " cut to %u bits is " SCALAR,
				SHOW(values[i]), from, SHOW(s));
			for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
				unsigned bits = widths[w];

				if (from > bits)
					continue;
				s = values[i];
				results = 0;
				for (u64 x = 0; x < SIZE; x++)
					if (sets[i] >> x & 1)
						results |= 1u << vf_zext(
								   concrete_signed(x, from), bits);
				vf_scalar_sext(&s, from, bits);
				CHECK(holds(&s, results), SCALAR " from %u to %u bits is " SCALAR,
					SHOW(values[i]), from, bits, SHOW(s));
			}
		}
	}
	report_checks("conversions");
}

static void makers_describe_what_they_say(void **state)
{
	struct vf_scalar s = vf_scalar_unknown();

	CHECK(members(&s) == ALL && vf_scalar_is_unknown(&s), SCALAR, SHOW(s));
	for (u64 a = 0; a < SIZE; a++) {
		s = vf_scalar_const(a);
		CHECK(members(&s) == 1u << a && !vf_scalar_is_unknown(&s), SCALAR, SHOW(s));
		for (u64 b = 0; b < SIZE; b++) {
			if (a <= b) {
				s = vf_scalar_between(a, b);
				CHECK(members(&s) == unsigned_sets[a][b], SCALAR, SHOW(s));
			}
			if (!(a & b)) {
				s = vf_scalar_from_tnum((struct tnum){a, b});
				CHECK(members(&s) == tnum_sets[a][b], SCALAR, SHOW(s));
			}
		}
	}
	report_checks("makers");
}

static void constants_are_seen_at_both_widths(void **state)
{
	for (size_t i = 0; i < value_cnt; i++) {
		for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
			u32 seen = 0;
			u64 value = ~0ull;
			bool is_const = vf_scalar_is_const(&values[i], widths[w], &value);

			for (u64 x = 0; x < SIZE; x++)
				if (sets[i] >> x & 1)
					seen |= 1u << vf_zext(x, widths[w]);
			CHECK(is_const == (__builtin_popcount(seen) == 1), SCALAR, SHOW(values[i]));
			CHECK(is_const ? seen == 1u << value : value == ~0ull, SCALAR,
				SHOW(values[i]));
		}
	}
	report_checks("constants");
}

static void subset_means_subset(void **state)
{
	for (size_t i = phase; i < value_cnt; i += share)
		for (size_t j = 0; j < value_cnt; j++)
			CHECK(vf_scalar_is_subset(&values[i], &values[j]) == !(sets[j] & ~sets[i]),
				SCALAR " in " SCALAR, SHOW(values[j]), SHOW(values[i]));
	report_checks("subset");
}

/* ---- branches ---- */

static void try_edge(size_t i, size_t j, const struct named_op *c, unsigned bits, bool taken,
	const u16 partners[SIZE], int claim)
{
	struct vf_scalar a = values[i], b = values[j];
	u32 left = 0, right = 0;

	for (u32 rest = sets[i]; rest; rest &= rest - 1) {
		int x = __builtin_ctz(rest);
		u32 matching = partners[x] & sets[j];

		right |= matching;
		left |= !!matching << x;
	}
	CHECK(!left || claim != !taken, SCALAR " %s " SCALAR " at %u bits is not always %d",
		SHOW(a), c->name, SHOW(b), bits, claim);
	vf_scalar_refine(&a, &b, c->op, bits, taken);
	CHECK(is_well_formed(&a) && is_well_formed(&b), "%s", c->name);
	if (!left)
		return;
	CHECK(!(left & ~members(&a)) && !(right & ~members(&b)),
		SCALAR " %s " SCALAR " at %u bits, edge %d: " SCALAR " and " SCALAR,
		SHOW(values[i]), c->name, SHOW(values[j]), bits, taken, SHOW(a), SHOW(b));
	CHECK(vf_scalar_is_sane(&a) && vf_scalar_is_sane(&b), "a live edge is sane");
}

static void try_condition(size_t i, const struct named_op *c, unsigned bits)
{
	u16 when_true[SIZE] = {0}, when_false[SIZE];

	for (u64 x = 0; x < SIZE; x++) {
		for (u64 y = 0; y < SIZE; y++)
			when_true[x] |= concrete_holds(c->op, x, y, bits) << y;
		when_false[x] = ~when_true[x];
	}
	for (size_t j = 0; j < value_cnt; j++) {
		int claim = vf_scalar_branch(&values[i], &values[j], c->op, bits);

		try_edge(i, j, c, bits, true, when_true, claim);
		try_edge(i, j, c, bits, false, when_false, claim);
	}
}

static void branches_keep_every_pair_on_its_edge(void **state)
{
	for (size_t i = phase; i < value_cnt; i += share)
		for_each_condition(c) for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
			try_condition(i, c, widths[w]);
	report_checks("branches");
}

static void read_share(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], "--share"))
			share = MAX(1, strtoul(argv[i + 1], NULL, 0));
	print_message("one row of %zu\n", share);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closest_values_are_synced),
		cmocka_unit_test(sync_loses_no_member),
		cmocka_unit_test(arithmetic_holds_every_result),
		cmocka_unit_test(forks_hold_every_member),
		cmocka_unit_test(pointer_offsets_hold_every_result),
		cmocka_unit_test(conversions_hold_every_result),
		cmocka_unit_test(makers_describe_what_they_say),
		cmocka_unit_test(constants_are_seen_at_both_widths),
		cmocka_unit_test(subset_means_subset),
		cmocka_unit_test(branches_keep_every_pair_on_its_edge),
	};

	random_seed(argc, argv);
	read_share(argc, argv);
	return cmocka_run_group_tests(tests, enumerate, NULL);
}

#else

enum { ROUNDS = 20000, MEMBERS = 2 };

struct sample {
	struct vf_scalar s;
	u64 member[MEMBERS];
};

static void widen(struct vf_scalar *s, u64 x)
{
	s->umin = MIN(s->umin, x);
	s->umax = MAX(s->umax, x);
	s->smin = MIN(s->smin, (s64)x);
	s->smax = MAX(s->smax, (s64)x);
	s->u32min = MIN(s->u32min, (u32)x);
	s->u32max = MAX(s->u32max, (u32)x);
	s->s32min = MIN(s->s32min, (s32)x);
	s->s32max = MAX(s->s32max, (s32)x);
}

/* Members first, then a description that holds them and something more, each component its own. */
static void random_sample(struct sample *ret)
{
	u64 x = random_boundary(), y = random_next() & 3 ? random_boundary() : x, forget;
	struct vf_scalar s = vf_scalar_const(x);

	if (random_next() & 1)
		y = x + (random_next() & 0xff);
	widen(&s, y);
	if (random_next() & 1) {
		/* further members stretch the bounds of one reading */
		u64 z = random_boundary();

		widen(&s, random_next() & 1 ? z : x + (z & 0xffff));
	}
	s.var_off.mask = x ^ y;
	if (random_next() & 1)
		s.var_off.mask |= random_boundary();
	s.var_off.value = x & ~s.var_off.mask;
	forget = random_next();
	if (forget & 1)
		vf_scalar_forget_range(&s, 32);
	if ((forget & 6) == 6)
		vf_scalar_forget_range(&s, 64);
	if ((forget & 24) == 24)
		s.var_off = TNUM_UNKNOWN;
	ret->s = s;
	vf_scalar_sync(&ret->s);
	ret->member[0] = x;
	ret->member[1] = y;
	for (int i = 0; i < MEMBERS; i++)
		CHECK(vf_scalar_has(&ret->s, ret->member[i]),
			SCALAR " synced to " SCALAR " lacks %llx", SHOW(s), SHOW(ret->s),
			(unsigned long long)ret->member[i]);
	CHECK(vf_scalar_is_sane(&ret->s), SCALAR, SHOW(ret->s));
}

#define for_each_member_pair(x, y, a, b)                                                           \
	for (int m = 0; m < MEMBERS * MEMBERS; m++)                                                \
		for (u64 x = (a)->member[m / MEMBERS], y = (b)->member[m % MEMBERS], once = 1;     \
			once; once = 0)

static void try_alu(const struct sample *a, const struct sample *b, const struct named_op *op)
{
	for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
		struct vf_scalar s = a->s;

		vf_scalar_alu(&s, op->op, &b->s, widths[w]);
		for_each_member_pair(x, y, a, b)
		{
			CHECK(vf_scalar_has(&s, concrete_alu(op->op, x, y, widths[w])),
				SCALAR " %s " SCALAR " = " SCALAR " at %u bits: %llx, %llx",
				SHOW(a->s), op->name, SHOW(b->s), SHOW(s), widths[w],
				(unsigned long long)x, (unsigned long long)y);
		}
	}
}

static void arithmetic_holds_random_results(void **state)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct sample a, b;

		random_sample(&a);
		random_sample(&b);
		/* shifts are computed for constant amounts only */
		if (random_next() & 1) {
			b.member[0] = b.member[1] = random_next() & 63;
			b.s = vf_scalar_const(b.member[0]);
		}
		for_each_op(op) try_alu(&a, &b, op);
		a.s.u32min = 0; /* unsynced operands are welcome too */
		vf_scalar_ptr_add(&a.s, &b.s);
		for_each_member_pair(x, y, &a, &b)
		{
			CHECK(vf_scalar_has(&a.s, x + y), SCALAR, SHOW(a.s));
		}
	}
	report_checks("random arithmetic");
}

static u64 concrete_swap(u64 x, unsigned bits)
{
	u64 res = 0;

	for (unsigned i = 0; i < bits; i += 8)
		res = res << 8 | (x >> i & 0xff);
	return res;
}

static void conversions_hold_random_results(void **state)
{
	static const unsigned sizes[] = {8, 16, 32};

	for (int i = 0; i < ROUNDS; i++) {
		struct sample a;

		random_sample(&a);
		for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
			struct vf_scalar cut = a.s, sx64 = a.s, sx32 = a.s, swapped = a.s;

			vf_scalar_truncate(&cut, sizes[k]);
			vf_scalar_sext(&sx64, sizes[k], 64);
			vf_scalar_sext(&sx32, sizes[k], 32);
			vf_scalar_swap(&swapped, sizes[k] * 2);
			for (int m = 0; m < MEMBERS; m++) {
				u64 x = a.member[m];
				s64 extended = concrete_signed(x, sizes[k]);

				CHECK(vf_scalar_has(&cut, x & vf_umax(sizes[k])), SCALAR,
					SHOW(a.s));
				CHECK(vf_scalar_has(&swapped, concrete_swap(x, sizes[k] * 2)),
					SCALAR, SHOW(a.s));
				CHECK(vf_scalar_has(&sx64, extended), SCALAR, SHOW(a.s));
				CHECK(vf_scalar_has(&sx32, (u32)extended), SCALAR, SHOW(a.s));
			}
		}
	}
	report_checks("random conversions");
}

static void try_branch(const struct sample *a, const struct sample *b, const struct named_op *c)
{
	for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
		unsigned bits = widths[w];
		int claim = vf_scalar_branch(&a->s, &b->s, c->op, bits);
		struct vf_scalar left[2] = {a->s, a->s}, right[2] = {b->s, b->s};

		vf_scalar_refine(&left[0], &right[0], c->op, bits, false);
		vf_scalar_refine(&left[1], &right[1], c->op, bits, true);
		for_each_member_pair(x, y, a, b)
		{
			bool edge = concrete_holds(c->op, x, y, bits);

			CHECK(claim != !edge, SCALAR " %s " SCALAR " at %u bits: %llx, %llx",
				SHOW(a->s), c->name, SHOW(b->s), bits, (unsigned long long)x,
				(unsigned long long)y);
			CHECK(vf_scalar_has(&left[edge], x) && vf_scalar_has(&right[edge], y),
				SCALAR " %s " SCALAR " at %u bits: %llx, %llx", SHOW(a->s), c->name,
				SHOW(b->s), bits, (unsigned long long)x, (unsigned long long)y);
			CHECK(vf_scalar_is_sane(&left[edge]) && vf_scalar_is_sane(&right[edge]),
				SCALAR " " SCALAR, SHOW(left[edge]), SHOW(right[edge]));
		}
	}
}

static void branches_keep_random_pairs(void **state)
{
	for (int i = 0; i < ROUNDS / 4; i++) {
		struct sample a, b;

		random_sample(&a);
		random_sample(&b);
		switch (random_next() & 3) {
		case 0: /* one value more than a bound, or that bound */
			b.member[0] = b.member[1] = a.s.umax + (random_next() & 1);
			b.s = vf_scalar_const(b.member[0]);
			break;
		case 1: b = a; break;
		default: break;
		}
		for_each_condition(c)
		{
			try_branch(&a, &b, c);
			try_branch(&b, &a, c);
		}
	}
	report_checks("random branches");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic_holds_random_results),
		cmocka_unit_test(conversions_hold_random_results),
		cmocka_unit_test(branches_keep_random_pairs),
	};

	random_seed(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
