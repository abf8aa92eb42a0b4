/*
 * Maps that hold references beside the running kernel: program arrays, maps of maps, device and CPU maps.
 * Both engines get the same programs and inner maps, then random attributes and random operations with
 * good and bad descriptors; results, errno, what is found and figures of memory must agree. Ids differ
 * between engines, so what is found is compared as the place of the object in the list of them.
 *
 * maps_fd [OPERATIONS [SEED]]; exit 77 where there is no kernel to compare with.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include <skep/skep.h>

#include "core/inst.h"
#include "kernel.h"
#include "sys/attr.h"
#include "sys/caller.h"
#include "sys/verbs.h"

enum {
	ENTRIES_MAX = 6,
	OPS_PER_MAP = 150,
	LOOPBACK = 1, /* a device that both have */
	NO_OBJ = -1,
	MAX_OBJS = 32,
};

static struct skep *skep;
static struct sys_user user;
static u64 random_state, op_cnt, map_cnt, refused_cnt;

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

/* --- what may stand in maps --------------------------------------------------------------------- */

static const struct {
	u32 prog_type, attach_type; /* a program, or */
	struct sys_attr_map_create map;
} kinds[] = {
	{BPF_PROG_TYPE_XDP, 0},
	{BPF_PROG_TYPE_XDP, 0},
	{BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP},
	{BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP},
	{BPF_PROG_TYPE_SOCKET_FILTER, 0},
	{BPF_PROG_TYPE_SCHED_CLS, 0},
	{0, 0, {BPF_MAP_TYPE_ARRAY, 4, 4, 2}},
	{0, 0, {BPF_MAP_TYPE_ARRAY, 4, 4, 2}},
	{0, 0, {BPF_MAP_TYPE_ARRAY, 4, 4, 3}},
	{0, 0, {BPF_MAP_TYPE_ARRAY, 4, 4, 3, BPF_F_INNER_MAP}},
	{0, 0, {BPF_MAP_TYPE_ARRAY, 4, 4, 4, BPF_F_INNER_MAP}},
	{0, 0, {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 2}},
	{0, 0, {BPF_MAP_TYPE_HASH, 4, 4, 2}},
	{0, 0, {BPF_MAP_TYPE_HASH, 4, 4, 3}},
	{0, 0, {BPF_MAP_TYPE_HASH, 4, 8, 3}},
	{0, 0, {BPF_MAP_TYPE_LRU_HASH, 4, 4, 3}},
	{0, 0, {BPF_MAP_TYPE_QUEUE, 0, 4, 3}},
	{0, 0, {BPF_MAP_TYPE_DEVMAP, 4, 4, 3}},
	{0, 0, {BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 3}},
	{0, 0, {BPF_MAP_TYPE_CPUMAP, 4, 4, 2}},
	{0, 0, {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3}},
};

static struct {
	int fd;
	u32 id;
} objs[2][MAX_OBJS];

static u32 id_of(u32 side, int fd)
{
	union sys_attr attr = {0};
	u32 head[2] = {0};

	attr.uapi.info.bpf_fd = (u32)fd;
	attr.uapi.info.info_len = sizeof(head);
	attr.uapi.info.info = (uintptr_t)head;
	return side_bpf(side, BPF_OBJ_GET_INFO_BY_FD, &attr) ? 0 : head[1];
}

static int make_prog(u32 side, u32 type, u32 attach_type)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union sys_attr attr = {0};

	attr.prog_load.prog_type = type;
	attr.prog_load.expected_attach_type = attach_type;
	attr.prog_load.insns = (uintptr_t)insns;
	attr.prog_load.insn_cnt = ARRAY_SIZE(insns);
	attr.prog_load.license = (uintptr_t) "GPL";
	return (int)side_bpf(side, BPF_PROG_LOAD, &attr);
}

static void make_objs(void)
{
	for (u32 side = 0; side < 2; side++)
		for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
			union sys_attr attr = {.map_create = kinds[i].map};

			objs[side][i].fd = kinds[i].prog_type
						   ? make_prog(side, kinds[i].prog_type,
							     kinds[i].attach_type)
						   : (int)side_bpf(side, BPF_MAP_CREATE, &attr);
			objs[side][i].id = id_of(side, objs[side][i].fd);
			if (objs[side][i].fd < 0 || !objs[side][i].id) {
				printf("object %u of side %u: %d\n", i, side, objs[side][i].fd);
				exit(1);
			}
		}
}

/* A place in the list, or one of the descriptors that are no object. */
static int pick_obj(bool wants_map)
{
	if (one_in(12))
		return NO_OBJ - (int)rnd(3);
	if (one_in(6))
		return (int)rnd(ARRAY_SIZE(kinds));
	return wants_map ? 6 + (int)rnd(ARRAY_SIZE(kinds) - 6) : (int)rnd(6);
}

static int fd_of(u32 side, int obj)
{
	static const int others[] = {-1, 0, 9999}; /* none, /dev/null, not open */

	return obj < 0 ? others[NO_OBJ - obj] : objs[side][obj].fd;
}

static int place_of(u32 side, u32 id, bool is_map)
{
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++)
		if (objs[side][i].id == id && !kinds[i].prog_type == is_map)
			return (int)i;
	return NO_OBJ;
}

/* --- maps ---------------------------------------------------------------------------------------- */

static struct sys_attr_map_create cur;
static int cur_fds[2];

static bool holds_maps(void)
{
	return cur.map_type == BPF_MAP_TYPE_ARRAY_OF_MAPS ||
	       cur.map_type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

static bool holds_targets(void)
{
	return cur.map_type == BPF_MAP_TYPE_DEVMAP || cur.map_type == BPF_MAP_TYPE_DEVMAP_HASH ||
	       cur.map_type == BPF_MAP_TYPE_CPUMAP;
}

static bool is_hash(void)
{
	return cur.map_type == BPF_MAP_TYPE_HASH_OF_MAPS ||
	       cur.map_type == BPF_MAP_TYPE_DEVMAP_HASH;
}

static void expect(const char *what, u32 key, long ours, long kernels)
{
	op_cnt++;
	if (ours == kernels)
		return;
	printf("%s: type %u key %u value %u entries %u flags 0x%x, key %u: skep %ld, kernel %ld\n",
		what, cur.map_type, cur.key_size, cur.value_size, cur.max_entries, cur.map_flags,
		key, ours, kernels);
	exit(1);
}

static void choose_map(void)
{
	static const u32 types[] = {BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_ARRAY_OF_MAPS,
		BPF_MAP_TYPE_HASH_OF_MAPS, BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH,
		BPF_MAP_TYPE_CPUMAP};
	static const u32 sizes[] = {0, 1, 3, 4, 5, 8, 9, 16};
	static const u32 entries[] = {0, 1, 256, 512};

	cur = (struct sys_attr_map_create){
		.map_type = types[rnd(ARRAY_SIZE(types))],
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1 + rnd(ENTRIES_MAX),
	};
	if (holds_targets() && one_in(2))
		cur.value_size = 8;
	if (cur.map_type == BPF_MAP_TYPE_HASH_OF_MAPS && one_in(2))
		cur.map_flags = BPF_F_NO_PREALLOC;
	for (u32 i = one_in(3) ? 1 + rnd(2) : 0; i; i--) {
		switch (rnd(5)) {
		case 0: cur.key_size = sizes[rnd(ARRAY_SIZE(sizes))]; break;
		case 1: cur.value_size = sizes[rnd(ARRAY_SIZE(sizes))]; break;
		case 2: cur.max_entries = entries[rnd(ARRAY_SIZE(entries))]; break;
		case 3: cur.map_flags ^= 1U << rnd(16); break;
		case 4:
			cur.map_flags |= BPF_F_NUMA_NODE;
			cur.numa_node = rnd(2) * 1000;
			break;
		}
	}
}

static bool make_maps(void)
{
	int inner = one_in(8) ? NO_OBJ - (int)rnd(3) : (int)rnd(ARRAY_SIZE(kinds));
	long ret[2];

	for (u32 side = 0; side < 2; side++) {
		union sys_attr attr = {.map_create = cur};

		attr.map_create.inner_map_fd = (u32)fd_of(side, inner);
		ret[side] = side_bpf(side, BPF_MAP_CREATE, &attr);
		cur_fds[side] = (int)ret[side];
	}
	expect("create", 0, MIN(ret[0], 0), MIN(ret[1], 0));
	return ret[0] >= 0;
}

static long elem(u32 side, int cmd, u32 key, void *value, u64 flags)
{
	union sys_attr attr = {0};
	u8 long_key[64] = {0};

	memcpy(long_key, &key, sizeof(key));
	attr.uapi.map_fd = (u32)cur_fds[side];
	attr.uapi.key = (uintptr_t)long_key;
	attr.uapi.value = (uintptr_t)value;
	attr.uapi.flags = flags;
	return side_bpf(side, cmd, &attr);
}

static void compare_update(u32 key)
{
	static const u64 odd[] = {BPF_NOEXIST, BPF_EXIST, 3, 4, 8, 1ULL << 32};
	u64 flags = one_in(5) ? odd[rnd(ARRAY_SIZE(odd))] : BPF_ANY;
	int obj = holds_targets() && one_in(2) ? NO_OBJ : pick_obj(holds_maps());
	u32 first = cur.map_type == BPF_MAP_TYPE_CPUMAP ? (one_in(5) ? 16384 + rnd(2) : rnd(3) * 64)
		    : one_in(6)				? rnd(2) * 4000000
							: LOOPBACK;
	long ret[2];

	for (u32 side = 0; side < 2; side++) {
		u32 value[2] = {first, (u32)fd_of(side, obj)};

		if (!holds_targets())
			value[0] = value[1];
		ret[side] = elem(side, BPF_MAP_UPDATE_ELEM, key, value, flags);
	}
	expect("update", key, ret[0], ret[1]);
}

static void compare_lookup(u32 key)
{
	u32 words[2][2] = {{0}};
	long ret[2];

	for (u32 side = 0; side < 2; side++)
		ret[side] = elem(side, BPF_MAP_LOOKUP_ELEM, key, words[side], 0);
	expect("lookup", key, ret[0], ret[1]);
	if (ret[0])
		return;
	if (holds_targets()) {
		expect("target", key, words[0][0], words[1][0]);
		for (u32 side = 0; side < 2; side++)
			words[side][0] = words[side][1];
	}
	if (words[0][0] || words[1][0])
		expect("object", key, place_of(0, words[0][0], holds_maps()),
			place_of(1, words[1][0], holds_maps()));
}

static void compare_next(u32 key)
{
	u32 next[2][16] = {{0}};
	long ret[2];

	for (u32 side = 0; side < 2; side++)
		ret[side] = elem(side, BPF_MAP_GET_NEXT_KEY, key, next[side], 0);
	if (is_hash()) /* the order is the table's own */
		return;
	expect("next", key, ret[0], ret[1]);
	expect("next key", key, next[0][0], next[1][0]);
}

static u32 count_keys(u32 side)
{
	u32 key[16] = {0}, cnt = 0;
	union sys_attr attr = {0};

	attr.uapi.map_fd = (u32)cur_fds[side];
	attr.uapi.next_key = (uintptr_t)key;
	while (!side_bpf(side, BPF_MAP_GET_NEXT_KEY, &attr) && cnt++ < 1000)
		attr.uapi.key = (uintptr_t)key;
	return cnt;
}

static u64 kernel_fdinfo(int fd, const char *name)
{
	unsigned long long value = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, strlen(name)))
			value = strtoull(strchr(line, ':') + 1, NULL, 0);
	}
	if (file)
		fclose(file);
	return value;
}

static void compare_fdinfo(const char *name)
{
	u64 ours = 0;

	sys_fdinfo(skep, &user, cur_fds[0], name, &ours);
	expect(name, 0, (long)ours, (long)kernel_fdinfo(cur_fds[1], name));
}

static void compare_map(void)
{
	choose_map();
	if (!make_maps()) {
		refused_cnt++;
		return;
	}
	map_cnt++;
	for (u32 i = 0; i < OPS_PER_MAP; i++) {
		u32 key = one_in(20) ? 4000000000 : rnd(MIN(cur.max_entries, 8u) + 2);

		switch (rnd(6)) {
		case 0:
		case 1: compare_update(key); break;
		case 2:
		case 3: compare_lookup(key); break;
		case 4: compare_next(key); break;
		case 5:
			expect("delete", key, elem(0, BPF_MAP_DELETE_ELEM, key, NULL, 0),
				elem(1, BPF_MAP_DELETE_ELEM, key, NULL, 0));
			break;
		}
	}
	expect("number of keys", 0, count_keys(0), count_keys(1));
	compare_fdinfo("memlock");
	compare_fdinfo("owner_prog_type");
	close(cur_fds[0]);
	close(cur_fds[1]);
}

static int check_rxq(struct skep *inst, u32 ifindex, u32 queue)
{
	return ifindex == LOOPBACK ? 0 : -ENODEV;
}

int main(int argc, char **argv)
{
	u64 ops = argc > 1 ? strtoull(argv[1], NULL, 0) : 30000;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (u64)time(NULL) << 20 ^ (u64)getpid();

	if (kernel_is_missing())
		return KERNEL_SKIP;
	close(0);
	if (open("/dev/null", O_RDONLY) != 0 || skep_new(NULL, &skep)) {
		printf("no instance\n");
		return 1;
	}
	skep->check_rxq = check_rxq;
	sys_user_local_init(&user);
	printf("seed %llu\n", (unsigned long long)seed);
	random_state = seed * 2 + 1;
	make_objs();
	while (op_cnt < ops)
		compare_map();
	printf("%llu operations on %llu maps agree, %llu refused alike\n",
		(unsigned long long)op_cnt, (unsigned long long)map_cnt,
		(unsigned long long)refused_cnt);
	skep_free(skep);
	return 0;
}
