/*
 * Functions of the program that something else calls: helpers and kernel functions, at once or later.
 */
#ifndef VERIFIER_CALLBACK_H
#define VERIFIER_CALLBACK_H

#include "verifier/env.h"

/* Fills the arguments of callee, whose registers hold nothing yet. 0 or a complaint. */
typedef int (*vf_set_args)(
	struct vf_env *env, const struct vf_frame *caller, struct vf_frame *callee);

struct vf_callback {
	vf_set_args set_args;
	bool is_async;	/* called later, from nowhere */
	bool may_sleep; /* async: where it runs it may */
	s32 min, max;	/* what it may return */
};

/* The running call may call function sub: that is followed too, and comes back to the call. */
int vf_callback_push(struct vf_env *env, u32 sub, const struct vf_callback *cb);
/* The callback that a helper calls; NULL. */
const struct vf_callback *vf_callback_of(u32 helper_id);
struct vf_kfunc;
const struct vf_callback *vf_callback_of_kfunc(const struct vf_kfunc *fn);
/* The callback of the instruction; NULL. */
const struct vf_callback *vf_callback_at(const struct vf_env *env, const struct bpf_insn *insn);
/* The call is one of these, and calls at once: the callback comes back to it. */
bool vf_calls_back(const struct vf_env *env, const struct bpf_insn *insn);
/* A helper that calls back, its arguments in order. sub: the function. */
int vf_call_callback(struct vf_env *env, u32 helper_id, u32 sub);
/* A callback has returned to its call. */
int vf_callback_return(struct vf_env *env, const struct vf_frame *callee);

/* A register that points to a key or a value of the map. */
void vf_reg_map_key(struct vf_reg *reg, struct map *map);
void vf_reg_map_value(struct vf_reg *reg, struct map *map);

#endif
