/*
 * The first pass: every type by itself. Finds where each type begins (they are of different lengths,
 * so there is no other way) and checks all that needs no other type: lengths, flags, names, ranges of
 * numbers. The steps of each kind stand in kinds.def.
 */
#include <errno.h>

#include "base/mem.h"
#include "btf/log.h"

/* 0 when fine */
typedef int (*step_fn)(struct btf_check *c, const struct btf_type *t);

enum {
	INFO_MASK = 0x9f00ffff,
	INT_MASK = 0x0fffffff,
	INT_BITS_MAX = 128,
	STEP_CNT_MAX = 6,
	TYPES_MIN = 16,
};

static int refuse(struct btf_check *c, const struct btf_type *t, const char *complaint)
{
	btf_log_type(c, t, "%s", complaint);
	return -EINVAL;
}

static int step_vlen0(struct btf_check *c, const struct btf_type *t)
{
	return btf_type_vlen(t) ? refuse(c, t, "vlen != 0") : 0;
}

static int step_kflag0(struct btf_check *c, const struct btf_type *t)
{
	return btf_type_kflag(t) ? refuse(c, t, "Invalid btf_info kind_flag") : 0;
}

static int step_size0(struct btf_check *c, const struct btf_type *t)
{
	return t->size ? refuse(c, t, "size != 0") : 0;
}

static int step_type0(struct btf_check *c, const struct btf_type *t)
{
	return t->type ? refuse(c, t, "type != 0") : 0;
}

static int step_size_needed(struct btf_check *c, const struct btf_type *t)
{
	return t->size ? 0 : refuse(c, t, "size == 0");
}

static int step_ref_id(struct btf_check *c, const struct btf_type *t)
{
	return t->type > BTF_MAX_TYPE ? refuse(c, t, "Invalid type_id") : 0;
}

static int step_name_none(struct btf_check *c, const struct btf_type *t)
{
	return t->name_off ? refuse(c, t, "Invalid name") : 0;
}

static int step_name_needed(struct btf_check *c, const struct btf_type *t)
{
	if (t->name_off && btf_is_identifier(c->btf, t->name_off))
		return 0;
	return refuse(c, t, "Invalid name");
}

static int step_name_maybe(struct btf_check *c, const struct btf_type *t)
{
	return t->name_off ? step_name_needed(c, t) : 0;
}

static int step_name_text(struct btf_check *c, const struct btf_type *t)
{
	return c->btf->strings[t->name_off] ? 0 : refuse(c, t, "Invalid name");
}

static int step_value(struct btf_check *c, const struct btf_type *t)
{
	return c->btf->strings[t->name_off] ? 0 : refuse(c, t, "Invalid value");
}

static int step_name_section(struct btf_check *c, const struct btf_type *t)
{
	if (t->name_off && btf_is_section_name(c->btf, t->name_off))
		return 0;
	return refuse(c, t, "Invalid name");
}

static int step_int_data(struct btf_check *c, const struct btf_type *t)
{
	u32 data = btf_type_int(t), encoding = BTF_INT_ENCODING(data);
	u32 bits = BTF_INT_BITS(data) + BTF_INT_OFFSET(data);

	if (data & ~INT_MASK) {
		btf_log_basic(c, t, "Invalid int_data:%x", data);
		return -EINVAL;
	}
	if (bits > INT_BITS_MAX)
		return refuse(c, t, "nr_bits exceeds 128");
	if ((bits + 7) / 8 > t->size)
		return refuse(c, t, "nr_bits exceeds type_size");
	if (encoding & (encoding - 1) || encoding > BTF_INT_BOOL) {
		refuse(c, t, "Unsupported encoding");
		return -BTF_ENOTSUPP;
	}
	return 0;
}

static int step_array(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_array *array = btf_type_array(t);

	if (!array->type || array->type > BTF_MAX_TYPE)
		return refuse(c, t, "Invalid elem");
	if (!array->index_type || array->index_type > BTF_MAX_TYPE)
		return refuse(c, t, "Invalid index");
	return 0;
}

static int step_enum_size(struct btf_check *c, const struct btf_type *t)
{
	if (t->size > 8 || !t->size || t->size & (t->size - 1))
		return refuse(c, t, "Unexpected size");
	return 0;
}

static int step_float_size(struct btf_check *c, const struct btf_type *t)
{
	if (t->size != 2 && t->size != 4 && t->size != 8 && t->size != 12 && t->size != 16)
		return refuse(c, t, "Invalid type_size");
	return 0;
}

static int step_linkage(struct btf_check *c, const struct btf_type *t)
{
	return btf_type_vlen(t) > BTF_FUNC_GLOBAL ? refuse(c, t, "Invalid func linkage") : 0;
}

static int step_var(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_var *var = btf_type_tail(t);

	if (!t->type || t->type > BTF_MAX_TYPE)
		return refuse(c, t, "Invalid type_id");
	if (var->linkage != BTF_VAR_STATIC && var->linkage != BTF_VAR_GLOBAL_ALLOCATED)
		return refuse(c, t, "Linkage not supported");
	return 0;
}

static int step_component(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_decl_tag *tag = btf_type_tail(t);

	return tag->component_idx < -1 ? refuse(c, t, "Invalid component_idx") : 0;
}

/* --- what follows a type, one by one ----------------------------------------------------------- */

static const char *member_fault(const struct btf_check *c, const struct btf_type *t,
	const struct btf_member *m, u32 last_off)
{
	u32 off = btf_raw_bit_off(t, m);

	if (m->name_off && !btf_is_identifier(c->btf, m->name_off))
		return "Invalid name";
	if (!m->type || m->type > BTF_MAX_TYPE)
		return "Invalid type_id";
	if ((btf_type_is(t, BTF_KIND_UNION) && off) || last_off > off)
		return "Invalid member bits_offset";
	if (off / 8 + !!(off % 8) > t->size)
		return "Member bits_offset exceeds its struct size";
	return NULL;
}

static int check_members(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_member *m = btf_raw_members(t);
	u32 last_off = 0;

	for (u32 i = 0; i < btf_type_vlen(t); i++, m++) {
		const char *fault;

		if (!btf_is_name_off(c->btf, m->name_off)) {
			btf_log_member(c, t, m, "Invalid member name_offset:%u", m->name_off);
			return -EINVAL;
		}
		fault = member_fault(c, t, m, last_off);
		btf_log_member(c, t, m, "%s", fault ? fault : "");
		if (fault)
			return -EINVAL;
		last_off = btf_raw_bit_off(t, m);
	}
	return 0;
}

static int check_enumerator(struct btf_check *c, const struct btf_type *t, u32 name_off)
{
	if (!btf_is_name_off(c->btf, name_off)) {
		btf_log(c, "\tInvalid name_offset:%u", name_off);
		return -EINVAL;
	}
	if (!name_off || !btf_is_identifier(c->btf, name_off))
		return refuse(c, t, "Invalid name");
	return 0;
}

static int check_enum(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_enum *e = btf_type_tail(t);

	for (u32 i = 0; i < btf_type_vlen(t); i++, e++) {
		const char *name;

		if (check_enumerator(c, t, e->name_off))
			return -EINVAL;
		name = c->btf->strings + e->name_off;
		if (btf_type_kflag(t))
			btf_log(c, "\t%s val=%d\n", name, e->val);
		else
			btf_log(c, "\t%s val=%u\n", name, (u32)e->val);
	}
	return 0;
}

static int check_enum64(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_enum64 *e = btf_type_tail(t);

	for (u32 i = 0; i < btf_type_vlen(t); i++, e++) {
		u64 value = (u64)e->val_hi32 << 32 | e->val_lo32;
		const char *name;

		if (check_enumerator(c, t, e->name_off))
			return -EINVAL;
		name = c->btf->strings + e->name_off;
		if (btf_type_kflag(t))
			btf_log(c, "\t%s val=%lld\n", name, (long long)value);
		else
			btf_log(c, "\t%s val=%llu\n", name, (unsigned long long)value);
	}
	return 0;
}

static const char *var_fault(const struct btf_type *t, const struct btf_var_secinfo *var, u64 end)
{
	if (!var->type || var->type > BTF_MAX_TYPE)
		return "Invalid type_id";
	if (var->offset < end || var->offset >= t->size)
		return "Invalid offset";
	if (!var->size || var->size > t->size)
		return "Invalid size";
	/* the sum is of 32 bits: one that wraps is left to the order of the next and the total */
	if (var->offset + var->size > t->size)
		return "Invalid offset+size";
	return NULL;
}

static int check_vars(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_var_secinfo *var = btf_raw_vars(t);
	u64 end = 0, sum = 0;

	for (u32 i = 0; i < btf_type_vlen(t); i++, var++) {
		const char *fault = var_fault(t, var, end);

		btf_log_var(c, t, var, "%s", fault ? fault : "");
		if (fault)
			return -EINVAL;
		end = var->offset + var->size;
		sum += var->size;
	}
	return t->size < sum ? refuse(c, t, "Invalid btf_info size") : 0;
}

static int check_items(struct btf_check *c, const struct btf_type *t)
{
	switch (btf_type_kind(t)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return check_members(c, t);
	case BTF_KIND_ENUM: return check_enum(c, t);
	case BTF_KIND_ENUM64: return check_enum64(c, t);
	case BTF_KIND_DATASEC: return check_vars(c, t);
	default: return 0;
	}
}

/* --- all types --------------------------------------------------------------------------------- */

#define STEPS_1(a)				 step_##a
#define STEPS_2(a, ...)				 step_##a, STEPS_1(__VA_ARGS__)
#define STEPS_3(a, ...)				 step_##a, STEPS_2(__VA_ARGS__)
#define STEPS_4(a, ...)				 step_##a, STEPS_3(__VA_ARGS__)
#define STEPS_5(a, ...)				 step_##a, STEPS_4(__VA_ARGS__)
#define STEPS_OF(_5, _4, _3, _2, _1, macro, ...) macro
#define STEPS(...)				 STEPS_OF(__VA_ARGS__, STEPS_5, STEPS_4, STEPS_3, STEPS_2, STEPS_1, )(__VA_ARGS__)

static const step_fn steps[][STEP_CNT_MAX] = {
#define KIND(name, fixed, each, props, detail, resolve, member, ...)                               \
	[BTF_KIND_##name] = {STEPS(__VA_ARGS__)},
#include "btf/kinds.def"
#undef KIND
};

/* Room for a type at the end of types; the first entry is void. */
static int add_type(struct btf_check *c, const struct btf_type *t, u32 *cap)
{
	static const struct btf_type void_type;
	struct btf_obj *btf = c->btf;

	if (btf->type_cnt == *cap) {
		u32 want = MIN((u32)BTF_MAX_TYPE, *cap + MAX(*cap / 4, (u32)TYPES_MIN));
		const struct btf_type **types;

		/* Linux says so and goes on without the type; what refers to it fails later. */
		if (*cap == BTF_MAX_TYPE) {
			btf_log(c, "Exceeded max num of types");
			return 0;
		}
		types = mem_realloc(btf->types, want, sizeof(*types));
		if (!types)
			return -ENOMEM;
		btf->types = types;
		*cap = want;
		if (!btf->type_cnt)
			btf->types[btf->type_cnt++] = &void_type;
	}
	btf->types[btf->type_cnt++] = t;
	return 0;
}

/* left: bytes from t to the end of the section; *ret_len the bytes the type takes */
static int check_one(struct btf_check *c, const struct btf_type *t, u32 left, u32 *ret_len)
{
	const struct btf_kind_row *row;
	const step_fn *step;
	u32 tail;
	int err = 0;

	if (left < sizeof(*t)) {
		btf_log(c, "[%u] meta_left:%u meta_needed:%zu", c->log_id, left, sizeof(*t));
		return -EINVAL;
	}
	left -= sizeof(*t);
	if (t->info & ~INFO_MASK) {
		btf_log(c, "[%u] Invalid btf_info:%x", c->log_id, t->info);
		return -EINVAL;
	}
	if (btf_type_kind(t) > BTF_KIND_MAX || !btf_type_kind(t)) {
		btf_log(c, "[%u] Invalid kind:%u", c->log_id, btf_type_kind(t));
		return -EINVAL;
	}
	if (!btf_is_name_off(c->btf, t->name_off)) {
		btf_log(c, "[%u] Invalid name_offset:%u", c->log_id, t->name_off);
		return -EINVAL;
	}
	row = &btf_kind_rows[btf_type_kind(t)];
	tail = row->fixed + row->each * btf_type_vlen(t);
	if (left < tail) {
		btf_log_basic(c, t, "meta_left:%u meta_needed:%u", left, tail);
		return -EINVAL;
	}
	for (step = steps[btf_type_kind(t)]; *step && !err; step++)
		err = (*step)(c, t);
	if (err)
		return err;
	btf_log_type(c, t, "%s", "");
	*ret_len = sizeof(*t) + tail;
	return check_items(c, t);
}

int btf_check_meta(struct btf_check *c)
{
	const struct btf_header *hdr = &c->btf->hdr;
	const u8 *cur, *end;
	u32 cap = 0, len;
	int err;

	if (hdr->type_off % sizeof(u32)) {
		btf_log(c, "Unaligned type_off");
		return -EINVAL;
	}
	if (!hdr->type_len) {
		btf_log(c, "No type found");
		return -EINVAL;
	}
	cur = c->btf->data + hdr->hdr_len + hdr->type_off;
	end = cur + hdr->type_len;
	for (c->log_id = 1; cur < end; c->log_id++, cur += len) {
		const struct btf_type *t = (const struct btf_type *)cur;

		err = check_one(c, t, end - cur, &len);
		if (!err)
			err = add_type(c, t, &cap);
		if (err)
			return err;
	}
	return 0;
}

/* Bytes of a type with what follows it; 0: it does not fit, or there is no such kind. */
static u32 type_len(const struct btf_type *t, size_t left)
{
	const struct btf_kind_row *row;
	u32 len;

	if (left < sizeof(*t) || btf_type_kind(t) > BTF_KIND_MAX || !btf_type_kind(t))
		return 0;
	row = &btf_kind_rows[btf_type_kind(t)];
	len = sizeof(*t) + row->fixed + row->each * btf_type_vlen(t);
	return len <= left ? len : 0;
}

int btf_list_types(struct btf_check *c)
{
	const struct btf_header *hdr = &c->btf->hdr;
	const u8 *cur = c->btf->data + hdr->hdr_len + hdr->type_off, *end = cur + hdr->type_len;
	u32 cap = 0, len;

	if ((uintptr_t)cur % sizeof(u32) || cur == end)
		return -EINVAL;
	for (; cur < end; cur += len) {
		const struct btf_type *t = (const struct btf_type *)cur;

		len = type_len(t, end - cur);
		if (!len || !btf_is_name_off(c->btf, t->name_off))
			return -EINVAL;
		if (add_type(c, t, &cap))
			return -ENOMEM;
	}
	return 0;
}
