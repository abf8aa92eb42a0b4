/*
 * When is a type of the program the kernel's? Compatible: of the same shape at first sight. Matching: all
 * that the program's type has, the kernel's has, under the same names.
 */
#include <errno.h>
#include <string.h>

#include "btf/core_spec.h"

size_t core_name_len(const char *name)
{
	size_t len = strlen(name);

	/* X___Y, with the last such place */
	for (size_t i = len; i-- > 0 && len >= 5;) {
		if (i + 5 <= len && name[i] != '_' && !strncmp(name + i + 1, "___", 3) &&
			name[i + 4] != '_')
			return i + 1;
	}
	return len;
}

static bool is_same_name(const char *a, const char *b)
{
	size_t len = core_name_len(a);

	return len == core_name_len(b) && !strncmp(a, b, len);
}

static bool is_same_kind(const struct btf_type *a, const struct btf_type *b)
{
	return btf_type_kind(a) == btf_type_kind(b) || (btf_type_is_enum(a) && btf_type_is_enum(b));
}

static bool is_signed(const struct btf_type *t)
{
	return BTF_INT_ENCODING(btf_type_int(t)) & BTF_INT_SIGNED;
}

static const struct btf_param *params_of(const struct btf_type *t)
{
	return btf_type_tail(t);
}

int core_types_compat(
	const struct btf_obj *a, u32 a_id, const struct btf_obj *b, u32 b_id, int level)
{
	const struct btf_type *s, *t;

	if (level < 0)
		return -EINVAL;
	a_id = btf_skip_modifiers(a, a_id);
	b_id = btf_skip_modifiers(b, b_id);
	s = btf_type_at(a, a_id);
	t = btf_type_at(b, b_id);
	if (!is_same_kind(s, t))
		return 0;
	switch (btf_type_kind(s)) {
	case BTF_KIND_UNKN:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FWD: return 1;
	case BTF_KIND_INT:
		return !BTF_INT_OFFSET(btf_type_int(s)) && !BTF_INT_OFFSET(btf_type_int(t));
	case BTF_KIND_PTR: return core_types_compat(a, s->type, b, t->type, level - 1);
	case BTF_KIND_ARRAY:
		return core_types_compat(
			a, btf_type_array(s)->type, b, btf_type_array(t)->type, level - 1);
	case BTF_KIND_FUNC_PROTO:
		if (btf_type_vlen(s) != btf_type_vlen(t))
			return 0;
		for (u32 i = 0; i < btf_type_vlen(s); i++) {
			int ret = core_types_compat(
				a, params_of(s)[i].type, b, params_of(t)[i].type, level - 1);

			if (ret <= 0)
				return ret;
		}
		return core_types_compat(a, s->type, b, t->type, level - 1);
	default: return 0;
	}
}

static const char *enumerator(const struct btf_obj *btf, const struct btf_type *t, u32 i)
{
	if (btf_type_is(t, BTF_KIND_ENUM))
		return btf_str(btf, ((const struct btf_enum *)btf_type_tail(t))[i].name_off);
	return btf_str(btf, ((const struct btf_enum64 *)btf_type_tail(t))[i].name_off);
}

/* Every enumerator of s is one of t, with whatever value. */
static int match_enums(const struct btf_obj *a, const struct btf_type *s, const struct btf_obj *b,
	const struct btf_type *t)
{
	if (btf_type_vlen(s) > btf_type_vlen(t))
		return 0;
	for (u32 i = 0; i < btf_type_vlen(s); i++) {
		bool is_found = false;

		for (u32 j = 0; j < btf_type_vlen(t) && !is_found; j++)
			is_found = is_same_name(enumerator(a, s, i), enumerator(b, t, j));
		if (!is_found)
			return 0;
	}
	return 1;
}

/* Every member of s is one of t, of a type that matches. */
static int match_members(const struct btf_obj *a, const struct btf_type *s, const struct btf_obj *b,
	const struct btf_type *t, int level)
{
	if (btf_type_vlen(s) > btf_type_vlen(t))
		return 0;
	for (u32 i = 0; i < btf_type_vlen(s); i++) {
		struct btf_field_ref local = btf_member_at(a, s, i);
		int ret = 0;

		for (u32 j = 0; j < btf_type_vlen(t) && !ret; j++) {
			struct btf_field_ref other = btf_member_at(b, t, j);

			if (is_same_name(local.name, other.name))
				ret = core_types_match(
					a, local.type_id, b, other.type_id, false, level - 1);
		}
		if (ret <= 0)
			return ret;
	}
	return 1;
}

static int match_protos(const struct btf_obj *a, const struct btf_type *s, const struct btf_obj *b,
	const struct btf_type *t, bool behind_ptr, int level)
{
	if (btf_type_vlen(s) != btf_type_vlen(t))
		return 0;
	for (u32 i = 0; i < btf_type_vlen(s); i++) {
		int ret = core_types_match(
			a, params_of(s)[i].type, b, params_of(t)[i].type, behind_ptr, level - 1);

		if (ret <= 0)
			return ret;
	}
	return core_types_match(a, s->type, b, t->type, behind_ptr, level - 1);
}

/* A declaration stands for its struct or union behind a pointer. */
static int match_declared(const struct btf_type *s, const struct btf_type *t, bool behind_ptr)
{
	u32 of_s = btf_type_kflag(s) ? BTF_KIND_UNION : BTF_KIND_STRUCT;

	if (btf_type_is(t, BTF_KIND_FWD))
		return btf_type_kflag(s) == btf_type_kflag(t);
	return behind_ptr && btf_type_is(t, of_s);
}

int core_types_match(const struct btf_obj *a, u32 a_id, const struct btf_obj *b, u32 b_id,
	bool behind_ptr, int level)
{
	const struct btf_type *s, *t;

	if (level <= 0)
		return -EINVAL;
	a_id = btf_skip_modifiers(a, a_id);
	b_id = btf_skip_modifiers(b, b_id);
	s = btf_type_at(a, a_id);
	t = btf_type_at(b, b_id);
	if (!is_same_name(btf_type_name(a, a_id), btf_type_name(b, b_id)))
		return 0;
	if (btf_type_is(s, BTF_KIND_FWD))
		return match_declared(s, t, behind_ptr);
	if (btf_type_is_struct(s) && behind_ptr && btf_type_is(t, BTF_KIND_FWD))
		return btf_type_is(s, BTF_KIND_UNION) == btf_type_kflag(t);
	if (!is_same_kind(s, t))
		return 0;
	switch (btf_type_kind(s)) {
	case BTF_KIND_UNKN: return 1;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return match_enums(a, s, b, t);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return behind_ptr ? 1 : match_members(a, s, b, t, level);
	case BTF_KIND_INT: return s->size == t->size && is_signed(s) == is_signed(t);
	case BTF_KIND_PTR: return core_types_match(a, s->type, b, t->type, true, level - 1);
	case BTF_KIND_ARRAY:
		if (btf_type_array(s)->nelems != btf_type_array(t)->nelems)
			return 0;
		return core_types_match(a, btf_type_array(s)->type, b, btf_type_array(t)->type,
			behind_ptr, level - 1);
	case BTF_KIND_FUNC_PROTO: return match_protos(a, s, b, t, behind_ptr, level);
	default: return 0;
	}
}
