/*
 * BTF as a value: bytes that passed the checks of BPF_BTF_LOAD (Linux 6.18), and questions about the
 * types in them.
 *
 * A struct btf_obj is immutable: it is made whole by btf_new() from a copy of the bytes and answers
 * every question without changing, so any number of threads may read it. Who counts references, gives
 * ids or descriptors does so around it. Pointers handed out (types, names, members) live as long as
 * the object.
 *
 * Type ids run from 0 to btf_type_cnt() - 1; id 0 is void, its kind is BTF_KIND_UNKN. All ids found
 * inside an object are valid ids, no chain of types is a loop, every name offset of a type, member or
 * enumerator is inside the string section: what reads an object needs no further checks. (Names of a
 * FUNC_PROTO's parameters are checked too.)
 *
 * The layout of struct btf_type and what follows it is the kernel's, <linux/btf.h>. Names that
 * libbpf's <bpf/btf.h> takes (btf_kind, btf_vlen, btf_is_*, btf_members …) are avoided: a file may
 * include both.
 *
 * Source: Linux Documentation/bpf/btf.rst; behaviour compared with the running kernel (tests/diff/btf.c).
 */
#ifndef BTF_BTF_H
#define BTF_BTF_H

#include <linux/btf.h>

#include "base/types.h"

struct buf;
struct btf_obj;
struct btf_fields; /* btf/fields.h */

enum {
	BTF_SIZE_MAX = 16 << 20, /* bytes of one BTF, header and all */
	BTF_NAME_MAX = 511,	 /* bytes of an identifier */
	BTF_DEPTH_MAX = 32,	 /* types deep a chain or a nest of types may go */
	BTF_ENOTSUPP = 524,	 /* the kernel's ENOTSUPP, which errno.h does not have */
};

/*
 * Checks len bytes and makes an object of a copy of them.
 * log: NULL, or gets the text BPF_BTF_LOAD writes at any log level but 0 (the caller looks at
 * log->err). Errors: -EINVAL, -E2BIG, -EEXIST, -ELOOP, -ENOENT, -BTF_ENOTSUPP as the kernel; -ENOMEM.
 */
int btf_new(const void *data, size_t len, struct buf *log, struct btf_obj **ret_btf);
/*
 * The same for bytes that a kernel gave out as its own, which has checked them: types are listed, not
 * checked, and data, aligned to 4 and unchanging, is not copied: it must outlive the object. What a check
 * would find wrong is undefined behaviour. -EINVAL, -E2BIG, -ENOMEM.
 */
int btf_new_trusted(const void *data, size_t len, struct btf_obj **ret_btf);
void btf_free(struct btf_obj *btf);

/* The bytes given to btf_new(). */
const void *btf_raw(const struct btf_obj *btf, u32 *ret_len);

/* void included; one more than the largest id */
u32 btf_type_cnt(const struct btf_obj *btf);
/* NULL when there is no such id. */
const struct btf_type *btf_type_at(const struct btf_obj *btf, u32 id);
/* The text at an offset of the string section, NULL past its end. */
const char *btf_str(const struct btf_obj *btf, u32 off);
/* The name of a type, member, …: "" when it has none; never NULL for offsets found in the object. */
const char *btf_type_name(const struct btf_obj *btf, u32 id);

/* The lowest id of that name (not "") and kind; -ENOENT. */
int btf_find(const struct btf_obj *btf, const char *name, u32 kind, u32 *ret_id);
/*
 * The first DECL_TAG with an id above `after` on component idx (-1: the whole) of type id, whose text
 * begins with prefix; -ENOENT.
 */
int btf_find_decl_tag(
	const struct btf_obj *btf, u32 id, s32 idx, const char *prefix, u32 after, u32 *ret_tag_id);

/* --- one type ---------------------------------------------------------------------------------- */

static inline u32 btf_type_kind(const struct btf_type *t)
{
	return BTF_INFO_KIND(t->info);
}

static inline u32 btf_type_vlen(const struct btf_type *t)
{
	return BTF_INFO_VLEN(t->info);
}

static inline bool btf_type_kflag(const struct btf_type *t)
{
	return BTF_INFO_KFLAG(t->info);
}

static inline bool btf_type_is(const struct btf_type *t, u32 kind)
{
	return btf_type_kind(t) == kind;
}

/* struct or union */
bool btf_type_is_struct(const struct btf_type *t);
/* enum or enum64 */
bool btf_type_is_enum(const struct btf_type *t);
/* typedef, volatile, const, restrict, type_tag */
bool btf_type_is_modifier(const struct btf_type *t);
/* int of 1, 2, 4, 8 or 16 whole bytes, no bit offset */
bool btf_type_is_regular_int(const struct btf_type *t);
/* int of at most 8 bytes */
bool btf_type_is_small_int(const struct btf_type *t);

/* What follows a struct btf_type; the kind must fit. */
static inline const void *btf_type_tail(const struct btf_type *t)
{
	return t + 1;
}

/* kind INT */
static inline u32 btf_type_int(const struct btf_type *t)
{
	return *(const u32 *)(t + 1);
}

/* kind ARRAY */
static inline const struct btf_array *btf_type_array(const struct btf_type *t)
{
	return (const struct btf_array *)(t + 1);
}

/* --- walking ----------------------------------------------------------------------------------- */

/* Past typedefs, qualifiers and type tags, to a type that is none of these (maybe 0, void). */
u32 btf_skip_modifiers(const struct btf_obj *btf, u32 id);
/*
 * The size of a value of this type and the type that has it, modifiers and VAR skipped.
 * -EINVAL for what has no size: void, FWD, FUNC, FUNC_PROTO, DECL_TAG, an unknown id.
 * ret_id may be NULL.
 */
int btf_size(const struct btf_obj *btf, u32 id, u32 *ret_id, u32 *ret_size);
/*
 * An array of arrays flattened: the innermost element and how many of it there are; the type itself
 * and 1 for other types. -E2BIG for more than BTF_DEPTH_MAX arrays or 2^32 - 1 elements.
 */
int btf_elems(const struct btf_obj *btf, u32 id, u32 *ret_elem_id, u32 *ret_cnt);

/* One member of a struct or union. */
struct btf_field_ref {
	const char *name; /* "" for an anonymous struct or union inside */
	u32 type_id;
	u32 bit_off;  /* from the start of the struct */
	u32 bit_size; /* of a bitfield; 0: a member of its type's size */
};

/* i < btf_type_vlen(t); t is a struct or union. */
struct btf_field_ref btf_member_at(const struct btf_obj *btf, const struct btf_type *t, u32 i);
/* A function's type. */
struct btf_proto {
	u32 proto_id;
	u32 ret_id; /* 0: void */
	const struct btf_param *args;
	u32 arg_cnt;	  /* without the final "..." */
	bool is_variadic; /* ends in "..." */
};

/* id is a FUNC, a FUNC_PROTO, or a pointer to the latter; else -EINVAL. */
int btf_proto_of(const struct btf_obj *btf, u32 id, struct btf_proto *ret_proto);
/* BTF_FUNC_STATIC, _GLOBAL or _EXTERN of a FUNC. */
static inline u32 btf_func_linkage(const struct btf_type *func)
{
	return btf_type_vlen(func);
}
/* The FUNC returns an int of at most 8 bytes or an enum. */
bool btf_func_returns_scalar(const struct btf_obj *btf, u32 func_id);

/* The special fields of a STRUCT that has one as a direct member; NULL for others. */
const struct btf_fields *btf_struct_fields(const struct btf_obj *btf, u32 id);

/* --- words ------------------------------------------------------------------------------------- */

/* "INT", "STRUCT", … as in the kernel's logs; "UNKNOWN" for a number that is no kind. */
const char *btf_kind_name(u32 kind);
/*
 * The type as C writes it: "const struct task_struct *", "u32[4]", "void (*)(int)"; cut with "..."
 * where it gets very long.
 */
void btf_print_type(struct buf *buf, const struct btf_obj *btf, u32 id);

#endif
