/*
 * Kptrs: pointers to objects in fields of map values and of allocated objects.
 */
#ifndef VERIFIER_KPTR_H
#define VERIFIER_KPTR_H

#include "btf/fields.h"
#include "verifier/access.h"
#include "verifier/call_arg.h"

/* What a kptr points to. */
struct vf_kptr {
	const struct btf_field *field;
	const struct btf_obj
		*btf; /* the kernel's, if it has a type of that name, else the program's */
	u32 btf_id;
	bool of_kernel;
};

/* The access, which is within a map value, touches the field: may it, and what does a load yield? */
int vf_kptr_access(struct vf_env *env, const struct vf_access *acc, const struct btf_field *field);
/* bpf_kptr_xchg: R1 points to the field, R2 is what goes in, R0 what was there. */
int vf_kptr_dest(struct vf_env *env, struct vf_call *call, u32 regno);
int vf_kptr_source(struct vf_env *env, const struct vf_call *call, u32 regno);
int vf_kptr_result(struct vf_env *env, const struct vf_call *call);
/* What went in is the map's; under RCU a per-CPU object may be used on. */
int vf_kptr_give(struct vf_env *env, u32 ref_id);

#endif
