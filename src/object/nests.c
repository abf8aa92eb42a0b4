/*
 * How types contain each other: by being one another (typedefs, qualifiers, tags, variables), as
 * element of an array or as member of a struct. Pointers contain nothing. libbpf follows containment
 * to its end, and by recursion; so it must have an end, and one not too deep.
 *
 * To write types as C, it goes through pointers as well, where they lead to what has no name, and each
 * part is written where it is used; that is a walk of its own (object_check_ptrs), for objects that are
 * only loaded need not pass it.
 *
 * The walk goes depth first. A type is done once its size is known: the sizes of its parts are known
 * by then, so members are held against their struct on the way.
 */
#include <errno.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "object/file.h"

enum {
	NEST_MAX = 128, /* types inside each other; the kernel takes 32 */
	PTR_SIZE = 8,
};
#define SIZE_TOP (1ULL << 40) /* sizes from here on are one: far too large */

/* To be written as C. */
enum {
	PARTS_MAX = 1 << 20,	 /* parts of parts of a type, each counted where it is used */
	ALL_PARTS_MAX = 1 << 28, /* of all types */
	C_SIZE_MAX = 1 << 27,	 /* bytes of a struct: libbpf counts bits in an int */
	PADDING_MAX = 1 << 20,	 /* bytes between two members, which become lines of text */
};

enum visit { FRESH, OPEN, DONE };

struct level {
	u32 id, next; /* the next part to look at */
};

struct walk {
	const struct object_file *f;
	bool through_ptrs;
	u8 *visits;  /* enum visit, by id */
	u8 *heights; /* levels below a type that is done, by id */
	u32 *parts;  /* parts of a type that is done, by id; at most PARTS_MAX */
	u64 all_parts;
	u32 depth;
	struct level levels[NEST_MAX];
};

/* A struct with a name is written without what is in it where something only points to it. */
static u32 unnamed(const struct object_file *f, u32 id)
{
	const struct btf_type *t = object_skip_modifiers(f, id);

	return btf_type_is_struct(t) && t->name_off ? 0 : id;
}

/* The same for what is behind pointers, as far as libbpf goes there to write a type as C. */
static bool behind(const struct object_file *f, const struct btf_type *t, u32 i, u32 *ret_id)
{
	const struct btf_param *params = btf_type_tail(t);

	if (btf_type_is(t, BTF_KIND_PTR)) {
		*ret_id = unnamed(f, t->type);
		return !i;
	}
	if (i > btf_type_vlen(t))
		return false;
	*ret_id = unnamed(f, i ? params[i - 1].type : t->type);
	return true;
}

/* Part i of a type; false when there are fewer. */
static bool part_of(const struct walk *w, const struct btf_type *t, u32 i, u32 *ret_id)
{
	switch (btf_type_kind(t)) {
	case BTF_KIND_PTR:
	case BTF_KIND_FUNC_PROTO: return w->through_ptrs && behind(w->f, t, i, ret_id);
	case BTF_KIND_ARRAY: *ret_id = btf_type_array(t)->type; return !i;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		if (i >= btf_type_vlen(t))
			return false;
		*ret_id = ((const struct btf_member *)btf_type_tail(t))[i].type;
		return true;
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG: *ret_id = t->type; return !i;
	default: *ret_id = t->type; return !i && btf_type_is_modifier(t);
	}
}

static u64 size_of(const struct object_file *f, const struct btf_type *t)
{
	const struct btf_array *array;
	u64 size;

	switch (btf_type_kind(t)) {
	case BTF_KIND_INT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FLOAT:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC: return t->size;
	case BTF_KIND_PTR: return PTR_SIZE;
	case BTF_KIND_ARRAY:
		array = btf_type_array(t);
		if (__builtin_mul_overflow(f->btf.sizes[array->type], array->nelems, &size))
			return SIZE_TOP;
		return MIN(size, SIZE_TOP);
	case BTF_KIND_VAR: return f->btf.sizes[t->type];
	default: return btf_type_is_modifier(t) ? f->btf.sizes[t->type] : 0;
	}
}

static int check_members(const struct object_file *f, u32 id, const struct btf_type *t)
{
	const struct btf_member *m = btf_type_tail(t);

	for (u32 i = 0; i < btf_type_vlen(t); i++, m++) {
		const struct btf_type *mt = object_skip_modifiers(f, m->type);
		bool is_flagged = btf_type_kflag(t);
		u64 off = is_flagged ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset;
		u64 bits = is_flagged ? BTF_MEMBER_BITFIELD_SIZE(m->offset) : 0;

		if (bits && !(btf_type_is(mt, BTF_KIND_INT) || btf_type_is_enum(mt)))
			return object_bad(f,
				"member %s of type %u of its BTF has bits of no number",
				object_btf_str(f, m->name_off), id);
		if (bits && !mt->size)
			return object_bad(f, "member %s of type %u of its BTF is of no size",
				object_btf_str(f, m->name_off), id);
		if (!bits && !is_flagged && btf_type_is(mt, BTF_KIND_INT))
			bits = BTF_INT_BITS(btf_type_int(mt));
		if (!bits)
			bits = f->btf.sizes[m->type] * 8;
		if (off + bits > (u64)t->size * 8)
			return object_bad(f, "member %s of type %u of its BTF is outside of it",
				object_btf_str(f, m->name_off), id);
	}
	return 0;
}

/* Whether values of a type have an alignment; libbpf divides by it. */
static bool is_aligned(const struct object_file *f, u32 id)
{
	const struct btf_type *t = object_skip_modifiers(f, id);

	while (btf_type_is(t, BTF_KIND_ARRAY))
		t = object_skip_modifiers(f, btf_type_array(t)->type);
	switch (btf_type_kind(t)) {
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return t->size;
	case BTF_KIND_PTR:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return true;
	default: return false;
	}
}

/* A struct that is sound can still be one that libbpf cannot write, or not in any time. */
static int check_layout(const struct object_file *f, u32 id, const struct btf_type *t)
{
	const struct btf_member *m = btf_type_tail(t);
	u64 end = 0, off, bits;

	if (t->size > C_SIZE_MAX)
		return object_too_large(f, "type %u of its BTF has %u bytes", id, t->size);
	for (u32 i = 0; i < btf_type_vlen(t); i++, m++) {
		off = btf_type_kflag(t) ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset;
		bits = btf_type_kflag(t) ? BTF_MEMBER_BITFIELD_SIZE(m->offset) : 0;
		if (!is_aligned(f, m->type))
			return object_bad(f, "member %s of type %u of its BTF is no value",
				object_btf_str(f, m->name_off), id);
		if (off > end + PADDING_MAX * 8ULL)
			break;
		end = off + (bits ? bits : f->btf.sizes[m->type] * 8);
	}
	if (m < (const struct btf_member *)btf_type_tail(t) + btf_type_vlen(t) ||
		t->size * 8ULL > end + PADDING_MAX * 8ULL)
		return object_too_large(f, "type %u of its BTF is nothing but padding", id);
	return 0;
}

/* What the walk through pointers adds. */
static int finish_c(struct walk *w, u32 id)
{
	const struct object_file *f = w->f;
	const struct btf_type *t = f->btf.types[id];
	u64 parts = 1;
	u32 part;

	for (u32 i = 0; part_of(w, t, i, &part) && parts <= PARTS_MAX; i++)
		parts += w->parts[part] + 1ULL;
	w->all_parts += parts;
	if (parts > PARTS_MAX || w->all_parts > ALL_PARTS_MAX)
		return object_too_large(f, "type %u of its BTF has more than %u parts", id,
			parts > PARTS_MAX ? PARTS_MAX : ALL_PARTS_MAX);
	w->parts[id] = (u32)parts;
	return btf_type_is_struct(t) ? check_layout(f, id, t) : 0;
}

static int finish(struct walk *w, u32 id)
{
	const struct object_file *f = w->f;
	const struct btf_type *t = f->btf.types[id];
	u32 part, height = 0;

	for (u32 i = 0; part_of(w, t, i, &part); i++)
		height = MAX(height, w->heights[part] + 1u);
	if (height >= NEST_MAX)
		return object_bad(f, "type %u of its BTF contains types %u deep", id, NEST_MAX);
	w->heights[id] = (u8)height;
	w->visits[id] = DONE;
	w->depth--;
	if (w->through_ptrs)
		return finish_c(w, id);
	f->btf.sizes[id] = size_of(f, t);
	return btf_type_is_struct(t) ? check_members(f, id, t) : 0;
}

static int walk_from(struct walk *w, u32 id)
{
	const struct object_file *f = w->f;
	int err = 0;

	w->visits[id] = OPEN;
	w->levels[w->depth++] = (struct level){.id = id};
	while (w->depth && !err) {
		struct level *top = &w->levels[w->depth - 1];
		u32 part;

		if (!part_of(w, f->btf.types[top->id], top->next++, &part)) {
			err = finish(w, top->id);
		} else if (w->visits[part] == OPEN) {
			err = object_bad(f, "type %u of its BTF contains itself", part);
		} else if (w->visits[part] == FRESH) {
			if (w->depth == NEST_MAX)
				return object_bad(f, "type %u of its BTF contains types %u deep",
					id, NEST_MAX);
			w->visits[part] = OPEN;
			w->levels[w->depth++] = (struct level){.id = part};
		}
	}
	return err;
}

static int walk_all(struct object_file *f, bool through_ptrs)
{
	struct walk w = {.f = f,
		.through_ptrs = through_ptrs,
		.visits = mem_array(f->btf.cnt, 1),
		.heights = mem_array(f->btf.cnt, 1),
		.parts = mem_array(f->btf.cnt, sizeof(*w.parts))};
	int err = 0;

	if (!w.visits || !w.heights || !w.parts)
		err = object_refuse(f, -ENOMEM, "cannot be read: not enough memory");
	else
		w.visits[0] = DONE;
	for (u32 id = 1; id < f->btf.cnt && !err; id++)
		if (w.visits[id] == FRESH)
			err = walk_from(&w, id);
	mem_free(w.visits);
	mem_free(w.heights);
	mem_free(w.parts);
	return err;
}

int object_check_nests(struct object_file *f)
{
	f->btf.sizes = mem_array(f->btf.cnt, sizeof(*f->btf.sizes));
	if (!f->btf.sizes)
		return object_refuse(f, -ENOMEM, "cannot be read: not enough memory");
	return walk_all(f, false);
}

int object_check_ptrs(struct object_file *f)
{
	return f->btf.cnt ? walk_all(f, true) : 0;
}
