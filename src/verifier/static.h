/*
 * The passes over the whole program before any path is explored, in Linux's order (which decides who
 * complains first). Each returns 0 or the errno of its complaint.
 */
#ifndef VERIFIER_STATIC_H
#define VERIFIER_STATIC_H

#include "base/types.h"

struct vf_env;
struct map;

/* btf_info.c: func_info refers to functions; then one record a subprogram, lines in order */
int vf_btf_check_early(struct vf_env *env);
int vf_btf_check(struct vf_env *env);
/* Where the function starts that exceptions end in; 0: there is none. */
int vf_btf_exception_callback(struct vf_env *env, u32 *ret_start);
/* btf_args.c: what a global function's BTF says of its arguments; fills sub->args once */
int vf_btf_args(struct vf_env *env, u32 sub);

/* core_relos.c: what the loader leaves to be relocated */
int vf_core_relos(struct vf_env *env);

/* subprog.c */
int vf_subs_find(struct vf_env *env);
int vf_subs_check(struct vf_env *env);
/* The sub that starts at insn, or -1. */
int vf_sub_at(const struct vf_env *env, u32 start);
/* The sub that contains insn. */
u32 vf_sub_of(const struct vf_env *env, u32 insn_idx);
int vf_stack_depth_check(struct vf_env *env);
/* A complaint if a helper that some path calls has no function (call.c). */
int vf_helpers_check(struct vf_env *env);

/* resolve.c: map references become addresses; opcodes exist */
int vf_resolve(struct vf_env *env);

/* ksym.c: a variable of the kernel */
struct vf_aux;
struct bpf_insn;
int vf_ksym_resolve(struct vf_env *env, struct bpf_insn *insn, struct vf_aux *aux);

/* cfg.c: everything is reachable; where to compare states and to record jumps */
int vf_cfg_check(struct vf_env *env);

/* sleepable.c: whether a program that may sleep can have this type; can use this map */
int vf_sleepable_check(struct vf_env *env);
int vf_sleepable_map(struct vf_env *env, const struct map *map);

/* map_use.c: whether a program of this type can use the map */
int vf_map_usable(struct vf_env *env, const struct map *map);

/* liveness.c: which registers each instruction may still read */
int vf_live_regs(struct vf_env *env);
/* The at most two instructions that may run after i in its function; returns how many. */
u32 vf_successors(const struct vf_env *env, u32 i, u32 ret_next[2]);

#endif
