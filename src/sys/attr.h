/*
 * The argument of bpf(2) as Linux 6.18 reads it: a block of SYS_ATTR_SIZE bytes, zero where the caller
 * gave less. A caller that gives more must have zeros there, else he wants something newer (-E2BIG).
 *
 * <linux/bpf.h> may be older or newer than 6.18, so the families that grew are spelt out here with
 * Linux's field names; the others are read through `uapi`. Offsets are compared with the header's
 * where it has the field (attr.c).
 */
#ifndef SYS_ATTR_H
#define SYS_ATTR_H

#include "base/types.h"
#include "isa/uapi.h"

struct sys_user;

enum {
	SYS_ATTR_SIZE = 168,	  /* sizeof(union bpf_attr) in 6.18 */
	SYS_UARG_MAX = 4096,	  /* bytes: what claims to be longer is nonsense (-E2BIG) */
	SYS_PROG_INFO_SIZE = 232, /* sizeof, and below the end of the last field, as 6.18 */
	SYS_PROG_INFO_END = 228,
	SYS_MAP_INFO_SIZE = 104,
	SYS_MAP_INFO_END = 100,
	SYS_LINK_INFO_SIZE = 64,
};

struct sys_attr_map_create {
	u32 map_type, key_size, value_size, max_entries, map_flags, inner_map_fd, numa_node;
	char map_name[BPF_OBJ_NAME_LEN];
	u32 map_ifindex, btf_fd, btf_key_type_id, btf_value_type_id, btf_vmlinux_value_type_id;
	u64 map_extra;
	s32 value_type_btf_obj_fd, map_token_fd;
	u64 excl_prog_hash;
	u32 excl_prog_hash_size;
};

struct sys_attr_prog_load {
	u32 prog_type, insn_cnt;
	u64 insns, license;
	u32 log_level, log_size;
	u64 log_buf;
	u32 kern_version, prog_flags;
	char prog_name[BPF_OBJ_NAME_LEN];
	u32 prog_ifindex, expected_attach_type, prog_btf_fd, func_info_rec_size;
	u64 func_info;
	u32 func_info_cnt, line_info_rec_size;
	u64 line_info;
	u32 line_info_cnt, attach_btf_id, attach_prog_fd, core_relo_cnt;
	u64 fd_array, core_relos;
	u32 core_relo_rec_size, log_true_size;
	s32 prog_token_fd;
	u32 fd_array_cnt;
	u64 signature;
	u32 signature_size;
	s32 keyring_id;
};

struct sys_attr_btf_load {
	u64 btf, btf_log_buf;
	u32 btf_size, btf_log_size, btf_log_level, btf_log_true_size, btf_flags;
	s32 btf_token_fd;
};

struct sys_attr_obj {
	u64 pathname;
	u32 bpf_fd, file_flags;
	s32 path_fd;
};

struct sys_attr_by_id {
	u32 id; /* start_id, prog_id, map_id, ... */
	u32 next_id, open_flags;
	s32 fd_by_id_token_fd;
};

struct sys_attr_link_create {
	u32 prog_fd, target, attach_type, flags; /* target_fd or target_ifindex */
	u64 options[6];				 /* of the kind of link */
};

union sys_attr {
	union bpf_attr uapi;
	struct sys_attr_map_create map_create;
	struct sys_attr_prog_load prog_load;
	struct sys_attr_btf_load btf_load;
	struct sys_attr_obj obj;
	struct sys_attr_by_id by_id;
	struct sys_attr_link_create link_create;
	u8 bytes[SYS_ATTR_SIZE];
};

/* One past the field, within its family: what cmds.def gives as the last field of a command. */
#define SYS_END_OF(family, field)                                                                  \
	(offsetof(union sys_attr, family.field) + sizeof(((union sys_attr *)0)->family.field))

/* Bytes [known, given) of the caller's structure are zero: 0; -E2BIG (also given > SYS_UARG_MAX),
 * -EFAULT. */
int sys_uarg_tail_check(struct sys_user *user, u64 addr, size_t known, size_t given);
/* -E2BIG, -EFAULT. */
int sys_attr_read(struct sys_user *user, u64 addr, u32 size, union sys_attr *ret_attr);
/* True if something stands in attr from byte `end` on. */
bool sys_attr_has_tail(const union sys_attr *attr, size_t end);
/* Linux's bpf_obj_name_cpy: letters, digits, '_' and '.', a NUL inside, zeros after it. -EINVAL. */
int sys_name_copy(char ret_name[BPF_OBJ_NAME_LEN], const char *name);

#endif
