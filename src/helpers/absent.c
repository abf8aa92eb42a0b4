/*
 * Helpers without a meaning here that promise to fill memory: it is cleared, as in Linux on an error, so
 * that no program reads what happened to be there. The function's number is that of the argument; its
 * size is the next one.
 */
#include <errno.h>
#include <string.h>

#include "helpers/fns.h"

static u64 refuse(u64 mem, u64 len)
{
	memset(hlp_ptr(mem), 0, (u32)len);
	return (u64)-EOPNOTSUPP;
}

u64 hlp_absent_mem1(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return refuse(r1, r2);
}

u64 hlp_absent_mem2(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return refuse(r2, r3);
}

u64 hlp_absent_mem3(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return refuse(r3, r4);
}

u64 hlp_absent_mem4(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return refuse(r4, r5);
}
