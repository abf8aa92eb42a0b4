/*
 * Where a program runs: logical CPU, and the process and thread whose doing it is. The instance is one
 * NUMA node.
 */
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/inst.h"
#include "helpers/fns.h"

enum { COMM_LEN = 16 };

u64 hlp_get_smp_processor_id(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return run->cpu;
}

u64 hlp_get_numa_node_id(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return 0;
}

u64 hlp_get_prandom_u32(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return inst_prandom(run);
}

u64 hlp_get_current_pid_tgid(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u64)getpid() << 32 | (u32)gettid();
}

u64 hlp_get_current_uid_gid(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u64)getgid() << 32 | getuid();
}

/* The name is cut to size - 1 bytes and padded with zeroes to size. */
u64 hlp_get_current_comm(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	char comm[COMM_LEN] = "", *buf = hlp_ptr(r1);
	u32 size = (u32)r2, len;

	prctl(PR_GET_NAME, comm);
	len = (u32)strnlen(comm, MIN(COMM_LEN, size - 1));
	memcpy(buf, comm, len);
	memset(buf + len, 0, size - len);
	return 0;
}
