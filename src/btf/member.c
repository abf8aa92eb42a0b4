/*
 * Whether a member fits the struct it is in, by the kind of its type. Two layouts exist: with the
 * struct's kind flag, a member's offset holds a bitfield size beside the bit offset; without it, a
 * bitfield is an INT whose own bits say so.
 *
 *	      byte          0        1        2        3
 *	      bits          |········|··xxxxxx|xxx·····|        bit_off 10, 9 bits: bytes 1-2 are copied
 *
 * The first pass saw that every bit_off is inside the struct, so `size - off / 8` never wraps.
 */
#include <errno.h>

#include "btf/log.h"

enum { COPY_BITS_MAX = 128, ENUM_BITS = 32 };

struct member_check {
	struct btf_check *c;
	const struct btf_type *st;
	const struct btf_member *m; /* as written: what the log shows, but for the type */
	const struct btf_type *t;   /* of the member; modifiers skipped once known */
	u32 type_id;
};

static int refuse(const struct member_check *mc, const char *complaint)
{
	struct btf_member shown = *mc->m;

	shown.type = mc->type_id;
	btf_log_member(mc->c, mc->st, &shown, "%s", complaint);
	return -EINVAL;
}

/* `bits` bits from bit_off lie in the struct and can be copied whole. */
static int check_bits(const struct member_check *mc, u32 bit_off, u32 bits)
{
	u32 byte_off = bit_off / 8, copy_bits = bits + bit_off % 8;

	if (copy_bits > COPY_BITS_MAX)
		return refuse(mc, "nr_copy_bits exceeds 128");
	if (mc->st->size < byte_off || mc->st->size - byte_off < (copy_bits + 7) / 8)
		return refuse(mc, "Member exceeds struct_size");
	return 0;
}

/* `size` whole bytes from bit_off lie in the struct. */
static int check_bytes(const struct member_check *mc, u32 bit_off, u32 size)
{
	if (bit_off % 8)
		return refuse(mc, "Member is not byte aligned");
	if (mc->st->size - bit_off / 8 < size)
		return refuse(mc, "Member exceeds struct_size");
	return 0;
}

static int member_int_flagged(const struct member_check *mc)
{
	u32 bit_off = BTF_MEMBER_BIT_OFFSET(mc->m->offset);
	u32 bits = BTF_MEMBER_BITFIELD_SIZE(mc->m->offset);
	u32 int_bits = BTF_INT_BITS(btf_type_int(mc->t));

	if (!btf_type_is_regular_int(mc->t))
		return refuse(mc, "Invalid member base type");
	if (!bits && bit_off % 8)
		return refuse(mc, "Invalid member offset");
	if (bits > int_bits)
		return refuse(mc, "Invalid member bitfield_size");
	return check_bits(mc, bit_off, bits ? bits : int_bits);
}

static int member_int(const struct member_check *mc)
{
	u32 data = btf_type_int(mc->t), bit_off = mc->m->offset;

	if (btf_type_kflag(mc->st))
		return member_int_flagged(mc);
	if (UINT32_MAX - bit_off < BTF_INT_OFFSET(data))
		return refuse(mc, "bits_offset exceeds U32_MAX");
	return check_bits(mc, bit_off + BTF_INT_OFFSET(data), BTF_INT_BITS(data));
}

static int member_enum(const struct member_check *mc)
{
	u32 bit_off = btf_raw_bit_off(mc->st, mc->m), bits;

	if (!btf_type_kflag(mc->st))
		return check_bytes(mc, bit_off, mc->t->size);
	bits = BTF_MEMBER_BITFIELD_SIZE(mc->m->offset);
	if (!bits && bit_off % 8)
		return refuse(mc, "Member is not byte aligned");
	if (bits > ENUM_BITS)
		return refuse(mc, "Invalid member bitfield_size");
	bits = bits ? bits : ENUM_BITS;
	if (mc->st->size < (bit_off + bits + 7) / 8)
		return refuse(mc, "Member exceeds struct_size");
	return 0;
}

/* Only integers can be bitfields: for the rest a size of bits is wrong. */
static bool is_bitfield(const struct member_check *mc)
{
	return btf_type_kflag(mc->st) && BTF_MEMBER_BITFIELD_SIZE(mc->m->offset);
}

static int member_ptr(const struct member_check *mc)
{
	if (is_bitfield(mc))
		return refuse(mc, "Invalid member bitfield_size");
	return check_bytes(mc, mc->m->offset, sizeof(u64));
}

static int member_struct(const struct member_check *mc)
{
	if (is_bitfield(mc))
		return refuse(mc, "Invalid member bitfield_size");
	return check_bytes(mc, mc->m->offset, mc->t->size);
}

static int member_array(const struct member_check *mc)
{
	if (is_bitfield(mc))
		return refuse(mc, "Invalid member bitfield_size");
	return check_bytes(mc, mc->m->offset, mc->c->btf->resolved_sizes[mc->type_id]);
}

static int member_float(const struct member_check *mc)
{
	u32 align_bits = MIN(mc->t->size, (u32)sizeof(u64)) * 8;

	if (is_bitfield(mc))
		return refuse(mc, "Invalid member bitfield_size");
	if (mc->m->offset % align_bits)
		return refuse(mc, "Member is not properly aligned");
	if ((u64)mc->m->offset / 8 + mc->t->size > mc->st->size)
		return refuse(mc, "Member exceeds struct_size");
	return 0;
}

/* Kinds no member can be of were refused before. */
static int member_none(const struct member_check *mc)
{
	btf_log_basic(mc->c, mc->st, "Unsupported %s",
		btf_type_kflag(mc->st) ? "check_kflag_member" : "check_member");
	return -EINVAL;
}

static int member_modifier(const struct member_check *mc);

static int (*const members[])(const struct member_check *) = {
#define KIND(name, fixed, each, props, detail, resolve, member, ...)                               \
	[BTF_KIND_##name] = member_##member,
#include "btf/kinds.def"
#undef KIND
};

static int member_modifier(const struct member_check *mc)
{
	struct member_check inner = *mc;

	inner.t = btf_sized(mc->c->btf, &inner.type_id, NULL);
	if (!inner.t)
		return refuse(mc, "Invalid member");
	return members[btf_type_kind(inner.t)](&inner);
}

int btf_check_member(struct btf_check *c, const struct btf_type *st, const struct btf_member *m,
	const struct btf_type *member_type)
{
	struct member_check mc = {.c = c, .st = st, .m = m, .t = member_type, .type_id = m->type};

	return members[btf_type_kind(member_type)](&mc);
}
