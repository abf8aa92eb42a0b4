/*
 * Programs that use maps and helpers. The bench fills the maps: key k of an array or table has value k * 3.
 */
#include "bench.bpf.h"

enum { LEN = 64 };

struct wide_key {
	__u32 words[4];
};

struct prefix {
	__u32 len;
	__u8 addr[4];
};

#define MAP(name, kind, key_type, value_type, entries)                                             \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
		__uint(max_entries, entries);                                                      \
	} name SEC(".maps")

MAP(numbers, BPF_MAP_TYPE_ARRAY, __u32, __u64, 256);
MAP(counters, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, 16);
MAP(table4, BPF_MAP_TYPE_HASH, __u32, __u64, 1024);
MAP(table8, BPF_MAP_TYPE_HASH, __u64, __u64, 1024);
MAP(table16, BPF_MAP_TYPE_HASH, struct wide_key, __u64, 1024);
MAP(percpu4, BPF_MAP_TYPE_PERCPU_HASH, __u32, __u64, 64);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64);
	__uint(max_entries, 256);
} prefixes SEC(".maps");

const volatile __u32 squares[32] = {
	0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144, 169, 196, 225, 256, 289, 324, 361};

#define BYTES(p)                                                                                   \
	const __u8 *p = DATA(ctx);                                                                 \
	if (p + LEN > (const __u8 *)DATA_END(ctx))                                                 \
	return 0

#define LOOKUPS(name, runs, map, cnt, key_type, fill)                                              \
	PROG_RUNS(name, runs)                                                                      \
	{                                                                                          \
		BYTES(p);                                                                          \
		__u64 sum = 0, *value;                                                             \
                                                                                                   \
		_Pragma("clang loop unroll(disable)") for (int i = 0; i < (cnt); i++)              \
		{                                                                                  \
			key_type key = fill;                                                       \
                                                                                                   \
			value = bpf_map_lookup_elem(&map, &key);                                   \
			if (value)                                                                 \
				sum = sum * 5 + *value;                                            \
		}                                                                                  \
		return (int)sum;                                                                   \
	}

LOOKUPS(array, 32, numbers, 16, __u32, p[i])
LOOKUPS(hash4, 16, table4, 8, __u32, p[i])
LOOKUPS(hash8, 16, table8, 8, __u64, p[i])
LOOKUPS(hash16, 16, table16, 8, struct wide_key, ((struct wide_key){{p[i], 0, 0, 0}}))
LOOKUPS(hash_miss, 16, table4, 8, __u32, p[i] + 5000)
LOOKUPS(lpm, 16, prefixes, 4, struct prefix, ((struct prefix){32, {10, p[i], 1, 1}}))

PROG_RUNS(percpu, 32)
{
	BYTES(p);

#pragma clang loop unroll(disable)
	for (int i = 0; i < 16; i++) {
		__u32 key = p[i] & 7;
		__u64 *value = bpf_map_lookup_elem(&counters, &key);

		if (value)
			*value += 1;
	}
	return 16;
}

PROG_RUNS(percpu_hash, 16)
{
	BYTES(p);
	__u32 found = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 8; i++) {
		__u32 key = p[i] & 7;
		__u64 *value = bpf_map_lookup_elem(&percpu4, &key);

		if (value)
			*value += 1, found++;
	}
	return (int)found;
}

PROG_RUNS(update, 8)
{
	BYTES(p);
	int err = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 4; i++) {
		__u32 key = p[i];
		__u64 value = (__u64)key * 3;

		err |= bpf_map_update_elem(&table4, &key, &value, BPF_ANY);
	}
	return err;
}

PROG_RUNS(rodata, 32)
{
	BYTES(p);
	__u32 sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 32; i++)
		sum = sum * 3 + squares[p[i] & 31];
	return (int)sum;
}

PROG_RUNS(cpu, 64)
{
	__u32 sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 16; i++)
		sum |= bpf_get_smp_processor_id() < 4096;
	return (int)sum;
}

PROG_RUNS(random, 16)
{
	__u32 sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 8; i++)
		sum |= bpf_get_prandom_u32();
	return sum != 0;
}

PROG_RUNS(clock, 16)
{
	__u64 first = bpf_ktime_get_ns();

	return bpf_ktime_get_ns() >= first;
}

PROG_RUNS(csum_diff, 16)
{
	BYTES(p);
	__u32 words[4] = {p[0], p[1], p[2], p[3]}, other[4] = {p[4], p[5], p[6], p[7]};
	__u64 sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 4; i++)
		sum = bpf_csum_diff(words, sizeof(words), other, sizeof(other), (__u32)sum);
	return (int)(__u32)sum;
}
