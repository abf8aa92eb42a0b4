/*
 * BPF_MAP_TYPE_BLOOM_FILTER: a set of values that may only be asked for. A value is k bits of a power of
 * two of bits; "no" is certain, "yes" is not.
 *
 * The k places come from one hash of 64 bits: its halves a and b give a + i * b, as good as k hashes
 * (Kirsch and Mitzenmacher, 2006). b is odd, so the places differ. Which values are taken for others is
 * therefore skep's own; the number of bits is Linux's, and so is the share of wrong answers.
 * Bits are only ever set: pushing and asking need no lock.
 */
#include <errno.h>

#include "base/hash.h"
#include "base/mem.h"
#include "core/inst.h"
#include "maps/maps.h"

enum {
	VALUE_MAX = 4 << 20, /* Linux: KMALLOC_MAX_SIZE */
	HASHES_MAX = 15,
	HASHES = 5, /* where map_extra is 0 */
	WORD_BITS = 64,
	LINUX_BLOOM_LEN = 312,
};

struct bloom {
	struct map map;
	u64 *words;
	u64 len; /* bytes */
	u64 seed;
	u32 mask; /* over the number of a bit */
	u32 hash_cnt;
};

static struct bloom *to_bloom(const struct map *map)
{
	return container_of(map, struct bloom, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	struct map_attr rest = *attr;

	if (attr->value_size > VALUE_MAX)
		return -E2BIG;
	if (attr->key_size || !attr->value_size || attr->extra > HASHES_MAX)
		return -EINVAL;
	rest.extra = 0; /* the number of hashes, which is fine */
	return map_check_common(&rest, false);
}

/* Linux's number of bits, n * k / ln 2 rounded up to a power of two, as a mask. */
static u32 mask_of(u32 entries, u32 hash_cnt)
{
	u64 bits = (u64)entries * hash_cnt, pow = WORD_BITS;

	if (bits > UINT32_MAX)
		return UINT32_MAX;
	bits = bits / 5 * 7;
	if (bits > 1ULL << 31)
		return UINT32_MAX;
	while (pow < bits)
		pow <<= 1;
	return (u32)pow - 1;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct bloom *bloom = mem_zalloc(sizeof(*bloom));

	if (!bloom)
		return -ENOMEM;
	bloom->hash_cnt = attr->extra ? (u32)attr->extra : HASHES;
	bloom->mask = mask_of(attr->max_entries, bloom->hash_cnt);
	bloom->len = ((u64)bloom->mask + 1) / 8;
	if (!(attr->flags & BPF_F_ZERO_SEED))
		bloom->seed = (u64)inst_random(inst) << 32 | inst_random(inst);
	bloom->words = mem_pages(bloom->len, false);
	if (!bloom->words) {
		mem_free(bloom);
		return -ENOMEM;
	}
	bloom->map.mem_fd = -1;
	*ret_map = &bloom->map;
	return 0;
}

static void free_map(struct map *map)
{
	struct bloom *bloom = to_bloom(map);

	mem_pages_free(bloom->words, bloom->len);
	mem_free(bloom);
}

static int push(struct map *map, const void *value, u64 flags)
{
	struct bloom *bloom = to_bloom(map);
	u64 hash = hash_bytes(value, map->value_size, bloom->seed);
	u32 bit = (u32)hash, step = (u32)(hash >> 32) | 1;

	if (flags != BPF_ANY)
		return -EINVAL;
	for (u32 i = 0; i < bloom->hash_cnt; i++, bit += step) {
		u64 *word = &bloom->words[(bit & bloom->mask) / WORD_BITS];
		u64 one = 1ULL << bit % WORD_BITS;

		if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & one))
			__atomic_fetch_or(word, one, __ATOMIC_RELAXED);
	}
	return 0;
}

static int peek(struct map *map, void *value)
{
	struct bloom *bloom = to_bloom(map);
	u64 hash = hash_bytes(value, map->value_size, bloom->seed);
	u32 bit = (u32)hash, step = (u32)(hash >> 32) | 1;

	for (u32 i = 0; i < bloom->hash_cnt; i++, bit += step) {
		const u64 *word = &bloom->words[(bit & bloom->mask) / WORD_BITS];

		if (!(__atomic_load_n(word, __ATOMIC_RELAXED) >> bit % WORD_BITS & 1))
			return -ENOENT;
	}
	return 0;
}

static int pop(struct map *map, void *ret_value)
{
	return -EOPNOTSUPP;
}

static int remove_key(struct map *map, const void *key)
{
	return -EOPNOTSUPP;
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	return -EOPNOTSUPP;
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	return peek(map, ret_value);
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return push(map, value, flags);
}

static u64 mem_usage(const struct map *map)
{
	return LINUX_BLOOM_LEN + to_bloom(map)->len;
}

const struct map_ops map_bloom_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = map_no_lookup,
	.update = map_no_update,
	.remove = remove_key,
	.next_key = next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.push = push,
	.pop = pop,
	.peek = peek,
	.asks_value = true,
	.meta_equal = map_meta_equal,
	.owns = map_no_owns,
	.mem_usage = mem_usage,
};
