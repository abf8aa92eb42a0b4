/*
 * The loops of bench/maps: one operation on 4,096 pseudo-random keys a run. For each key there is a program a
 * measured operation, one that adds keys (`fill`), and one without an operation (`empty`), whose time is taken
 * off. Key number idx is made of a multiplication, so that neighbours have nothing in common; the numbers of a run
 * are all different where the map has as many (an odd factor modulo a power of two).
 *
 * A program returns how often its operation succeeded: the harness holds that against what it put in.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

enum { LOOPS = 4096 };

struct {
	__u32 seed; /* where the numbers begin */
	__u32 step; /* odd */
	__u32 mask; /* entries - 1 */
	__u32 cnt;  /* keys, LOOPS at most */
	__u64 sink;
} params;

struct key4 {
	__u32 words[1];
};
struct key8 {
	__u32 words[2];
};
struct key16 {
	__u32 words[4];
};
struct key64 {
	__u32 words[16];
};
struct prefix4 {
	__u32 len;
	__u32 addr;
};
struct prefix6 {
	__u32 len;
	__u32 addr[4];
};

#define MAP(name, kind, key_type, flags)                                                           \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(map_flags, flags);                                                          \
		__type(key, key_type);                                                             \
		__type(value, __u64);                                                              \
		__uint(max_entries, 1024);                                                         \
	} name SEC(".maps")

MAP(hash4, BPF_MAP_TYPE_HASH, struct key4, 0);
MAP(hash8, BPF_MAP_TYPE_HASH, struct key8, 0);
MAP(hash16, BPF_MAP_TYPE_HASH, struct key16, 0);
MAP(hash64, BPF_MAP_TYPE_HASH, struct key64, 0);
MAP(percpu_hash4, BPF_MAP_TYPE_PERCPU_HASH, struct key4, 0);
MAP(lru_hash4, BPF_MAP_TYPE_LRU_HASH, struct key4, 0);
MAP(lpm4, BPF_MAP_TYPE_LPM_TRIE, struct prefix4, BPF_F_NO_PREALLOC);
MAP(lpm6, BPF_MAP_TYPE_LPM_TRIE, struct prefix6, BPF_F_NO_PREALLOC);
MAP(array4, BPF_MAP_TYPE_ARRAY, __u32, 0);
MAP(percpu_array4, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, 0);

#define KEYLESS(name, kind)                                                                        \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__type(value, __u64);                                                              \
		__uint(max_entries, 1024);                                                         \
	} name SEC(".maps")

KEYLESS(queue0, BPF_MAP_TYPE_QUEUE);
KEYLESS(bloom0, BPF_MAP_TYPE_BLOOM_FILTER);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ringbuf0 SEC(".maps");

/* The loop: `make` fills key from idx, `op` is an expression that is true when it succeeded. */
#define LOOP_UNTIL(name, key_type, make, op, stop)                                                 \
	SEC("socket") int name(struct __sk_buff *ctx)                                              \
	{                                                                                          \
		__u32 at = params.seed, step = params.step, mask = params.mask, cnt = params.cnt;  \
		__u32 done = 0;                                                                    \
		__u64 sum = 0;                                                                     \
		key_type key = {0};                                                                \
                                                                                                   \
		_Pragma("clang loop unroll(disable)") for (__u32 i = 0; i < LOOPS; i++)            \
		{                                                                                  \
			__u32 idx = at & mask;                                                     \
			__u64 value = idx;                                                         \
                                                                                                   \
			if (stop)                                                                  \
				break;                                                             \
			at += step;                                                                \
			make(key, idx);                                                            \
			asm volatile("" : : "r"(&key) : "memory");                                 \
			done += (op);                                                              \
			sum += value;                                                              \
		}                                                                                  \
		params.sink = sum;                                                                 \
		return (int)done;                                                                  \
	}

#define LOOP(name, key_type, make, op) LOOP_UNTIL(name, key_type, make, op, i >= cnt)

#define FIND(map)                                                                                  \
	({                                                                                         \
		__u64 *found = bpf_map_lookup_elem(&map, &key);                                    \
                                                                                                   \
		if (found)                                                                         \
			value = *found;                                                            \
		found != 0;                                                                        \
	})

#define LOOPS_OF(map, key_type, make)                                                              \
	LOOP(map##_empty, key_type, make, 1)                                                       \
	LOOP(map##_fill, key_type, make, !bpf_map_update_elem(&map, &key, &value, BPF_ANY))        \
	LOOP(map##_lookup, key_type, make, FIND(map))                                              \
	LOOP(map##_update, key_type, make, !bpf_map_update_elem(&map, &key, &value, BPF_EXIST))    \
	LOOP(map##_delete, key_type, make, !bpf_map_delete_elem(&map, &key))

#define WORD(idx) ((idx)*2654435761U)
#define MAKE_WORDS(key, idx)                                                                       \
	((key).words[0] = WORD(idx), (key).words[sizeof(key) / 4 - 1] = WORD(idx) ^ 77)
#define MAKE_WORD(key, idx)  ((key).words[0] = WORD(idx))
#define MAKE_INDEX(key, idx) ((key) = (idx))

LOOPS_OF(hash4, struct key4, MAKE_WORD)
LOOPS_OF(hash8, struct key8, MAKE_WORDS)
LOOPS_OF(hash16, struct key16, MAKE_WORDS)
LOOPS_OF(hash64, struct key64, MAKE_WORDS)
LOOPS_OF(percpu_hash4, struct key4, MAKE_WORD)
LOOPS_OF(lru_hash4, struct key4, MAKE_WORD)
LOOPS_OF(array4, __u32, MAKE_INDEX)
LOOPS_OF(percpu_array4, __u32, MAKE_INDEX)

/*
 * Prefixes of 16 to 32 bits, or 32 to 64: the number's mixed bits are the address, other bits of it the length. A
 * lookup is for a whole address below one.
 */
static __always_inline __u32 mix(__u32 n)
{
	n *= 2654435761U;
	n ^= n >> 15;
	n *= 2246822519U;
	return n ^ n >> 13;
}

#define LEN4(idx)   (16 + (mix(~(idx)) >> 16) % 17)
#define LEN6(idx)   (32 + (mix(~(idx)) >> 16) % 33)
#define NOISE4(idx) (mix((idx) + 12345) & (0xffffffffULL >> LEN4(idx)))
#define MAKE_PREFIX4(key, idx)                                                                     \
	((key).len = LEN4(idx),                                                                    \
		(key).addr = bpf_htonl(mix(idx) & ~(__u32)(0xffffffffULL >> LEN4(idx))))
#define MAKE_ADDR4(key, idx)                                                                       \
	((key).len = 32, (key).addr = bpf_htonl(                                                   \
				 (mix(idx) & ~(__u32)(0xffffffffULL >> LEN4(idx))) | NOISE4(idx)))
#define MASK6(idx) (~0U << (64 - LEN6(idx)) % 32)
#define MAKE_PREFIX6(key, idx)                                                                     \
	((key).len = LEN6(idx), (key).addr[0] = bpf_htonl(0x20000000 | mix(idx) >> 3),             \
		(key).addr[1] = bpf_htonl(mix((idx) + 7) & MASK6(idx)), (key).addr[3] = 0)
#define MAKE_ADDR6(key, idx)                                                                       \
	((key).len = 128, (key).addr[0] = bpf_htonl(0x20000000 | mix(idx) >> 3),                   \
		(key).addr[1] = bpf_htonl(mix((idx) + 7)), (key).addr[3] = idx)

#define LPM_LOOPS(map, key_type, prefix, address)                                                  \
	LOOP(map##_empty, key_type, address, 1)                                                    \
	LOOP(map##_empty_prefix, key_type, prefix, 1)                                              \
	LOOP(map##_fill, key_type, prefix, !bpf_map_update_elem(&map, &key, &value, BPF_ANY))      \
	LOOP(map##_lookup, key_type, address, FIND(map))                                           \
	LOOP(map##_update, key_type, prefix, !bpf_map_update_elem(&map, &key, &value, BPF_EXIST))  \
	LOOP(map##_delete, key_type, prefix, !bpf_map_delete_elem(&map, &key))

LPM_LOOPS(lpm4, struct prefix4, MAKE_PREFIX4, MAKE_ADDR4)
LPM_LOOPS(lpm6, struct prefix6, MAKE_PREFIX6, MAKE_ADDR6)

/* Values without keys: adding, looking at and taking one. */
LOOP(queue0_empty, __u64, MAKE_INDEX, 1)
LOOP(queue0_update, __u64, MAKE_INDEX, !bpf_map_push_elem(&queue0, &key, 0))
LOOP(queue0_lookup, __u64, MAKE_INDEX, !bpf_map_peek_elem(&queue0, &value))
LOOP(queue0_delete, __u64, MAKE_INDEX, !bpf_map_pop_elem(&queue0, &value))
LOOP(bloom0_empty, __u64, MAKE_INDEX, 1)
LOOP(bloom0_fill, __u64, MAKE_INDEX, !bpf_map_push_elem(&bloom0, &key, 0))
LOOP(bloom0_update, __u64, MAKE_INDEX, !bpf_map_push_elem(&bloom0, &key, 0))
LOOP(bloom0_lookup, __u64, MAKE_INDEX, !bpf_map_peek_elem(&bloom0, &key))

#define SUBMIT()                                                                                   \
	({                                                                                         \
		__u64 *record = bpf_ringbuf_reserve(&ringbuf0, sizeof(*record), 0);                \
                                                                                                   \
		if (record) {                                                                      \
			*record = key;                                                             \
			bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);                              \
		}                                                                                  \
		record != 0;                                                                       \
	})

/* The verifier goes both ways at each record, and no further than 8,192 branches. */
LOOP_UNTIL(ringbuf0_empty, __u64, MAKE_INDEX, 1, ((void)cnt, 0))
LOOP_UNTIL(ringbuf0_update, __u64, MAKE_INDEX, SUBMIT(), ((void)cnt, 0))
