/*
 * Pointers to structs as arguments of kernel functions: objects of the kernel (kernel_arg.c), objects that
 * programs allocate (object.c), and the lists and trees these live in (graph.c).
 */
#ifndef VERIFIER_OBJECT_H
#define VERIFIER_OBJECT_H

#include "verifier/access.h"
#include "verifier/kfunc.h"

/* ---- kernel_arg.c ---- */

/* The struct that the register points to; false: it points to none. ret_btf and ret_id may be NULL. */
bool vf_kernel_struct(const struct vf_env *env, const struct vf_reg *reg,
	const struct btf_obj **ret_btf, u32 *ret_id);
bool vf_kernel_is_trusted(const struct vf_env *env, const struct vf_reg *reg);
/* Argument regno as a pointer to the kernel's struct type_id; as a pointer to a map's record. */
int vf_kernel_arg(struct vf_env *env, struct vf_kcall *call, u32 regno, u32 type_id);
int vf_kernel_map_arg(struct vf_env *env, struct vf_kcall *call, u32 regno);
/* cast_to_kern_ctx: what the kernel has behind the program's context. */
int vf_kernel_ctx(struct vf_env *env, struct vf_kcall *call);

/* ---- object.c ---- */

/* Argument regno as an allocated object that is dropped, or that is counted. */
int vf_object_arg(struct vf_env *env, struct vf_kcall *call, u32 regno);
int vf_refcount_arg(struct vf_env *env, struct vf_kcall *call, u32 regno);
/* What obj_new, percpu_obj_new and refcount_acquire return, without flags of the row. */
int vf_object_new(struct vf_env *env, struct vf_kcall *call, struct vf_reg *r0);
/* A load from or a store to an allocated object; acc->off counts from its start. */
int vf_object_access(struct vf_env *env, const struct vf_access *acc);
/* The special fields of what the register points to; NULL: none. */
const struct btf_fields *vf_fields_of(const struct vf_reg *reg);
bool vf_is_object(const struct vf_reg *reg);

/* ---- graph.c ---- */

int vf_graph_root_arg(
	struct vf_env *env, struct vf_kcall *call, u32 regno, enum btf_field_kind kind);
int vf_graph_node_arg(
	struct vf_env *env, struct vf_kcall *call, u32 regno, enum btf_field_kind kind);
/* The object in R2 goes into a list or tree: the program keeps a reference that it does not own. */
int vf_graph_insert(struct vf_env *env, const struct vf_kcall *call);
/* What a function returns that gives out a node. */
void vf_graph_node(const struct vf_kcall *call, struct vf_reg *r0);
/* It is not the program's to keep: it goes with the lock. */
int vf_graph_lend(struct vf_env *env, struct vf_reg *reg);
/* less(node, node) of bpf_rbtree_add(): the arguments are nodes of the tree, which owns them. */
int vf_graph_less_args(struct vf_env *env, const struct vf_frame *caller, struct vf_frame *callee);
/* The running frame is called to compare nodes: the tree is being searched. */
bool vf_graph_in_less(const struct vf_env *env);
/* Calls of fn are allowed while a spin lock is held. */
bool vf_graph_may_lock(const struct vf_kfunc *fn);

#endif
