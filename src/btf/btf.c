/*
 * The object: made by the passes of header.c, meta.c, resolve.c and metas.c, in the order of
 * BPF_BTF_LOAD, and then only read. What is read here relies on those passes and checks nothing twice.
 */
#include "btf/btf.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "btf/log.h"
#include "btf/obj.h"

#define SIZED	 BTF_SIZED
#define MODIFIER BTF_MODIFIER
#define RESOLVES BTF_RESOLVES
#define SOURCE	 BTF_SOURCE
#define NOSIZE	 BTF_NOSIZE
#define KIND(kind, fixed_len, each_len, kind_props, ...)                                           \
	[BTF_KIND_##kind] = {                                                                      \
		.name = #kind, .fixed = fixed_len, .each = each_len, .props = kind_props},
const struct btf_kind_row btf_kind_rows[] = {
	[BTF_KIND_UNKN] = {.name = "UNKNOWN", .props = NOSIZE},
#include "btf/kinds.def"
};
#undef KIND

/* A copy with the types aligned whatever the header's length. */
static int copy_in(struct btf_obj *btf, const void *data, u32 len)
{
	u32 hdr_len = 0, pad;

	if (len >= offsetof(struct btf_header, type_off))
		memcpy(&hdr_len, (const u8 *)data + offsetof(struct btf_header, hdr_len),
			sizeof(hdr_len));
	pad = -hdr_len % sizeof(u32);
	btf->mem = mem_alloc(pad + (size_t)len);
	if (!btf->mem)
		return -ENOMEM;
	if (len)
		memcpy(btf->mem + pad, data, len);
	btf->data = btf->mem + pad;
	btf->len = len;
	return 0;
}

int btf_new(const void *data, size_t len, struct buf *log, struct btf_obj **ret_btf)
{
	static int (*const passes[])(struct btf_check *) = {btf_check_header, btf_check_strings,
		btf_check_meta, btf_check_refs, btf_make_index, btf_check_fields};
	struct btf_check c = {.log = log};
	int err;

	if (len > BTF_SIZE_MAX)
		return -E2BIG;
	c.btf = mem_zalloc(sizeof(*c.btf));
	if (!c.btf)
		return -ENOMEM;
	err = copy_in(c.btf, data, len);
	for (size_t i = 0; i < ARRAY_SIZE(passes) && !err; i++)
		err = passes[i](&c);
	if (err) {
		btf_free(c.btf);
		return err;
	}
	*ret_btf = c.btf;
	return 0;
}

int btf_new_trusted(const void *data, size_t len, struct btf_obj **ret_btf)
{
	static int (*const passes[])(struct btf_check *) = {btf_check_header, btf_check_strings,
		btf_list_types, btf_make_index, btf_check_fields};
	struct btf_check c = {0};
	int err = 0;

	if (len > BTF_SIZE_MAX)
		return -E2BIG;
	c.btf = mem_zalloc(sizeof(*c.btf));
	if (!c.btf)
		return -ENOMEM;
	c.btf->data = data;
	c.btf->len = len;
	for (size_t i = 0; i < ARRAY_SIZE(passes) && !err; i++)
		err = passes[i](&c);
	if (err) {
		btf_free(c.btf);
		return err;
	}
	*ret_btf = c.btf;
	return 0;
}

void btf_free(struct btf_obj *btf)
{
	if (!btf)
		return;
	btf_metas_free(btf->metas);
	mem_free(btf->resolved_ids);
	mem_free(btf->resolved_sizes);
	mem_free(btf->types);
	mem_free(btf->buckets);
	mem_free(btf->chains);
	mem_free(btf->mem);
	mem_free(btf);
}

const void *btf_raw(const struct btf_obj *btf, u32 *ret_len)
{
	*ret_len = btf->len;
	return btf->data;
}

u32 btf_type_cnt(const struct btf_obj *btf)
{
	return btf->type_cnt;
}

const struct btf_type *btf_type_at(const struct btf_obj *btf, u32 id)
{
	return id < btf->type_cnt ? btf->types[id] : NULL;
}

const char *btf_str(const struct btf_obj *btf, u32 off)
{
	return off < btf->hdr.str_len ? btf->strings + off : NULL;
}

const char *btf_type_name(const struct btf_obj *btf, u32 id)
{
	const struct btf_type *t = btf_type_at(btf, id);

	return t ? btf_str(btf, t->name_off) : "";
}

int btf_find_decl_tag(
	const struct btf_obj *btf, u32 id, s32 idx, const char *prefix, u32 after, u32 *ret_tag_id)
{
	size_t len = strlen(prefix);

	for (u32 tag_id = after + 1; tag_id < btf->type_cnt; tag_id++) {
		const struct btf_type *t = btf->types[tag_id];
		const struct btf_decl_tag *tag = btf_type_tail(t);

		if (btf_type_is(t, BTF_KIND_DECL_TAG) && t->type == id &&
			tag->component_idx == idx &&
			!strncmp(btf->strings + t->name_off, prefix, len)) {
			*ret_tag_id = tag_id;
			return 0;
		}
	}
	return -ENOENT;
}

/* --- one type ---------------------------------------------------------------------------------- */

bool btf_type_is_struct(const struct btf_type *t)
{
	return btf_type_is(t, BTF_KIND_STRUCT) || btf_type_is(t, BTF_KIND_UNION);
}

bool btf_type_is_enum(const struct btf_type *t)
{
	return btf_type_is(t, BTF_KIND_ENUM) || btf_type_is(t, BTF_KIND_ENUM64);
}

bool btf_type_is_modifier(const struct btf_type *t)
{
	return btf_has(t, BTF_MODIFIER);
}

bool btf_type_is_regular_int(const struct btf_type *t)
{
	u32 data, bits;

	if (!btf_type_is(t, BTF_KIND_INT))
		return false;
	data = btf_type_int(t);
	bits = BTF_INT_BITS(data);
	return !BTF_INT_OFFSET(data) &&
	       (bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128);
}

bool btf_type_is_small_int(const struct btf_type *t)
{
	return btf_type_is(t, BTF_KIND_INT) && t->size <= sizeof(u64);
}

const char *btf_kind_name(u32 kind)
{
	return btf_kind_rows[kind <= BTF_KIND_MAX ? kind : BTF_KIND_UNKN].name;
}

/* --- walking ----------------------------------------------------------------------------------- */

/* What following the types of a trusted object finds; the kernel has seen that it ends. */
static u32 follow(const struct btf_obj *btf, u32 id)
{
	while (id && (btf_has(btf->types[id], BTF_MODIFIER) ||
			     btf_type_is(btf->types[id], BTF_KIND_VAR)))
		id = btf->types[id]->type;
	return id;
}

static u32 array_size(const struct btf_obj *btf, u32 id)
{
	u32 cnt, size = 0;

	if (btf->resolved_sizes)
		return btf->resolved_sizes[id];
	if (btf_elems(btf, id, &id, &cnt) || !btf_sized(btf, &id, &size))
		return 0;
	return cnt * size;
}

const struct btf_type *btf_sized(const struct btf_obj *btf, u32 *id, u32 *ret_size)
{
	const struct btf_type *t = btf_type_at(btf, *id);
	u32 at = *id, size;

	if (!t)
		return NULL;
	if (btf_has(t, BTF_MODIFIER) || btf_type_is(t, BTF_KIND_VAR)) {
		at = btf->resolved_ids ? btf->resolved_ids[at] : follow(btf, at);
		t = btf_type_at(btf, at);
	}
	if (btf_has(t, BTF_SIZED))
		size = t->size;
	else if (btf_type_is(t, BTF_KIND_ARRAY))
		size = array_size(btf, at);
	else if (btf_type_is(t, BTF_KIND_PTR))
		size = sizeof(u64);
	else
		return NULL;
	*id = at;
	if (ret_size)
		*ret_size = size;
	return t;
}

u32 btf_skip_modifiers(const struct btf_obj *btf, u32 id)
{
	while (id && btf_has(btf->types[id], BTF_MODIFIER))
		id = btf->types[id]->type;
	return id;
}

int btf_size(const struct btf_obj *btf, u32 id, u32 *ret_id, u32 *ret_size)
{
	if (!btf_sized(btf, &id, ret_size))
		return -EINVAL;
	if (ret_id)
		*ret_id = id;
	return 0;
}

int btf_elems(const struct btf_obj *btf, u32 id, u32 *ret_elem_id, u32 *ret_cnt)
{
	u32 cnt = 1;

	for (int depth = 0; depth <= BTF_DEPTH_MAX; depth++) {
		const struct btf_array *array;
		u32 at = btf_skip_modifiers(btf, id);

		if (!btf_type_is(btf->types[at], BTF_KIND_ARRAY)) {
			*ret_elem_id = id;
			*ret_cnt = cnt;
			return 0;
		}
		array = btf_type_array(btf->types[at]);
		if (__builtin_mul_overflow(cnt, array->nelems, &cnt))
			return -E2BIG;
		id = array->type;
	}
	return -E2BIG;
}

struct btf_field_ref btf_member_at(const struct btf_obj *btf, const struct btf_type *t, u32 i)
{
	const struct btf_member *m = &btf_raw_members(t)[i];

	return (struct btf_field_ref){
		.name = btf->strings + m->name_off,
		.type_id = m->type,
		.bit_off = btf_raw_bit_off(t, m),
		.bit_size = btf_type_kflag(t) ? BTF_MEMBER_BITFIELD_SIZE(m->offset) : 0,
	};
}

int btf_proto_of(const struct btf_obj *btf, u32 id, struct btf_proto *ret_proto)
{
	const struct btf_type *t = btf_type_at(btf, id);
	const struct btf_param *args;
	u32 cnt;

	if (t && btf_type_is(t, BTF_KIND_FUNC))
		id = t->type;
	else if (t && btf_type_is(btf->types[btf_skip_modifiers(btf, id)], BTF_KIND_PTR))
		id = btf_skip_modifiers(btf, btf->types[btf_skip_modifiers(btf, id)]->type);
	t = btf_type_at(btf, id);
	if (!t || !btf_type_is(t, BTF_KIND_FUNC_PROTO))
		return -EINVAL;
	args = btf_raw_params(t);
	cnt = btf_type_vlen(t);
	*ret_proto = (struct btf_proto){
		.proto_id = id,
		.ret_id = t->type,
		.args = args,
		.is_variadic = cnt && !args[cnt - 1].type,
	};
	ret_proto->arg_cnt = cnt - ret_proto->is_variadic;
	return 0;
}

bool btf_func_returns_scalar(const struct btf_obj *btf, u32 func_id)
{
	const struct btf_type *ret;
	struct btf_proto proto;

	if (btf_proto_of(btf, func_id, &proto))
		return false;
	ret = btf->types[btf_skip_modifiers(btf, proto.ret_id)];
	return btf_type_is_small_int(ret) || btf_type_is_enum(ret);
}
