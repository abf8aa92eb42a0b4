/*
 * Reading bpf(2)'s argument under Linux's rules for structures that grow.
 */
#include "sys/attr.h"

#include <errno.h>
#include <string.h>

#include "base/bug.h"
#include "sys/caller.h"

#define SAME_OFFSET(family, field, uapi_field)                                                     \
	_Static_assert(                                                                            \
		offsetof(union sys_attr, family.field) == offsetof(union bpf_attr, uapi_field),    \
		"the layout is Linux's")

SAME_OFFSET(map_create, map_extra, map_extra);
SAME_OFFSET(map_create, btf_vmlinux_value_type_id, btf_vmlinux_value_type_id);
SAME_OFFSET(prog_load, core_relo_rec_size, core_relo_rec_size);
SAME_OFFSET(prog_load, attach_prog_fd, attach_prog_fd);
SAME_OFFSET(prog_load, line_info, line_info);
SAME_OFFSET(btf_load, btf_log_level, btf_log_level);
SAME_OFFSET(obj, file_flags, file_flags);
SAME_OFFSET(by_id, open_flags, open_flags);
SAME_OFFSET(link_create, flags, link_create.flags);
_Static_assert(sizeof(struct sys_attr_prog_load) == SYS_ATTR_SIZE, "the longest family");

int sys_uarg_tail_check(struct sys_user *user, u64 addr, size_t known, size_t given)
{
	u8 tail[SYS_UARG_MAX];
	int err;

	skep_bug_if(known > SYS_UARG_MAX, "a known structure of %zu bytes", known);
	if (given > SYS_UARG_MAX)
		return -E2BIG;
	if (given <= known)
		return 0;
	err = sys_user_read(user, addr + known, tail, given - known);
	if (err)
		return err;
	for (size_t i = 0; i < given - known; i++)
		if (tail[i])
			return -E2BIG;
	return 0;
}

int sys_attr_read(struct sys_user *user, u64 addr, u32 size, union sys_attr *ret_attr)
{
	union sys_attr attr;
	int err = sys_uarg_tail_check(user, addr, SYS_ATTR_SIZE, size);

	if (err)
		return err;
	memset(&attr, 0, sizeof(attr));
	err = sys_user_read(user, addr, &attr, MIN(size, SYS_ATTR_SIZE));
	if (!err)
		*ret_attr = attr;
	return err;
}

bool sys_attr_has_tail(const union sys_attr *attr, size_t end)
{
	for (size_t i = end; i < SYS_ATTR_SIZE; i++)
		if (attr->bytes[i])
			return true;
	return false;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.';
}

int sys_name_copy(char ret_name[BPF_OBJ_NAME_LEN], const char *name)
{
	size_t len = strnlen(name, BPF_OBJ_NAME_LEN);

	if (len == BPF_OBJ_NAME_LEN)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return -EINVAL;
	memset(ret_name, 0, BPF_OBJ_NAME_LEN);
	memcpy(ret_name, name, len);
	return 0;
}
