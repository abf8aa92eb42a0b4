/*
 * Where a program runs: logical CPU, and the process and thread whose doing it is. The instance is one
 * NUMA node.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/inst.h"
#include "helpers/fns.h"
#include "isa/uapi.h"

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

/* The namespace's file, its device as the kernel numbers them: major, then 20 bits of minor. */
static bool is_own_pidns(u64 dev, u64 ino)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || (u32)dev != dev)
		return false;
	return ino == st.st_ino && dev == ((u64)major(st.st_dev) << 20 | minor(st.st_dev));
}

/* (device, inode, to, size): only of the namespace the process is in. */
u64 hlp_get_ns_current_pid_tgid(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct bpf_pidns_info info = {.pid = (u32)gettid(), .tgid = (u32)getpid()};

	if ((u32)r4 != sizeof(info) || !is_own_pidns(r1, r2)) {
		memset(hlp_ptr(r3), 0, (u32)r4);
		return (u64)-EINVAL;
	}
	memcpy(hlp_ptr(r3), &info, sizeof(info));
	return 0;
}
