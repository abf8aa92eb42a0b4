/*
 * The map types that stand for things outside of a map - events, stacks, cgroups, sockets, rings, storage of
 * tasks and sockets, arenas - beside the running kernel: random attributes, most of them nearly valid, and
 * random operations with good and bad descriptors, on both. Results, errno, what is read and figures of
 * memory must agree; ids of sockets (cookies) are the host's on both sides.
 *
 * maps_outer [OPERATIONS [SEED]]; exit 77 where there is no kernel to compare with.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <skep/skep.h>

#include "../unit/btf/text.h"
#include "btf/btf.h"
#include "core/inst.h"
#include "core/kbtf.h"
#include "kernel.h"
#include "sys/attr.h"
#include "sys/caller.h"
#include "sys/verbs.h"

enum {
	OPS_PER_MAP = 60,
	VALUE_MAX = 4096,
	CPU_MAX = 64,
	FD_MAX = 24,
	KEY_MAX = 1024,
	SYS_PIDFD_OPEN = 434,
	FAMILY_XDP = 44,
	REUSE_FIRST = 2, /* of fds */
	REUSE_END = 6,
	UNBOUND_FIRST = 7, /* sockets before it are in sockmaps at times */
	ENTRIES_SEEN = 64,
};

static const char types[] = "INT u32 size=4\n" /* 1 */
			    "INT u64 size=8\n"
			    "STRUCT key size=16\n" /* 3 */
			    "	id type=2\n"
			    "	attach type=1 off=64\n"
			    "STRUCT bpf_spin_lock size=4\n"
			    "	val type=1\n"
			    "STRUCT locked size=8\n" /* 5 */
			    "	a type=1\n"
			    "	lock type=4 off=32\n";

static const u32 map_types[] = {BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_STACK_TRACE,
	BPF_MAP_TYPE_CGROUP_ARRAY, BPF_MAP_TYPE_SOCKMAP, BPF_MAP_TYPE_XSKMAP, BPF_MAP_TYPE_SOCKHASH,
	BPF_MAP_TYPE_CGROUP_STORAGE, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,
	BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, BPF_MAP_TYPE_SK_STORAGE, BPF_MAP_TYPE_STRUCT_OPS,
	BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_INODE_STORAGE, BPF_MAP_TYPE_TASK_STORAGE,
	BPF_MAP_TYPE_USER_RINGBUF, BPF_MAP_TYPE_CGRP_STORAGE, BPF_MAP_TYPE_ARENA};

static struct skep *skep;
static u64 random_state, op_cnt, map_cnt, refused_cnt;
static int btf_fds[2], fds[FD_MAX];
static u32 fd_cnt;

/* A structure of functions that the kernel's BTF has: struct bpf_struct_ops_tcp_congestion_ops. */
static u32 ops_id, ops_size;

static u32 rnd(u32 below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)(random_state >> 20) % below;
}

static bool one_in(u32 n)
{
	return !rnd(n);
}

static long side_bpf(u32 side, int cmd, union sys_attr *attr)
{
	long ret;

	if (!side)
		return skep_bpf(skep, cmd, &attr->uapi, SYS_ATTR_SIZE);
	ret = syscall(__NR_bpf, cmd, attr, SYS_ATTR_SIZE);
	return ret < 0 ? -errno : ret;
}

/* --- descriptors of all sorts -------------------------------------------------------------------- */

static void add_fd(int fd)
{
	if (fd >= 0 && fd_cnt < FD_MAX)
		fds[fd_cnt++] = fd;
}

static int bound(int type, bool has_reuseport, bool listens)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type, 0), one = 1;

	if (has_reuseport)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || (listens && listen(fd, 4) < 0))
		return -1;
	return fd;
}

static int connected_to(int listener)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (getsockname(listener, (struct sockaddr *)&addr, &len) < 0 ||
		connect(fd, (struct sockaddr *)&addr, len) < 0)
		return -1;
	return fd;
}

static void make_fds(void)
{
	int pair[2], listener = bound(SOCK_STREAM, false, true);

	add_fd(listener);
	add_fd(connected_to(listener));
	add_fd(bound(SOCK_STREAM, true, true));
	add_fd(bound(SOCK_STREAM, true, false));
	add_fd(bound(SOCK_DGRAM, true, false));
	add_fd(bound(SOCK_DGRAM, true, false));
	add_fd(bound(SOCK_DGRAM, false, false));
	add_fd(socket(AF_INET6, SOCK_DGRAM, 0));
	add_fd(socket(AF_INET6, SOCK_STREAM, 0));
	add_fd(socket(AF_UNIX, SOCK_STREAM, 0));
	add_fd(socket(AF_UNIX, SOCK_DGRAM, 0));
	if (!socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		add_fd(pair[0]);
	if (!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		add_fd(pair[0]);
	add_fd(socket(AF_NETLINK, SOCK_RAW, 0));
	add_fd(socket(FAMILY_XDP, SOCK_RAW, 0));
	add_fd(socket(FAMILY_XDP, SOCK_RAW, 0));
	add_fd((int)syscall(SYS_PIDFD_OPEN, getpid(), 0));
	add_fd((int)syscall(SYS_PIDFD_OPEN, 1, 0));
	add_fd(open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY));
	add_fd(open("/tmp", O_RDONLY | O_DIRECTORY));
	add_fd(open("/dev/null", O_RDWR));
	fds[fd_cnt++] = -1;
	fds[fd_cnt++] = 1000; /* not open */
}

/* --- attributes ----------------------------------------------------------------------------------- */

struct shape {
	u32 key_size, value_size, max_entries, flags;
	u32 key_id, value_id;
};

static bool is_storage(u32 type)
{
	return type == BPF_MAP_TYPE_SK_STORAGE || type == BPF_MAP_TYPE_INODE_STORAGE ||
	       type == BPF_MAP_TYPE_TASK_STORAGE || type == BPF_MAP_TYPE_CGRP_STORAGE;
}

static struct shape valid_shape(u32 type)
{
	struct shape shape = {4, one_in(2) ? 4 : 8, 1 + rnd(6), 0};

	if (is_storage(type))
		return (struct shape){4, 8, 0, BPF_F_NO_PREALLOC, 1, one_in(2) ? 2 : 5};
	switch (type) {
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_USER_RINGBUF: return (struct shape){0, 0, 4096U << rnd(4), 0};
	case BPF_MAP_TYPE_ARENA: return (struct shape){0, 0, 1 + rnd(100), BPF_F_MMAPABLE};
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE: return (struct shape){one_in(2) ? 8 : 16, 8, 0, 0};
	case BPF_MAP_TYPE_STRUCT_OPS:
		return (struct shape){4, ops_size, 1, one_in(2) ? BPF_F_LINK : 0, 0, 0};
	case BPF_MAP_TYPE_STACK_TRACE:
		shape.value_size = 8 * (1 + rnd(127));
		shape.flags = one_in(3) ? BPF_F_STACK_BUILD_ID : 0;
		return shape;
	case BPF_MAP_TYPE_SOCKHASH: shape.key_size = 1 + rnd(one_in(4) ? 520 : 16); return shape;
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_XSKMAP: shape.value_size = 4; return shape;
	default: return shape;
	}
}

static void disturb(union sys_attr *attr)
{
	static const u32 sizes[] = {0, 1, 4, 5, 7, 8, 12, 16, 32, 33, 512, 513, 1016, 1024, 4064,
		4072, 32768, 32769, 32776, 65407, 65408, 65535, 65536, 1 << 20};
	static const u32 entries[] = {
		0, 1, 2, 100, 4096, 8192, 12288, 4097, 1 << 16, (1 << 20) + 1};
	u32 size = sizes[rnd(ARRAY_SIZE(sizes))];

	switch (rnd(8)) {
	case 0: attr->map_create.key_size = size; break;
	case 1: attr->map_create.value_size = size; break;
	case 2: attr->map_create.max_entries = entries[rnd(ARRAY_SIZE(entries))]; break;
	case 3:
	case 4: attr->map_create.map_flags ^= 1U << rnd(20); break;
	case 5:
		attr->map_create.map_flags |= BPF_F_NUMA_NODE;
		attr->map_create.numa_node = one_in(3) ? UINT32_MAX : rnd(2) * 1000;
		break;
	case 6: attr->map_create.map_extra = rnd(3) * 4096 + rnd(2); break;
	case 7:
		attr->map_create.btf_key_type_id = rnd(4);
		attr->map_create.btf_value_type_id = rnd(6);
		break;
	}
	/* a token is asked for first: not the map type's matter */
	attr->map_create.map_flags &= ~(u32)BPF_F_TOKEN_FD;
}

struct pair {
	u32 type;
	struct shape shape;
	u32 flags, value_len;
	int fds[2];
	u32 key_size, max_entries;
};

static bool fail(const struct pair *pair, const char *what, long ours, long kernels)
{
	printf("%s: type %u key %u value %u entries %u flags 0x%x: skep %ld, kernel %ld\n", what,
		pair->type, pair->key_size, pair->shape.value_size, pair->max_entries, pair->flags,
		ours, kernels);
	return false;
}

/* --- operations ----------------------------------------------------------------------------------- */

static long side_op(
	const struct pair *pair, u32 side, int cmd, const void *key, void *value, u64 flags)
{
	union sys_attr attr = {0};

	attr.uapi.map_fd = (u32)pair->fds[side];
	attr.uapi.key = (uintptr_t)key;
	attr.uapi.value = (uintptr_t)value;
	attr.uapi.flags = flags;
	return side_bpf(side, cmd, &attr);
}

static bool is_keyed_by_fd(u32 type)
{
	return is_storage(type);
}

static void make_key(const struct pair *pair, u8 *key)
{
	u32 word = rnd(MIN(pair->max_entries, (u32)ENTRIES_SEEN) + 2);

	memset(key, 0, KEY_MAX);
	if (is_keyed_by_fd(pair->type))
		word = (u32)fds[rnd(fd_cnt)];
	memcpy(key, &word, MIN(sizeof(word), (size_t)pair->key_size));
}

/* A socket is in one REUSEPORT_SOCKARRAY or in sockmaps: some are for the one, the others for the rest. */
static int any_fd(u32 type)
{
	bool is_reuseport = type == BPF_MAP_TYPE_REUSEPORT_SOCKARRAY;
	u32 i;

	do
		i = rnd(fd_cnt);
	while ((i >= REUSE_FIRST && i < REUSE_END) ? !is_reuseport
						   : is_reuseport && i < UNBOUND_FIRST);
	return fds[i];
}

static void make_value(const struct pair *pair, u8 *value)
{
	int fd = any_fd(pair->type);
	u64 fd64 = one_in(30) ? 1ULL << 40 : (u64)(u32)fd;

	for (u32 i = 0; i < VALUE_MAX; i++)
		value[i] = is_keyed_by_fd(pair->type) ? (u8)rnd(256) : 0;
	if (!is_keyed_by_fd(pair->type))
		memcpy(value, &fd64, MIN(sizeof(fd64), (size_t)pair->shape.value_size));
}

/* The order of a hash is its own; and an inode of this kernel has no room for storage unless BPF is one of
 * its security modules. */
static bool is_only_ours(const struct pair *pair, int cmd)
{
	if (cmd == BPF_MAP_GET_NEXT_KEY)
		return pair->type == BPF_MAP_TYPE_SOCKHASH;
	if (pair->type == BPF_MAP_TYPE_STRUCT_OPS)
		return cmd == BPF_MAP_UPDATE_ELEM; /* its values are the TCP layer's matter */
	return pair->type == BPF_MAP_TYPE_INODE_STORAGE;
}

static bool agree(const struct pair *pair)
{
	static const int cmds[] = {BPF_MAP_UPDATE_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_UPDATE_ELEM,
		BPF_MAP_LOOKUP_ELEM, BPF_MAP_LOOKUP_ELEM, BPF_MAP_DELETE_ELEM,
		BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_MAP_GET_NEXT_KEY};
	static u8 values[2][VALUE_MAX * CPU_MAX], key[KEY_MAX];
	int cmd = cmds[rnd(ARRAY_SIZE(cmds))];
	u64 flags = cmd == BPF_MAP_DELETE_ELEM || cmd == BPF_MAP_GET_NEXT_KEY || rnd(2) ? 0
											: rnd(7);
	bool has_key = pair->key_size && !(cmd == BPF_MAP_GET_NEXT_KEY && one_in(3));
	long ret[2];

	make_key(pair, key);
	make_value(pair, values[0]);
	memcpy(values[1], values[0], VALUE_MAX);
	for (u32 side = 0; side < 2; side++)
		ret[side] = side_op(pair, side, cmd, has_key ? key : NULL,
			cmd == BPF_MAP_DELETE_ELEM ? NULL : values[side], flags);
	op_cnt++;
	if (is_only_ours(pair, cmd))
		return true;
	if (ret[0] == ret[1] && !memcmp(values[0], values[1], VALUE_MAX))
		return true;
	printf("command %d flags %llu key %d value %d / %d\n", cmd, (unsigned long long)flags,
		*(int *)key, *(int *)values[0], *(int *)values[1]);
	return fail(pair, "operation", ret[0], ret[1]);
}

static u64 memlock(int fd, u32 side)
{
	unsigned long long len = 0;
	struct sys_user user;
	char path[64], line[128];
	FILE *file;

	if (!side) {
		u64 ours = 0;

		sys_user_local_init(&user);
		return sys_fdinfo((struct skep *)skep, &user, fd, "memlock", &ours) ? 0 : ours;
	}
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &len) == 1)
			break;
	if (file)
		fclose(file);
	return len;
}

static bool run_ops(const struct pair *pair)
{
	u64 ours, kernels;

	if (pair->shape.value_size > VALUE_MAX || pair->key_size > KEY_MAX ||
		pair->flags & (BPF_F_RDONLY | BPF_F_WRONLY))
		return true;
	for (u32 i = 0; i < OPS_PER_MAP; i++)
		if (!agree(pair))
			return false;
	/* Linux frees maps later; sockets must be out of them now */
	for (u32 key = 0; key < pair->max_entries && key < ENTRIES_SEEN; key++)
		for (u32 side = 0; side < 2; side++)
			side_op(pair, side, BPF_MAP_DELETE_ELEM, &key, NULL, 0);
	ours = memlock(pair->fds[0], 0);
	kernels = memlock(pair->fds[1], 1);
	return ours == kernels || fail(pair, "memlock", (long)ours, (long)kernels);
}

static bool compare_map(void)
{
	struct pair pair = {.type = map_types[rnd(ARRAY_SIZE(map_types))]};
	union sys_attr attrs[2] = {0}, *attr = &attrs[0];
	bool ok = true;

	pair.shape = valid_shape(pair.type);
	attr->map_create.map_type = pair.type;
	attr->map_create.key_size = pair.shape.key_size;
	attr->map_create.value_size = pair.shape.value_size;
	attr->map_create.max_entries = pair.shape.max_entries;
	attr->map_create.map_flags = pair.shape.flags;
	attr->map_create.btf_key_type_id = pair.shape.key_id;
	attr->map_create.btf_value_type_id = pair.shape.value_id;
	if (pair.type == BPF_MAP_TYPE_STRUCT_OPS)
		attr->map_create.btf_vmlinux_value_type_id = one_in(4) ? rnd(ops_id * 2) : ops_id;
	for (u32 i = one_in(2) ? 1 + rnd(2) : 0; i; i--)
		disturb(attr);
	pair.key_size = attr->map_create.key_size;
	pair.shape.value_size = attr->map_create.value_size;
	pair.max_entries = attr->map_create.max_entries;
	pair.flags = attr->map_create.map_flags;
	attrs[1] = attrs[0];
	for (u32 side = 0; side < 2; side++) {
		attrs[side].map_create.btf_fd = (u32)btf_fds[side];
		pair.fds[side] = (int)side_bpf(side, BPF_MAP_CREATE, &attrs[side]);
	}
	op_cnt++;
	if (MIN(pair.fds[0], 0) != MIN(pair.fds[1], 0)) {
		printf("extra %llu node %u BTF %u %u\n",
			(unsigned long long)attr->map_create.map_extra, attr->map_create.numa_node,
			attr->map_create.btf_key_type_id, attr->map_create.btf_value_type_id);
		return fail(&pair, "create", pair.fds[0], pair.fds[1]);
	}
	if (pair.fds[0] < 0) {
		refused_cnt++;
		return true;
	}
	map_cnt++;
	ok = run_ops(&pair);
	close(pair.fds[0]);
	close(pair.fds[1]);
	return ok;
}

static void find_ops(void)
{
	const struct btf_obj *btf;

	if (!core_kbtf_get(skep, &btf) &&
		!btf_find(btf, "bpf_struct_ops_tcp_congestion_ops", BTF_KIND_STRUCT, &ops_id))
		ops_size = btf_type_at(btf, ops_id)->size;
	else
		ops_id = ops_size = 64;
}

int main(int argc, char **argv)
{
	u64 ops = argc > 1 ? strtoull(argv[1], NULL, 0) : 30000;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (u64)time(NULL) << 20 ^ (u64)getpid();
	union sys_attr attr = {0};
	struct buf data;

	if (kernel_is_missing())
		return KERNEL_SKIP;
	if (skep_new(NULL, &skep)) {
		printf("skipped: no instance\n");
		return KERNEL_SKIP;
	}
	data = btf_text(types);
	attr.btf_load.btf = (uintptr_t)data.data;
	attr.btf_load.btf_size = (u32)data.len;
	for (u32 side = 0; side < 2; side++) {
		btf_fds[side] = (int)side_bpf(side, BPF_BTF_LOAD, &attr);
		if (btf_fds[side] < 0)
			return 1;
	}
	buf_done(&data);
	make_fds();
	find_ops();
	printf("seed %llu\n", (unsigned long long)seed);
	random_state = seed * 2 + 1;
	while (op_cnt < ops)
		if (!compare_map())
			return 1;
	printf("%llu operations on %llu maps agree, %llu refused alike\n",
		(unsigned long long)op_cnt, (unsigned long long)map_cnt,
		(unsigned long long)refused_cnt);
	close(btf_fds[0]);
	close(btf_fds[1]);
	skep_free(skep);
	return 0;
}
