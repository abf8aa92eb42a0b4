/*
 * Key and value types of BPF_MAP_CREATE: the running kernel against btf/mapkv.h, for every map type
 * and every pair of types. A map that cannot be made without BTF at these sizes says nothing and is
 * left out.
 *
 * Exit status 77 where bpf(2) is not to be had.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../unit/btf/text.h"
#include "btf/btf.h"
#include "btf/fields.h"
#include "btf/mapkv.h"

enum { MAP_TYPES = 34, STRUCT_OPS = 26, CGRP_STORAGE = 32, SHOWN_MAX = 20 };

static const char types[] = "INT u32 size=4\n" /* 1 */
			    "INT u64 size=8\n"
			    "STRUCT prefix_key size=8\n" /* 3 */
			    "	prefixlen type=1\n"
			    "	addr type=1 off=32\n"
			    "STRUCT bpf_spin_lock size=4\n"
			    "	val type=1\n"
			    "STRUCT locked size=8\n" /* 5 */
			    "	count type=1\n"
			    "	lock type=4 off=32\n"
			    "VAR v type=1\n"
			    "DATASEC .bss size=4\n" /* 7 */
			    "	type=6 off=0 size=4\n"
			    "ARRAY elem=2 index=1 nelems=2\n"
			    "STRUCT bpf_timer size=16\n" /* 9 */
			    "	o type=8\n"
			    "STRUCT timed size=24\n"
			    "	x type=2\n"
			    "	timer type=9 off=64\n"
			    "STRUCT bpf_wq size=16\n" /* 11 */
			    "	o type=8\n"
			    "STRUCT queued size=16\n"
			    "	wq type=11\n"
			    "TYPEDEF t type=5\n" /* 13 */
			    "FWD f\n"
			    "TYPE_TAG kptr type=3\n" /* 15 */
			    "PTR type=15\n"
			    "ARRAY elem=16 index=1 nelems=3\n" /* 17 */
			    "STRUCT owner size=32\n"
			    "	x type=2\n"
			    "	p type=17 off=64\n"
			    "STRUCT cgroup_key size=16\n" /* 19 */
			    "	id type=2\n"
			    "	attach type=1 off=64\n"
			    "STRUCT two_timers size=32\n"
			    "	a type=9\n"
			    "	b type=9 off=128\n"
			    "INT odd size=4 bits=31\n" /* 21 */
			    "STRUCT bpf_res_spin_lock size=4\n"
			    "	val type=1\n"
			    "STRUCT res_locked size=4\n" /* 23 */
			    "	lock type=22\n"
			    "STRUCT bpf_refcount size=4\n"
			    "	val type=1\n"
			    "STRUCT counted size=8\n" /* 25 */
			    "	x type=1\n"
			    "	r type=24 off=32\n"
			    "CONST type=1\n"
			    "STRUCT bpf_task_work size=8\n" /* 27 */
			    "	o type=2\n"
			    "STRUCT worked size=8\n"
			    "	w type=27\n"
			    "TYPE_TAG uptr type=3\n" /* 29 */
			    "PTR type=29\n"
			    "STRUCT shared size=8\n" /* 31 */
			    "	p type=30\n"
			    "ENUM e size=4\n"
			    "VAR bss type=5\n" /* 33 */
			    "DATASEC .bss.locked size=8\n"
			    "	type=33 off=0 size=8\n";

static int inner_fd, btf_fd;
static struct btf_obj *btf;
static u32 compared, refused, failed;

static int create(const struct btf_map_want *want, bool with_btf)
{
	union bpf_attr attr = {0};
	int fd;

	attr.map_type = want->map_type;
	attr.map_flags = want->map_flags;
	attr.max_entries = want->max_entries;
	attr.key_size = want->key_size;
	attr.value_size = want->value_size;
	if (want->map_type == BPF_MAP_TYPE_ARRAY_OF_MAPS ||
		want->map_type == BPF_MAP_TYPE_HASH_OF_MAPS)
		attr.inner_map_fd = inner_fd;
	if (with_btf) {
		attr.btf_fd = btf_fd;
		attr.btf_key_type_id = want->key_id;
		attr.btf_value_type_id = want->value_id;
	}
	fd = syscall(__NR_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static bool is_storage(u32 type)
{
	return type == BPF_MAP_TYPE_SK_STORAGE || type == BPF_MAP_TYPE_INODE_STORAGE ||
	       type == BPF_MAP_TYPE_TASK_STORAGE || type == CGRP_STORAGE;
}

static bool is_keyless(u32 type)
{
	return type == BPF_MAP_TYPE_QUEUE || type == BPF_MAP_TYPE_STACK ||
	       type == BPF_MAP_TYPE_BLOOM_FILTER;
}

static bool has_no_entries(u32 type)
{
	return is_storage(type) || type == BPF_MAP_TYPE_CGROUP_STORAGE ||
	       type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

/* Does BTF matter to it? The others refuse it, and are slow to make: a few types are enough. */
static bool is_typed(u32 type)
{
	static const u32 typed[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
		BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LPM_TRIE,
		BPF_MAP_TYPE_CGROUP_STORAGE, BPF_MAP_TYPE_BLOOM_FILTER, BPF_MAP_TYPE_QUEUE};

	for (size_t i = 0; i < ARRAY_SIZE(typed); i++)
		if (type == typed[i])
			return true;
	return false;
}

/* Without BTF, at the same sizes; what was found is kept. */
static bool can_be_made(const struct btf_map_want *want)
{
	enum { SIZES = 64 };
	static u8 known[MAP_TYPES][SIZES][SIZES]; /* 0, or 1 + the answer */
	u8 *answer;

	if (want->key_size >= SIZES || want->value_size >= SIZES)
		return false;
	answer = &known[want->map_type][want->key_size][want->value_size];
	if (!*answer)
		*answer = 1 + !create(want, false);
	return *answer - 1;
}

static void compare(u32 type, u32 key_id, u32 value_id, u32 flags)
{
	struct btf_map_want want = {.map_type = type, .key_id = key_id, .value_id = value_id};
	struct btf_fields *fields = NULL;
	int kernel_err, err;

	want.map_flags = flags;
	if (is_storage(type) || type == BPF_MAP_TYPE_LPM_TRIE)
		want.map_flags |= BPF_F_NO_PREALLOC;
	want.max_entries = !has_no_entries(type);
	want.key_size = is_keyless(type) ? 0 : 4;
	want.value_size = 4;
	if (!is_keyless(type))
		btf_size(btf, key_id, NULL, &want.key_size);
	btf_size(btf, value_id, NULL, &want.value_size);
	/* storage is never made without BTF: sizes that fit are enough there */
	if (!can_be_made(&want) && !(is_storage(type) && want.key_size == 4))
		return;
	kernel_err = create(&want, true);
	err = btf_map_check(btf, &want, &fields);
	btf_fields_free(fields);
	compared++;
	refused += !!err;
	if (err != kernel_err && failed++ < SHOWN_MAX)
		printf("map type %u, key %u, value %u, flags %#x: kernel %d, ours %d\n", type,
			key_id, value_id, flags, kernel_err, err);
}

static void compare_types(u32 type)
{
	u32 all = btf_type_cnt(btf);
	u32 keys = is_typed(type) ? all : 3, values = is_typed(type) || is_storage(type) ? all : 3;

	for (u32 key = 0; key <= keys; key++)
		for (u32 value = 1; value <= values; value++)
			compare(type, key, value, 0);
}

static int load_btf(void)
{
	struct buf data = btf_text(types);
	union bpf_attr attr = {0};
	int err = btf_new(data.data, data.len, NULL, &btf);

	attr.btf = (u64)(uintptr_t)data.data;
	attr.btf_size = data.len;
	btf_fd = syscall(__NR_bpf, BPF_BTF_LOAD, &attr, sizeof(attr));
	if (btf_fd < 0)
		err = -errno;
	buf_done(&data);
	return err;
}

int main(void)
{
	union bpf_attr inner = {0};
	int err = load_btf();

	if (err == -EPERM || err == -ENOSYS) {
		printf("skipped: bpf(2) is not permitted here (needs root or CAP_BPF)\n");
		btf_free(btf);
		return 77;
	}
	if (err)
		return 1;
	inner.map_type = BPF_MAP_TYPE_ARRAY;
	inner.key_size = inner.value_size = 4;
	inner.max_entries = 1;
	inner_fd = syscall(__NR_bpf, BPF_MAP_CREATE, &inner, sizeof(inner));
	for (u32 type = 1; type < MAP_TYPES; type++)
		if (type != STRUCT_OPS)
			compare_types(type);
	for (u32 value = 1; value <= btf_type_cnt(btf); value++)
		compare(BPF_MAP_TYPE_ARRAY, 1, value, BPF_F_RDONLY_PROG);
	printf("%u maps, %u refused, %u differ\n", compared, refused, failed);
	close(inner_fd);
	close(btf_fd);
	btf_free(btf);
	return failed || !refused || refused == compared;
}
