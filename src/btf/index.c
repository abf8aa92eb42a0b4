/*
 * Names to types: chains of ids by the hash of kind and name, built once, so that a look-up among the
 * kernel's 120,000 types does not walk all of them.
 *
 * Invariant: ids rise along a chain; the first match is the lowest id.
 */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "btf/obj.h"

enum { BUCKETS_MIN = 16 };

static u32 bucket_of(const struct btf_obj *btf, const char *name, u32 kind)
{
	return hash_bytes(name, strlen(name), kind) & (btf->bucket_cnt - 1);
}

int btf_make_index(struct btf_check *c)
{
	struct btf_obj *btf = c->btf;
	u32 cnt = BUCKETS_MIN;

	while (cnt < btf->type_cnt)
		cnt *= 2;
	btf->bucket_cnt = cnt;
	btf->buckets = mem_array(cnt, sizeof(*btf->buckets));
	btf->chains = mem_array(btf->type_cnt, sizeof(*btf->chains));
	if (!btf->buckets || !btf->chains)
		return -ENOMEM;
	for (u32 id = btf->type_cnt - 1; id > 0; id--) {
		const struct btf_type *t = btf->types[id];
		u32 *head;

		if (!t->name_off)
			continue;
		head = &btf->buckets[bucket_of(btf, btf->strings + t->name_off, btf_type_kind(t))];
		btf->chains[id] = *head;
		*head = id;
	}
	return 0;
}

int btf_find(const struct btf_obj *btf, const char *name, u32 kind, u32 *ret_id)
{
	for (u32 id = btf->buckets[bucket_of(btf, name, kind)]; id; id = btf->chains[id]) {
		const struct btf_type *t = btf->types[id];

		if (btf_type_is(t, kind) && !strcmp(btf->strings + t->name_off, name)) {
			*ret_id = id;
			return 0;
		}
	}
	return -ENOENT;
}
