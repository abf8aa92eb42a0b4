/*
 * What lies at an offset of a struct: a number, a pointer to another struct, or nothing that may be read.
 */
#ifndef VERIFIER_BTF_WALK_H
#define VERIFIER_BTF_WALK_H

#include "base/types.h"

struct btf_obj;
struct btf_type;
struct vf_env;

enum vf_walk_kind {
	VF_WALK_SCALAR,
	VF_WALK_STRUCT_PTR,
	VF_WALK_OTHER_PTR, /* to something that is no struct */
};

struct vf_walk {
	enum vf_walk_kind kind;
	u32 id;		   /* STRUCT_PTR: the struct pointed to */
	u16 flags;	   /* STRUCT_PTR: enum vf_flag */
	const char *field; /* STRUCT_PTR: the member's name */
};

/* Bytes [off, off + size) of a struct id. may_grow: it may end in an array of no length. 0, or the errno
 * of the complaint. */
int vf_btf_walk(struct vf_env *env, const struct btf_obj *btf, u32 id, s32 off, u32 size,
	bool may_grow, struct vf_walk *ret_walk);
/* VF_USER, VF_PERCPU, VF_RCU: what the tag on the type that a pointer points to says. */
u16 vf_btf_tag_flags(const struct btf_obj *btf, const struct btf_type *pointer);
/* Whether a pointer to a struct `id`, moved by off, is one to a struct `want`: that, or one that begins
 * with it. is_strict: only that, not moved. */
bool vf_btf_is_within(const struct btf_obj *btf, u32 id, s32 off, const struct btf_obj *want_btf,
	u32 want, bool is_strict);

#endif
