/*
 * Maps whose values have special fields (locks, timers, kptrs) beside the running kernel: which types take
 * them is tests/diff/btf_map; here values are written, read, taken and deleted from user space, with and
 * without BPF_F_LOCK. Fields must keep out of copies: they read as zero whatever is written.
 *
 * maps_fields [OPERATIONS [SEED]]; exit 77 where there is no kernel to compare with.
 */
#include <stdlib.h>
#include <time.h>

#include <skep/skep.h>

#include "../unit/btf/text.h"
#include "kernel.h"
#include "sys/attr.h"

enum { ENTRIES = 5, VALUE_MAX = 64, CPU_MAX = 64, OPS_PER_MAP = 200 };

static const char types[] = "INT u32 size=4\n" /* 1 */
			    "INT u64 size=8\n"
			    "STRUCT bpf_spin_lock size=4\n" /* 3 */
			    "	val type=1\n"
			    "STRUCT locked size=12\n" /* 4 */
			    "	a type=1\n"
			    "	lock type=3 off=32\n"
			    "	b type=1 off=64\n"
			    "ARRAY elem=2 index=1 nelems=2\n" /* 5 */
			    "STRUCT bpf_timer size=16\n"
			    "	o type=5\n"
			    "STRUCT timed size=40\n" /* 7 */
			    "	x type=2\n"
			    "	timer type=6 off=64\n"
			    "	lock type=3 off=192\n"
			    "	y type=2 off=256\n"
			    "STRUCT own size=8\n" /* 8 */
			    "	v type=2\n"
			    "TYPE_TAG kptr type=8\n"
			    "PTR type=9\n" /* 10 */
			    "STRUCT owner size=32\n"
			    "	x type=2\n"
			    "	p type=10 off=64\n"
			    "	y type=2 off=128\n"
			    "	q type=10 off=192\n";

static const struct {
	u32 type, value_size, value_id;
	bool has_lock;
} kinds[] = {
	{BPF_MAP_TYPE_HASH, 12, 4, true},
	{BPF_MAP_TYPE_ARRAY, 12, 4, true},
	{BPF_MAP_TYPE_HASH, 40, 7, true},
	{BPF_MAP_TYPE_ARRAY, 40, 7, true},
	{BPF_MAP_TYPE_HASH, 32, 11, false},
	{BPF_MAP_TYPE_ARRAY, 32, 11, false},
	{BPF_MAP_TYPE_LRU_HASH, 32, 11, false},
	{BPF_MAP_TYPE_PERCPU_HASH, 32, 11, false},
	{BPF_MAP_TYPE_PERCPU_ARRAY, 32, 11, false},
	{BPF_MAP_TYPE_LRU_PERCPU_HASH, 32, 11, false},
};

static struct skep *skep;
static u64 random_state, op_cnt;
static int btf_fds[2], map_fds[2];
static u32 cpus, value_len;

static u32 rnd(u32 below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)(random_state >> 20) % below;
}

static long side_bpf(u32 side, int cmd, union sys_attr *attr)
{
	long ret;

	if (!side)
		return skep_bpf(skep, cmd, &attr->uapi, SYS_ATTR_SIZE);
	ret = syscall(__NR_bpf, cmd, attr, SYS_ATTR_SIZE);
	return ret < 0 ? -errno : ret;
}

static int load_btf(u32 side, const struct buf *data)
{
	union sys_attr attr = {0};

	attr.btf_load.btf = (uintptr_t)data->data;
	attr.btf_load.btf_size = (u32)data->len;
	return (int)side_bpf(side, BPF_BTF_LOAD, &attr);
}

static int create(u32 side, u32 kind)
{
	union sys_attr attr = {0};

	attr.map_create.map_type = kinds[kind].type;
	attr.map_create.key_size = 4;
	attr.map_create.value_size = kinds[kind].value_size;
	attr.map_create.max_entries = ENTRIES;
	attr.map_create.btf_fd = (u32)btf_fds[side];
	attr.map_create.btf_key_type_id = 1;
	attr.map_create.btf_value_type_id = kinds[kind].value_id;
	return (int)side_bpf(side, BPF_MAP_CREATE, &attr);
}

static long side_op(u32 side, int cmd, const void *key, void *value, u64 flags)
{
	union sys_attr attr = {0};

	attr.uapi.map_fd = (u32)map_fds[side];
	if (cmd == BPF_MAP_FREEZE)
		return side_bpf(side, cmd, &attr);
	attr.uapi.key = (uintptr_t)key;
	attr.uapi.value = (uintptr_t)value;
	attr.uapi.flags = flags;
	return side_bpf(side, cmd, &attr);
}

/* An operation on both sides with the same value; what is read must be the same. */
static bool agree(u32 kind, int cmd, u32 key, u64 flags)
{
	static u8 values[2][VALUE_MAX * CPU_MAX];
	long ret[2];

	for (u32 i = 0; i < value_len; i++)
		values[0][i] = values[1][i] = (u8)(1 + rnd(255));
	for (u32 side = 0; side < 2; side++)
		ret[side] = side_op(
			side, cmd, &key, cmd == BPF_MAP_DELETE_ELEM ? NULL : values[side], flags);
	op_cnt++;
	if (ret[0] == ret[1] && !memcmp(values[0], values[1], value_len))
		return true;
	printf("map type %u value type %u, command %d key %u flags %llu: skep %ld, kernel %ld\n",
		kinds[kind].type, kinds[kind].value_id, cmd, key, (unsigned long long)flags, ret[0],
		ret[1]);
	for (u32 side = 0; side < 2; side++) {
		for (u32 i = 0; i < value_len; i++)
			printf("%02x ", values[side][i]);
		printf("\n");
	}
	return false;
}

static bool compare_map(u32 kind)
{
	static const int cmds[] = {BPF_MAP_UPDATE_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_UPDATE_ELEM,
		BPF_MAP_LOOKUP_ELEM, BPF_MAP_LOOKUP_ELEM, BPF_MAP_DELETE_ELEM,
		BPF_MAP_LOOKUP_AND_DELETE_ELEM};
	bool is_percpu = kinds[kind].type == BPF_MAP_TYPE_PERCPU_HASH ||
			 kinds[kind].type == BPF_MAP_TYPE_PERCPU_ARRAY ||
			 kinds[kind].type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	bool is_lru = kinds[kind].type == BPF_MAP_TYPE_LRU_HASH ||
		      kinds[kind].type == BPF_MAP_TYPE_LRU_PERCPU_HASH;

	value_len = is_percpu ? kinds[kind].value_size * cpus : kinds[kind].value_size;
	for (u32 side = 0; side < 2; side++) {
		map_fds[side] = create(side, kind);
		if (map_fds[side] < 0) {
			printf("map type %u value type %u: side %u: create: %d\n", kinds[kind].type,
				kinds[kind].value_id, side, map_fds[side]);
			return false;
		}
	}
	for (u32 i = 0; i < OPS_PER_MAP; i++) {
		int cmd = cmds[rnd(ARRAY_SIZE(cmds))];
		u64 flags = rnd(3) ? 0 : rnd(9);

		if (cmd == BPF_MAP_DELETE_ELEM)
			flags = 0;
		/* which entry an LRU hash drops is its own: it never gets full here */
		if (!agree(kind, cmd, rnd(is_lru ? 2 : ENTRIES + 2), flags))
			return false;
	}
	if (!agree(kind, BPF_MAP_FREEZE, 0, 0))
		return false;
	close(map_fds[0]);
	close(map_fds[1]);
	return true;
}

int main(int argc, char **argv)
{
	u64 ops = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (u64)time(NULL) << 20 ^ (u64)getpid();
	struct buf data;

	if (kernel_is_missing())
		return KERNEL_SKIP;
	cpus = (u32)sysconf(_SC_NPROCESSORS_CONF);
	if (cpus > CPU_MAX || skep_new(NULL, &skep)) {
		printf("skipped: no instance, or more than %d CPUs\n", CPU_MAX);
		return KERNEL_SKIP;
	}
	data = btf_text(types);
	for (u32 side = 0; side < 2; side++) {
		btf_fds[side] = load_btf(side, &data);
		if (btf_fds[side] < 0) {
			printf("side %u: BTF: %d\n", side, btf_fds[side]);
			return 1;
		}
	}
	printf("seed %llu\n", (unsigned long long)seed);
	random_state = seed * 2 + 1;
	while (op_cnt < ops)
		if (!compare_map(rnd(ARRAY_SIZE(kinds))))
			return 1;
	printf("%llu operations agree\n", (unsigned long long)op_cnt);
	buf_done(&data);
	close(btf_fds[0]);
	close(btf_fds[1]);
	skep_free(skep);
	return 0;
}
