/*
 * Memory: may this access be made, and what does the register hold that loads from it. One dispatcher
 * (access.c) and a file for each region.
 */
#ifndef VERIFIER_ACCESS_H
#define VERIFIER_ACCESS_H

#include "base/types.h"
#include "verifier/env.h"

enum { VF_NO_REG = -1 };

struct vf_access {
	u32 regno; /* the pointer, in the running frame */
	s32 off;   /* from the pointer; region files get it with the pointer's fixed offset added */
	u32 size;
	bool is_write;
	bool is_aligned; /* must be, whatever the load flags say */
	bool is_signed;	 /* a sign-extending load */
	int value;	 /* register loaded or stored; VF_NO_REG: none, or a constant */
};

/* access.c: the whole check of one load or store, and its effect. */
int vf_access(struct vf_env *env, const struct vf_access *acc);
int vf_access_aligned(struct vf_env *env, const struct vf_access *acc);
/* Bytes [pointer + off, + size) lie in a region of mem_size bytes, for all values of the offset. */
int vf_region_check(
	struct vf_env *env, u32 regno, s32 off, s32 size, u32 mem_size, bool may_be_empty);
/* The fixed part only: [off, off + size) in mem_size. */
int vf_region_fixed(
	struct vf_env *env, u32 regno, s64 off, s32 size, u32 mem_size, bool may_be_empty);

/* stack.c */
int vf_stack_access(struct vf_env *env, const struct vf_access *acc);
/* A helper's view: the bytes become (write) or are (read) plain memory. is_raw: the helper fills them. */
int vf_stack_bounds(struct vf_env *env, u32 regno, s32 off, s32 size, bool is_write);
int vf_stack_range(struct vf_env *env, u32 regno, s32 off, s32 size, bool may_be_empty,
	bool is_write, bool *is_raw);
/* The constant that the size bytes at the stack pointer hold; -EOPNOTSUPP: not known. */
int vf_stack_constant(struct vf_env *env, u32 regno, u32 size, u64 *ret_value);

/* btf_ctx.c, btf_mem.c, buffer.c, map_ptr.c */
struct vf_walk;
int vf_btf_ctx_access(struct vf_env *env, const struct vf_access *acc);
int vf_btf_access(struct vf_env *env, const struct vf_access *acc);
void vf_btf_load(struct vf_env *env, const struct vf_reg *reg, const struct vf_walk *to,
	struct vf_reg *ret_value);
/* The object lives as long as the program runs, and the pointer is not null. */
bool vf_btf_is_trusted(const struct vf_reg *reg);
int vf_buffer_access(struct vf_env *env, const struct vf_access *acc);
int vf_buffer_check(struct vf_env *env, u32 regno, s32 off, u32 size, bool is_write);
int vf_map_ptr_access(struct vf_env *env, const struct vf_access *acc);
/* Where struct map has the field that is size bytes at off of struct bpf_map; false: it has none. */
bool vf_map_ptr_field(const struct vf_env *env, s32 off, u32 size, u32 *ret_off);

/* packet.c, map_value.c, ctx.c */
int vf_packet_access(struct vf_env *env, u32 regno, s32 off, s32 size, bool may_be_empty);
int vf_map_access(
	struct vf_env *env, u32 regno, s32 off, s32 size, bool is_write, bool may_be_empty);
int vf_map_load(struct vf_env *env, const struct vf_access *acc);
int vf_ctx_access(struct vf_env *env, const struct vf_access *acc);
/* sock.c */
bool vf_is_sock(const struct vf_reg *reg);
int vf_sock_access(struct vf_env *env, const struct vf_access *acc);
/* The field row of an access to the context, or NULL if there is none that allows it. */
const struct ctx_field *vf_ctx_field(const struct vf_env *env, s32 off, u32 size, bool is_write);

#endif
