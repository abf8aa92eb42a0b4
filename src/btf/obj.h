/*
 * Inside the layer: what an object is made of, and the state of one check of it.
 *
 *	mem ──┬─pad─┬── header ──┬── types ──────┬── strings ─────┐
 *	            data         data + hdr_len                    data + len
 *
 * The pad makes `data + hdr_len` a multiple of four, whatever header length the bytes claim, so that
 * every struct btf_type is aligned.
 */
#ifndef BTF_OBJ_H
#define BTF_OBJ_H

#include "btf/btf.h"

enum btf_props {
	BTF_SIZED = 1 << 0,
	BTF_MODIFIER = 1 << 1,
	BTF_RESOLVES = 1 << 2,
	BTF_SOURCE = 1 << 3,
	BTF_NOSIZE = 1 << 4,
};

struct btf_kind_row {
	const char *name;
	u8 fixed, each;
	u8 props;
};

/* By kind, up to BTF_KIND_MAX; row 0 is void. */
extern const struct btf_kind_row btf_kind_rows[];

struct btf_metas;

struct btf_obj {
	u8 *mem; /* NULL: data is the caller's */
	const u8 *data;
	u32 len;
	struct btf_header hdr;
	const char *strings;
	const struct btf_type **types; /* types[0] is void */
	u32 type_cnt;
	/*
	 * What following a type found, for kinds that resolve: the id it comes to and, for an array,
	 * the size of the whole. NULL in trusted objects, where it is followed when asked for.
	 */
	u32 *resolved_ids;
	u32 *resolved_sizes;
	u32 *buckets, *chains; /* index.c */
	u32 bucket_cnt;
	struct btf_metas *metas; /* metas.c; NULL when no struct has special fields */
};

struct btf_check {
	struct btf_obj *btf;
	struct buf *log; /* may be NULL */
	u32 log_id;	 /* the type being looked at */
	bool meta_done;	 /* second pass: a line on a member repeats its struct first */
};

static inline bool btf_has(const struct btf_type *t, u32 props)
{
	return btf_kind_rows[btf_type_kind(t)].props & props;
}

static inline bool btf_is_no_type(const struct btf_type *t)
{
	return !t || btf_has(t, BTF_NOSIZE);
}

/* members, with the offset's two meanings told apart by the struct's kind flag */
static inline const struct btf_member *btf_raw_members(const struct btf_type *t)
{
	return (const struct btf_member *)(t + 1);
}

static inline u32 btf_raw_bit_off(const struct btf_type *t, const struct btf_member *m)
{
	return btf_type_kflag(t) ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset;
}

static inline const struct btf_var_secinfo *btf_raw_vars(const struct btf_type *t)
{
	return (const struct btf_var_secinfo *)(t + 1);
}

static inline const struct btf_param *btf_raw_params(const struct btf_type *t)
{
	return (const struct btf_param *)(t + 1);
}

/*
 * The type that gives id its size, as far as resolved_ids is filled: NULL when there is none.
 * *id becomes that type's id. Valid during the second pass too, hence not public.
 */
const struct btf_type *btf_sized(const struct btf_obj *btf, u32 *id, u32 *ret_size);

/* header.c: header, sections, strings; fills hdr and strings. */
int btf_check_header(struct btf_check *c);
int btf_check_strings(struct btf_check *c);
/* meta.c: each type by itself; fills types. */
int btf_check_meta(struct btf_check *c);
/* Instead of checking them: fills types, and sees that each lies in the section. */
int btf_list_types(struct btf_check *c);
/* resolve.c: types that refer to types; fills resolved_*. */
int btf_check_refs(struct btf_check *c);
/* index.c: fills buckets and chains. */
int btf_make_index(struct btf_check *c);
/* metas.c: special fields of structs; fills metas. */
int btf_check_fields(struct btf_check *c);
void btf_metas_free(struct btf_metas *metas);
/* fields.c: a pointer with a kptr tag, to a struct */
bool btf_is_kptr(const struct btf_obj *btf, u32 id);
/* member.c: whether a member of this (sized) type fits its struct. */
int btf_check_member(struct btf_check *c, const struct btf_type *st, const struct btf_member *m,
	const struct btf_type *member_type);

/* names.c */
bool btf_is_identifier(const struct btf_obj *btf, u32 off);
bool btf_is_section_name(const struct btf_obj *btf, u32 off);
bool btf_is_name_off(const struct btf_obj *btf, u32 off);

#endif
