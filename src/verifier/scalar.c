/*
 * The product of tnum and ranges at two widths: how the components learn from each other, and what the
 * arithmetic instructions do to them. Branches are in branch.c, texts in scalar_print.c.
 *
 * The scheme of every transfer: compute each component on its own from the operands, then sync. A
 * 32-bit operation computes the sub-register and zero-extends. Rules and order are those of Linux 6.18,
 * because precision gained elsewhere would accept programs that Linux rejects.
 */
#include <string.h>

#include "base/bug.h"
#include "isa/uapi.h"
#include "verifier/scalar.h"

struct vf_scalar vf_scalar_between(u64 min, u64 max)
{
	struct vf_scalar s = vf_scalar_unknown();

	s.umin = min;
	s.umax = max;
	vf_scalar_sync(&s);
	return s;
}

struct vf_scalar vf_scalar_from_tnum(struct tnum t)
{
	struct vf_scalar s = vf_scalar_unknown();

	s.var_off = t;
	vf_scalar_sync(&s);
	return s;
}

static struct vf_range full(const struct vf_scalar *s)
{
	return vf_scalar_range(s, VF_BITS);
}

static struct vf_range half(const struct vf_scalar *s)
{
	return vf_scalar_range(s, VF_HALF);
}

bool vf_scalar_has(const struct vf_scalar *s, u64 value)
{
	return tnum_has(s->var_off, vf_zext(value, VF_BITS)) &&
	       vf_range_has(full(s), value, VF_BITS) && vf_range_has(half(s), value, VF_HALF);
}

bool vf_scalar_is_const(const struct vf_scalar *s, unsigned bits, u64 *ret_value)
{
	struct tnum t = tnum_cast(s->var_off, bits);

	if (!tnum_is_const(t))
		return false;
	*ret_value = t.value;
	return true;
}

bool vf_scalar_is_unknown(const struct vf_scalar *s)
{
	return tnum_is_unknown(s->var_off) && vf_range_in(full(s), vf_range_unbounded(VF_BITS)) &&
	       vf_range_in(half(s), vf_range_unbounded(VF_HALF));
}

static bool is_sane_at(const struct vf_scalar *s, unsigned bits)
{
	struct vf_range range = vf_scalar_range(s, bits);
	struct tnum t = tnum_cast(s->var_off, bits);

	if (!vf_range_is_sane(range))
		return false;
	return !tnum_is_const(t) || vf_range_in(vf_range_const(t.value, bits), range);
}

bool vf_scalar_is_sane(const struct vf_scalar *s)
{
	return is_sane_at(s, VF_BITS) && is_sane_at(s, VF_HALF);
}

/* ---- the components learn from each other ---- */

/*
 * Bits and unsigned bounds together may leave one value where neither does alone: when the second number
 * of var_off from umin on lies beyond umax. The greatest number of var_off stands in for one that does
 * not exist, as in Linux; hence nothing is concluded when that is umin, and dead edges become constant.
 */
static void learn_only_value(struct vf_scalar *s)
{
	u64 most = s->var_off.value | s->var_off.mask, first = most, second = most;
	bool is_only;

	tnum_first_from(s->var_off, s->umin, &first);
	if (first < most)
		tnum_first_from(s->var_off, first + 1, &second);
	is_only = second > s->umax;
	if (first != s->umin)
		is_only = first == most || (first <= s->umax && is_only);
	if (is_only)
		*s = vf_scalar_const(first);
}

static void learn_from_tnum(struct vf_scalar *s)
{
	vf_scalar_set_range(s, vf_range_meet_tnum(half(s), s->var_off, VF_HALF), VF_HALF);
	vf_scalar_set_range(s, vf_range_meet_tnum(full(s), s->var_off, VF_BITS), VF_BITS);
	learn_only_value(s);
}

static void meet_unsigned(struct vf_range *a, u64 min, u64 max)
{
	a->umin = MAX(a->umin, min);
	a->umax = MIN(a->umax, max);
}

static void meet_signed(struct vf_range *a, s64 min, s64 max)
{
	a->smin = MAX(a->smin, min);
	a->smax = MIN(a->smax, max);
}

/*
 * What an interval [from, to] of the full register says of the sub-register. While the upper half stays
 * the same, the lower half runs from low(from) to low(to); read signed, too, unless it passes the sign
 * boundary. When the upper half steps once, the lower runs through the wrap-around, which is an
 * ordinary place for the signed reading if it comes from a negative and ends at a non-negative value.
 */
static void learn_half(struct vf_range *low, u64 from, u64 to, bool unsigned_in_order)
{
	u64 high_from = vf_zext(from, VF_BITS) >> VF_HALF,
	    high_to = vf_zext(to, VF_BITS) >> VF_HALF;
	u64 ulow_from = vf_zext(from, VF_HALF), ulow_to = vf_zext(to, VF_HALF);
	s64 slow_from = vf_sext(from, VF_HALF), slow_to = vf_sext(to, VF_HALF);

	if (high_from == high_to) {
		if (unsigned_in_order || ulow_from <= ulow_to)
			meet_unsigned(low, ulow_from, ulow_to);
		if (slow_from <= slow_to)
			meet_signed(low, slow_from, slow_to);
	}
	if (vf_zext(high_from + 1, VF_HALF) == high_to && slow_from < 0 && slow_to >= 0)
		meet_signed(low, slow_from, slow_to);
}

static void learn_half_from_full(struct vf_scalar *s)
{
	struct vf_range low = half(s);

	learn_half(&low, s->umin, s->umax, true);
	learn_half(&low, s->smin, s->smax, false);
	vf_scalar_set_range(s, low, VF_HALF);
}

/* A bound of the full register whose lower half is replaced: tighter if it still bounds. */
static u64 with_low(u64 bound, u64 low)
{
	return (bound & ~vf_umax(VF_HALF)) | low;
}

static void learn_full_from_half(struct vf_scalar *s)
{
	struct vf_range a = full(s);

	meet_unsigned(&a, with_low(a.umin, s->u32min), with_low(a.umax, s->u32max));
	meet_signed(&a, with_low(a.smin, s->u32min), with_low(a.smax, s->u32max));
	/*
	 * After a sign-extending load the upper half is all zeros or all ones. With a sub-register
	 * known to be non-negative the latter would lie below smin: only zeros remain. Linux takes
	 * the sub-register's bounds even where the register's own are closer, and so do we.
	 */
	if (s->s32min >= 0 && a.smin >= vf_smin(VF_HALF) && a.smax <= vf_smax(VF_HALF)) {
		a.smin = a.umin = s->s32min;
		a.smax = a.umax = s->s32max;
	}
	vf_scalar_set_range(s, a, VF_BITS);
}

static void learn_across_widths(struct vf_scalar *s)
{
	learn_half_from_full(s);
	vf_scalar_set_range(s, vf_range_deduce(half(s), VF_HALF), VF_HALF);
	vf_scalar_set_range(s, vf_range_deduce(full(s), VF_BITS), VF_BITS);
	learn_full_from_half(s);
}

static void learn_bits(struct vf_scalar *s)
{
	struct tnum t = tnum_intersect(s->var_off, tnum_range(s->umin, s->umax));
	struct tnum low = tnum_range(s->u32min, s->u32max);

	s->var_off = tnum_with_subreg(t, tnum_intersect(tnum_subreg(t), low));
}

/* Three rounds, as Linux: a bound can travel from one width to the other, turn sign and come back. */
enum { ROUNDS = 3 };

/* One known value, or nothing known at all, in every component: there is nothing to learn. */
static bool is_settled(const struct vf_scalar *s)
{
	if (tnum_is_const(s->var_off)) {
		u64 value = s->var_off.value;

		return s->umin == value && s->umax == value && s->smin == vf_sext(value, VF_BITS) &&
		       s->smax == s->smin && s->u32min == (u32)vf_zext(value, VF_HALF) &&
		       s->u32max == s->u32min && s->s32min == (s32)vf_sext(value, VF_HALF) &&
		       s->s32max == s->s32min;
	}
	return vf_scalar_is_unknown(s);
}

void vf_scalar_sync(struct vf_scalar *s)
{
	struct vf_scalar before;

	if (is_settled(s))
		return;
	learn_from_tnum(s);
	for (int i = 0; i < ROUNDS; i++) {
		before = *s;
		learn_across_widths(s);
		if (!memcmp(&before, s, sizeof(before)))
			break; /* nothing left to learn: another round is the same */
	}
	learn_bits(s);
	learn_from_tnum(s);
}

/* ---- arithmetic ---- */

/* The full register is its sub-register zero-extended; syncs. */
static void zero_extend(struct vf_scalar *s)
{
	struct vf_range a = {s->u32min, s->u32max, 0, vf_umax(VF_HALF)};

	if (s->s32min >= 0) {
		a.smin = s->s32min;
		a.smax = s->s32max;
	}
	s->var_off = tnum_subreg(s->var_off);
	vf_scalar_set_range(s, a, VF_BITS);
	vf_scalar_sync(s);
}

static void set_const(struct vf_scalar *s, u64 value, unsigned bits)
{
	if (bits == VF_BITS) {
		*s = vf_scalar_const(value);
		return;
	}
	s->var_off = tnum_const_subreg(s->var_off, value);
	vf_scalar_set_range(s, vf_range_const(value, VF_HALF), VF_HALF);
}

typedef struct vf_range (*range_op)(struct vf_range a, struct vf_range b, unsigned bits);

/* Both widths: a 64-bit sum bounds its lower half by the 32-bit sum of the lower halves. */
static void apply_range_op(struct vf_scalar *dst, const struct vf_scalar *src, range_op op)
{
	vf_scalar_set_range(dst, op(half(dst), half(src), VF_HALF), VF_HALF);
	vf_scalar_set_range(dst, op(full(dst), full(src), VF_BITS), VF_BITS);
}

static struct vf_range bitwise_range(
	u8 op, struct vf_range a, struct vf_range b, struct tnum result, unsigned bits)
{
	if (op == BPF_AND)
		return vf_range_and(a, b, result, bits);
	if (op == BPF_OR)
		return vf_range_or(a, b, result, bits);
	return vf_range_xor(result, bits);
}

static struct tnum bitwise_tnum(u8 op, struct tnum a, struct tnum b)
{
	if (op == BPF_AND)
		return tnum_and(a, b);
	if (op == BPF_OR)
		return tnum_or(a, b);
	return tnum_xor(a, b);
}

static void apply_bitwise(struct vf_scalar *dst, const struct vf_scalar *src, u8 op)
{
	static const unsigned widths[] = {VF_HALF, VF_BITS};

	dst->var_off = bitwise_tnum(op, dst->var_off, src->var_off);
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		unsigned bits = widths[i];
		struct tnum t = tnum_cast(dst->var_off, bits);
		struct vf_range range;

		if (tnum_is_const(t) && tnum_is_const(tnum_cast(src->var_off, bits))) {
			set_const(dst, t.value, bits);
			continue;
		}
		range = bitwise_range(
			op, vf_scalar_range(dst, bits), vf_scalar_range(src, bits), t, bits);
		vf_scalar_set_range(dst, range, bits);
	}
	learn_from_tnum(dst);
}

static void shift_left(struct vf_scalar *dst, u8 shift, unsigned bits)
{
	struct vf_range low = vf_range_lsh(half(dst), shift, VF_HALF);
	struct vf_range all = vf_range_lsh(full(dst), shift, VF_BITS);

	/* the compiler's sign extension is << 32 then s>> 32: the sub-register's sign moves up */
	if (shift == VF_BITS - VF_HALF) {
		all.smin = (s64)((u64)dst->s32min << shift);
		all.smax = (s64)((u64)dst->s32max << shift);
	}
	if (bits == VF_HALF) {
		dst->var_off = tnum_subreg(dst->var_off);
		all = vf_range_unbounded(VF_BITS);
	}
	dst->var_off = tnum_lsh(dst->var_off, shift);
	vf_scalar_set_range(dst, low, VF_HALF);
	vf_scalar_set_range(dst, all, VF_BITS);
}

static void shift_right(struct vf_scalar *dst, u8 op, u8 shift, unsigned bits)
{
	struct tnum t = tnum_cast(dst->var_off, bits);
	struct vf_range a = vf_scalar_range(dst, bits);

	vf_scalar_unbound(dst);
	if (op == BPF_RSH) {
		dst->var_off = tnum_rsh(t, shift);
		vf_scalar_set_range(dst, vf_range_rsh(a, shift, bits), bits);
	} else {
		dst->var_off = tnum_arsh(t, shift, bits);
		vf_scalar_set_range(dst, vf_range_arsh(a, shift, bits), bits);
	}
}

/* A shift is computed when its amount is one known value below the width, seen at both widths. */
static bool is_shift_known(const struct vf_scalar *src, unsigned bits)
{
	return tnum_is_const(tnum_cast(src->var_off, bits)) &&
	       vf_range_is_const(vf_scalar_range(src, bits)) && src->umax < bits;
}

static void apply_shift(struct vf_scalar *dst, const struct vf_scalar *src, u8 op, unsigned bits)
{
	u8 shift = src->umin;

	if (op == BPF_LSH)
		shift_left(dst, shift, bits);
	else
		shift_right(dst, op, shift, bits);
	learn_from_tnum(dst);
}

/* Linux computes these; of every other operation it knows nothing of the result. */
static bool is_computed(u8 op, const struct vf_scalar *src, unsigned bits)
{
	switch (op) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
	case BPF_MOV:
	case BPF_NEG: return true;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH: return is_shift_known(src, bits);
	default: return false;
	}
}

static void apply_op(struct vf_scalar *dst, u8 op, const struct vf_scalar *src, unsigned bits)
{
	struct vf_scalar before;

	switch (op) {
	case BPF_ADD:
		dst->var_off = tnum_add(dst->var_off, src->var_off);
		apply_range_op(dst, src, vf_range_add);
		break;
	case BPF_SUB:
		dst->var_off = tnum_sub(dst->var_off, src->var_off);
		apply_range_op(dst, src, vf_range_sub);
		break;
	case BPF_MUL:
		dst->var_off = tnum_mul(dst->var_off, src->var_off);
		apply_range_op(dst, src, vf_range_mul);
		break;
	case BPF_NEG:
		before = *dst;
		*dst = vf_scalar_const(0);
		apply_op(dst, BPF_SUB, &before, bits);
		break;
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR: apply_bitwise(dst, src, op); break;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH: apply_shift(dst, src, op, bits); break;
	case BPF_MOV: *dst = *src; break;
	default: skep_bug("operation 0x%x is not computed", op);
	}
}

void vf_scalar_alu(struct vf_scalar *dst, u8 op, const struct vf_scalar *src, unsigned bits)
{
	struct vf_scalar operand = src ? *src : vf_scalar_const(0);

	if (!is_computed(op, &operand, bits)) {
		*dst = vf_scalar_unknown();
		return;
	}
	apply_op(dst, op, &operand, bits);
	if (bits == VF_HALF)
		zero_extend(dst);
	else if (op != BPF_MOV)
		vf_scalar_sync(dst);
}

bool vf_scalar_fork(
	struct vf_scalar *dst, u8 op, const struct vf_scalar *src, struct vf_scalar *ret_zero)
{
	unsigned bits;

	if ((op != BPF_AND && op != BPF_OR) || !tnum_is_const(src->var_off))
		return false;
	if (dst->smin == -1 && dst->smax == 0)
		bits = VF_BITS;
	else if (dst->s32min == -1 && dst->s32max == 0)
		bits = VF_HALF;
	else
		return false;
	*ret_zero = *dst;
	set_const(ret_zero, 0, bits);
	set_const(dst, vf_umax(bits), bits);
	return true;
}

/*
 * Sign extension keeps order while the bits above the source do not change over the interval and its
 * sign does not either; else the result is any value of the source's size.
 */
void vf_scalar_sext(struct vf_scalar *dst, unsigned from, unsigned bits)
{
	struct vf_range a = vf_scalar_range(dst, bits), res;
	s64 min = vf_sext(a.smin, from), max = vf_sext(a.smax, from);
	u64 value;

	if (from >= bits) {
		vf_scalar_alu(dst, BPF_MOV, dst, bits);
		return;
	}
	if (vf_scalar_is_const(dst, VF_BITS, &value)) {
		*dst = vf_scalar_const(vf_zext(vf_sext(value, from), bits));
		return;
	}
	if (a.smin >> from != a.smax >> from || min > max) {
		res = vf_range_unbounded(bits);
		res.smin = vf_smin(from);
		res.smax = vf_smax(from);
		dst->var_off = tnum_cast(TNUM_UNKNOWN, bits);
	} else {
		res = (struct vf_range){vf_zext(min, bits), vf_zext(max, bits), min, max};
		dst->var_off = tnum_range(res.umin, res.umax);
	}
	vf_scalar_unbound(dst);
	vf_scalar_set_range(dst, res, bits);
	if (bits == VF_HALF)
		zero_extend(dst);
	else
		vf_scalar_sync(dst);
}

void vf_scalar_truncate(struct vf_scalar *dst, unsigned from)
{
	u64 mask = vf_umax(from);
	struct vf_range a = {0, mask, 0, mask};

	if (from >= VF_BITS)
		return;
	if ((dst->umin & ~mask) == (dst->umax & ~mask) && dst->umin <= dst->umax) {
		a.umin = dst->umin & mask;
		a.umax = dst->umax & mask;
	}
	a.smin = a.umin;
	a.smax = a.umax;
	dst->var_off = tnum_cast(dst->var_off, from);
	vf_scalar_set_range(dst, a, VF_BITS);
	if (from < VF_HALF)
		vf_scalar_forget_range(dst, VF_HALF);
	vf_scalar_sync(dst);
}

/* Swapping scrambles the order of numbers; only bits survive. */
void vf_scalar_swap(struct vf_scalar *dst, unsigned bits)
{
	vf_scalar_unbound(dst);
	dst->var_off = tnum_bswap(dst->var_off, bits);
	vf_scalar_truncate(dst, bits);
	vf_scalar_sync(dst);
}

/* ---- the variable part of a pointer ---- */

void vf_scalar_ptr_add(struct vf_scalar *ptr, const struct vf_scalar *off)
{
	struct vf_range sum = vf_range_add(full(ptr), full(off), VF_BITS);

	/* unlike a number's, a pointer's unsigned bounds do not survive that every sum wraps */
	if (sum.umax < ptr->umax) {
		sum.umin = 0;
		sum.umax = vf_umax(VF_BITS);
	}
	ptr->var_off = tnum_add(ptr->var_off, off->var_off);
	vf_scalar_unbound(ptr);
	vf_scalar_set_range(ptr, sum, VF_BITS);
	vf_scalar_sync(ptr);
}

void vf_scalar_ptr_sub(struct vf_scalar *ptr, const struct vf_scalar *off)
{
	struct vf_range diff = vf_range_sub(full(ptr), full(off), VF_BITS);

	if (ptr->umin < off->umax) {
		diff.umin = 0;
		diff.umax = vf_umax(VF_BITS);
	}
	ptr->var_off = tnum_sub(ptr->var_off, off->var_off);
	vf_scalar_unbound(ptr);
	vf_scalar_set_range(ptr, diff, VF_BITS);
	vf_scalar_sync(ptr);
}
