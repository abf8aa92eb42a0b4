/*
 * Which types of a program's BTF stand for its context.
 */
#ifndef VERIFIER_CTX_TYPE_H
#define VERIFIER_CTX_TYPE_H

#include "base/types.h"

struct btf_obj;
struct vf_env;

/* A pointer to this type of btf is the context, tagged or not. */
bool vf_ctx_is_type(const struct vf_env *env, const struct btf_obj *btf, u32 pointee);
/* An argument tagged as the context points to this: 0 or the complaint's errno. */
int vf_ctx_check_type(struct vf_env *env, u32 pointee, u32 arg_no);

#endif
