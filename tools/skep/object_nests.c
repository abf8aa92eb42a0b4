/*
 * How types contain each other: by being one another (typedefs, qualifiers, tags, variables), as
 * element of an array or as member of a struct. Pointers contain nothing. libbpf follows containment
 * to its end, and by recursion; so it must have an end, and one not too deep.
 *
 * The walk goes depth first. A type is done once its size is known: the sizes of its parts are known
 * by then, so members are held against their struct on the way.
 */
#include <errno.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "object_file.h"

enum {
	NEST_MAX = 128, /* types inside each other; the kernel takes 32 */
	PTR_SIZE = 8,
};
#define SIZE_TOP (1ULL << 40) /* sizes from here on are one: far too large */

enum visit { FRESH, OPEN, DONE };

struct level {
	u32 id, next; /* the next part to look at */
};

struct walk {
	const struct object_file *f;
	u8 *visits;  /* enum visit, by id */
	u8 *heights; /* levels below a type that is done, by id */
	u32 depth;
	struct level levels[NEST_MAX];
};

/* Part i of a type; false when there are fewer. */
static bool part_of(const struct btf_type *t, u32 i, u32 *ret_id)
{
	switch (btf_type_kind(t)) {
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

static int finish(struct walk *w, u32 id)
{
	const struct object_file *f = w->f;
	const struct btf_type *t = f->btf.types[id];
	u32 part, height = 0;

	for (u32 i = 0; part_of(t, i, &part); i++)
		height = MAX(height, w->heights[part] + 1u);
	if (height >= NEST_MAX)
		return object_bad(f, "type %u of its BTF contains types %u deep", id, NEST_MAX);
	w->heights[id] = (u8)height;
	w->visits[id] = DONE;
	w->depth--;
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

		if (!part_of(f->btf.types[top->id], top->next++, &part)) {
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

int object_check_nests(struct object_file *f)
{
	struct walk w = {
		.f = f, .visits = mem_array(f->btf.cnt, 1), .heights = mem_array(f->btf.cnt, 1)};
	int err = 0;

	f->btf.sizes = mem_array(f->btf.cnt, sizeof(*f->btf.sizes));
	if (!w.visits || !w.heights || !f->btf.sizes)
		err = object_refuse(f, -ENOMEM, "cannot be read: not enough memory");
	for (u32 id = 1; id < f->btf.cnt && !err; id++)
		if (w.visits[id] == FRESH)
			err = walk_from(&w, id);
	mem_free(w.visits);
	mem_free(w.heights);
	return err;
}
