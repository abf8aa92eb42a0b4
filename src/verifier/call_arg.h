/*
 * One argument of a helper call against its prototype.
 */
#ifndef VERIFIER_CALL_ARG_H
#define VERIFIER_CALL_ARG_H

#include "core/helper.h"
#include "verifier/env.h"

/* A call under way: what earlier arguments said. */
struct vf_call {
	const struct hlp_proto *hlp;
	struct map *map;
	u32 map_uid;
	u32 ref_id;			/* the reference that an argument belongs to; 0: none */
	u32 release_regno;		/* the argument that is given back; 0: none */
	u32 mem_size;			/* of the memory to be returned */
	u32 sub;			/* the callback */
	u64 size_max;			/* of the memory that an argument points to */
	u32 dynptr_regno;		/* the first argument that is a dynptr; 0: none */
	struct vf_reg dynptr;		/* that dynptr */
	const struct btf_field *kptr;	/* the field that is exchanged */
	const struct btf_obj *kptr_btf; /* and where its target's type is: kptr_id */
	u32 kptr_id;
	bool has_key; /* the key is the constant `key` */
	u64 key;
	bool is_local;		       /* a per-CPU object of the program's own */
	const struct btf_obj *ret_btf; /* what a per-CPU pointer points to */
	u32 ret_btf_id;
	bool is_raw;		 /* the memory argument is filled by the helper */
	u32 raw_regno, raw_size; /* stack to be stored to, byte by byte */
};

int vf_call_arg(struct vf_env *env, struct vf_call *call, u32 arg);
/* The register fits the kind of argument, or the complaint that says what would. */
int vf_call_arg_kind(struct vf_env *env, u32 regno, u32 arg);
/* arg_kind.c: the register is of a kind that the argument takes, flags in `ignored` aside; the words of the
 * log for what it takes. */
bool vf_arg_fits(u32 arg, const struct vf_reg *reg, u16 ignored);
void vf_arg_words(u32 arg, struct buf *out);
/* call_btf.c: an argument that is an object of the kernel; as memory that is read; of each CPU; and as the
 * result. */
int vf_call_btf_arg(struct vf_env *env, const struct vf_call *call, u32 arg_no, u32 arg);
int vf_call_btf_mem(struct vf_env *env, u32 regno, u32 size);
void vf_call_percpu_arg(struct vf_env *env, struct vf_call *call, u32 regno);
int vf_call_btf_result(struct vf_env *env, const struct vf_call *call);
/* helper_place.c: the row for this program, or NULL; whether a helper that asks may be called here. */
const struct hlp_proto *vf_helper_here(const struct vf_env *env, const struct hlp_proto *first);
bool vf_helper_is_allowed(const struct vf_env *env, u32 id);
/* bpf_get_func_ip is called where it knows an answer. */
int vf_helper_func_ip(struct vf_env *env);
/* A helper reads or writes size bytes at register regno. call NULL: nothing is left to be filled. */
int vf_call_mem(struct vf_env *env, struct vf_call *call, u32 regno, u32 size, bool is_write,
	bool may_be_empty);

/* Register regno holds the size of the memory at the register before it. */
int vf_call_size(struct vf_env *env, u32 regno, bool is_write);
/* A constant string in a read-only map. */
int vf_call_string(struct vf_env *env, u32 regno);

#endif
