/*
 * Interval arithmetic at a given width, unsigned and signed reading side by side. See range.h for the
 * meaning and the overflow rules. Intermediate results are 64-bit; a result "wraps" when it leaves the
 * width, which for 64 bits the compiler's overflow builtins tell.
 */
#include "verifier/range.h"

/* A bound being computed: its value at the width, and whether it wrapped. */
struct ubound {
	u64 value;
	bool wraps;
};

struct sbound {
	s64 value;
	bool wraps;
};

static struct ubound fit_unsigned(u64 value, bool wraps, unsigned bits)
{
	return (struct ubound){vf_zext(value, bits), wraps || value > vf_umax(bits)};
}

static struct sbound fit_signed(s64 value, bool wraps, unsigned bits)
{
	return (struct sbound){value, wraps || value < vf_smin(bits) || value > vf_smax(bits)};
}

#define DEFINE_OP(op)                                                                              \
	static struct ubound u##op(u64 a, u64 b, unsigned bits)                                    \
	{                                                                                          \
		u64 value;                                                                         \
		bool wraps = __builtin_##op##_overflow(a, b, &value);                              \
                                                                                                   \
		return fit_unsigned(value, wraps, bits);                                           \
	}                                                                                          \
	static struct sbound s##op(s64 a, s64 b, unsigned bits)                                    \
	{                                                                                          \
		s64 value;                                                                         \
		bool wraps = __builtin_##op##_overflow(a, b, &value);                              \
                                                                                                   \
		return fit_signed(value, wraps, bits);                                             \
	}

DEFINE_OP(add)
DEFINE_OP(sub)
DEFINE_OP(mul)

static void unbound_unsigned(struct vf_range *a, unsigned bits)
{
	a->umin = 0;
	a->umax = vf_umax(bits);
}

static void unbound_signed(struct vf_range *a, unsigned bits)
{
	a->smin = vf_smin(bits);
	a->smax = vf_smax(bits);
}

bool vf_range_has(struct vf_range a, u64 value, unsigned bits)
{
	u64 u = vf_zext(value, bits);
	s64 s = vf_sext(value, bits);

	return a.umin <= u && u <= a.umax && a.smin <= s && s <= a.smax;
}

bool vf_range_is_const(struct vf_range a)
{
	return a.umin == a.umax && a.smin == a.smax;
}

struct vf_range vf_range_add(struct vf_range a, struct vf_range b, unsigned bits)
{
	struct ubound ulow = uadd(a.umin, b.umin, bits), uhigh = uadd(a.umax, b.umax, bits);
	struct sbound slow = sadd(a.smin, b.smin, bits), shigh = sadd(a.smax, b.smax, bits);
	struct vf_range sum = {ulow.value, uhigh.value, slow.value, shigh.value};

	/* if the least sum wraps, all do: the interval has moved by 2^bits and stays exact */
	if (ulow.wraps != uhigh.wraps)
		unbound_unsigned(&sum, bits);
	if (slow.wraps || shigh.wraps)
		unbound_signed(&sum, bits);
	return sum;
}

struct vf_range vf_range_sub(struct vf_range a, struct vf_range b, unsigned bits)
{
	struct ubound ulow = usub(a.umin, b.umax, bits), uhigh = usub(a.umax, b.umin, bits);
	struct sbound slow = ssub(a.smin, b.smax, bits), shigh = ssub(a.smax, b.smin, bits);
	struct vf_range diff = {ulow.value, uhigh.value, slow.value, shigh.value};

	if (ulow.wraps != uhigh.wraps)
		unbound_unsigned(&diff, bits);
	if (slow.wraps || shigh.wraps)
		unbound_signed(&diff, bits);
	return diff;
}

struct vf_range vf_range_mul(struct vf_range a, struct vf_range b, unsigned bits)
{
	struct ubound ulow = umul(a.umin, b.umin, bits), uhigh = umul(a.umax, b.umax, bits);
	/* a signed product is extreme at a corner of the rectangle, whichever the signs */
	const struct sbound corner[4] = {
		smul(a.smin, b.smin, bits),
		smul(a.smin, b.smax, bits),
		smul(a.smax, b.smin, bits),
		smul(a.smax, b.smax, bits),
	};
	struct vf_range product = {ulow.value, uhigh.value, corner[0].value, corner[0].value};
	bool wraps = false;

	for (size_t i = 0; i < ARRAY_SIZE(corner); i++) {
		product.smin = MIN(product.smin, corner[i].value);
		product.smax = MAX(product.smax, corner[i].value);
		wraps |= corner[i].wraps;
	}
	if (ulow.wraps || uhigh.wraps)
		unbound_unsigned(&product, bits);
	if (wraps)
		unbound_signed(&product, bits);
	return product;
}

/* The signed reading of a result known by its unsigned bounds alone. */
static struct vf_range from_unsigned(u64 umin, u64 umax, unsigned bits)
{
	struct vf_range a = {umin, umax, vf_sext(umin, bits), vf_sext(umax, bits)};

	if (a.smin > a.smax)
		unbound_signed(&a, bits);
	return a;
}

struct vf_range vf_range_and(
	struct vf_range a, struct vf_range b, struct tnum result, unsigned bits)
{
	return from_unsigned(vf_zext(result.value, bits), MIN(a.umax, b.umax), bits);
}

struct vf_range vf_range_or(struct vf_range a, struct vf_range b, struct tnum result, unsigned bits)
{
	return from_unsigned(MAX(a.umin, b.umin), vf_zext(result.value | result.mask, bits), bits);
}

struct vf_range vf_range_xor(struct tnum result, unsigned bits)
{
	return from_unsigned(
		vf_zext(result.value, bits), vf_zext(result.value | result.mask, bits), bits);
}

struct vf_range vf_range_lsh(struct vf_range a, u8 shift, unsigned bits)
{
	struct vf_range res = vf_range_unbounded(bits);

	/* the top bit may be reached, never passed */
	if (shift < bits && a.umin <= a.umax && a.umax <= 1ull << (bits - 1 - shift)) {
		res.umin = a.umin << shift;
		res.umax = a.umax << shift;
	}
	return res;
}

struct vf_range vf_range_rsh(struct vf_range a, u8 shift, unsigned bits)
{
	struct vf_range res = vf_range_unbounded(bits);

	res.umin = a.umin >> shift;
	res.umax = a.umax >> shift;
	return res;
}

struct vf_range vf_range_arsh(struct vf_range a, u8 shift, unsigned bits)
{
	struct vf_range res = vf_range_unbounded(bits);

	res.smin = a.smin >> shift;
	res.smax = a.smax >> shift;
	return res;
}
