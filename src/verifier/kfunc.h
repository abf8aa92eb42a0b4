/*
 * Calls of kernel functions: which function an instruction names, what its types and its row of
 * kfuncs.def say of it, and a call under way.
 */
#ifndef VERIFIER_KFUNC_H
#define VERIFIER_KFUNC_H

#include "btf/btf.h"
#include "btf/fields.h"
#include "core/kfunc.h"
#include "verifier/env.h"

/* The rows of kfuncs.def: what is irregular about a function is asked by its number. */
enum vf_kfunc_no {
	VF_KF_NONE, /* a function of the kernel that no program may call */
#define KFUNC(name, hooks, flags) VF_KF_##name,
#include "verifier/kfuncs.def"
	VF_KF_CNT
};

enum { VF_KFUNC_MAX = 256 }; /* MAX_KFUNC_DESCS: different ones in a program */

/* A function that the program calls somewhere. */
struct vf_kfunc {
	enum vf_kfunc_no no;
	u32 func_id; /* in btf */
	u32 flags;   /* KF_* */
	bool is_allowed;
	const struct btf_obj *btf; /* the kernel's */
	const char *name;
	struct btf_proto proto;
};

/* A dynptr argument that was initialised before the call. */
struct vf_kcall_dynptr {
	u8 type; /* enum vf_dynptr_type; 0: none seen */
	u32 id, ref_id;
};

/* A call under way: what earlier arguments said. */
struct vf_kcall {
	const struct vf_kfunc *fn;
	u32 ref_id;	   /* reference of an argument */
	u32 release_regno; /* the argument that a releasing function takes over; 0: none */
	bool has_constant;
	u64 constant;
	u32 r0_size; /* bytes of the memory it returns */
	bool r0_rdonly;
	bool is_owning; /* refcount_acquire: of a reference that the program owns */
	u32 sub;	/* callback */
	struct map *map;
	u32 map_uid;
	const struct btf_obj *arg_btf; /* type of the object put into a list or tree, dropped … */
	u32 arg_btf_id;
	const struct btf_field *root; /* list head or tree root */
	const struct btf_obj *root_btf;
	u32 ret_btf_id;
	u32 iter_frame, iter_slot;
	struct vf_kcall_dynptr dynptr;
};

/* kfunc.c: finds every function that instructions name; -ENOMEM or a complaint. */
int vf_kfunc_add(struct vf_env *env, const struct bpf_insn *insn);
/* The function of a call; NULL for other instructions and for a call of nothing (imm 0). */
const struct vf_kfunc *vf_kfunc_of(const struct vf_env *env, const struct bpf_insn *insn);
bool vf_is_throw(const struct vf_env *env, const struct bpf_insn *insn);
bool vf_is_iter_next(const struct vf_env *env, const struct bpf_insn *insn);
/* The number of the function in the instance's registry, where it can be run; -1: it cannot. */
int vf_kfunc_engine_no(const struct vf_env *env, const struct vf_kfunc *fn);
void vf_kfunc_done(struct vf_env *env);

/* The parameter's name ends in suffix (with "__"), and that is not all of it. */
bool vf_param_has_suffix(
	const struct btf_obj *btf, const struct btf_param *param, const char *suffix);

/* kfunc_call.c */
int vf_call_kfunc(struct vf_env *env, const struct bpf_insn *insn);
/* kfunc_arg.c */
int vf_kfunc_args(struct vf_env *env, struct vf_kcall *call);
/* Nothing but numbers, also in structs inside it (4 deep). */
bool vf_is_scalar_struct(struct vf_env *env, const struct btf_obj *btf, u32 type_id);
/* "struct", "union", …: the log's word for a type */
const char *vf_btf_word(const struct btf_type *t);

#endif
