/*
 * The contract of a kfunc: a kernel function that programs call by name. A row of helpers/kfuncs.def gives one
 * struct kfunc_proto; an instance's registry numbers them, and a rewritten call holds that number.
 * What a kfunc and a helper have in common is a struct hlp_proto, so one engine serves both. Nothing here needs
 * BTF: types of arguments stand as Linux's prototype names them. The flags are Linux's (include/linux/btf.h).
 */
#ifndef CORE_KFUNC_H
#define CORE_KFUNC_H

#include "core/helper.h"

enum kfunc_flag {
	KF_ACQUIRE = 1 << 0,
	KF_RELEASE = 1 << 1,
	KF_RET_NULL = 1 << 2,
	KF_TRUSTED_ARGS = 1 << 4,
	KF_SLEEPABLE = 1 << 5,
	KF_DESTRUCTIVE = 1 << 6,
	KF_RCU = 1 << 7,
	KF_ITER_NEW = 1 << 8,
	KF_ITER_NEXT = 1 << 9,
	KF_ITER_DESTROY = 1 << 10,
	KF_RCU_PROTECTED = 1 << 11,
	KF_FASTCALL = 1 << 12,
	KF_ARENA_RET = 1 << 13,
	KF_ARENA_ARG1 = 1 << 14,
	KF_ARENA_ARG2 = 1 << 15,
};

/* What an engine does with the call. */
enum kfunc_kind {
	KFUNC_CALL,  /* calls fn */
	KFUNC_THROW, /* ends the run, fn is not called: bpf_throw */
};

struct kfunc_proto {
	struct hlp_proto proto; /* name with "bpf_", as in BTF; id is not used */
	enum kfunc_kind kind;
	u32 flags; /* KF_* */
	/* "struct task_struct *": where an argument or the result is a pointer to a type, else NULL */
	const char *arg_types[HLP_ARG_MAX];
	const char *ret_type;
};

#endif
