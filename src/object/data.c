/*
 * Sections of variables, as BTF describes them. Most are data and of no danger; four kinds mean more:
 *
 *	.maps        each variable is a map, its members are the map's attributes
 *	.kconfig     extern variables; libbpf lays them out one after the other
 *	.ksyms       extern variables and functions of the kernel
 *	.struct_ops  each variable is a table of functions, copied with the size of its type
 */
#include <errno.h>

#include "btf/btf.h"
#include "object/file.h"

enum {
	KCONFIG_MAX = 16 << 20, /* bytes of .kconfig variables */
	MAP_TYPE_STRUCT_OPS = 26,
};

static const struct btf_var_secinfo *vars_of(const struct btf_type *sec)
{
	return btf_type_tail(sec);
}

/* The number that "int (*member)[N]" stands for, as libbpf reads it; 0 for other types. */
static u32 number_of(const struct object_file *f, u32 id)
{
	const struct btf_type *t = object_skip_modifiers(f, id);

	if (!btf_type_is(t, BTF_KIND_PTR) || !btf_type_is(f->btf.types[t->type], BTF_KIND_ARRAY))
		return 0;
	return btf_type_array(f->btf.types[t->type])->nelems;
}

static int check_map(struct object_file *f, const struct btf_var_secinfo *info)
{
	const struct btf_type *var = f->btf.types[info->type], *def;
	const char *name = object_btf_str(f, var->name_off);
	const struct btf_member *m;

	/* The name becomes part of a path when the map is to be pinned. */
	if (!name[0] || strchr(name, '/'))
		return object_bad(f, "a map in it is named \"%.64s\"", name);
	def = object_skip_modifiers(f, var->type);
	if (!btf_type_is_struct(def))
		return object_bad(f, "map %s is not described by a struct", name);
	m = btf_type_tail(def);
	for (u32 i = 0; i < btf_type_vlen(def); i++, m++)
		if (!strcmp(object_btf_str(f, m->name_off), "type") &&
			number_of(f, m->type) == MAP_TYPE_STRUCT_OPS)
			return object_refuse(f, -EINVAL,
				"has map %s of type struct_ops in .maps: define its variable with "
				"SEC(\".struct_ops\")",
				name);
	f->map_cnt++;
	return 0;
}

static int check_kconfig(struct object_file *f, const struct btf_var_secinfo *info)
{
	const struct btf_type *var = f->btf.types[info->type];
	const char *name = object_btf_str(f, var->name_off);
	const struct btf_type *t = object_skip_modifiers(f, var->type);

	while (btf_type_is(t, BTF_KIND_ARRAY))
		t = object_skip_modifiers(f, btf_type_array(t)->type);
	if (btf_type_is_struct(t))
		return object_refuse(f, -EINVAL,
			"has the .kconfig variable %s of a type that no setting has: use a number, "
			"an enum or an array of char",
			name);
	/* One a symbol: two symbols may share the name. */
	if (f->btf.sizes[var->type] > KCONFIG_MAX / MAX(f->extern_cnt, 1u))
		return object_too_large(f, "its .kconfig variable %s has %llu bytes", name,
			(unsigned long long)f->btf.sizes[var->type]);
	return 0;
}

static int check_ops(struct object_file *f, const struct btf_var_secinfo *info)
{
	const struct btf_type *var = f->btf.types[info->type];

	if (object_in_sec(f, f->ops_idx, info->offset, f->btf.sizes[var->type]))
		return 0;
	return object_bad(
		f, "%s ends past the end of section .struct_ops", object_btf_str(f, var->name_off));
}

static int check_plain(struct object_file *f, const struct btf_var_secinfo *info)
{
	return 0;
}

/* What an entry of a section of variables may be: a variable, or an extern function as well. */
static int check_entry(const struct object_file *f, u32 sec, const struct btf_var_secinfo *info)
{
	const struct btf_type *t = f->btf.types[sec], *entry = f->btf.types[info->type];
	const char *name = object_btf_str(f, t->name_off);

	if (!btf_type_is(entry, BTF_KIND_VAR) &&
		(!btf_type_is(entry, BTF_KIND_FUNC) || !strcmp(name, ".kconfig")))
		return object_bad(f,
			"section %.64s has type %u of its BTF in it, which is no variable", name,
			info->type);
	/* Compilers leave the size to libbpf, linkers know it. */
	if (t->size && (u64)info->offset + info->size > t->size && strcmp(name, ".ksyms"))
		return object_bad(f, "%.64s lies outside of its section %.64s in its BTF",
			object_btf_str(f, entry->name_off), name);
	return 0;
}

static int check_section(struct object_file *f, u32 id)
{
	static const struct {
		const char *name;
		int (*check)(struct object_file *f, const struct btf_var_secinfo *info);
	} rows[] = {{".maps", check_map}, {".kconfig", check_kconfig}, {".struct_ops", check_ops}};
	const struct btf_type *t = f->btf.types[id];
	const char *name = object_btf_str(f, t->name_off);
	int (*check)(struct object_file * f, const struct btf_var_secinfo *info) = check_plain;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(name, rows[i].name))
			check = rows[i].check;
	for (u32 i = 0; i < btf_type_vlen(t) && !err; i++) {
		err = check_entry(f, id, &vars_of(t)[i]);
		if (!err && btf_type_is(f->btf.types[vars_of(t)[i].type], BTF_KIND_VAR))
			err = check(f, &vars_of(t)[i]);
	}
	f->btf.datasecs++;
	f->btf.vars += btf_type_vlen(t);
	return err;
}

/* libbpf finds the first of a name here and the last there. */
static int check_twins(const struct object_file *f, u32 id, u32 *first)
{
	static const char *const names[] = {".maps", ".kconfig", ".ksyms", ".struct_ops"};
	const char *name = object_btf_str(f, f->btf.types[id]->name_off);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]))
			continue;
		if (first[i])
			return object_bad(f, "its BTF has section %s twice", name);
		first[i] = id;
	}
	return 0;
}

int object_check_data(struct object_file *f)
{
	u32 first[4] = {0};
	int err = 0;

	for (u32 id = 1; id < f->btf.cnt && !err; id++) {
		if (!btf_type_is(f->btf.types[id], BTF_KIND_DATASEC))
			continue;
		err = check_twins(f, id, first);
		if (!err)
			err = check_section(f, id);
	}
	return err;
}
