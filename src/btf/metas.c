/*
 * The last pass of a load: the structs with special fields among their direct members, for these can
 * be allocated, listed and owned by programs.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "btf/fields.h"
#include "btf/obj.h"

enum {
	META_FIELDS = BTF_FIELD_SPIN_LOCK | BTF_FIELD_RES_SPIN_LOCK | BTF_FIELD_LIST_HEAD |
		      BTF_FIELD_LIST_NODE | BTF_FIELD_RB_ROOT | BTF_FIELD_RB_NODE |
		      BTF_FIELD_REFCOUNT | BTF_FIELD_KPTR,
};

/* The types whose mere presence as a member makes a struct one of these. */
static const char *const marks[] = {"bpf_spin_lock", "bpf_list_head", "bpf_list_node",
	"bpf_rb_root", "bpf_rb_node", "bpf_refcount"};

struct meta {
	u32 id;
	struct btf_fields *fields;
};

struct btf_metas {
	u32 cnt, cap;
	struct meta *items; /* by id */
};

void btf_metas_free(struct btf_metas *metas)
{
	if (!metas)
		return;
	for (u32 i = 0; i < metas->cnt; i++)
		btf_fields_free(metas->items[i].fields);
	mem_free(metas->items);
	mem_free(metas);
}

static const struct meta *find(const struct btf_metas *metas, u32 id)
{
	u32 lo = 0, hi = metas ? metas->cnt : 0;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (metas->items[mid].id == id)
			return &metas->items[mid];
		if (metas->items[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct btf_fields *btf_struct_fields(const struct btf_obj *btf, u32 id)
{
	const struct meta *meta = find(btf->metas, id);

	return meta ? meta->fields : NULL;
}

/* marked[id]: a type that makes a struct it is a member of one of ours; true when there is any. */
static bool mark_types(const struct btf_obj *btf, bool *marked)
{
	bool any = false;
	u32 id;

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (!btf_find(btf, marks[i], BTF_KIND_STRUCT, &id))
			any = marked[id] = true;
	for (id = 1; id < btf->type_cnt; id++)
		if (btf_is_kptr(btf, id))
			any = marked[id] = true;
	return any;
}

static bool has_marked(const struct btf_type *t, const bool *marked)
{
	const struct btf_member *m = btf_raw_members(t);

	for (u32 i = 0; i < btf_type_vlen(t); i++)
		if (marked[m[i].type])
			return true;
	return false;
}

static int add(struct btf_metas *metas, const struct btf_obj *btf, u32 id)
{
	struct btf_fields *fields = NULL;
	int err;

	if (metas->cnt == metas->cap) {
		u32 cap = metas->cap ? metas->cap * 2 : 8;
		struct meta *items = mem_realloc(metas->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		metas->items = items;
		metas->cap = cap;
	}
	err = btf_fields_find(btf, id, META_FIELDS, btf->types[id]->size, &fields);
	if (err)
		return err;
	/* A mark that is no field after all (of another size): the kernel's word for "cannot be". */
	if (!fields)
		return -EFAULT;
	metas->items[metas->cnt++] = (struct meta){.id = id, .fields = fields};
	return 0;
}

int btf_check_fields(struct btf_check *c)
{
	struct btf_obj *btf = c->btf;
	bool *marked = mem_array(btf->type_cnt, sizeof(*marked));
	int err = 0;

	if (!marked)
		return -ENOMEM;
	if (!mark_types(btf, marked))
		goto out;
	btf->metas = mem_zalloc(sizeof(*btf->metas));
	if (!btf->metas) {
		err = -ENOMEM;
		goto out;
	}
	for (u32 id = 1; id < btf->type_cnt && !err; id++)
		if (btf_type_is(btf->types[id], BTF_KIND_STRUCT) &&
			has_marked(btf->types[id], marked))
			err = add(btf->metas, btf, id);
	for (u32 i = 0; i < btf->metas->cnt && !err; i++)
		err = btf_fields_fixup(btf, btf->metas->items[i].fields);
out:
	mem_free(marked);
	return err;
}
