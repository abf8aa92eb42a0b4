/*
 * Maps beside the running kernel: random attributes of MAP_CREATE, most of them nearly valid, and random
 * sequences of update, lookup, delete and next key on both, which must agree in every result, errno,
 * value byte and figure of memory. Only the order in which a hash is walked is its own: there the sets of
 * keys must agree. Which entries of an LRU hash go, and which values a bloom filter takes for others, is
 * free too: both are held against
 * what was written.
 *
 * maps [OPERATIONS [SEED]]; exit 77 where there is no kernel to compare with.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/inst.h"
#include "core/map.h"
#include "kernel.h"
#include "maps/maps.h"

enum {
	KEY_MAX = 300,
	VALUE_MAX = 128,
	CPU_MAX = 64,
	ENTRIES_MAX = 24,
	OPS_PER_MAP = 400,
};

static u64 random_state;

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

static void fill(u8 *bytes, u32 len)
{
	for (u32 i = 0; i < len; i++)
		bytes[i] = (u8)rnd(256);
}

static long sys_bpf(int cmd, union bpf_attr *attr)
{
	long ret = syscall(__NR_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

static long kernel_create(const struct map_attr *in)
{
	union bpf_attr attr = {
		.map_type = in->type,
		.key_size = in->key_size,
		.value_size = in->value_size,
		.max_entries = in->max_entries,
		.map_flags = in->flags,
		.numa_node = in->numa_node,
		.map_extra = in->extra,
	};

	return sys_bpf(BPF_MAP_CREATE, &attr);
}

static long kernel_op(int cmd, int fd, const void *key, const void *value, u64 flags)
{
	union bpf_attr attr = {
		.map_fd = (u32)fd,
		.key = (uintptr_t)key,
		.value = (uintptr_t)value,
		.flags = flags,
	};

	return sys_bpf(cmd, &attr);
}

/* BPF_MAP_LOOKUP_AND_DELETE_ELEM, with what layer sys checks before. */
static long user_take(struct map *map, const void *key, void *value, u64 flags)
{
	return flags ? -EINVAL : map_user_take(map, key, value, flags);
}

/* The figure in fdinfo's line "memlock:". */
static u64 kernel_memlock(int fd)
{
	unsigned long long len = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "memlock: %llu", &len) == 1)
			break;
	}
	if (file)
		fclose(file);
	return len;
}

static const u32 types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
	BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LPM_TRIE, BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK,
	BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_BLOOM_FILTER};

static bool is_array(u32 type)
{
	return type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static bool is_lru(u32 type)
{
	return type == BPF_MAP_TYPE_LRU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static bool is_hash(u32 type)
{
	return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_PERCPU_HASH || is_lru(type);
}

static bool is_keyless(u32 type)
{
	return type == BPF_MAP_TYPE_QUEUE || type == BPF_MAP_TYPE_STACK ||
	       type == BPF_MAP_TYPE_BLOOM_FILTER;
}

static struct map_attr valid_attr(void)
{
	static const u32 key_sizes[] = {4, 8, 16, 1, 3, 12, 40, 5, 24};
	struct map_attr attr = {
		.type = types[rnd(ARRAY_SIZE(types))],
		.key_size = key_sizes[rnd(ARRAY_SIZE(key_sizes))],
		.value_size = 1 + rnd(one_in(3) ? VALUE_MAX : 16),
		.max_entries = 1 + rnd(ENTRIES_MAX),
	};

	if (is_array(attr.type)) {
		attr.key_size = 4;
		attr.flags = attr.type == BPF_MAP_TYPE_ARRAY && one_in(3) ? BPF_F_MMAPABLE : 0;
	} else if (attr.type == BPF_MAP_TYPE_BLOOM_FILTER) {
		attr.key_size = 0;
		attr.extra = rnd(16);
		attr.flags = one_in(8) ? BPF_F_ZERO_SEED : 0;
	} else if (is_keyless(attr.type)) {
		attr.key_size = 0;
	} else if (is_lru(attr.type)) {
		attr.flags = (one_in(2) ? BPF_F_NO_COMMON_LRU : 0) |
			     (one_in(8) ? BPF_F_ZERO_SEED : 0);
	} else if (is_hash(attr.type)) {
		attr.flags = (one_in(2) ? BPF_F_NO_PREALLOC : 0) |
			     (one_in(8) ? BPF_F_ZERO_SEED : 0);
	} else {
		attr.key_size = one_in(2) ? 8 : 5 + rnd(one_in(4) ? 256 : 20);
		attr.flags = BPF_F_NO_PREALLOC;
	}
	return attr;
}

/* One field of a valid attribute set to something at the edge. Sizes that only a machine's memory
 * decides on are left out. */
static void disturb(struct map_attr *attr)
{
	static const u32 sizes[] = {0, 1, 4, 5, 7, 8, 260, 261, 512, 513, 32768, 32769, 32776,
		(4 << 20) - 300, (4 << 20) - 53, (4 << 20) - 52, (4 << 20) - 51, (4 << 20) - 48,
		(4 << 20) - 281, (4 << 20) - 280, (4 << 20) - 279, 4 << 20, 0x7fffffff, 0x80000000,
		0xfffffff8, 0xffffffff};
	static const u32 entries[] = {
		0, 1, 0x8000001, 0x10000000, 0x80000000, 0x80000001, 0xffffffff};
	u32 size = sizes[rnd(ARRAY_SIZE(sizes))];

	switch (rnd(6)) {
	case 0: attr->key_size = size; break;
	case 1:
		attr->value_size = size;
		attr->max_entries = 1;
		break;
	case 2: attr->max_entries = entries[rnd(is_hash(attr->type) ? 7 : 2)]; break;
	case 3: attr->flags ^= 1U << rnd(16); break; /* the next one asks for a token first */
	case 4:
		attr->flags |= BPF_F_NUMA_NODE;
		attr->numa_node = one_in(3) ? UINT32_MAX : rnd(2) * 1000;
		break;
	case 5: attr->extra = rnd(2) * (1 + rnd(20)); break;
	}
}

struct pair {
	struct skep *inst;
	struct map *map;
	int fd;
	struct map_attr attr;
	u32 value_len;
};

static u64 op_cnt, map_cnt, refused_cnt;

static void fail(const struct pair *pair, const char *what, const u8 *key, u64 flags, long ours,
	long kernels)
{
	printf("%s type %u key %u value %u entries %u flags 0x%x node %u extra %llu\n", what,
		pair->attr.type, pair->attr.key_size, pair->attr.value_size, pair->attr.max_entries,
		pair->attr.flags, pair->attr.numa_node, (unsigned long long)pair->attr.extra);
	printf("  flags 0x%llx key", (unsigned long long)flags);
	for (u32 i = 0; key && i < MIN(pair->attr.key_size, (u32)KEY_MAX); i++)
		printf(" %02x", key[i]);
	printf("\n  skep %ld, kernel %ld\n", ours, kernels);
	exit(1);
}

static void expect(const struct pair *pair, const char *what, const u8 *key, u64 flags, long ours,
	long kernels)
{
	if (ours != kernels)
		fail(pair, what, key, flags, ours, kernels);
	op_cnt++;
}

/* Keys from a small set, so that they are met again. */
static void make_key(const struct pair *pair, u8 *key)
{
	u32 len = pair->attr.key_size, word;

	if (is_array(pair->attr.type)) {
		word = rnd(pair->attr.max_entries + 2);
		word = one_in(20) ? UINT32_MAX - rnd(2) : word;
		memcpy(key, &word, sizeof(word));
		return;
	}
	memset(key, 0, len);
	if (is_hash(pair->attr.type)) {
		key[rnd(len)] = (u8)rnd(4);
		key[len - 1] ^= (u8)rnd(ENTRIES_MAX / 2);
		return;
	}
	word = rnd((len - 4) * 8 + 1);
	if (one_in(3))
		word = MIN(word, rnd(12));
	if (one_in(40))
		word = (len - 4) * 8 + 1 + rnd(3);
	memcpy(key, &word, sizeof(word));
	for (u32 i = 4; i < len; i++)
		key[i] = one_in(4) ? (u8)rnd(256) : 0;
	key[4] = (u8)(rnd(4) << 6);
}

static u64 make_flags(void)
{
	static const u64 odd[] = {3, 4, 5, 6, 7, 8, 16, 1ULL << 32, ~0ULL};

	return one_in(12) ? odd[rnd(ARRAY_SIZE(odd))] : one_in(3) ? 1 + rnd(2) : 0;
}

static void compare_value(const struct pair *pair, const u8 *key, u64 flags)
{
	static u8 ours[VALUE_MAX * CPU_MAX], kernels[VALUE_MAX * CPU_MAX];
	long a, b;

	memset(ours, 0xee, sizeof(ours));
	memset(kernels, 0xee, sizeof(kernels));
	a = map_user_lookup(pair->map, key, ours, flags);
	b = kernel_op(BPF_MAP_LOOKUP_ELEM, pair->fd, key, kernels, flags);
	expect(pair, "lookup", key, flags, a, b);
	if (!a && memcmp(ours, kernels, sizeof(ours)))
		fail(pair, "value", key, flags, 0, 0);
}

static void compare_next(const struct pair *pair, const u8 *key)
{
	u8 ours[KEY_MAX], kernels[KEY_MAX];
	long a, b;

	/* what follows in a hash is a matter of the hash: only its walk can be compared */
	if (is_hash(pair->attr.type))
		return;
	memset(ours, 0, sizeof(ours));
	memset(kernels, 0, sizeof(kernels));
	a = map_user_next_key(pair->map, key, ours);
	b = kernel_op(BPF_MAP_GET_NEXT_KEY, pair->fd, key, kernels, 0);
	expect(pair, "next", key, 0, a, b);
	if (memcmp(ours, kernels, sizeof(ours)))
		fail(pair, "next key", key, 0, 0, 0);
}

/* Every key of ours is in the kernel's map, with its value, and there are as many. */
static void compare_walk(const struct pair *pair)
{
	u8 keys[2][KEY_MAX];
	u32 cnt[2] = {0, 0};
	const u8 *key = NULL;

	while (!map_user_next_key(pair->map, key, keys[cnt[0] % 2])) {
		key = keys[cnt[0]++ % 2];
		compare_value(pair, key, 0);
		if (cnt[0] > ENTRIES_MAX)
			fail(pair, "walk does not end", key, 0, cnt[0], 0);
	}
	key = NULL;
	while (!kernel_op(BPF_MAP_GET_NEXT_KEY, pair->fd, key, keys[cnt[1] % 2], 0)) {
		key = keys[cnt[1]++ % 2];
		compare_value(pair, key, 0);
	}
	expect(pair, "walk", NULL, 0, cnt[0], cnt[1]);
}

static void compare_update(const struct pair *pair, const u8 *key)
{
	static u8 value[VALUE_MAX * CPU_MAX];
	u64 flags = make_flags();

	fill(value, pair->value_len);
	expect(pair, "update", key, flags, map_user_update(pair->map, key, value, flags),
		kernel_op(BPF_MAP_UPDATE_ELEM, pair->fd, key, value, flags));
}

static void compare_take(const struct pair *pair, const u8 *key)
{
	static u8 ours[VALUE_MAX * CPU_MAX], kernels[VALUE_MAX * CPU_MAX];
	u64 flags = one_in(20) ? 1 + rnd(3) : 0;
	long a, b;

	memset(kernels, 0xee, sizeof(kernels));
	a = user_take(pair->map, key, ours, flags);
	b = kernel_op(BPF_MAP_LOOKUP_AND_DELETE_ELEM, pair->fd, key, kernels, flags);
	expect(pair, "take", key, flags, a, b);
	if (!a && memcmp(ours, kernels, pair->value_len))
		fail(pair, "taken value", key, flags, 0, 0);
}

static void compare_op(const struct pair *pair)
{
	u8 bytes[KEY_MAX] = {0}, *key = is_keyless(pair->attr.type) ? NULL : bytes;

	if (key)
		make_key(pair, key);
	switch (rnd(9)) {
	case 0:
	case 1:
	case 2: compare_update(pair, key); break;
	case 3: compare_value(pair, key, one_in(16) ? 1 + rnd(8) : 0); break;
	case 4:
		expect(pair, "delete", key, 0, map_user_delete(pair->map, key),
			kernel_op(BPF_MAP_DELETE_ELEM, pair->fd, key, NULL, 0));
		break;
	case 5: compare_take(pair, key); break;
	case 6: compare_next(pair, one_in(8) ? NULL : key); break;
	case 7:
	case 8:
		if (one_in(40) && key)
			compare_walk(pair);
		break;
	}
}

/* --- types that are free in what they keep: each side against what was written last ------------- */

enum { WRITTEN_MAX = OPS_PER_MAP };

static struct written {
	u8 key[KEY_MAX];
	u8 value[VALUE_MAX * CPU_MAX];
} written[2][WRITTEN_MAX]; /* a side */
static u32 written_cnt[2];

static struct written *find_written(const struct pair *pair, bool is_kernel, const u8 *key)
{
	for (u32 i = 0; i < written_cnt[is_kernel]; i++) {
		if (!memcmp(written[is_kernel][i].key, key, pair->attr.key_size))
			return &written[is_kernel][i];
	}
	return NULL;
}

static void note_written(const struct pair *pair, bool is_kernel, const u8 *key, const u8 *value)
{
	struct written *at = find_written(pair, is_kernel, key);

	if (!at) {
		at = &written[is_kernel][written_cnt[is_kernel]++];
		memcpy(at->key, key, pair->attr.key_size);
	}
	memcpy(at->value, value, pair->value_len);
}

/* One of the two sides, by the same calls. */
static long side_op(
	const struct pair *pair, bool is_kernel, int cmd, const u8 *key, void *value, u64 flags)
{
	if (is_kernel)
		return kernel_op(cmd, pair->fd, key, value, flags);
	switch (cmd) {
	case BPF_MAP_LOOKUP_ELEM: return map_user_lookup(pair->map, key, value, flags);
	case BPF_MAP_UPDATE_ELEM: return map_user_update(pair->map, key, value, flags);
	case BPF_MAP_DELETE_ELEM: return map_user_delete(pair->map, key);
	case BPF_MAP_GET_NEXT_KEY: return map_user_next_key(pair->map, key, value);
	default: return map_user_take(pair->map, key, value, flags);
	}
}

/* Is the key there? Then with the value written last. */
static bool has_key(const struct pair *pair, bool is_kernel, const u8 *key)
{
	static u8 value[VALUE_MAX * CPU_MAX];
	const struct written *last = find_written(pair, is_kernel, key);
	long err = side_op(pair, is_kernel, BPF_MAP_LOOKUP_ELEM, key, value, 0);

	if (err && err != -ENOENT)
		fail(pair, "lookup in an LRU hash", key, is_kernel, err, 0);
	if (!err && (!last || memcmp(value, last->value, pair->value_len)))
		fail(pair, "a value that was not written last", key, is_kernel, err, 0);
	op_cnt++;
	return !err;
}

static u32 count_keys(const struct pair *pair, bool is_kernel)
{
	u8 keys[2][KEY_MAX], *key = NULL;
	u32 cnt = 0;

	while (!side_op(pair, is_kernel, BPF_MAP_GET_NEXT_KEY, key, keys[cnt % 2], 0)) {
		key = keys[cnt++ % 2];
		if (!has_key(pair, is_kernel, key) && !is_kernel)
			fail(pair, "a key in the walk and not there", key, 0, 0, 0);
		if (cnt > pair->map->max_entries)
			fail(pair, "too many keys", key, is_kernel, cnt, 0);
	}
	return cnt;
}

/* Linux may have made any entry go to make room, before it knew whether it needed room: an entry that was
 * there may be new, or missing. skep makes one go only when its list is full and the key is new. */
static void check_lru_update(
	const struct pair *pair, bool is_kernel, const u8 *key, const u8 *value, u64 flags)
{
	u32 cap = pair->map->max_entries, before = is_kernel ? 0 : count_keys(pair, false), after;
	bool was_there = has_key(pair, is_kernel, key);
	long err = side_op(pair, is_kernel, BPF_MAP_UPDATE_ELEM, key, (void *)value, flags);
	long wanted = flags > BPF_EXIST			  ? -EINVAL
		      : flags == BPF_NOEXIST && was_there ? -EEXIST
		      : flags == BPF_EXIST && !was_there  ? -ENOENT
							  : 0;
	u8 now[VALUE_MAX * CPU_MAX];

	if (err != wanted && !(is_kernel && was_there && wanted != -EINVAL))
		fail(pair, "update of an LRU hash", key, flags, err, wanted);
	if (!err && (side_op(pair, is_kernel, BPF_MAP_LOOKUP_ELEM, key, now, 0) ||
			    memcmp(now, value, pair->value_len)))
		fail(pair, "what was just written is not there", key, is_kernel, 0, 0);
	if (!err)
		note_written(pair, is_kernel, key, value);
	if (is_kernel)
		return;
	if (pair->attr.flags & BPF_F_NO_COMMON_LRU)
		cap /= pair->inst->cpu_cnt;
	after = count_keys(pair, false);
	if (after != (!err && !was_there ? MIN(before + 1, cap) : before))
		fail(pair, "another number of entries", key, flags, after, before);
}

static void check_lru_op(const struct pair *pair)
{
	static u8 value[VALUE_MAX * CPU_MAX], taken[VALUE_MAX * CPU_MAX];
	u8 key[KEY_MAX] = {0};
	u64 flags = make_flags();
	bool was_there;
	long err;
	u32 op = rnd(8);

	make_key(pair, key);
	fill(value, pair->value_len);
	for (u32 side = 0; side < 2; side++) {
		if (op < 5) {
			check_lru_update(pair, side, key, value, flags);
			continue;
		}
		was_there = has_key(pair, side, key);
		if (op == 5)
			continue;
		err = side_op(pair, side,
			op == 6 ? BPF_MAP_DELETE_ELEM : BPF_MAP_LOOKUP_AND_DELETE_ELEM, key,
			op == 6 ? NULL : taken, 0);
		if (err != (was_there ? 0 : -ENOENT) || has_key(pair, side, key))
			fail(pair, "delete", key, side, err, was_there);
		if (!err && op == 7 &&
			memcmp(taken, find_written(pair, side, key)->value, pair->value_len))
			fail(pair, "taken value", key, side, 0, 0);
	}
	if (one_in(50))
		count_keys(pair, true);
}

static u64 asked_cnt, wrong_yes[2];

static void check_bloom_op(const struct pair *pair)
{
	static u8 value[VALUE_MAX];
	u64 flags = make_flags();
	bool is_in = false;
	long err[2];

	fill(value, pair->value_len);
	for (u32 i = 0; i < pair->value_len && one_in(2); i++)
		value[i] &= 3;
	if (one_in(3) && *written_cnt)
		memcpy(value, written[0][rnd(*written_cnt)].value, pair->value_len);
	switch (rnd(5)) {
	case 0:
		expect(pair, "push", NULL, flags, map_user_update(pair->map, NULL, value, flags),
			kernel_op(BPF_MAP_UPDATE_ELEM, pair->fd, NULL, value, flags));
		if (!flags)
			memcpy(written[0][(*written_cnt)++].value, value, pair->value_len);
		break;
	case 1: compare_take(pair, NULL); break;
	case 2: compare_next(pair, NULL); break;
	case 3:
		expect(pair, "delete", NULL, 0, map_user_delete(pair->map, NULL),
			kernel_op(BPF_MAP_DELETE_ELEM, pair->fd, NULL, NULL, 0));
		break;
	default:
		for (u32 i = 0; i < *written_cnt; i++)
			is_in = is_in || !memcmp(written[0][i].value, value, pair->value_len);
		for (u32 side = 0; side < 2; side++) {
			err[side] = side_op(pair, side, BPF_MAP_LOOKUP_ELEM, NULL, value, 0);
			wrong_yes[side] += !is_in && !err[side];
		}
		asked_cnt += !is_in;
		if (is_in)
			expect(pair, "a value that is in", NULL, 0, err[0] | err[1], 0);
		op_cnt++;
	}
}

/* --- maps ---------------------------------------------------------------------------------------- */

static void compare_map(struct skep *inst)
{
	struct pair pair = {.inst = inst, .attr = valid_attr()};
	bool is_disturbed = one_in(2);
	long err;

	for (u32 i = is_disturbed ? 1 + rnd(2) : 0; i; i--)
		disturb(&pair.attr);
	pair.fd = (int)kernel_create(&pair.attr);
	err = map_new(inst, &pair.attr, &pair.map);
	expect(&pair, "create", NULL, 0, err, MIN(pair.fd, 0));
	if (err) {
		refused_cnt++;
		return;
	}
	map_cnt++;
	written_cnt[0] = written_cnt[1] = 0;
	pair.value_len = map_user_value_len(pair.map);
	/* what is far too big for random keys is only made and measured */
	for (u32 i = 0; i < OPS_PER_MAP && pair.value_len <= VALUE_MAX * CPU_MAX &&
			pair.attr.key_size <= KEY_MAX && pair.attr.max_entries <= ENTRIES_MAX &&
			!(pair.attr.flags & (BPF_F_RDONLY | BPF_F_WRONLY));
		i++) {
		if (is_lru(pair.attr.type))
			check_lru_op(&pair);
		else if (pair.attr.type == BPF_MAP_TYPE_BLOOM_FILTER)
			check_bloom_op(&pair);
		else
			compare_op(&pair);
	}
	expect(&pair, "memlock", NULL, 0, (long)pair.map->ops->mem_usage(pair.map),
		(long)kernel_memlock(pair.fd));
	close(pair.fd);
	obj_put(&pair.map->obj);
}

int main(int argc, char **argv)
{
	u64 ops = argc > 1 ? strtoull(argv[1], NULL, 0) : 200000;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (u64)time(NULL) << 20 ^ (u64)getpid();
	struct inst_options opts = {0};
	struct skep inst;

	if (kernel_is_missing())
		return KERNEL_SKIP;
	if (inst_init(&inst, &opts) || inst.cpu_cnt > CPU_MAX) {
		printf("skipped: no instance, or more than %d CPUs\n", CPU_MAX);
		return KERNEL_SKIP;
	}
	inst.map_types = map_types;
	inst.map_type_cnt = map_types_cnt;
	printf("seed %llu\n", (unsigned long long)seed);
	random_state = seed * 2 + 1;
	while (op_cnt < ops)
		compare_map(&inst);
	printf("%llu operations on %llu maps agree, %llu refused alike\n",
		(unsigned long long)op_cnt, (unsigned long long)map_cnt,
		(unsigned long long)refused_cnt);
	printf("of %llu values not in a bloom filter skep has %llu in it, the kernel %llu\n",
		(unsigned long long)asked_cnt, (unsigned long long)wrong_yes[0],
		(unsigned long long)wrong_yes[1]);
	inst_done(&inst);
	/* twice Linux's share, and what chance does with few */
	return wrong_yes[0] > 2 * wrong_yes[1] + 100;
}
