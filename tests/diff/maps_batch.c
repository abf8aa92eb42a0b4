/*
 * Batches beside the running kernel: maps of each type with the same content, random batches of good and
 * bad attributes on both; results, errno, count and what was read must agree. Where a hash table's batches
 * end is its own affair: there whole walks are compared, as sets.
 *
 * maps_batch [OPERATIONS [SEED]]; exit 77 where there is no kernel to compare with.
 */
#include <stdlib.h>
#include <time.h>

#include <skep/skep.h>

#include "kernel.h"
#include "sys/attr.h"

enum { KEYS_MAX = 64, VALUE_WORDS = 64, ENTRIES = 24, OPS_PER_MAP = 60, LPM_KEY = 8 };

static struct skep *skep;
static u64 random_state, op_cnt;
static u32 type;
static int fds[2];

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

static void fail(const char *what, long ours, long kernels)
{
	printf("type %u, %s: skep %ld, kernel %ld\n", type, what, ours, kernels);
	exit(1);
}

static void expect(const char *what, long ours, long kernels)
{
	op_cnt++;
	if (ours != kernels)
		fail(what, ours, kernels);
}

static bool is_bucketed(void)
{
	return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_PERCPU_HASH;
}

static u32 key_size(void)
{
	return type == BPF_MAP_TYPE_LPM_TRIE				  ? LPM_KEY
	       : type == BPF_MAP_TYPE_QUEUE || type == BPF_MAP_TYPE_STACK ? 0
									  : 4;
}

/* What a batch reads and writes on one side. */
struct memory {
	u8 keys[KEYS_MAX * LPM_KEY];
	u64 values[KEYS_MAX * VALUE_WORDS];
	u8 pos[LPM_KEY];
	u32 count;
};

static struct memory mem[2];

static long batch(u32 side, int cmd, struct memory *m, bool goes_on, u64 elem_flags, u64 flags)
{
	union sys_attr attr = {0};
	long ret;

	attr.uapi.batch.map_fd = (u32)fds[side];
	attr.uapi.batch.keys = (uintptr_t)m->keys;
	attr.uapi.batch.values = (uintptr_t)m->values;
	attr.uapi.batch.count = m->count;
	attr.uapi.batch.in_batch = goes_on ? (uintptr_t)m->pos : 0;
	attr.uapi.batch.out_batch = (uintptr_t)m->pos;
	attr.uapi.batch.elem_flags = elem_flags;
	attr.uapi.batch.flags = flags;
	ret = side_bpf(side, cmd, &attr);
	m->count = attr.uapi.batch.count;
	return ret;
}

static void make_keys(struct memory *m, u32 cnt)
{
	for (u32 i = 0; i < cnt; i++) {
		u32 words[2] = {rnd(ENTRIES + 4), 0};

		if (type == BPF_MAP_TYPE_LPM_TRIE) {
			words[1] = rnd(ENTRIES);
			words[0] = 8 + rnd(24) + rnd(50) / 49 * 8;
		}
		memcpy(m->keys + i * key_size(), words, key_size());
	}
}

/* The same keys and values for both, and a bad flag now and then. */
static void compare_write(int cmd)
{
	u64 elem_flags = rnd(12) ? 0 : 1 + rnd(5), flags = rnd(12) ? 0 : 1;
	u32 count = rnd(10);
	long ret[2];

	make_keys(&mem[0], count);
	for (u32 i = 0; i < ARRAY_SIZE(mem[0].values); i++)
		mem[0].values[i] = rnd(1000);
	memcpy(&mem[1], &mem[0], sizeof(mem[0]));
	for (u32 side = 0; side < 2; side++) {
		mem[side].count = count;
		ret[side] = batch(side, cmd, &mem[side], false, elem_flags, flags);
	}
	expect(cmd == BPF_MAP_UPDATE_BATCH ? "update" : "delete", ret[0], ret[1]);
	expect("count", mem[0].count, mem[1].count);
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 4);
}

/* Batches to the end; the keys met, sorted where the order is free. */
static u32 walk(u32 side, int cmd, u32 step, u8 *ret_keys, u64 *ret_sum)
{
	bool goes_on = false;
	u32 cnt = 0;
	long ret;

	*ret_sum = 0;
	do {
		mem[side].count = step;
		ret = batch(side, cmd, &mem[side], goes_on, 0, 0);
		if (ret && ret != -ENOENT)
			fail("walk", side, ret);
		for (u32 i = 0; i < mem[side].count && cnt < KEYS_MAX; i++, cnt++) {
			memcpy(ret_keys + cnt * key_size(), mem[side].keys + i * key_size(),
				key_size());
			*ret_sum += mem[side].values[i];
		}
		goes_on = true;
	} while (!ret && cnt < KEYS_MAX);
	if (is_bucketed())
		qsort(ret_keys, cnt, key_size(), by_bytes);
	return cnt;
}

static void compare_walk(int cmd)
{
	static u8 keys[2][(KEYS_MAX + 1) * LPM_KEY];
	u32 step = is_bucketed() ? ENTRIES : 1 + rnd(ENTRIES);
	u32 cnt[2];
	u64 sum[2];

	for (u32 side = 0; side < 2; side++)
		cnt[side] = walk(side, cmd, step, keys[side], &sum[side]);
	expect("keys met", cnt[0], cnt[1]);
	if (memcmp(keys[0], keys[1], cnt[0] * key_size()))
		fail("keys", 0, 0);
	if (type != BPF_MAP_TYPE_PERCPU_HASH && type != BPF_MAP_TYPE_PERCPU_ARRAY)
		expect("values", (long)sum[0], (long)sum[1]);
}

/* One batch with everything at the edge: only where a hash's buckets end is free. */
static void compare_read(int cmd)
{
	u64 elem_flags = rnd(6) ? 0 : 1 + rnd(5), flags = rnd(6) ? 0 : 1;
	u32 count = is_bucketed() ? rnd(2) * ENTRIES : rnd(6);
	bool goes_on = rnd(3) == 0;
	long ret[2];

	for (u32 side = 0; side < 2; side++) {
		memset(&mem[side], 0, sizeof(mem[side]));
		memset(mem[side].pos, rnd(2) ? 0xff : 0, goes_on && is_bucketed() ? 4 : 0);
	}
	memcpy(mem[1].pos, mem[0].pos, sizeof(mem[0].pos));
	for (u32 side = 0; side < 2; side++) {
		mem[side].count = count;
		ret[side] = batch(side, cmd, &mem[side], goes_on, elem_flags, flags);
	}
	expect("read", ret[0], ret[1]);
	expect("count", mem[0].count, mem[1].count);
	if (!is_bucketed() && memcmp(&mem[0], &mem[1], sizeof(mem[0])))
		fail("bytes", 0, 0);
}

static void compare_map(void)
{
	static const u32 types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_ARRAY,
		BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LPM_TRIE, BPF_MAP_TYPE_QUEUE,
		BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_DEVMAP,
		BPF_MAP_TYPE_CPUMAP};
	union sys_attr attr = {0};

	type = types[rnd(ARRAY_SIZE(types))];
	attr.map_create.map_type = type;
	attr.map_create.key_size = key_size();
	attr.map_create.value_size = type == BPF_MAP_TYPE_PROG_ARRAY ? 4 : 8;
	attr.map_create.max_entries = ENTRIES;
	if (type == BPF_MAP_TYPE_LPM_TRIE)
		attr.map_create.map_flags = BPF_F_NO_PREALLOC;
	for (u32 side = 0; side < 2; side++)
		fds[side] = (int)side_bpf(side, BPF_MAP_CREATE, &attr);
	expect("create", fds[0] < 0, fds[1] < 0);
	for (u32 i = 0; i < OPS_PER_MAP; i++) {
		bool can_read = type != BPF_MAP_TYPE_PROG_ARRAY && type != BPF_MAP_TYPE_DEVMAP &&
				type != BPF_MAP_TYPE_CPUMAP && key_size();

		switch (rnd(8)) {
		case 0:
		case 1:
		case 2: compare_write(BPF_MAP_UPDATE_BATCH); break;
		case 3: compare_write(BPF_MAP_DELETE_BATCH); break;
		case 4: compare_read(BPF_MAP_LOOKUP_BATCH); break;
		case 5: compare_read(BPF_MAP_LOOKUP_AND_DELETE_BATCH); break;
		case 6:
			if (can_read)
				compare_walk(BPF_MAP_LOOKUP_BATCH);
			break;
		case 7:
			if (is_bucketed() && !rnd(4))
				compare_walk(BPF_MAP_LOOKUP_AND_DELETE_BATCH);
			break;
		}
	}
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	u64 ops = argc > 1 ? strtoull(argv[1], NULL, 0) : 50000;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (u64)time(NULL) << 20 ^ (u64)getpid();

	if (kernel_is_missing())
		return KERNEL_SKIP;
	if (skep_new(NULL, &skep)) {
		printf("no instance\n");
		return 1;
	}
	printf("seed %llu\n", (unsigned long long)seed);
	random_state = seed * 2 + 1;
	while (op_cnt < ops)
		compare_map();
	printf("%llu results agree\n", (unsigned long long)op_cnt);
	skep_free(skep);
	return 0;
}
