/*
 * Local storage: values that belong to a thread, found by what core/map.h calls an owner's key. The thread is
 * the one that runs the program; there are no sockets, inodes and cgroups of the kernel to own any.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/map.h"
#include "helpers/fns.h"

enum { MAY_CREATE = BPF_LOCAL_STORAGE_GET_F_CREATE };

/* Of an owner that is not there. */
u64 hlp_storage_get_none(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return 0;
}

u64 hlp_storage_delete_none(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u64)(r2 ? -ENOENT : -EINVAL);
}
