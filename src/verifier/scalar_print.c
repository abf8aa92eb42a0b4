/*
 * Scalars as Linux's log shows them, so that logs of both engines can be compared line by line:
 * bounds at the end of their type are left out, equal bounds of the same sense share one number
 * (smin=umin=smin32=5), and numbers are decimal while they fit 16 bits, else hexadecimal.
 */
#include <inttypes.h>

#include "base/buf.h"
#include "verifier/scalar.h"

static bool is_short_signed(s64 num)
{
	return num >= INT16_MIN && num <= INT16_MAX;
}

void vf_print_snum(struct buf *out, s64 num)
{
	buf_printf(out, is_short_signed(num) ? "%" PRId64 : "0x%" PRIx64, num);
}

void vf_print_unum(struct buf *out, u64 num)
{
	buf_printf(out, num <= UINT16_MAX ? "%" PRIu64 : "0x%" PRIx64, num);
}

struct bound {
	const char *name;
	u64 value;
	bool is_signed;
	bool is_said; /* says nothing, or already shares another one's number */
};

/* In decimal a small 32-bit number reads like the 64-bit one; in hex its sign extension would not. */
static u64 shown32(s32 num)
{
	return is_short_signed(num) ? (u64)(s64)num : (u32)num;
}

static bool share_number(const struct bound *a, const struct bound *b)
{
	bool a_negative = a->is_signed && (s64)a->value < 0;
	bool b_negative = b->is_signed && (s64)b->value < 0;

	return a->value == b->value && a_negative == b_negative;
}

static void print_bounds(struct buf *out, const struct vf_scalar *s, const char **sep)
{
	/* minima at even places, maxima at odd ones: only bounds of one sense share a number */
	struct bound bounds[] = {
		{"smin", s->smin, true, s->smin == vf_smin(VF_BITS)},
		{"smax", s->smax, true, s->smax == vf_smax(VF_BITS)},
		{"umin", s->umin, false, s->umin == 0},
		{"umax", s->umax, false, s->umax == vf_umax(VF_BITS)},
		{"smin32", shown32(s->s32min), true, s->s32min == vf_smin(VF_HALF)},
		{"smax32", shown32(s->s32max), true, s->s32max == vf_smax(VF_HALF)},
		{"umin32", s->u32min, false, s->u32min == 0},
		{"umax32", s->u32max, false, s->u32max == vf_umax(VF_HALF)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		if (bounds[i].is_said)
			continue;
		buf_printf(out, "%s%s=", *sep, bounds[i].name);
		*sep = ",";
		for (size_t j = i + 2; j < ARRAY_SIZE(bounds); j += 2) {
			if (bounds[j].is_said || !share_number(&bounds[i], &bounds[j]))
				continue;
			bounds[j].is_said = true;
			buf_printf(out, "%s=", bounds[j].name);
		}
		if (bounds[i].is_signed)
			vf_print_snum(out, bounds[i].value);
		else
			vf_print_unum(out, bounds[i].value);
	}
}

void vf_scalar_print_fields(struct buf *out, const struct vf_scalar *s, const char **sep)
{
	if (tnum_is_const(s->var_off))
		return;
	print_bounds(out, s, sep);
	if (tnum_is_unknown(s->var_off))
		return;
	buf_printf(out, "%svar_off=", *sep);
	*sep = ",";
	tnum_print(out, s->var_off);
}

void vf_scalar_print(struct buf *out, const struct vf_scalar *s)
{
	const char *sep = "";

	if (tnum_is_const(s->var_off)) {
		vf_print_snum(out, s->var_off.value);
		return;
	}
	buf_str(out, "scalar(");
	vf_scalar_print_fields(out, s, &sep);
	buf_str(out, ")");
}
