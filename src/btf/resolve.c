/*
 * The second pass: types that refer to types. A depth-first walk, of at most BTF_DEPTH_MAX types at
 * once, that finds loops and gives each type the id it comes to.
 *
 * Where a walk may stop depends on where it began, for "struct a { struct a *next; }" is sound and
 * "struct a { struct a inner; }" is not: a walk that began at a struct or an array stops at pointers,
 * a walk that began at a pointer stops at structs and arrays but goes through further pointers.
 * A type is walked into once; meeting one that is still being walked is a loop.
 *
 *	began at   TBD (else)           stops at whatever does not resolve
 *	           PTR                  stops at whatever is no modifier and no pointer
 *	           STRUCT_OR_ARRAY      stops at whatever is no modifier, struct or array
 *
 * The outcome can depend on the order of the types (a pointer to a FUNC passes if the FUNC came
 * first), and the verdict must be Linux's, so the order here is Linux's, step by step.
 */
#include <errno.h>

#include "base/mem.h"
#include "btf/log.h"

enum visit { NOT_VISITED, VISITED, RESOLVED };
enum mode { MODE_TBD, MODE_PTR, MODE_STRUCT_OR_ARRAY };

struct vertex {
	const struct btf_type *t;
	u32 id;
	u32 next; /* struct, DATASEC: the next member to look at */
};

struct walk {
	struct btf_check *c;
	u8 *visits; /* enum visit of each id */
	enum mode mode;
	u32 depth;
	struct vertex stack[BTF_DEPTH_MAX];
};

static int refuse(struct walk *w, const struct btf_type *t, const char *complaint)
{
	btf_log_type(w->c, t, "%s", complaint);
	return -EINVAL;
}

static bool is_sink(const struct walk *w, const struct btf_type *t)
{
	switch (w->mode) {
	case MODE_PTR: return !btf_has(t, BTF_MODIFIER) && !btf_type_is(t, BTF_KIND_PTR);
	case MODE_STRUCT_OR_ARRAY:
		return !btf_has(t, BTF_MODIFIER) && !btf_type_is(t, BTF_KIND_ARRAY) &&
		       !btf_type_is_struct(t);
	default: return !btf_has(t, BTF_RESOLVES);
	}
}

static bool is_resolved(const struct walk *w, u32 id)
{
	return w->visits[id] == RESOLVED;
}

static bool must_walk(const struct walk *w, const struct btf_type *t, u32 id)
{
	return !is_sink(w, t) && !is_resolved(w, id);
}

static int push(struct walk *w, const struct btf_type *t, u32 id)
{
	if (w->depth == BTF_DEPTH_MAX)
		return -E2BIG;
	if (w->visits[id] != NOT_VISITED)
		return -EEXIST;
	w->visits[id] = VISITED;
	w->stack[w->depth++] = (struct vertex){.t = t, .id = id};
	if (w->mode == MODE_TBD) {
		if (btf_type_is(t, BTF_KIND_PTR))
			w->mode = MODE_PTR;
		else if (btf_type_is_struct(t) || btf_type_is(t, BTF_KIND_ARRAY))
			w->mode = MODE_STRUCT_OR_ARRAY;
	}
	return 0;
}

static int pop(struct walk *w, u32 resolved_id, u32 resolved_size)
{
	u32 id = w->stack[--w->depth].id;

	w->c->btf->resolved_ids[id] = resolved_id;
	w->c->btf->resolved_sizes[id] = resolved_size;
	w->visits[id] = RESOLVED;
	return 0;
}

/* The type a modifier, pointer or variable refers to, when such a reference is allowed. */
static const struct btf_type *next_of(const struct walk *w, u32 id)
{
	const struct btf_type *t = btf_type_at(w->c->btf, id);

	return t && !btf_has(t, BTF_SOURCE) ? t : NULL;
}

/*
 * A modifier that was followed on behalf of a struct may have stopped at a pointer; a pointer (or a
 * variable) goes on from there, lest a ring of pointers is missed.
 */
static bool stopped_at_ptr(const struct walk *w, const struct btf_type *t, u32 id, u32 *ret_id)
{
	const struct btf_type *resolved;

	if (!btf_has(t, BTF_MODIFIER))
		return false;
	id = w->c->btf->resolved_ids[id];
	resolved = btf_type_at(w->c->btf, id);
	if (!btf_type_is(resolved, BTF_KIND_PTR) || !must_walk(w, resolved, id))
		return false;
	*ret_id = id;
	return true;
}

/* What has no size and may be pointed to or be qualified: void, FWD, FUNC_PROTO. */
static bool is_opaque(const struct btf_type *t)
{
	return btf_type_is(t, BTF_KIND_UNKN) || btf_type_is(t, BTF_KIND_FWD) ||
	       btf_type_is(t, BTF_KIND_FUNC_PROTO);
}

/* The end of a modifier's or a pointer's walk; next is what it refers to. */
static int finish_ref(struct walk *w, const struct btf_type *t, const struct btf_type *next, u32 id)
{
	const struct btf_obj *btf = w->c->btf;

	if (!btf_sized(btf, &id, NULL)) {
		if (is_resolved(w, id)) {
			id = btf->resolved_ids[id];
			next = btf_type_at(btf, id);
		}
		if (!is_opaque(next))
			return refuse(w, t, "Invalid type_id");
	}
	return pop(w, id, 0);
}

static int resolve_modifier(struct walk *w, struct vertex *v)
{
	u32 id = v->t->type;
	const struct btf_type *next = next_of(w, id);

	if (!next)
		return refuse(w, v->t, "Invalid type_id");
	if (must_walk(w, next, id))
		return push(w, next, id);
	return finish_ref(w, v->t, next, id);
}

static int resolve_ptr(struct walk *w, struct vertex *v)
{
	u32 id = v->t->type, ptr_id;
	const struct btf_type *next = next_of(w, id);

	if (!next)
		return refuse(w, v->t, "Invalid type_id");
	if (must_walk(w, next, id))
		return push(w, next, id);
	if (stopped_at_ptr(w, next, id, &ptr_id))
		return push(w, btf_type_at(w->c->btf, ptr_id), ptr_id);
	return finish_ref(w, v->t, next, id);
}

static int resolve_var(struct walk *w, struct vertex *v)
{
	u32 id = v->t->type, ptr_id;
	const struct btf_type *next = next_of(w, id);

	if (!next)
		return refuse(w, v->t, "Invalid type_id");
	if (must_walk(w, next, id))
		return push(w, next, id);
	if (stopped_at_ptr(w, next, id, &ptr_id))
		return push(w, btf_type_at(w->c->btf, ptr_id), ptr_id);
	if (!btf_sized(w->c->btf, &id, NULL))
		return refuse(w, v->t, "Invalid type_id");
	return pop(w, id, 0);
}

/* The element or the index of an array: a type that has a value. */
static const struct btf_type *valued(const struct walk *w, u32 id)
{
	const struct btf_type *t = btf_type_at(w->c->btf, id);

	return !t || btf_is_no_type(t) || btf_has(t, BTF_SOURCE) ? NULL : t;
}

static int resolve_array(struct walk *w, struct vertex *v)
{
	const struct btf_array *array = btf_type_array(v->t);
	const struct btf_obj *btf = w->c->btf;
	u32 index_id = array->index_type, elem_id = array->type, elem_size;
	const struct btf_type *index, *elem;

	index = valued(w, index_id);
	if (!index)
		return refuse(w, v->t, "Invalid index");
	if (must_walk(w, index, index_id))
		return push(w, index, index_id);
	index = btf_sized(btf, &index_id, NULL);
	if (!index || !btf_type_is_regular_int(index))
		return refuse(w, v->t, "Invalid index");

	elem = valued(w, elem_id);
	if (!elem)
		return refuse(w, v->t, "Invalid elem");
	if (must_walk(w, elem, elem_id))
		return push(w, elem, elem_id);
	elem = btf_sized(btf, &elem_id, &elem_size);
	if (!elem)
		return refuse(w, v->t, "Invalid elem");
	if (btf_type_is(elem, BTF_KIND_INT) && !btf_type_is_regular_int(elem))
		return refuse(w, v->t, "Invalid array of int");
	if (array->nelems && elem_size > UINT32_MAX / array->nelems)
		return refuse(w, v->t, "Array size overflows U32_MAX");
	return pop(w, elem_id, elem_size * array->nelems);
}

static int resolve_struct(struct walk *w, struct vertex *v)
{
	const struct btf_member *members = btf_raw_members(v->t);
	u32 vlen = btf_type_vlen(v->t);
	int err;

	/* A member that was walked into: now its size is known. */
	if (v->next) {
		const struct btf_member *last = &members[v->next - 1];

		err = btf_check_member(w->c, v->t, last, btf_type_at(w->c->btf, last->type));
		if (err)
			return err;
	}
	for (u32 i = v->next; i < vlen; i++) {
		const struct btf_type *t = valued(w, members[i].type);

		if (!t) {
			btf_log_member(w->c, v->t, &members[i], "Invalid member");
			return -EINVAL;
		}
		if (must_walk(w, t, members[i].type)) {
			v->next = i + 1;
			return push(w, t, members[i].type);
		}
		err = btf_check_member(w->c, v->t, &members[i], t);
		if (err)
			return err;
	}
	return pop(w, 0, 0);
}

static int resolve_func(struct walk *w, struct vertex *v)
{
	const struct btf_type *proto = btf_type_at(w->c->btf, v->t->type);
	const struct btf_param *args;

	if (!proto || !btf_type_is(proto, BTF_KIND_FUNC_PROTO))
		return refuse(w, v->t, "Invalid type_id");
	args = btf_raw_params(proto);
	for (u32 i = 0; i < btf_type_vlen(proto); i++) {
		if (!args[i].name_off && args[i].type) {
			btf_log_type(w->c, v->t, "Invalid arg#%u", i + 1);
			return -EINVAL;
		}
	}
	return pop(w, v->t->type, 0);
}

static int resolve_datasec(struct walk *w, struct vertex *v)
{
	const struct btf_var_secinfo *vars = btf_raw_vars(v->t);
	const struct btf_obj *btf = w->c->btf;

	w->mode = MODE_TBD;
	for (u32 i = v->next; i < btf_type_vlen(v->t); i++) {
		const struct btf_type *var = btf_type_at(btf, vars[i].type);
		u32 id, size = 0;

		if (!var || !btf_type_is(var, BTF_KIND_VAR)) {
			btf_log_var(w->c, v->t, &vars[i], "Not a VAR kind member");
			return -EINVAL;
		}
		if (must_walk(w, var, vars[i].type)) {
			v->next = i + 1;
			return push(w, var, vars[i].type);
		}
		id = var->type;
		if (!btf_sized(btf, &id, &size)) {
			btf_log_var(w->c, v->t, &vars[i], "Invalid type");
			return -EINVAL;
		}
		if (vars[i].size < size) {
			btf_log_var(w->c, v->t, &vars[i], "Invalid size");
			return -EINVAL;
		}
	}
	return pop(w, 0, 0);
}

static bool is_tag_target(const struct btf_type *t)
{
	return btf_type_is(t, BTF_KIND_FUNC) || btf_type_is_struct(t) ||
	       btf_type_is(t, BTF_KIND_VAR) || btf_type_is(t, BTF_KIND_TYPEDEF);
}

/* How many components a tag may choose from; the target is resolved. */
static u32 component_cnt(const struct walk *w, const struct btf_type *target)
{
	if (btf_type_is_struct(target))
		return btf_type_vlen(target);
	if (btf_type_is(target, BTF_KIND_FUNC))
		return btf_type_vlen(btf_type_at(w->c->btf, target->type));
	return 0;
}

static int resolve_decl_tag(struct walk *w, struct vertex *v)
{
	const struct btf_decl_tag *tag = btf_type_tail(v->t);
	u32 id = v->t->type;
	const struct btf_type *target = btf_type_at(w->c->btf, id);

	if (!target || !is_tag_target(target))
		return refuse(w, v->t, "Invalid type_id");
	if (must_walk(w, target, id))
		return push(w, target, id);
	if (tag->component_idx != -1 && (u32)tag->component_idx >= component_cnt(w, target))
		return refuse(w, v->t, "Invalid component_idx");
	return pop(w, id, 0);
}

/* Kinds that do not resolve are never pushed. */
static int resolve_none(struct walk *w, struct vertex *v)
{
	btf_log_basic(w->c, v->t, "Unsupported resolve");
	return -EINVAL;
}

static int (*const resolvers[])(struct walk *, struct vertex *) = {
#define KIND(name, fixed, each, props, detail, resolve, ...) [BTF_KIND_##name] = resolve_##resolve,
#include "btf/kinds.def"
#undef KIND
};

/* What a finished walk must have left behind. */
static bool is_sound(const struct walk *w, const struct btf_type *t, u32 id)
{
	const struct btf_obj *btf = w->c->btf;
	u32 to = btf->resolved_ids[id], size = btf->resolved_sizes[id];
	const struct btf_type *target;

	if (!is_resolved(w, id))
		return false;
	if (btf_type_is_struct(t) || btf_type_is(t, BTF_KIND_DATASEC))
		return !to && !size;
	if (btf_type_is(t, BTF_KIND_DECL_TAG) || btf_type_is(t, BTF_KIND_FUNC))
		return to && !size;
	if (btf_type_is(t, BTF_KIND_ARRAY)) {
		const struct btf_array *array = btf_type_array(t);
		u32 elem_id = array->type, elem_size;
		const struct btf_type *elem = btf_sized(btf, &elem_id, &elem_size);

		return elem && !btf_has(elem, BTF_MODIFIER) && array->nelems * elem_size == size;
	}
	target = btf_type_at(btf, to);
	return target && !btf_has(target, BTF_MODIFIER | BTF_SOURCE);
}

static int walk_from(struct walk *w, const struct btf_type *t, u32 id)
{
	u32 outer_id = w->c->log_id;
	int err;

	w->mode = MODE_TBD;
	err = push(w, t, id);
	while (!err && w->depth) {
		struct vertex *v = &w->stack[w->depth - 1];

		w->c->log_id = v->id;
		err = resolvers[btf_type_kind(v->t)](w, v);
	}
	w->c->log_id = id;
	if (err == -E2BIG)
		btf_log_type(w->c, t, "Exceeded max resolving depth:%u", BTF_DEPTH_MAX);
	else if (err == -EEXIST)
		btf_log_type(w->c, t, "Loop detected");
	else if (!err && !is_sound(w, t, id))
		err = refuse(w, t, "Invalid resolve state");
	w->c->log_id = outer_id;
	return err;
}

/* A return type or a parameter: 0, or <0; *ret_fits false when a value of it cannot be passed. */
static int check_passed(struct walk *w, u32 id, bool *ret_fits)
{
	const struct btf_type *t = next_of(w, id);

	*ret_fits = false;
	if (!t)
		return 0;
	if (btf_has(t, BTF_RESOLVES) && !is_resolved(w, id)) {
		int err = walk_from(w, t, id);

		if (err)
			return err;
	}
	*ret_fits = btf_sized(w->c->btf, &id, NULL);
	return 0;
}

static bool is_arg_name(const struct btf_obj *btf, u32 off)
{
	return !off || (btf_is_name_off(btf, off) && btf_is_identifier(btf, off));
}

static int refuse_arg(struct walk *w, const struct btf_type *t, u32 nr)
{
	btf_log_type(w->c, t, "Invalid arg#%u", nr);
	return -EINVAL;
}

static int check_proto(struct walk *w, const struct btf_type *t)
{
	const struct btf_param *args = btf_raw_params(t);
	u32 cnt = btf_type_vlen(t);
	bool fits;
	int err;

	if (t->type) {
		err = check_passed(w, t->type, &fits);
		if (err)
			return err;
		if (!fits)
			return refuse(w, t, "Invalid return type");
	}
	/* A last parameter of type void is "...". */
	if (cnt && !args[cnt - 1].type) {
		if (args[cnt - 1].name_off)
			return refuse_arg(w, t, cnt);
		cnt--;
	}
	for (u32 i = 0; i < cnt; i++) {
		if (!next_of(w, args[i].type) || !is_arg_name(w->c->btf, args[i].name_off))
			return refuse_arg(w, t, i + 1);
		err = check_passed(w, args[i].type, &fits);
		if (err)
			return err;
		if (!fits)
			return refuse_arg(w, t, i + 1);
	}
	return 0;
}

static int check_all(struct walk *w)
{
	const struct btf_obj *btf = w->c->btf;
	int err = 0;

	for (u32 id = 1; id < btf->type_cnt && !err; id++) {
		const struct btf_type *t = btf->types[id];

		w->c->log_id = id;
		if (btf_has(t, BTF_RESOLVES) && !is_resolved(w, id))
			err = walk_from(w, t, id);
		else if (btf_type_is(t, BTF_KIND_FUNC_PROTO))
			err = check_proto(w, t);
	}
	return err;
}

/*
 * Chains of modifiers: not longer than BTF_DEPTH_MAX, and type tags only next to the pointer they
 * belong to, before other modifiers. good_id: chains from here down were seen to be fine.
 */
static int check_chain(struct btf_check *c, u32 id, u32 good_id)
{
	const struct btf_type *t = c->btf->types[id];
	bool in_tags = btf_type_is(t, BTF_KIND_TYPE_TAG);
	int left = BTF_DEPTH_MAX;

	while (btf_has(t, BTF_MODIFIER)) {
		if (!left--) {
			btf_log(c, "Max chain length or cycle detected");
			return -ELOOP;
		}
		if (!btf_type_is(t, BTF_KIND_TYPE_TAG)) {
			in_tags = false;
		} else if (!in_tags) {
			btf_log(c, "Type tags don't precede modifiers");
			return -EINVAL;
		}
		if (id <= good_id)
			break;
		id = t->type;
		t = btf_type_at(c->btf, id);
		if (!t)
			return -EINVAL;
	}
	return 0;
}

static int check_chains(struct btf_check *c)
{
	u32 good_id = 0;
	int err;

	for (u32 id = 1; id < c->btf->type_cnt; id++) {
		if (!btf_has(c->btf->types[id], BTF_MODIFIER))
			continue;
		err = check_chain(c, id, good_id);
		if (err)
			return err;
		good_id = id;
	}
	return 0;
}

int btf_check_refs(struct btf_check *c)
{
	struct btf_obj *btf = c->btf;
	struct walk w = {.c = c};
	int err;

	btf->resolved_ids = mem_array(btf->type_cnt, sizeof(u32));
	btf->resolved_sizes = mem_array(btf->type_cnt, sizeof(u32));
	w.visits = mem_array(btf->type_cnt, 1);
	if (!btf->resolved_ids || !btf->resolved_sizes || !w.visits) {
		err = -ENOMEM;
		goto out;
	}
	c->meta_done = true;
	err = check_all(&w);
	if (!err)
		err = check_chains(c);
out:
	mem_free(w.visits);
	return err;
}
