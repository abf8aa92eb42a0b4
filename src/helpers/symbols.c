/*
 * Names: types of the kernel's BTF, symbols of the kernel. There are no symbols here.
 */
#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "core/kbtf.h"
#include "helpers/fns.h"

/* The name has its zero byte last. */
static bool is_name(u64 name, u64 size)
{
	s32 len = (s32)size;

	return len > 1 && !((const char *)hlp_ptr(name))[len - 1];
}

/* (name, size, kind, flags): a type's number; those of modules are not there. */
u64 hlp_btf_find_by_name_kind(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct btf_obj *btf;
	u32 id;
	int err;

	if (r4 || !is_name(r1, r2))
		return (u64)-EINVAL;
	err = core_kbtf_get(run->inst, &btf);
	if (err)
		return (u64)err;
	err = btf_find(btf, hlp_ptr(r1), (u32)r3, &id);
	return err ? (u64)err : id;
}

/* (name, size, flags, to) */
u64 hlp_kallsyms_lookup_name(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	memset(hlp_ptr(r4), 0, sizeof(u64));
	return (u64)(r3 || !is_name(r1, r2) ? -EINVAL : -ENOENT);
}

/* ---- the traced function: there is none ---- */

/* (context, n, to) */
u64 hlp_get_func_arg(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	memset(hlp_ptr(r3), 0, sizeof(u64));
	return (u64)-EINVAL;
}

u64 hlp_get_func_ret(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	memset(hlp_ptr(r2), 0, sizeof(u64));
	return (u64)-EOPNOTSUPP;
}
