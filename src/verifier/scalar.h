/*
 * The abstract scalar: what the verifier knows of a register's number, as the product of a tnum and of
 * ranges at the two widths. Its members are the values that lie in all of the components.
 *
 * A scalar is `synced` when each component has learnt from the others (vf_scalar_sync); every function
 * here takes and leaves synced values unless it says otherwise. Not synced is not wrong, only less
 * precise. A scalar without members arises only on a branch that cannot be taken; is_sane may tell, and
 * the caller then drops its bounds with vf_scalar_unbound(), as Linux does.
 *
 * Pure values: no environment, no allocation. `bits` is VF_BITS or VF_HALF (64 or 32) throughout;
 * ops are those of <linux/bpf.h> (BPF_ADD, BPF_JSGT, ...) without class and source.
 * Transfer and refinement are those of Linux 6.18.
 */
#ifndef VERIFIER_SCALAR_H
#define VERIFIER_SCALAR_H

#include "base/types.h"
#include "verifier/range.h"
#include "verifier/tnum.h"

struct buf;

struct vf_scalar {
	struct tnum var_off;
	u64 umin, umax;
	s64 smin, smax;
	u32 u32min, u32max;
	s32 s32min, s32max;
};

static inline struct vf_range vf_scalar_range(const struct vf_scalar *s, unsigned bits)
{
	if (bits == VF_BITS)
		return (struct vf_range){s->umin, s->umax, s->smin, s->smax};
	return (struct vf_range){s->u32min, s->u32max, s->s32min, s->s32max};
}

/* Neither of the two syncs. */
static inline void vf_scalar_set_range(struct vf_scalar *s, struct vf_range range, unsigned bits)
{
	if (bits == VF_BITS) {
		s->umin = range.umin;
		s->umax = range.umax;
		s->smin = range.smin;
		s->smax = range.smax;
	} else {
		s->u32min = range.umin;
		s->u32max = range.umax;
		s->s32min = range.smin;
		s->s32max = range.smax;
	}
}

static inline void vf_scalar_forget_range(struct vf_scalar *s, unsigned bits)
{
	vf_scalar_set_range(s, vf_range_unbounded(bits), bits);
}

/* All bounds become those of the type; var_off stays. Does not sync. */
static inline void vf_scalar_unbound(struct vf_scalar *s)
{
	vf_scalar_forget_range(s, VF_BITS);
	vf_scalar_forget_range(s, VF_HALF);
}

static inline struct vf_scalar vf_scalar_unknown(void)
{
	struct vf_scalar s = {.var_off = TNUM_UNKNOWN};

	vf_scalar_unbound(&s);
	return s;
}

static inline struct vf_scalar vf_scalar_const(u64 value)
{
	struct vf_scalar s = {.var_off = tnum_const(value)};

	vf_scalar_set_range(&s, vf_range_const(value, VF_BITS), VF_BITS);
	vf_scalar_set_range(&s, vf_range_const(value, VF_HALF), VF_HALF);
	return s;
}

/* Unsigned [min, max], e.g. the result of a narrow load. */
struct vf_scalar vf_scalar_between(u64 min, u64 max);
struct vf_scalar vf_scalar_from_tnum(struct tnum t);

bool vf_scalar_has(const struct vf_scalar *s, u64 value);
/* Whether the low `bits` bits are one known value; *ret_value is it, zero-extended. */
bool vf_scalar_is_const(const struct vf_scalar *s, unsigned bits, u64 *ret_value);
bool vf_scalar_is_unknown(const struct vf_scalar *s);
/* False when a pair of bounds excludes every value, or var_off disagrees with constant bounds. */
bool vf_scalar_is_sane(const struct vf_scalar *s);
/* Whether everything cur may be, old may be too: the test that lets exploration prune. */
static inline bool vf_scalar_is_subset(const struct vf_scalar *old, const struct vf_scalar *cur)
{
	return vf_range_in(vf_scalar_range(old, VF_BITS), vf_scalar_range(cur, VF_BITS)) &&
	       vf_range_in(vf_scalar_range(old, VF_HALF), vf_scalar_range(cur, VF_HALF)) &&
	       tnum_in(old->var_off, cur->var_off);
}

/*
 * Lets the components learn from each other; never loses a member. In one place Linux forgets a closer
 * bound for a looser one, so the result may hold more than s did.
 */
void vf_scalar_sync(struct vf_scalar *s);

/*
 * dst = dst op src at the given width (32-bit results are zero-extended). op is any of BPF_ADD SUB MUL
 * DIV MOD OR AND XOR LSH RSH ARSH NEG MOV; NEG ignores src (which may be NULL). DIV, MOD, shifts by an
 * unknown or too large amount, and unknown ops yield an unknown 64-bit value. BPF_END: vf_scalar_swap.
 */
void vf_scalar_alu(struct vf_scalar *dst, u8 op, const struct vf_scalar *src, unsigned bits);
/*
 * Before `dst &= constant` and `dst |= constant` at either width, Linux explores the two values of a
 * dst in [-1, 0] (the outcome of an arithmetic shift to the sign) one by one. True when this is such a
 * case: dst is now -1 at the width where it was seen, *ret_zero is dst with 0 there (neither is synced),
 * and the instruction is to be verified again with the latter.
 */
bool vf_scalar_fork(
	struct vf_scalar *dst, u8 op, const struct vf_scalar *src, struct vf_scalar *ret_zero);
/* dst = the low `from` bits (8, 16, 32) of dst, sign-extended to `bits`, then zero-extended. */
void vf_scalar_sext(struct vf_scalar *dst, unsigned from, unsigned bits);
/* dst = the low `from` bits of dst (8, 16, 32; 64 changes nothing), zero-extended. */
void vf_scalar_truncate(struct vf_scalar *dst, unsigned from);

/* dst = the low `bits` bits (16, 32, 64) of dst with their bytes reversed, zero-extended. */
void vf_scalar_swap(struct vf_scalar *dst, unsigned bits);

/*
 * The variable part of pointer +/- scalar. Bounds of the sub-register are dropped first; a bound that
 * wraps is dropped too, also where plain addition would keep it.
 */
void vf_scalar_ptr_add(struct vf_scalar *ptr, const struct vf_scalar *off);
void vf_scalar_ptr_sub(struct vf_scalar *ptr, const struct vf_scalar *off);

/* Whether `if (a op b)` at this width is taken: 1 always, 0 never, -1 either. op: BPF_JEQ ... JSLE. */
int vf_scalar_branch(const struct vf_scalar *a, const struct vf_scalar *b, u8 op, unsigned bits);
/*
 * What a and b become on the edge where `a op b` held (taken) or did not. Left synced. a and b are
 * different objects; for `if (r1 op r1)` do not refine. The result may be insane, see is_sane. As in
 * Linux, where vf_scalar_branch() decides the condition nothing is refined: JSET's edge forgets bounds.
 */
void vf_scalar_refine(struct vf_scalar *a, struct vf_scalar *b, u8 op, unsigned bits, bool taken);

/*
 * The fields as Linux prints them between the parentheses of scalar(...): smin=..,umax=..,var_off=..
 * Each is preceded by *sep, which becomes ","; what says nothing is left out. A constant prints
 * nothing here: see vf_scalar_print.
 */
void vf_scalar_print_fields(struct buf *out, const struct vf_scalar *s, const char **sep);
/* The whole as in a register state: 5, -1, 0x10000, scalar(), scalar(smin=...,...). */
void vf_scalar_print(struct buf *out, const struct vf_scalar *s);
/* Numbers as Linux's log prints them: decimal while they fit 16 bits, else hex. */
void vf_print_snum(struct buf *out, s64 num);
void vf_print_unum(struct buf *out, u64 num);

#endif
