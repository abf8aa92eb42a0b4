/*
 * BPF_MAP_TYPE_LPM_TRIE: longest-prefix match. A binary trie of prefixes; each node branches on the
 * first bit after its prefix, and paths without branches are one edge. An intermediate node (IM) holds
 * no value and stands where two prefixes part.
 *
 *	10.0.0.0/8 ── 0: 10.0.0.0/15 IM ── 0: 10.0.0.0/16
 *	                                └─ 1: 10.1.0.0/16
 *
 * Invariants
 * 1. A child's prefix is longer than its parent's and begins with it.
 * 2. An intermediate node always has two children.
 * 3. Changes happen under the lock, between two steps of `seq`, which is odd meanwhile. Lookups take no
 *    lock: they walk, and count what they found only if seq did not move. By 1 a walk over changing
 *    nodes ends too: it stops where the prefix does not grow. After LOOKUP_TRIES disturbed walks a
 *    lookup takes the lock.
 * 4. Nodes are numbers; 0 is none. Freed nodes are linked through child[0] and taken again.
 * The shape after each operation is Linux's, and so is the order of next_key: postorder, longer
 * prefixes before shorter ones.
 */
#include <endian.h>
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/maps.h"
#include "maps/sync.h"

enum {
	DATA_MIN = 1,
	DATA_MAX = 256, /* bytes of key after the prefix length */
	WORDS_MAX = DATA_MAX / 8,
	DEPTH_MAX = DATA_MAX * 8 + 1,
	LOOKUP_TRIES = 16,
	LINUX_NODE_LEN = 24,
	VALUE_MAX = (4 << 20) - DATA_MAX - LINUX_NODE_LEN, /* Linux: what one kmalloc gives */
};

enum { NODE_IM = 1 };

struct node {
	u32 child[2];
	u32 prefix_len; /* bits */
	u32 flags;
	u64 data[]; /* the key's bytes, then the value */
};

struct trie {
	struct map map;
	u8 *nodes;
	u64 mem_len;
	u32 node_len, node_cnt;
	u32 data_size, word_cnt; /* of a key, without the prefix length */
	u32 lock;
	u32 seq;
	u32 root;
	u32 entry_cnt;
	u32 free_node; /* head of the list of freed nodes */
	u32 fresh;     /* nodes from here on were never used */
};

/* A key as aligned words. */
struct key {
	u32 prefix_len;
	u64 words[WORDS_MAX];
};

static struct trie *to_trie(const struct map *map)
{
	return container_of(map, struct trie, map);
}

static struct node *node_at(const struct trie *trie, u32 num)
{
	return (struct node *)(trie->nodes + (u64)num * trie->node_len);
}

static u8 *value_of(const struct trie *trie, u32 num)
{
	return (u8 *)&node_at(trie, num)->data[trie->word_cnt];
}

static u32 max_prefix_len(const struct trie *trie)
{
	return trie->data_size * 8;
}

/* False if the prefix is longer than the key. */
static bool read_key(const struct trie *trie, const void *key, struct key *ret_key)
{
	memcpy(&ret_key->prefix_len, key, sizeof(u32));
	ret_key->words[trie->word_cnt - 1] = 0;
	memcpy(ret_key->words, (const u8 *)key + sizeof(u32), trie->data_size);
	return ret_key->prefix_len <= max_prefix_len(trie);
}

static u64 load_word(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static u32 bit_of(u64 word, u32 bit)
{
	return be64toh(word) >> (63 - bit % 64) & 1;
}

/* Bits in which the node's prefix and the key's agree, up to the shorter of the two. */
static u32 match_len(const struct trie *trie, const struct node *node, const struct key *key)
{
	u32 limit = MIN(map_load(&node->prefix_len), key->prefix_len), len;
	u64 diff;

	for (u32 i = 0; i < trie->word_cnt && i * 64 < limit; i++) {
		diff = load_word(&node->data[i]) ^ key->words[i];
		if (diff) {
			len = i * 64 + (u32)__builtin_clzll(be64toh(diff));
			return MIN(len, limit);
		}
	}
	return limit;
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	int err = map_check_common(attr, false);

	if (err)
		return err;
	if (!(attr->flags & BPF_F_NO_PREALLOC))
		return -EINVAL;
	if (attr->key_size < sizeof(u32) + DATA_MIN || attr->key_size > sizeof(u32) + DATA_MAX)
		return -EINVAL;
	return !attr->value_size || attr->value_size > VALUE_MAX ? -EINVAL : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct trie *trie = mem_zalloc(sizeof(*trie));

	if (!trie)
		return -ENOMEM;
	trie->map.mem_fd = -1;
	trie->data_size = attr->key_size - sizeof(u32);
	trie->word_cnt = ROUND_UP(trie->data_size, 8) / 8;
	trie->node_len = sizeof(struct node) + trie->word_cnt * 8 + ROUND_UP(attr->value_size, 8);
	/* n prefixes need at most n - 1 intermediate nodes; one more while an update replaces, and
	 * the unused number 0 */
	trie->node_cnt = (u32)MIN(2 * (u64)attr->max_entries + 1, (u64)UINT32_MAX);
	trie->mem_len = (u64)trie->node_cnt * trie->node_len;
	trie->fresh = 1;
	trie->nodes = mem_pages(trie->mem_len, true);
	if (!trie->nodes) {
		mem_free(trie);
		return -ENOMEM;
	}
	*ret_map = &trie->map;
	return 0;
}

static void free_map(struct map *map)
{
	struct trie *trie = to_trie(map);

	mem_pages_free(trie->nodes, trie->mem_len);
	mem_free(trie);
}

/* The longest prefix of the key that has a value, or 0. False if the nodes changed under the walk. */
static bool walk(const struct trie *trie, const struct key *key, u32 *ret_num)
{
	u32 num = map_load(&trie->root), found = 0, len, matched;
	s64 last_len = -1;
	const struct node *node;

	while (num) {
		node = node_at(trie, num);
		len = map_load(&node->prefix_len);
		if (len <= last_len)
			return false;
		last_len = len;
		matched = match_len(trie, node, key);
		if (matched == max_prefix_len(trie)) {
			found = num;
			break;
		}
		if (matched < len)
			break;
		if (!(map_load(&node->flags) & NODE_IM))
			found = num;
		num = map_load(&node->child[bit_of(key->words[len / 64], len)]);
	}
	*ret_num = found;
	return true;
}

static u32 find(struct trie *trie, const struct key *key)
{
	u32 seq, num = 0;

	for (int i = 0; i < LOOKUP_TRIES; i++) {
		seq = map_load(&trie->seq);
		if (!(seq & 1) && walk(trie, key, &num) && map_load(&trie->seq) == seq)
			return num;
	}
	map_lock(&trie->lock);
	walk(trie, key, &num);
	map_unlock(&trie->lock);
	return num;
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	struct trie *trie = to_trie(map);
	struct key parsed;
	u32 num;

	if (!read_key(trie, key, &parsed))
		return NULL;
	num = find(trie, &parsed);
	return num ? value_of(trie, num) : NULL;
}

/* Changing starts and ends; the lock is held in between. */
static void begin_change(struct trie *trie)
{
	map_lock(&trie->lock);
	map_store(&trie->seq, trie->seq + 1);
}

static void end_change(struct trie *trie)
{
	map_store(&trie->seq, trie->seq + 1);
	map_unlock(&trie->lock);
}

static u32 take_node(struct trie *trie, u32 prefix_len, u32 flags, const u64 *words)
{
	u32 num = trie->free_node;
	struct node *node;

	if (num)
		trie->free_node = node_at(trie, num)->child[0];
	else if (trie->fresh < trie->node_cnt)
		__atomic_store_n(&trie->fresh, (num = trie->fresh) + 1, __ATOMIC_RELAXED);
	else
		return 0;
	node = node_at(trie, num);
	map_store(&node->child[0], 0);
	map_store(&node->child[1], 0);
	map_store(&node->prefix_len, prefix_len);
	map_store(&node->flags, flags);
	map_put(node->data, words, trie->word_cnt * 8);
	return num;
}

static void give_node(struct trie *trie, u32 num)
{
	if (!num)
		return;
	map_store(&node_at(trie, num)->child[0], trie->free_node);
	trie->free_node = num;
}

/* One more entry: -ENOENT if it had to exist, -ENOSPC if the map is full. */
static int count_up(struct trie *trie, u64 flags)
{
	if (flags == BPF_EXIST)
		return -ENOENT;
	if (trie->entry_cnt == trie->map.max_entries)
		return -ENOSPC;
	trie->entry_cnt++;
	return 0;
}

/* The link where the key's node is or belongs, and how far the node there agrees with the key. */
static u32 *find_link(struct trie *trie, const struct key *key, u32 *ret_matched)
{
	u32 *link = &trie->root;
	struct node *node;

	*ret_matched = 0;
	while (*link) {
		node = node_at(trie, *link);
		*ret_matched = match_len(trie, node, key);
		if (node->prefix_len != *ret_matched || node->prefix_len == key->prefix_len)
			break;
		link = &node->child[bit_of(key->words[node->prefix_len / 64], node->prefix_len)];
	}
	return link;
}

/* The node at the link has the key's own prefix: the new node takes its place. */
static int replace(struct trie *trie, u32 *link, u32 num, u64 flags)
{
	struct node *old = node_at(trie, *link), *node = node_at(trie, num);
	u32 old_num = *link;
	int err = 0;

	if (old->flags & NODE_IM)
		err = count_up(trie, flags);
	else if (flags == BPF_NOEXIST)
		err = -EEXIST;
	if (err)
		return err;
	map_store(&node->child[0], old->child[0]);
	map_store(&node->child[1], old->child[1]);
	map_store(link, num);
	give_node(trie, old_num);
	return 0;
}

/* The key and the node at the link part after `matched` bits. */
static int split(struct trie *trie, u32 *link, const struct key *key, u32 num, u32 matched)
{
	struct node *below = node_at(trie, *link), *top;
	u32 top_num = num, bit;

	if (matched == key->prefix_len) { /* the key is a prefix of the node: it goes above */
		bit = bit_of(below->data[matched / 64], matched);
		map_store(&node_at(trie, num)->child[bit], *link);
	} else {
		top_num = take_node(trie, matched, NODE_IM, below->data);
		if (!top_num) {
			trie->entry_cnt--;
			return -ENOMEM;
		}
		top = node_at(trie, top_num);
		bit = bit_of(key->words[matched / 64], matched);
		map_store(&top->child[bit], num);
		map_store(&top->child[!bit], *link);
	}
	map_store(link, top_num);
	return 0;
}

static int insert(struct trie *trie, const struct key *key, u32 num, u64 flags)
{
	u32 matched, *link = find_link(trie, key, &matched);
	int err;

	if (*link && node_at(trie, *link)->prefix_len == matched)
		return replace(trie, link, num, flags);
	err = count_up(trie, flags);
	if (err)
		return err;
	if (*link)
		return split(trie, link, key, num, matched);
	map_store(link, num);
	return 0;
}

static int update(struct map *map, const void *key, const void *value, u64 flags, u32 cpu)
{
	struct trie *trie = to_trie(map);
	struct key parsed;
	int err;
	u32 num;

	if (flags > BPF_EXIST || !read_key(trie, key, &parsed))
		return -EINVAL;
	begin_change(trie);
	num = take_node(trie, parsed.prefix_len, 0, parsed.words);
	err = num ? 0 : -ENOMEM;
	if (!err) {
		map_put(value_of(trie, num), value, map->value_size);
		err = insert(trie, &parsed, num, flags);
		if (err)
			give_node(trie, num);
	}
	end_change(trie);
	return err;
}

/* Where a node hangs: its link, and its parent with the parent's link. */
struct spot {
	u32 *link, *parent_link;
	u32 num, parent;
};

static bool find_spot(struct trie *trie, const struct key *key, struct spot *ret_spot)
{
	struct spot spot = {.link = &trie->root, .parent_link = &trie->root};
	struct node *node;
	u32 matched = 0;

	for (; *spot.link; spot.link = &node->child[bit_of(key->words[matched / 64], matched)]) {
		node = node_at(trie, *spot.link);
		matched = match_len(trie, node, key);
		if (node->prefix_len != matched)
			return false;
		if (node->prefix_len == key->prefix_len) {
			spot.num = *spot.link;
			*ret_spot = spot;
			return !(node->flags & NODE_IM);
		}
		spot.parent = *spot.link;
		spot.parent_link = spot.link;
	}
	return false;
}

static void unlink_node(struct trie *trie, const struct spot *spot)
{
	struct node *node = node_at(trie, spot->num), *parent = node_at(trie, spot->parent);

	if (node->child[0] && node->child[1]) {
		map_store(&node->flags, node->flags | NODE_IM);
		return;
	}
	if (spot->parent && (parent->flags & NODE_IM) && !node->child[0] && !node->child[1]) {
		map_store(spot->parent_link,
			parent->child[parent->child[0] == spot->num]); /* the sibling */
		give_node(trie, spot->parent);
	} else {
		map_store(spot->link, node->child[0] ? node->child[0] : node->child[1]);
	}
	give_node(trie, spot->num);
}

static int remove_key(struct map *map, const void *key)
{
	struct trie *trie = to_trie(map);
	struct spot spot;
	struct key parsed;
	bool found;

	if (!read_key(trie, key, &parsed))
		return -EINVAL;
	begin_change(trie);
	found = find_spot(trie, &parsed, &spot);
	if (found) {
		trie->entry_cnt--;
		unlink_node(trie, &spot);
	}
	end_change(trie);
	return found ? 0 : -ENOENT;
}

/* First in postorder below a node. */
static u32 leftmost(const struct trie *trie, u32 num)
{
	u32 found = 0;

	while (num) {
		const struct node *node = node_at(trie, num);

		if (!(node->flags & NODE_IM))
			found = num;
		num = node->child[0] || (node->flags & NODE_IM) ? node->child[0] : node->child[1];
	}
	return found;
}

/* The path from the root to the key's own node; its length, or 0 if the key is not there. */
static u32 find_path(const struct trie *trie, const struct key *key, u32 path[DEPTH_MAX])
{
	u32 num = trie->root, len = 0, matched;
	const struct node *node;

	while (num) {
		node = node_at(trie, num);
		path[len++] = num;
		matched = match_len(trie, node, key);
		if (node->prefix_len != matched)
			return 0;
		if (node->prefix_len == key->prefix_len)
			return node->flags & NODE_IM ? 0 : len;
		num = node->child[bit_of(key->words[matched / 64], matched)];
	}
	return 0;
}

/* What follows the last node of the path in postorder, or 0. */
static u32 next_after(const struct trie *trie, const u32 *path, u32 len)
{
	const struct node *parent;

	for (; len > 1; len--) {
		parent = node_at(trie, path[len - 2]);
		if (parent->child[0] == path[len - 1] && parent->child[1])
			return leftmost(trie, parent->child[1]);
		if (!(parent->flags & NODE_IM))
			return path[len - 2];
	}
	return 0;
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	struct trie *trie = to_trie(map);
	u32 path[DEPTH_MAX], len = 0, num;
	const struct node *node;
	struct key parsed;

	map_lock(&trie->lock);
	if (key && read_key(trie, key, &parsed))
		len = find_path(trie, &parsed, path);
	num = len ? next_after(trie, path, len) : leftmost(trie, trie->root);
	if (num) {
		node = node_at(trie, num);
		memcpy(ret_next, &node->prefix_len, sizeof(u32));
		memcpy((u8 *)ret_next + sizeof(u32), node->data, trie->data_size);
	}
	map_unlock(&trie->lock);
	return num ? 0 : -ENOENT;
}

/* Under the lock, so that the bytes are those of one update. */
static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	struct trie *trie = to_trie(map);
	struct key parsed;
	u32 num = 0;

	if (!read_key(trie, key, &parsed))
		return -ENOENT;
	map_lock(&trie->lock);
	walk(trie, &parsed, &num);
	if (num)
		map_get(ret_value, value_of(trie, num), map->value_size);
	map_unlock(&trie->lock);
	return num ? 0 : -ENOENT;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, 0);
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	const struct trie *trie = to_trie(map);
	u64 off = (u64)((uintptr_t)addr - (uintptr_t)trie->nodes);
	u64 num = off / trie->node_len, in_node = off % trie->node_len;
	u64 value_off = sizeof(struct node) + trie->word_cnt * 8;

	return num && num < __atomic_load_n(&trie->fresh, __ATOMIC_RELAXED) &&
	       in_node >= value_off && in_node - value_off <= map->value_size &&
	       len <= map->value_size - (in_node - value_off);
}

static u64 mem_usage(const struct map *map)
{
	const struct trie *trie = to_trie(map);
	u64 node_len = LINUX_NODE_LEN + trie->data_size + map->value_size;

	return node_len * __atomic_load_n(&trie->entry_cnt, __ATOMIC_RELAXED);
}

const struct map_ops map_lpm_trie_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = lookup,
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
