/*
 * What a program of a BTF-typed kind stands for: the function, tracepoint, hook or operation of the kernel
 * whose arguments are its context. Found before exploration; only read afterwards.
 */
#ifndef VERIFIER_TARGET_H
#define VERIFIER_TARGET_H

#include "base/types.h"

struct btf_obj;
struct vf_env;

enum { VF_TARGET_ARG_MAX = 12 }; /* of functions that programs attach to */

enum vf_arg_buf {
	VF_ARG_NO_BUF,
	VF_ARG_BUF_RDONLY, /* memory whose size is known when it is attached */
	VF_ARG_BUF,
};

/* What is known of an argument beyond its type. */
struct vf_target_arg {
	bool is_known; /* flags and may_be_null count, not the rule of the program's type */
	u8 buf;	       /* enum vf_arg_buf */
	bool may_be_null;
	bool may_be_error; /* the pointer may hold an errno: a number */
	u16 flags;	   /* enum vf_flag */
};

struct vf_target {
	const struct btf_obj *btf; /* of the target; NULL: the program's type has no target */
	u32 type_id;		   /* the type that the loader named */
	u32 proto_id;		   /* FUNC_PROTO of the arguments; 0: unknown, all are numbers */
	const char *name;
	u32 skip;	 /* leading arguments of the prototype that programs do not see */
	bool is_trusted; /* pointers in the context live as long as the program runs */
	bool has_ret;	 /* what follows the arguments is what the function returned */
	bool is_bool;	 /* a hook that returns 0 or 1, not 0 or an error */
	u32 off;	 /* struct_ops: of the member, in bytes */
	const char *ops; /* struct_ops: name of the struct */
	struct vf_target_arg args[VF_TARGET_ARG_MAX];
};

/* The pass: what the loader named exists, and a program of this type may attach there. */
int vf_target_find(struct vf_env *env);
/* Programs may sleep where it is called, as far as Linux says so. */
bool vf_target_may_sleep(const struct vf_env *env);
/* The bounds of what the function returns, where Linux knows them; false: none. */
bool vf_target_returns(const struct vf_env *env, s32 *ret_min, s32 *ret_max);
/* Whether the target returns nothing. */
bool vf_target_is_void(const struct vf_env *env);

/* struct_ops.c */
int vf_struct_ops_find(struct vf_env *env);
/* The struct that a pointer in the context to struct id really points to. */
u32 vf_struct_ops_promote(const struct vf_env *env, u32 id);
/* A store to an object of the kernel by an operation that may change it: 0 or the complaint's errno. */
int vf_struct_ops_write(struct vf_env *env, u32 type_id, s32 off, u32 size);

#endif
