/*
 * Paths of CO-RE records: read from their text against the program's BTF, and looked for in another's.
 */
#include "btf/core_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool core_is_field(u32 kind)
{
	return kind <= BPF_CORE_FIELD_RSHIFT_U64;
}

bool core_is_type(u32 kind)
{
	return kind == BPF_CORE_TYPE_ID_LOCAL || kind == BPF_CORE_TYPE_ID_TARGET ||
	       kind == BPF_CORE_TYPE_EXISTS || kind == BPF_CORE_TYPE_MATCHES ||
	       kind == BPF_CORE_TYPE_SIZE;
}

bool core_is_enumval(u32 kind)
{
	return kind == BPF_CORE_ENUMVAL_EXISTS || kind == BPF_CORE_ENUMVAL_VALUE;
}

static const char *enumerator(const struct btf_obj *btf, const struct btf_type *t, u32 i)
{
	if (btf_type_is(t, BTF_KIND_ENUM))
		return btf_str(btf, ((const struct btf_enum *)btf_type_tail(t))[i].name_off);
	return btf_str(btf, ((const struct btf_enum64 *)btf_type_tail(t))[i].name_off);
}

/* The last member of a struct may be an array without length, with elements all the same. */
static bool is_flexible(
	const struct btf_obj *btf, const struct core_step *member, const struct btf_array *array)
{
	return member->name && !array->nelems &&
	       member->idx + 1 == btf_type_vlen(btf_type_at(btf, member->type_id));
}

static int add_bits(struct core_spec *spec, u32 cnt, u32 bytes)
{
	u64 bits = spec->bit_off + (u64)cnt * bytes * 8;

	if (bits > UINT32_MAX)
		return -EINVAL;
	spec->bit_off = bits;
	return 0;
}

/* ---- parsing ------------------------------------------------------------------------------------ */

/* number { ":" number } */
static int parse_text(const char *text, u32 ret_idx[CORE_STEPS_MAX], u32 *ret_cnt)
{
	u32 cnt = 0;

	if (!text || !*text || *text == ':')
		return -EINVAL;
	while (*text) {
		char *end;
		long idx;

		if (*text == ':')
			text++;
		if (*text < '0' || *text > '9')
			return -EINVAL;
		idx = strtol(text, &end, 10);
		if (idx > INT32_MAX)
			return -EINVAL;
		if (cnt == CORE_STEPS_MAX)
			return -E2BIG;
		ret_idx[cnt++] = idx;
		text = end;
	}
	*ret_cnt = cnt;
	return 0;
}

static int step_into_struct(
	struct core_spec *spec, const struct btf_type *t, u32 id, u32 idx, u32 *ret_id)
{
	struct btf_field_ref member;

	if (idx >= btf_type_vlen(t))
		return -EINVAL;
	member = btf_member_at(spec->btf, t, idx);
	spec->bit_off += member.bit_off;
	if (*member.name)
		spec->steps[spec->step_cnt++] = (struct core_step){
			.type_id = id, .idx = idx, .name = member.name};
	*ret_id = member.type_id;
	return 0;
}

static int step_into_array(struct core_spec *spec, const struct btf_type *t, u32 idx, u32 *ret_id)
{
	const struct btf_array *array = btf_type_array(t);
	u32 id = btf_skip_modifiers(spec->btf, array->type), size;

	if (!is_flexible(spec->btf, &spec->steps[spec->step_cnt - 1], array) &&
		idx >= array->nelems)
		return -EINVAL;
	if (btf_size(spec->btf, id, NULL, &size))
		return -EINVAL;
	spec->steps[spec->step_cnt++] = (struct core_step){.type_id = id, .idx = idx};
	*ret_id = id;
	return add_bits(spec, idx, size);
}

static int parse_field(struct core_spec *spec, u32 id, const u32 *idx, u32 cnt)
{
	u32 size;
	int err;

	if (btf_size(spec->btf, id, NULL, &size))
		return -EINVAL;
	err = add_bits(spec, idx[0], size);
	for (u32 i = 1; i < cnt && !err; i++) {
		const struct btf_type *t;

		id = btf_skip_modifiers(spec->btf, id);
		t = btf_type_at(spec->btf, id);
		if (btf_type_is_struct(t))
			err = step_into_struct(spec, t, id, idx[i], &id);
		else if (btf_type_is(t, BTF_KIND_ARRAY))
			err = step_into_array(spec, t, idx[i], &id);
		else
			err = -EINVAL;
	}
	return err;
}

int core_spec_parse(
	const struct btf_obj *btf, const struct bpf_core_relo *relo, struct core_spec *ret_spec)
{
	const char *text = btf_str(btf, relo->access_str_off);
	u32 idx[CORE_STEPS_MAX], cnt = 0, id;
	const struct btf_type *t;
	int err;

	*ret_spec = (struct core_spec){.btf = btf, .root_id = relo->type_id, .kind = relo->kind};
	if (core_is_type(relo->kind))
		return text && !strcmp(text, "0") ? 0 : -EINVAL;
	err = parse_text(text, idx, &cnt);
	if (err)
		return err;
	id = btf_skip_modifiers(btf, relo->type_id);
	t = btf_type_at(btf, id);
	ret_spec->raw_cnt = cnt;
	ret_spec->step_cnt = 1;
	ret_spec->steps[0] = (struct core_step){.type_id = id, .idx = idx[0]};
	if (core_is_enumval(relo->kind)) {
		if (!btf_type_is_enum(t) || cnt > 1 || idx[0] >= btf_type_vlen(t))
			return -EINVAL;
		ret_spec->steps[0].name = enumerator(btf, t, idx[0]);
		return 0;
	}
	return core_is_field(relo->kind) ? parse_field(ret_spec, id, idx, cnt) : -EINVAL;
}

/* ---- matching ----------------------------------------------------------------------------------- */

/* The member may be read as the program reads its own. */
static int is_field_compat(const struct btf_obj *a, u32 a_id, const struct btf_obj *b, u32 b_id)
{
	for (int depth = 0; depth <= BTF_DEPTH_MAX; depth++) {
		const struct btf_type *s, *t;
		const char *s_name, *t_name;

		a_id = btf_skip_modifiers(a, a_id);
		b_id = btf_skip_modifiers(b, b_id);
		s = btf_type_at(a, a_id);
		t = btf_type_at(b, b_id);
		if (btf_type_is_struct(s) && btf_type_is_struct(t))
			return 1;
		if (btf_type_kind(s) != btf_type_kind(t) &&
			!(btf_type_is_enum(s) && btf_type_is_enum(t)))
			return 0;
		switch (btf_type_kind(s)) {
		case BTF_KIND_PTR:
		case BTF_KIND_FLOAT: return 1;
		case BTF_KIND_FWD:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
			s_name = btf_type_name(a, a_id);
			t_name = btf_type_name(b, b_id);
			return !core_name_len(s_name) || !core_name_len(t_name) ||
			       (core_name_len(s_name) == core_name_len(t_name) &&
				       !strncmp(s_name, t_name, core_name_len(s_name)));
		case BTF_KIND_INT:
			return !BTF_INT_OFFSET(btf_type_int(s)) && !BTF_INT_OFFSET(btf_type_int(t));
		case BTF_KIND_ARRAY:
			a_id = btf_type_array(s)->type;
			b_id = btf_type_array(t)->type;
			break;
		default: return 0;
		}
	}
	return -EINVAL;
}

/* The member of that name in struct *id of the target, anonymous members searched too; *id becomes its
 * type. A struct contains itself nowhere, so this ends. */
static int match_member(const struct core_spec *local, const struct core_step *step,
	struct core_spec *spec, u32 *id)
{
	u32 struct_id = btf_skip_modifiers(spec->btf, *id);
	const struct btf_type *t = btf_type_at(spec->btf, struct_id);
	struct btf_field_ref want = btf_member_at(
		local->btf, btf_type_at(local->btf, step->type_id), step->idx);
	int ret;

	if (!btf_type_is_struct(t))
		return 0;
	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		struct btf_field_ref member = btf_member_at(spec->btf, t, i);

		if (spec->raw_cnt == CORE_STEPS_MAX)
			return -E2BIG;
		spec->raw_cnt++;
		spec->bit_off += member.bit_off;
		if (!*member.name) {
			u32 inner = member.type_id;

			ret = match_member(local, step, spec, &inner);
			if (ret) {
				*id = inner;
				return ret;
			}
		} else if (!strcmp(member.name, want.name)) {
			ret = is_field_compat(local->btf, want.type_id, spec->btf, member.type_id);
			if (ret > 0)
				spec->steps[spec->step_cnt++] = (struct core_step){
					.type_id = struct_id, .idx = i, .name = member.name};
			*id = member.type_id;
			return ret;
		}
		spec->bit_off -= member.bit_off;
		spec->raw_cnt--;
	}
	return 0;
}

static int match_element(
	const struct core_step *step, bool is_first, struct core_spec *spec, u32 *id)
{
	const struct btf_type *t;
	u32 size;

	*id = btf_skip_modifiers(spec->btf, *id);
	t = btf_type_at(spec->btf, *id);
	/* the first step counts in structs of the root type itself */
	if (!is_first) {
		const struct btf_array *array = btf_type_array(t);

		if (!btf_type_is(t, BTF_KIND_ARRAY))
			return 0;
		if (!is_flexible(spec->btf, &spec->steps[spec->step_cnt - 1], array) &&
			step->idx >= array->nelems)
			return 0;
		*id = btf_skip_modifiers(spec->btf, array->type);
	}
	if (spec->raw_cnt == CORE_STEPS_MAX)
		return -E2BIG;
	if (btf_size(spec->btf, *id, NULL, &size))
		return -EINVAL;
	spec->raw_cnt++;
	spec->steps[spec->step_cnt++] = (struct core_step){.type_id = *id, .idx = step->idx};
	return add_bits(spec, step->idx, size) ? -EINVAL : 1;
}

static int match_enumerator(const struct core_spec *local, u32 id, struct core_spec *spec)
{
	const char *want = local->steps[0].name;
	const struct btf_type *t;

	id = btf_skip_modifiers(spec->btf, id);
	t = btf_type_at(spec->btf, id);
	if (!btf_type_is_enum(t))
		return 0;
	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		const char *name = enumerator(spec->btf, t, i);

		if (core_name_len(name) != core_name_len(want) ||
			strncmp(name, want, core_name_len(want)))
			continue;
		spec->steps[0] = (struct core_step){.type_id = id, .idx = i, .name = name};
		spec->step_cnt = spec->raw_cnt = 1;
		return 1;
	}
	return 0;
}

int core_spec_match(const struct core_spec *local, const struct btf_obj *btf, u32 id,
	struct core_spec *ret_spec)
{
	int ret = 1;

	*ret_spec = (struct core_spec){.btf = btf, .root_id = id, .kind = local->kind};
	if (local->kind == BPF_CORE_TYPE_MATCHES)
		return core_types_match(local->btf, local->root_id, btf, id, false, BTF_DEPTH_MAX);
	if (core_is_type(local->kind))
		return core_types_compat(local->btf, local->root_id, btf, id, BTF_DEPTH_MAX);
	if (core_is_enumval(local->kind))
		return match_enumerator(local, id, ret_spec);
	for (u32 i = 0; i < local->step_cnt && ret > 0; i++) {
		const struct core_step *step = &local->steps[i];

		if (step->name)
			ret = match_member(local, step, ret_spec, &id);
		else
			ret = match_element(step, !i, ret_spec, &id);
	}
	return ret;
}
