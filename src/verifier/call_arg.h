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
	bool has_key; /* the key is the constant `key` */
	u64 key;
	bool is_raw;		 /* the memory argument is filled by the helper */
	u32 raw_regno, raw_size; /* stack to be stored to, byte by byte */
};

int vf_call_arg(struct vf_env *env, struct vf_call *call, u32 arg);
/* A helper reads or writes size bytes at register regno. call NULL: nothing is left to be filled. */
int vf_call_mem(struct vf_env *env, struct vf_call *call, u32 regno, u32 size, bool is_write,
	bool may_be_empty);

#endif
