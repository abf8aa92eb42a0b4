/*
 * BPF_MAP_TYPE_LPM_TRIE: longest-prefix match on the trie of lpm.h: lookups, changes, and the order of keys.
 *
 * A walk goes from node to node, or over a table from a node to one several levels below, and remembers the last
 * entry it passed. Its lengths grow with each step, else somebody changed what it walks on; so it ends.
 *
 * An update of an existing key writes the value into the spare room, and the two rooms are swapped with one store.
 * The shape of the trie without tables is Linux's after each operation, and so is the order of next_key:
 * postorder, longer prefixes before shorter ones.
 */
#include <endian.h>
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/store.h"
#include "maps/lpm.h"
#include "maps/maps.h"

enum {
	LOOKUP_TRIES = 16,
	NODES_AN_ENTRY =
		3, /* itself, a node without value, and for each three a table may keep one */
	SLOTS_A_NODE = 8,
	LINUX_NODE_LEN = 24,
	VALUE_MAX = (4 << 20) - LPM_DATA_MAX - LINUX_NODE_LEN, /* Linux: what one kmalloc gives */
};

/* How much of a walk the compiler knows. */
enum width { WIDTH_SHORT, WIDTH_FOUR, WIDTH_ONE, WIDTH_TWO, WIDTH_ANY };

static struct lpm *to_lpm(const struct map *map)
{
	return container_of(map, struct lpm, map);
}

static u32 max_len(const struct lpm *lpm)
{
	return lpm->data_size * 8;
}

static u8 *value_of(const struct lpm *lpm, u32 num)
{
	return (u8 *)lpm_node(lpm, map_load(&lpm_node(lpm, num)->room)) + lpm->value_off;
}

/* --- making ------------------------------------------------------------------------------------ */

static int check(const struct skep *inst, const struct map_attr *attr)
{
	int err = map_check_common(attr, false);

	if (err)
		return err;
	if (!(attr->flags & BPF_F_NO_PREALLOC))
		return -EINVAL;
	if (attr->key_size < sizeof(u32) + LPM_DATA_MIN ||
		attr->key_size > sizeof(u32) + LPM_DATA_MAX)
		return -EINVAL;
	return !attr->value_size || attr->value_size > VALUE_MAX ? -EINVAL : 0;
}

static void free_map(struct map *map)
{
	struct lpm *lpm = to_lpm(map);

	mem_pages_free(lpm->nodes, lpm->nodes_len);
	mem_pages_free(lpm->slots, lpm->slots_len);
	mem_pages_free(lpm->units, lpm->units_len);
	mem_pages_free(lpm->parents, lpm->parents_len);
	mem_free(lpm);
}

/* Lengths of all there can ever be: node 0 is none and holds the link to the root, one room is the spare. */
static void measure(struct lpm *lpm, const struct map_attr *attr)
{
	u64 nodes = (u64)attr->max_entries * NODES_AN_ENTRY + LPM_LIMBO + 2;

	lpm->data_size = attr->key_size - sizeof(u32);
	if (lpm->data_size > LPM_SHORT)
		lpm->word_cnt = ROUND_UP(lpm->data_size, 8) / 8;
	lpm->value_off = sizeof(struct lpm_node) + lpm->word_cnt * 8;
	lpm->node_len = lpm->value_off + ROUND_UP(attr->value_size, 8);
	lpm->node_cnt = (u32)MIN(nodes, (u64)UINT32_MAX);
	lpm->unit_cnt = (u32)(((u64)lpm->node_cnt * SLOTS_A_NODE + LPM_UNIT - 1) / LPM_UNIT);
	lpm->nodes_len = (u64)lpm->node_cnt * lpm->node_len;
	lpm->slots_len = (u64)lpm->unit_cnt * LPM_UNIT * sizeof(u64);
	lpm->units_len = (u64)lpm->unit_cnt * sizeof(struct lpm_unit);
	lpm->parents_len = (u64)lpm->node_cnt * sizeof(u32);
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct lpm *lpm = mem_zalloc(sizeof(*lpm));

	if (!lpm)
		return -ENOMEM;
	measure(lpm, attr);
	lpm->nodes = map_store_pages(attr->store, lpm->nodes_len, true);
	lpm->slots = mem_pages(lpm->slots_len, true);
	lpm->units = mem_pages(lpm->units_len, true);
	lpm->parents = mem_pages(lpm->parents_len, true);
	if (!lpm->nodes || !lpm->slots || !lpm->units || !lpm->parents) {
		free_map(&lpm->map);
		return -ENOMEM;
	}
	lpm->map.mem_fd = -1;
	lpm->spare_room = 1;
	lpm->fresh = 2;
	*ret_map = &lpm->map;
	return 0;
}

/* --- lookups ----------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) bool read_key_width(
	const struct lpm *lpm, const void *key, struct lpm_key *ret_key, enum width width)
{
	const u8 *data = (const u8 *)key + sizeof(u32);
	u32 half, halves = width == WIDTH_TWO ? 4 : 2;

	memcpy(&ret_key->len, key, sizeof(u32));
	if (width == WIDTH_SHORT || width == WIDTH_FOUR) {
		half = 0;
		if (width == WIDTH_FOUR)
			memcpy(&half, data, LPM_SHORT);
		else
			memcpy(&half, data, lpm->data_size);
		ret_key->words[0] = (u64)be32toh(half) << 32;
	} else if (width == WIDTH_ANY) {
		ret_key->words[lpm->word_cnt - 1] = 0;
		memcpy(ret_key->words, data, lpm->data_size);
		for (u32 i = 0; i < lpm->word_cnt; i++)
			ret_key->words[i] = be64toh(ret_key->words[i]);
	} else {
		ret_key->words[0] = ret_key->words[halves / 2 - 1] = 0;
		for (u32 i = 0; i < halves; i++) { /* programs write keys so */
			memcpy(&half, data + i * sizeof(half), sizeof(half));
			__asm__("" : "+r"(half)); /* or the compiler makes one read of two */
			ret_key->words[i / 2] |= (u64)be32toh(half) << (i % 2 ? 0 : 32);
		}
	}
	return ret_key->len <= max_len(lpm);
}

/* False if the prefix is longer than the key. */
static bool read_key(const struct lpm *lpm, const void *key, struct lpm_key *ret_key)
{
	return read_key_width(lpm, key, ret_key, lpm->word_cnt ? WIDTH_ANY : WIDTH_SHORT);
}

/* Does the key begin with the node's prefix of len bits, of which the words before `word` are known to? */
static inline __attribute__((always_inline)) bool begins(const struct lpm *lpm,
	const struct lpm_node *node, const u64 *words, u32 len, u32 word, enum width width)
{
	if (width == WIDTH_SHORT || width == WIDTH_FOUR)
		return !lpm_differ((u64)map_load(&node->first) << 32, words[0], len);
	if (width == WIDTH_ONE)
		return !lpm_differ(lpm_load(&node->words[0]), words[0], len);
	if (width == WIDTH_TWO)
		return !lpm_differ(lpm_load(&node->words[0]), words[0], MIN(len, 64U)) &&
		       (len <= 64 || !lpm_differ(lpm_load(&node->words[1]), words[1], len - 64));
	for (; word * 64 < len; word++)
		if (lpm_differ(
			    lpm_load(&node->words[word]), words[word], MIN(len - word * 64, 64U)))
			return false;
	return true;
}

/* The longest prefix of the key that has a value, or 0. False if the nodes changed under the walk. A key that ends
 * among the lengths of a table has all its slots from there on in common with others: what the slot calls best is
 * the answer, unless that is longer than the key. */
static inline __attribute__((always_inline)) bool walk(
	const struct lpm *lpm, const struct lpm_key *key, u32 *ret_num, enum width width)
{
	u32 num = map_load(lpm_root(lpm)), found = 0, len, best;
	const struct lpm_node *node;
	s32 last_len = -1;
	u64 head, slot;

	while (num) {
		node = lpm_node(lpm, num);
		head = lpm_load(&node->head);
		len = lpm_len(head);
		if (unlikely((s32)len <= last_len))
			return false;
		if (len > key->len || !begins(lpm, node, key->words, len,
					      last_len > 0 ? (u32)last_len / 64 : 0, width))
			break;
		if (!(head & LPM_IM))
			found = num;
		if (len == key->len)
			break;
		last_len = (s32)len;
		num = 0;
		if (!lpm_bits(head)) {
			num = map_load(&node->child[lpm_bit(key->words, len)]);
			continue;
		}
		slot = lpm_load(&lpm_slots(lpm, head)[lpm_take(key->words, len, lpm_bits(head))]);
		best = (u32)(slot >> 32);
		if (likely(lpm_end(head) <= key->len))
			num = (u32)slot;
		else if (best && lpm_len(lpm_load(&lpm_node(lpm, best)->head)) > key->len)
			num = map_load(&node->child[lpm_bit(key->words, len)]), best = 0;
		if (best)
			found = best;
	}
	*ret_num = found;
	return true;
}

static u32 find_locked(const struct lpm *lpm, const struct lpm_key *key)
{
	u32 num = 0;

	walk(lpm, key, &num, lpm->word_cnt ? WIDTH_ANY : WIDTH_SHORT);
	return num;
}

static u32 wait_and_find(struct lpm *lpm, const struct lpm_key *key)
{
	u32 num;

	map_lock(&lpm->lock);
	num = find_locked(lpm, key);
	map_unlock(&lpm->lock);
	return num;
}

static inline __attribute__((always_inline)) void *lookup_width(
	struct map *map, const void *key, enum width width)
{
	struct lpm *lpm = to_lpm(map);
	struct lpm_key parsed;
	u32 seq, num = 0;

	if (!read_key_width(lpm, key, &parsed, width))
		return NULL;
	for (int i = 0; i < LOOKUP_TRIES; i++) {
		seq = map_load(&lpm->seq);
		if (likely(walk(lpm, &parsed, &num, width) && map_load(&lpm->seq) == seq))
			return num ? value_of(lpm, num) : NULL;
	}
	num = wait_and_find(lpm, &parsed);
	return num ? value_of(lpm, num) : NULL;
}

static void *lookup_short(struct map *map, const void *key, u32 cpu)
{
	return lookup_width(map, key, WIDTH_SHORT);
}

static void *lookup_four(struct map *map, const void *key, u32 cpu)
{
	return lookup_width(map, key, WIDTH_FOUR);
}

static void *lookup_one(struct map *map, const void *key, u32 cpu)
{
	return lookup_width(map, key, WIDTH_ONE);
}

static void *lookup_two(struct map *map, const void *key, u32 cpu)
{
	return lookup_width(map, key, WIDTH_TWO);
}

static void *lookup_any(struct map *map, const void *key, u32 cpu)
{
	return lookup_width(map, key, WIDTH_ANY);
}

static map_lookup_fn lookup_fn(const struct map *map)
{
	const struct lpm *lpm = to_lpm(map);

	switch (lpm->data_size) {
	case 4: return lookup_four;
	case 8: return lookup_one;
	case 16: return lookup_two;
	default: return lpm->word_cnt ? lookup_any : lookup_short;
	}
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	return lookup_fn(map)(map, key, cpu);
}

/* --- changes ----------------------------------------------------------------------------------- */

/* Bits in which a node's prefix and the key's agree, up to the shorter of the two. */
static inline __attribute__((always_inline)) u32 match_len(const struct lpm *lpm,
	const struct lpm_node *node, u64 head, const struct lpm_key *key, bool is_short)
{
	u32 limit = MIN(lpm_len(head), key->len), len;
	u64 diff = (u64)node->first << 32;

	if (is_short) {
		diff ^= key->words[0];
		len = diff ? (u32)__builtin_clzll(diff) : limit;
		return MIN(len, limit);
	}
	for (u32 i = 0; i * 64 < limit; i++) {
		diff = node->words[i] ^ key->words[i];
		if (diff) {
			len = i * 64 + (u32)__builtin_clzll(diff);
			return MIN(len, limit);
		}
	}
	return limit;
}

/* The link below the first cnt nodes of the path, on the way of the key. */
static u32 *link_below(struct lpm *lpm, const struct lpm_path *path, u32 cnt, const u64 *words)
{
	struct lpm_node *node;

	if (!cnt)
		return lpm_root(lpm);
	node = lpm_node(lpm, path->nums[cnt - 1]);
	return &node->child[lpm_bit(words, lpm_len(node->head))];
}

static inline __attribute__((always_inline)) u32 *descend_width(struct lpm *lpm,
	const struct lpm_key *key, struct lpm_path *ret_path, u32 *ret_matched, bool is_short)
{
	u32 *link = lpm_root(lpm), cnt = 0, table_cnt = 0, matched = 0;
	const u64 first = key->words[0];

	while (*link) {
		struct lpm_node *node = lpm_node(lpm, *link);
		u64 head = node->head;
		u32 len = lpm_len(head);

		matched = match_len(lpm, node, head, key, is_short);
		if (matched < len || len == key->len)
			break;
		ret_path->nums[cnt++] = *link;
		if (lpm_bits(head))
			table_cnt = cnt;
		link = &node->child[is_short ? first >> (63 - len) & 1 : lpm_bit(key->words, len)];
	}
	ret_path->cnt = cnt;
	ret_path->table_cnt = table_cnt;
	*ret_matched = matched;
	return link;
}

/* The nodes that are shorter than the key and prefixes of it. What follows is at the link, if anything, and
 * agrees with the key for ret_matched bits. */
static u32 *descend(
	struct lpm *lpm, const struct lpm_key *key, struct lpm_path *ret_path, u32 *ret_matched)
{
	return lpm->word_cnt ? descend_width(lpm, key, ret_path, ret_matched, false)
			     : descend_width(lpm, key, ret_path, ret_matched, true);
}

/* One more entry: -ENOENT if it had to exist, -ENOSPC if the map is full. */
static int count_up(struct lpm *lpm, u64 flags)
{
	if (flags == BPF_EXIST)
		return -ENOENT;
	if (lpm->entry_cnt == lpm->map.max_entries)
		return -ENOSPC;
	__atomic_store_n(&lpm->entry_cnt, lpm->entry_cnt + 1, __ATOMIC_RELAXED);
	return 0;
}

static void put_value(struct lpm *lpm, u32 num, const void *value)
{
	map_put(value_of(lpm, num), value, lpm->map.value_size);
}

/* The key has a node: its value is written or replaced. */
static int set_value(struct lpm *lpm, const struct lpm_path *path, u32 num,
	const struct lpm_key *key, const void *value, u64 flags)
{
	struct lpm_node *node = lpm_node(lpm, num);
	u32 room = node->room;
	int err;

	if (node->head & LPM_IM) {
		err = count_up(lpm, flags);
		if (err)
			return err;
		lpm_set_words(lpm, node, key->words);
		put_value(lpm, num, value);
		lpm_store(&node->head, node->head & ~(u64)LPM_IM);
		lpm_refresh(lpm, path, path->cnt, key->words, key->len);
		return 0;
	}
	if (flags == BPF_NOEXIST)
		return -EEXIST;
	lpm_set_words(lpm, node, key->words); /* what stands behind the prefix is the new key's */
	map_put((u8 *)lpm_node(lpm, lpm->spare_room) + lpm->value_off, value, lpm->map.value_size);
	map_store(&node->room, lpm->spare_room);
	lpm->spare_room = room;
	return 0;
}

/* The new node num goes to the link below `above`; what is there agrees with it for `matched` bits. The node that is now at
 * the link, or 0 without memory. */
static u32 hang(
	struct lpm *lpm, u32 *link, u32 above, const struct lpm_key *key, u32 num, u32 matched)
{
	struct lpm_node *below = lpm_node(lpm, *link), *top;
	u32 top_num = num;
	u64 room;
	const u64 *words = lpm_words(lpm, below, &room);

	if (*link && matched == key->len) { /* the key is a prefix of the node: it goes above */
		map_store(&lpm_node(lpm, num)->child[lpm_bit(words, matched)], *link);
		lpm->parents[*link] = num;
	} else if (*link) {
		top_num = lpm_take_node(lpm, matched, LPM_IM, words);
		if (!top_num)
			return 0;
		top = lpm_node(lpm, top_num);
		map_store(&top->child[lpm_bit(key->words, matched)], num);
		map_store(&top->child[!lpm_bit(key->words, matched)], *link);
		lpm->parents[num] = lpm->parents[*link] = top_num;
	}
	lpm->parents[top_num] = above;
	map_store(link, top_num);
	return top_num;
}

static bool is_leaf(const struct lpm *lpm, u32 num)
{
	const struct lpm_node *node = lpm_node(lpm, num);

	return !node->child[0] && !node->child[1];
}

/* The last of the path's first cnt nodes has children now (1) or has none left (-1). */
static void count_last(struct lpm *lpm, const struct lpm_path *path, u32 cnt, s32 more)
{
	lpm_count(lpm, path, cnt - 1, lpm_len(lpm_node(lpm, path->nums[cnt - 1])->head), more);
}

static int insert(struct lpm *lpm, const struct lpm_key *key, const void *value, u64 flags)
{
	u32 matched, num, top, *link;
	struct lpm_path path;
	bool is_below_leaf;
	int err;

	link = descend(lpm, key, &path, &matched);
	num = *link;
	if (num && lpm_len(lpm_node(lpm, num)->head) == matched)
		return set_value(lpm, &path, num, key, value, flags);
	err = count_up(lpm, flags);
	if (err)
		return err;
	num = lpm_take_node(lpm, key->len, 0, key->words);
	if (!num)
		goto count_down;
	put_value(lpm, num, value);
	is_below_leaf = path.cnt && is_leaf(lpm, path.nums[path.cnt - 1]);
	top = hang(lpm, link, path.cnt ? path.nums[path.cnt - 1] : 0, key, num, matched);
	if (!top)
		goto leave_node;
	if (is_below_leaf)
		count_last(lpm, &path, path.cnt, 1);
	if (!is_leaf(lpm, top))
		lpm_count(lpm, &path, path.cnt, lpm_len(lpm_node(lpm, top)->head), 1);
	lpm_refresh(lpm, &path, path.cnt, key->words, lpm_len(lpm_node(lpm, top)->head));
	lpm_grow(lpm, &path, top);
	return 0;
leave_node:
	lpm_leave(lpm, num, 0);
count_down:
	__atomic_store_n(&lpm->entry_cnt, lpm->entry_cnt - 1, __ATOMIC_RELAXED);
	return -ENOMEM;
}

static int update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	struct lpm *lpm = to_lpm(map);
	struct lpm_key parsed;
	int err;
	u32 num;

	if (flags > BPF_EXIST || !read_key(lpm, key, &parsed))
		return -EINVAL;
	map_lock(&lpm->lock);
	num = find_locked(lpm, &parsed);
	if (num && lpm_len(lpm_node(lpm, num)->head) == parsed.len)
		err = set_value(lpm, NULL, num, &parsed, value, flags); /* no node changes */
	else
		err = insert(lpm, &parsed, value, flags);
	map_unlock(&lpm->lock);
	return err;
}

/* The node at the end of the path's first cnt nodes goes, if nothing needs it any more. */
static void tidy(struct lpm *lpm, const struct lpm_path *path, u32 cnt, const u64 *words)
{
	u32 num = path->nums[cnt - 1], len, below;
	struct lpm_node *node = lpm_node(lpm, num);

	lpm_shrink(lpm, num);
	if (!(node->head & LPM_IM) || lpm_bits(node->head) || (node->child[0] && node->child[1]))
		return;
	len = lpm_len(node->head);
	below = node->child[node->child[0] == 0];
	map_store(link_below(lpm, path, cnt - 1, words), below);
	if (below)
		lpm->parents[below] = cnt > 1 ? path->nums[cnt - 2] : 0;
	if (!is_leaf(lpm, num))
		lpm_count(lpm, path, cnt - 1, len, -1);
	else if (cnt > 1 && is_leaf(lpm, path->nums[cnt - 2]))
		count_last(lpm, path, cnt - 1, -1);
	lpm_refresh(lpm, path, cnt - 1, words, len);
	lpm_leave(lpm, num, 0);
}

static bool remove_locked(struct lpm *lpm, const struct lpm_key *key)
{
	struct lpm_path path;
	struct lpm_node *node;
	u32 matched, num = *descend(lpm, key, &path, &matched);

	node = lpm_node(lpm, num);
	if (!num || lpm_len(node->head) != matched || matched != key->len || node->head & LPM_IM)
		return false;
	__atomic_store_n(&lpm->entry_cnt, lpm->entry_cnt - 1, __ATOMIC_RELAXED);
	lpm_store(&node->head, node->head | LPM_IM);
	if ((node->child[0] && node->child[1]) || lpm_bits(node->head))
		lpm_refresh(lpm, &path, path.cnt, key->words, key->len);
	path.nums[path.cnt++] = num;
	path.table_cnt = path.cnt;
	for (; path.cnt; path.cnt--)
		tidy(lpm, &path, path.cnt, key->words);
	return true;
}

static int remove_key(struct map *map, const void *key)
{
	struct lpm *lpm = to_lpm(map);
	struct lpm_key parsed;
	bool found;

	if (!read_key(lpm, key, &parsed))
		return -EINVAL;
	map_lock(&lpm->lock);
	found = lpm_remove_near(lpm, &parsed);
	if (found)
		__atomic_store_n(&lpm->entry_cnt, lpm->entry_cnt - 1, __ATOMIC_RELAXED);
	else
		found = remove_locked(lpm, &parsed);
	map_unlock(&lpm->lock);
	return found ? 0 : -ENOENT;
}

/* --- walking ----------------------------------------------------------------------------------- */

/* First in postorder below a node. */
static u32 leftmost(const struct lpm *lpm, u32 num)
{
	u32 found = 0;

	while (num) {
		const struct lpm_node *node = lpm_node(lpm, num);

		if (!(node->head & LPM_IM))
			found = num;
		num = node->child[0] ? node->child[0] : node->child[1];
	}
	return found;
}

/* What follows the last node of the path in postorder, or 0. */
static u32 next_after(const struct lpm *lpm, const struct lpm_path *path)
{
	const struct lpm_node *parent;

	for (u32 cnt = path->cnt; cnt > 1; cnt--) {
		parent = lpm_node(lpm, path->nums[cnt - 2]);
		if (parent->child[0] == path->nums[cnt - 1] && parent->child[1])
			return leftmost(lpm, parent->child[1]);
		if (!(parent->head & LPM_IM))
			return path->nums[cnt - 2];
	}
	return 0;
}

static void give_key(const struct lpm *lpm, u32 num, void *ret_key)
{
	const struct lpm_node *node = lpm_node(lpm, num);
	u32 len = lpm_len(node->head);
	u64 room, word;
	const u64 *words = lpm_words(lpm, node, &room);
	u8 *to = (u8 *)ret_key + sizeof(len);

	memcpy(ret_key, &len, sizeof(len));
	for (u32 off = 0; off < lpm->data_size; off += sizeof(word)) {
		word = htobe64(words[off / sizeof(word)]);
		memcpy(to + off, &word, MIN(sizeof(word), (size_t)(lpm->data_size - off)));
	}
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	struct lpm *lpm = to_lpm(map);
	struct lpm_path path;
	struct lpm_key parsed;
	u32 num = 0, matched;

	path.cnt = 0;
	map_lock(&lpm->lock);
	if (key && read_key(lpm, key, &parsed))
		num = *descend(lpm, &parsed, &path, &matched);
	if (num && lpm_len(lpm_node(lpm, num)->head) == matched &&
		!(lpm_node(lpm, num)->head & LPM_IM)) {
		path.nums[path.cnt++] = num;
		num = next_after(lpm, &path);
	} else {
		num = leftmost(lpm, *lpm_root(lpm));
	}
	if (num)
		give_key(lpm, num, ret_next);
	map_unlock(&lpm->lock);
	return num ? 0 : -ENOENT;
}

/* --- user space -------------------------------------------------------------------------------- */

/* Under the lock, so that the bytes are those of one update. */
static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	struct lpm *lpm = to_lpm(map);
	struct lpm_key parsed;
	u32 num;

	if (!read_key(lpm, key, &parsed))
		return -ENOENT;
	map_lock(&lpm->lock);
	num = find_locked(lpm, &parsed);
	if (num)
		map_get(ret_value, value_of(lpm, num), map->value_size);
	map_unlock(&lpm->lock);
	return num ? 0 : -ENOENT;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, 0);
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	const struct lpm *lpm = to_lpm(map);
	u64 off = (u64)((uintptr_t)addr - (uintptr_t)lpm->nodes);
	u64 num = off / lpm->node_len, in_node = off % lpm->node_len;

	return num && num < __atomic_load_n(&lpm->fresh, __ATOMIC_RELAXED) &&
	       in_node >= lpm->value_off && in_node - lpm->value_off <= map->value_size &&
	       len <= map->value_size - (in_node - lpm->value_off);
}

static u64 mem_usage(const struct map *map)
{
	const struct lpm *lpm = to_lpm(map);
	u64 node_len = LINUX_NODE_LEN + lpm->data_size + map->value_size;

	return node_len * __atomic_load_n(&lpm->entry_cnt, __ATOMIC_RELAXED);
}

const struct map_ops map_lpm_trie_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.recover = lpm_recover,
	.lookup = lookup,
	.lookup_fn = lookup_fn,
	.update = update,
	.remove = remove_key,
	.next_key = next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.meta_equal = map_meta_equal,
	.batches = MAP_BATCH_LOOKUP | MAP_BATCH_UPDATE | MAP_BATCH_DELETE,
	.owns = owns,
	.mem_usage = mem_usage,
};
