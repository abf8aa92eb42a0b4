/*
 * The walk into nested structs, unions and arrays to the member at an offset. Its rules are those of
 * btf_struct_walk() of Linux 6.18:
 *
 *   - an array counts as its elements laid side by side; an array of numbers is one place as long as it is;
 *   - a bitfield is read with all of its bytes;
 *   - a pointer is read whole;
 *   - pointers inside of a union of several members are not trusted;
 *   - a struct may end in an array without length, which goes on for ever.
 *
 * Each step goes into a smaller type or returns, so a walk ends: types contain themselves nowhere.
 */
#include "verifier/btf_walk.h"

#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "verifier/env.h"

/* Next says that the walk goes on, in `id` at `off`. */
enum step { NEXT = 1, FOUND = 2 };

struct walk {
	struct vf_env *env; /* NULL: nobody is told what is wrong */
	const struct btf_obj *btf;
	u32 id;
	s32 off;
	u32 size;
	bool may_grow;
	u16 flags;
	struct vf_walk *ret;
};

static const struct btf_type *type_of(const struct walk *w)
{
	return btf_type_at(w->btf, w->id);
}

static const char *name_of(const struct walk *w)
{
	const char *name = btf_type_name(w->btf, w->id);

	return *name ? name : "(anon)";
}

#define complain(w, ...) ((w)->env ? vf_complain((w)->env, __VA_ARGS__) : -EACCES)

static int found_scalar(struct walk *w)
{
	w->ret->kind = VF_WALK_SCALAR;
	return FOUND;
}

/* Past the end: maybe into the array without length that the struct ends in. */
static int step_past_end(struct walk *w)
{
	const struct btf_type *t = type_of(w), *last;
	u32 vlen = btf_type_vlen(t), elem_id;
	struct btf_field_ref member;
	s32 at;

	if (!w->may_grow || !vlen)
		goto beyond;
	member = btf_member_at(w->btf, t, vlen - 1);
	last = btf_type_at(w->btf, btf_skip_modifiers(w->btf, member.type_id));
	at = member.bit_off / 8;
	if (!btf_type_is(last, BTF_KIND_ARRAY) || btf_type_array(last)->nelems || w->off < at)
		goto beyond;
	elem_id = btf_skip_modifiers(w->btf, btf_type_array(last)->type);
	t = btf_type_at(w->btf, elem_id);
	if (btf_type_is(t, BTF_KIND_INT))
		return found_scalar(w);
	if (!btf_type_is_struct(t) || !t->size)
		goto beyond;
	w->off = (w->off - at) % t->size;
	w->id = elem_id;
	return NEXT;
beyond:
	return complain(w, VF_C_BTF_BEYOND, name_of(w), w->off, w->size);
}

u16 vf_btf_tag_flags(const struct btf_obj *btf, const struct btf_type *pointer)
{
	static const struct {
		const char *tag;
		u16 flag;
	} tags[] = {{"user", VF_USER}, {"percpu", VF_PERCPU}, {"rcu", VF_RCU}};
	const struct btf_type *t = btf_type_at(btf, pointer->type);

	if (!btf_type_is(t, BTF_KIND_TYPE_TAG) || btf_type_kflag(t))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (!strcmp(btf_type_name(btf, pointer->type), tags[i].tag))
			return tags[i].flag;
	return 0;
}

static int found_pointer(struct walk *w, const struct btf_type *pointer,
	const struct btf_field_ref *member, u32 at, u32 size)
{
	u32 id = btf_skip_modifiers(w->btf, pointer->type);

	if (size != w->size || w->off != (s32)at)
		return complain(w, VF_C_BTF_POINTER, member->name, at, name_of(w), w->off, w->size);
	if (!btf_type_is_struct(btf_type_at(w->btf, id))) {
		w->ret->kind = VF_WALK_OTHER_PTR;
		return FOUND;
	}
	*w->ret = (struct vf_walk){
		.kind = VF_WALK_STRUCT_PTR,
		.id = id,
		.flags = w->flags | vf_btf_tag_flags(w->btf, pointer),
		.field = member->name,
	};
	return FOUND;
}

/* The access begins in this member, which ends at `end`; `at` and `id` are those of its element there. */
static int enter(struct walk *w, const struct btf_field_ref *member, u32 id, u32 at, u32 end)
{
	const struct btf_type *t;
	u32 size;

	id = btf_skip_modifiers(w->btf, id);
	t = btf_type_at(w->btf, id);
	if (btf_type_is_struct(t)) {
		w->id = id;
		w->off -= at;
		return NEXT;
	}
	if (btf_type_is(t, BTF_KIND_PTR)) {
		btf_size(w->btf, id, NULL, &size);
		return found_pointer(w, t, member, at, size);
	}
	if (w->off + w->size > end && !(w->flags & VF_UNTRUSTED))
		return complain(
			w, VF_C_BTF_MEMBER_END, member->name, end, name_of(w), w->off, w->size);
	return found_scalar(w);
}

static int step_member(struct walk *w, const struct btf_field_ref *member)
{
	u32 at = member->bit_off / 8, len, elem_id, cnt, elem_len;

	if (member->bit_size) {
		u32 end = (member->bit_off + member->bit_size + 7) / 8;

		return w->off <= (s32)at && end <= w->off + w->size ? found_scalar(w) : 0;
	}
	if (btf_size(w->btf, member->type_id, NULL, &len) ||
		btf_elems(w->btf, member->type_id, &elem_id, &cnt))
		return complain(w, VF_C_BTF_NO_SIZE, member->name);
	if (w->off >= (s32)(at + len))
		return 0;
	if (w->off < (s32)at)
		return -ENOENT; /* in a hole */
	if (!btf_type_is(btf_type_at(w->btf, btf_skip_modifiers(w->btf, member->type_id)),
		    BTF_KIND_ARRAY))
		return enter(w, member, member->type_id, at, at + len);
	if (!len)
		return 0;
	elem_len = len / cnt;
	return enter(w, member, elem_id, at + (w->off - at) / elem_len * elem_len, at + len);
}

static int step(struct walk *w)
{
	const struct btf_type *t = type_of(w);
	u32 vlen;
	int ret;

	if (!btf_type_is_struct(t))
		return complain(w, VF_C_BTF_NO_STRUCT, name_of(w));
	vlen = btf_type_vlen(t);
	if (btf_type_is(t, BTF_KIND_UNION) && vlen != 1)
		w->flags |= VF_UNTRUSTED;
	if (w->off + w->size > t->size)
		return step_past_end(w);
	for (u32 i = 0; i < vlen; i++) {
		struct btf_field_ref member = btf_member_at(w->btf, t, i);

		if (w->off + w->size <= member.bit_off / 8)
			break;
		ret = step_member(w, &member);
		if (ret == -ENOENT)
			break;
		if (ret)
			return ret;
	}
	return complain(w, VF_C_BTF_NO_FIELD, name_of(w), w->off);
}

int vf_btf_walk(struct vf_env *env, const struct btf_obj *btf, u32 id, s32 off, u32 size,
	bool may_grow, struct vf_walk *ret_walk)
{
	struct walk w = {
		.env = env,
		.btf = btf,
		.id = btf_skip_modifiers(btf, id),
		.off = off,
		.size = size,
		.may_grow = may_grow,
		.ret = ret_walk,
	};
	int ret;

	do {
		ret = step(&w);
	} while (ret == NEXT);
	return ret == FOUND ? 0 : ret;
}

bool vf_btf_is_within(const struct btf_obj *btf, u32 id, s32 off, const struct btf_obj *want_btf,
	u32 want, bool is_strict)
{
	struct vf_walk found;
	struct walk w = {
		.btf = btf,
		.id = id,
		.off = off,
		.size = 1,
		.may_grow = true,
		.ret = &found,
	};

	if (!off && btf == want_btf && id == want)
		return true;
	if (is_strict || btf != want_btf || off < 0)
		return false;
	w.id = btf_skip_modifiers(btf, id);
	while (step(&w) == NEXT) {
		if (!w.off && w.id == want)
			return true;
	}
	return false;
}
