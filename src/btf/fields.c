/*
 * Finding special fields. A struct is walked member by member, into structs inside it and through
 * arrays (whose fields repeat, for the kinds that may); a member counts when the name, the size and
 * the alignment of its type are those of a row of the table below, or when it is a pointer with a
 * kptr tag.
 *
 *	struct value {			off 0   SPIN_LOCK
 *		struct bpf_spin_lock lock;
 *		struct { struct foo __kptr *p; } slots[2];	off 8, 16   KPTR_REF
 *	};
 *
 * A program may make a nest of empty structs that has 2^32 leaves; VISIT_MAX bounds the walk.
 */
#include "btf/fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "btf/obj.h"

enum {
	VISIT_MAX = 1 << 20, /* members looked at in one search */
	UPTR_SIZE_MAX = 4096,
};

struct field_row {
	const char *type_name;
	enum btf_field_kind kind;
	u32 size, align;
	bool unique;	  /* at most one in a value */
	bool repeats;	  /* may be in an array */
	bool is_root;	  /* holds structs named by a "contains:" tag */
	const char *node; /* root: the type of the node in what it holds */
};

static const struct field_row rows[] = {
	{"bpf_spin_lock", BTF_FIELD_SPIN_LOCK, 4, 4, .unique = true},
	{"bpf_res_spin_lock", BTF_FIELD_RES_SPIN_LOCK, 4, 4, .unique = true},
	{"bpf_timer", BTF_FIELD_TIMER, 16, 8, .unique = true},
	{"bpf_wq", BTF_FIELD_WORKQUEUE, 16, 8, .unique = true},
	{"bpf_task_work", BTF_FIELD_TASK_WORK, 8, 8, .unique = true},
	{"bpf_list_head", BTF_FIELD_LIST_HEAD, 16, 8, .repeats = true, .is_root = true,
		.node = "bpf_list_node"},
	{"bpf_list_node", BTF_FIELD_LIST_NODE, 24, 8},
	{"bpf_rb_root", BTF_FIELD_RB_ROOT, 16, 8, .repeats = true, .is_root = true,
		.node = "bpf_rb_node"},
	{"bpf_rb_node", BTF_FIELD_RB_NODE, 32, 8},
	{"bpf_refcount", BTF_FIELD_REFCOUNT, 4, 4},
};

static const struct field_row kptr_row = {NULL, BTF_FIELD_KPTR_REF, 8, 8, .repeats = true};

static const struct {
	const char *tag;
	enum btf_field_kind kind;
} kptr_tags[] = {
	{"kptr_untrusted", BTF_FIELD_KPTR_UNREF},
	{"kptr", BTF_FIELD_KPTR_REF},
	{"percpu_kptr", BTF_FIELD_KPTR_PERCPU},
	{"uptr", BTF_FIELD_UPTR},
};

/*
 * Structs of the engine, by name: a kptr to one of them is to an object of the engine's own and, to
 * own it, the engine must know how to release it. Any other struct is the program's.
 */
static const struct {
	const char *name;
	bool releases;
} kernel_types[] = {
	{"task_struct", true},
	{"cgroup", true},
	{"bpf_cpumask", true},
	{"bpf_crypto_ctx", true},
	{"bpf_spin_lock", false},
	{"bpf_res_spin_lock", false},
	{"bpf_timer", false},
	{"bpf_wq", false},
	{"bpf_task_work", false},
	{"bpf_list_head", false},
	{"bpf_list_node", false},
	{"bpf_rb_root", false},
	{"bpf_rb_node", false},
	{"bpf_refcount", false},
	{"sk_buff", false},
	{"xdp_md", false},
};

/* A field found, before its own rules are checked. */
struct found {
	const struct field_row *row;
	enum btf_field_kind kind;
	u32 off;
	u32 type_id;
	const char *node_name;
};

struct search {
	const struct btf_obj *btf;
	u32 mask;
	u32 seen;   /* unique kinds met, of this struct alone */
	u32 visits; /* left */
	u32 level;
};

static int search_struct(struct search *s, u32 id, struct found *out, u32 room);

static const struct btf_type *type_of(const struct btf_obj *btf, u32 id)
{
	return btf->types[id];
}

static bool is_name(const struct btf_obj *btf, u32 off, const char *name)
{
	return off && !strcmp(btf->strings + off, name);
}

/* 1: found, 0: no such field */
static int find_kptr(const struct btf_obj *btf, u32 id, u32 mask, struct found *out)
{
	const struct btf_type *t = type_of(btf, id);
	size_t i;

	if (btf_type_is(t, BTF_KIND_VOLATILE))
		t = type_of(btf, t->type);
	if (!btf_type_is(t, BTF_KIND_PTR))
		return 0;
	t = type_of(btf, t->type);
	if (!btf_type_is(t, BTF_KIND_TYPE_TAG) || btf_type_kflag(t))
		return 0;
	if (btf_type_is(type_of(btf, t->type), BTF_KIND_TYPE_TAG))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(kptr_tags); i++)
		if (is_name(btf, t->name_off, kptr_tags[i].tag))
			break;
	if (i == ARRAY_SIZE(kptr_tags))
		return -EINVAL;
	if (!(kptr_tags[i].kind & mask))
		return 0;
	out->kind = kptr_tags[i].kind;
	out->type_id = btf_skip_modifiers(btf, t->type);
	return btf_type_is(type_of(btf, out->type_id), BTF_KIND_STRUCT) ? 1 : -EINVAL;
}

/* "contains:NAME:NODE" on the member or variable that is the root */
static int find_root(const struct btf_obj *btf, u32 holder_id, s32 idx, struct found *out)
{
	static const char prefix[] = "contains:";
	char name[BTF_NAME_MAX + 1];
	const char *value, *colon;
	u32 tag_id, again;
	int err;

	if (btf_find_decl_tag(btf, holder_id, idx, prefix, 0, &tag_id) ||
		!btf_find_decl_tag(btf, holder_id, idx, prefix, tag_id, &again))
		return -EINVAL;
	value = btf->strings + type_of(btf, tag_id)->name_off + sizeof(prefix) - 1;
	colon = strchr(value, ':');
	if (!colon)
		return -EINVAL;
	if (colon - value > BTF_NAME_MAX)
		return -ENOENT;
	memcpy(name, value, colon - value);
	name[colon - value] = '\0';
	err = btf_find(btf, name, BTF_KIND_STRUCT, &out->type_id);
	if (err)
		return err;
	out->node_name = colon + 1;
	return *out->node_name ? 1 : -EINVAL;
}

static int row_of(struct search *s, const struct btf_type *t, const struct field_row **ret_row)
{
	*ret_row = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct field_row *row = &rows[i];

		if (!(s->mask & row->kind) || !is_name(s->btf, t->name_off, row->type_name))
			continue;
		if (row->unique && s->seen & row->kind)
			return -E2BIG;
		if (row->unique)
			s->seen |= row->kind;
		*ret_row = row;
		return 0;
	}
	if (s->mask & (BTF_FIELD_KPTR | BTF_FIELD_UPTR) && !btf_type_is(t, BTF_KIND_STRUCT))
		*ret_row = &kptr_row;
	return 0;
}

/* The first cnt found, again for each further element of an array; the total. */
static int repeat(struct found *out, u32 room, u32 cnt, u32 times, u32 elem_size)
{
	for (u32 i = 0; i < cnt; i++)
		if (!out[i].row->repeats)
			return -EINVAL;
	if ((u64)cnt * times > room)
		return -E2BIG;
	for (u32 i = cnt; i < cnt * times; i++) {
		out[i] = out[i - cnt];
		out[i].off += elem_size;
	}
	return cnt * times;
}

static int search_nested(struct search *s, u32 id, u32 off, u32 times, struct found *out, u32 room)
{
	u32 seen = s->seen;
	int cnt;

	if (s->level + 1 >= BTF_DEPTH_MAX)
		return -E2BIG;
	s->level++;
	s->seen = 0;
	cnt = search_struct(s, id, out, room);
	s->seen = seen;
	s->level--;
	for (int i = 0; i < cnt; i++)
		out[i].off += off;
	if (cnt > 0 && times > 1)
		return repeat(out, room, cnt, times, type_of(s->btf, id)->size);
	return cnt;
}

/* 1: the one field, into *out; 0: none after all */
static int read_field(const struct btf_obj *btf, const struct field_row *row, u32 mask, u32 type_id,
	u32 holder_id, s32 idx, struct found *out)
{
	const struct btf_type *t = type_of(btf, type_id);

	if (row == &kptr_row)
		return find_kptr(btf, type_id, mask, out);
	if (!btf_type_is(t, BTF_KIND_STRUCT) || t->size != row->size)
		return 0;
	return row->is_root ? find_root(btf, holder_id, idx, out) : 1;
}

/*
 * One member (idx of struct holder) or variable (holder a VAR, idx -1, of size bytes; a member's
 * size is 0: not compared).
 */
static int search_one(struct search *s, u32 holder_id, s32 idx, u32 type_id, u32 off, u32 size,
	struct found *out, u32 room)
{
	const struct field_row *row;
	struct found one;
	u32 times = 1;
	int ret, depth;

	for (depth = 0; depth < BTF_DEPTH_MAX; depth++) {
		const struct btf_type *t = type_of(s->btf, type_id);

		if (!btf_type_is(t, BTF_KIND_ARRAY))
			break;
		times *= btf_type_array(t)->nelems;
		type_id = btf_type_array(t)->type;
	}
	if (depth == BTF_DEPTH_MAX)
		return -E2BIG;
	if (!times)
		return 0;
	ret = row_of(s, type_of(s->btf, type_id), &row);
	if (ret)
		return ret;
	if (!row) {
		const struct btf_type *t = type_of(s->btf, type_id);

		if (!btf_type_is(t, BTF_KIND_STRUCT) || (size && size != t->size * times))
			return 0;
		return search_nested(s, type_id, off, times, out, room);
	}
	if ((size && size != row->size * times) || off % row->align)
		return 0;
	one = (struct found){.row = row, .kind = row->kind, .off = off};
	ret = read_field(s->btf, row, s->mask, type_id, holder_id, idx, &one);
	if (ret <= 0)
		return ret;
	if (!room)
		return -E2BIG;
	*out = one;
	return times > 1 ? repeat(out, room, 1, times, row->size) : 1;
}

/* How many fields, into out, which has room. */
static int search_struct(struct search *s, u32 id, struct found *out, u32 room)
{
	const struct btf_type *t = type_of(s->btf, id);
	u32 cnt = 0;

	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		struct btf_field_ref m = btf_member_at(s->btf, t, i);
		int ret;

		if (!s->visits--)
			return -E2BIG;
		if (m.bit_off % 8)
			return -EINVAL;
		ret = search_one(s, id, i, m.type_id, m.bit_off / 8, 0, out + cnt, room - cnt);
		if (ret < 0)
			return ret;
		cnt += ret;
	}
	return cnt;
}

static int search_datasec(struct search *s, u32 id, struct found *out, u32 room)
{
	const struct btf_type *t = type_of(s->btf, id);
	const struct btf_var_secinfo *vars = btf_raw_vars(t);
	u32 cnt = 0;

	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		u32 var_id = vars[i].type;
		int ret = search_one(s, var_id, -1, type_of(s->btf, var_id)->type, vars[i].offset,
			vars[i].size, out + cnt, room - cnt);

		if (ret < 0)
			return ret;
		cnt += ret;
	}
	return cnt;
}

/* A kptr's target: the engine's or the program's, and whether it may be owned. */
static int fill_kptr(const struct btf_obj *btf, struct btf_field *field)
{
	const char *name = btf_type_name(btf, field->type_id);
	bool owns = field->kind == BTF_FIELD_KPTR_REF;

	for (size_t i = 0; i < ARRAY_SIZE(kernel_types); i++) {
		if (strcmp(name, kernel_types[i].name))
			continue;
		field->of_kernel = true;
		return owns && !kernel_types[i].releases ? -ENOENT : 0;
	}
	return 0;
}

/* Where the node is in what a root holds. */
static int find_node(const struct btf_obj *btf, const struct found *f, u32 *ret_off)
{
	const struct btf_type *t = type_of(btf, f->type_id);
	const struct btf_member *m = btf_raw_members(t);
	bool found = false;

	for (u32 i = 0; i < btf_type_vlen(t); i++, m++) {
		const struct btf_type *node;
		u32 bit_off;

		if (!is_name(btf, m->name_off, f->node_name))
			continue;
		node = type_of(btf, m->type);
		bit_off = btf_raw_bit_off(node, m);
		if (found || !btf_type_is(node, BTF_KIND_STRUCT) ||
			!is_name(btf, node->name_off, f->row->node) || bit_off % 64)
			return -EINVAL;
		*ret_off = bit_off / 8;
		found = true;
	}
	return found ? 0 : -ENOENT;
}

static int fill_field(const struct btf_obj *btf, const struct found *f, struct btf_field *ret_field)
{
	*ret_field = (struct btf_field){
		.kind = f->kind, .off = f->off, .size = f->row->size, .type_id = f->type_id};
	if (f->kind & (BTF_FIELD_KPTR | BTF_FIELD_UPTR))
		return fill_kptr(btf, ret_field);
	return f->row->is_root ? find_node(btf, f, &ret_field->node_off) : 0;
}

/* Rules between the fields of one value. */
static int check_together(u32 mask)
{
	u32 locks = mask & (BTF_FIELD_SPIN_LOCK | BTF_FIELD_RES_SPIN_LOCK);

	if (locks == (BTF_FIELD_SPIN_LOCK | BTF_FIELD_RES_SPIN_LOCK))
		return -EINVAL;
	if (mask & BTF_FIELD_GRAPH_ROOT && !locks)
		return -EINVAL;
	if ((mask & BTF_FIELD_GRAPH_NODE) == BTF_FIELD_GRAPH_NODE && !(mask & BTF_FIELD_REFCOUNT))
		return -EINVAL;
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct btf_field *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

static int make_fields(const struct btf_obj *btf, const struct found *found, u32 cnt, u32 size,
	struct btf_fields *fields)
{
	u32 next = 0;
	int err;

	for (u32 i = 0; i < cnt; i++) {
		if ((u64)found[i].off + found[i].row->size > size)
			return -EFAULT;
		if (found[i].off < next)
			return -EEXIST;
		next = found[i].off + found[i].row->size;
		err = fill_field(btf, &found[i], &fields->items[i]);
		if (err)
			return err;
		fields->mask |= found[i].kind;
		fields->cnt++;
	}
	qsort(fields->items, cnt, sizeof(fields->items[0]), by_offset);
	return check_together(fields->mask);
}

int btf_fields_find(
	const struct btf_obj *btf, u32 id, u32 mask, u32 size, struct btf_fields **ret_fields)
{
	struct search s = {.btf = btf, .mask = mask, .visits = VISIT_MAX};
	const struct btf_type *t = btf_type_at(btf, id);
	struct found found[BTF_FIELD_CNT_MAX];
	struct btf_fields *fields;
	int cnt, err;

	if (t && btf_type_is(t, BTF_KIND_STRUCT))
		cnt = search_struct(&s, id, found, BTF_FIELD_CNT_MAX);
	else if (t && btf_type_is(t, BTF_KIND_DATASEC))
		cnt = search_datasec(&s, id, found, BTF_FIELD_CNT_MAX);
	else
		return -EINVAL;
	if (cnt < 0)
		return cnt;
	if (!cnt) {
		*ret_fields = NULL;
		return 0;
	}
	fields = mem_zalloc(sizeof(*fields));
	if (!fields)
		return -ENOMEM;
	err = make_fields(btf, found, cnt, size, fields);
	if (err) {
		mem_free(fields);
		return err;
	}
	*ret_fields = fields;
	return 0;
}

bool btf_is_kptr(const struct btf_obj *btf, u32 id)
{
	struct found ignored;

	return find_kptr(btf, id, BTF_FIELD_KPTR, &ignored) == 1;
}

static int fixup_uptr(const struct btf_obj *btf, const struct btf_field *f)
{
	u32 size = type_of(btf, f->type_id)->size;

	if (f->of_kernel || !size)
		return -EINVAL;
	return size > UPTR_SIZE_MAX ? -E2BIG : 0;
}

/*
 * Ownership must not run in a circle. What can be owned has a node, what can own has a root; Linux
 * asks that what is both owns nothing that owns further, which rules circles out.
 */
static int fixup_root(
	const struct btf_obj *btf, const struct btf_fields *owner, const struct btf_field *f)
{
	const struct btf_fields *held = btf_struct_fields(btf, f->type_id);

	if (!held)
		return -EFAULT;
	if (owner->mask & BTF_FIELD_GRAPH_NODE && held->mask & BTF_FIELD_GRAPH_ROOT)
		return -ELOOP;
	return 0;
}

int btf_fields_fixup(const struct btf_obj *btf, const struct btf_fields *fields)
{
	int err = 0;

	for (u32 i = 0; fields && i < fields->cnt && !err; i++) {
		const struct btf_field *f = &fields->items[i];

		if (f->kind == BTF_FIELD_UPTR)
			err = fixup_uptr(btf, f);
		else if (f->kind & BTF_FIELD_GRAPH_ROOT)
			err = fixup_root(btf, fields, f);
	}
	return err;
}

void btf_fields_free(struct btf_fields *fields)
{
	mem_free(fields);
}

int btf_fields_dup(const struct btf_fields *fields, struct btf_fields **ret_fields)
{
	struct btf_fields *copy = fields ? mem_dup(fields, sizeof(*fields)) : NULL;

	if (fields && !copy)
		return -ENOMEM;
	*ret_fields = copy;
	return 0;
}

bool btf_fields_equal(const struct btf_fields *a, const struct btf_fields *b)
{
	if (!a || !b)
		return a == b;
	if (a->cnt != b->cnt || a->mask != b->mask)
		return false;
	for (u32 i = 0; i < a->cnt; i++) {
		const struct btf_field *x = &a->items[i], *y = &b->items[i];

		if (x->kind != y->kind || x->off != y->off || x->type_id != y->type_id)
			return false;
	}
	return true;
}

const char *btf_field_name(enum btf_field_kind kind)
{
	switch (kind) {
	case BTF_FIELD_KPTR_UNREF:
	case BTF_FIELD_KPTR_REF: return "kptr";
	case BTF_FIELD_KPTR_PERCPU: return "percpu_kptr";
	case BTF_FIELD_UPTR: return "uptr";
	default: break;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].kind == kind)
			return rows[i].type_name;
	return "unknown";
}

const struct btf_field *btf_fields_at(const struct btf_fields *fields, enum btf_field_kind kind)
{
	for (u32 i = 0; fields && i < fields->cnt; i++)
		if (fields->items[i].kind == kind)
			return &fields->items[i];
	return NULL;
}
