/*
 * .BTF as a compiler or bpftool wrote it, before libbpf and the kernel look: not yet what
 * BPF_BTF_LOAD demands (sizes of sections are missing, externs are no variables yet), but of one
 * piece: each type whole and of a known kind, each id and each name in range. How the types contain
 * each other is seen in nests.c.
 */
#include <errno.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "object/file.h"

/* What follows a type is in the rows of the kinds. */
struct kind_row {
	u8 fixed, each;
	bool has_type; /* the union holds a type, not a size */
};

enum { SIZED = 1, MODIFIER = 0, RESOLVES = 0, SOURCE = 0, NOSIZE = 0 };
#define KIND(kind, fixed_len, each_len, props, ...)                                                \
	[BTF_KIND_##kind] = {.fixed = fixed_len, .each = each_len, .has_type = !((props)&SIZED)},
static const struct kind_row kinds[] = {
	[BTF_KIND_UNKN] = {0},
#include "btf/kinds.def"
};
#undef KIND

enum {
	TYPES_MIN = 64,
	NUMBER_MAX = 16, /* bytes */
};

void object_btf_done(struct object_types *btf)
{
	mem_free(btf->mem);
	mem_free(btf->types);
	mem_free(btf->sizes);
}

static int no_memory(const struct object_file *f)
{
	return object_refuse(f, -ENOMEM, "cannot be read: not enough memory");
}

static int read_header(struct object_file *f, struct btf_header *ret_hdr)
{
	u32 space;

	if (f->btf_len < sizeof(*ret_hdr))
		return object_bad(f, "its BTF is shorter than a header");
	if (f->btf_len > BTF_SIZE_MAX)
		return object_too_large(f, "it has %llu bytes of BTF (limit %u)",
			(unsigned long long)f->btf_len, BTF_SIZE_MAX);
	memcpy(ret_hdr, f->btf_data, sizeof(*ret_hdr));
	if (ret_hdr->magic != BTF_MAGIC || ret_hdr->version != BTF_VERSION || ret_hdr->flags)
		return object_bad(f, "its BTF is of another version or byte order");
	if (ret_hdr->hdr_len < sizeof(*ret_hdr) || ret_hdr->hdr_len > f->btf_len ||
		ret_hdr->hdr_len % sizeof(u32) || ret_hdr->type_off % sizeof(u32))
		return object_bad(f, "its BTF has a header of %u bytes", ret_hdr->hdr_len);
	space = (u32)f->btf_len - ret_hdr->hdr_len;
	if ((u64)ret_hdr->type_off + ret_hdr->type_len > ret_hdr->str_off ||
		(u64)ret_hdr->str_off + ret_hdr->str_len > space)
		return object_bad(f, "its BTF has types or texts past its end");
	return 0;
}

static int read_strings(struct object_file *f, const struct btf_header *hdr)
{
	const char *strings = (const char *)f->btf.mem + hdr->hdr_len + hdr->str_off;

	if (!hdr->str_len || strings[0] || strings[hdr->str_len - 1])
		return object_bad(f, "the names in its BTF are no texts");
	f->btf.strings = strings;
	f->btf.str_len = hdr->str_len;
	return 0;
}

static int add_type(struct object_file *f, const struct btf_type *t, u32 *cap)
{
	static const struct btf_type void_type;
	struct object_types *btf = &f->btf;

	if (btf->cnt + 1 >= *cap) {
		u32 new_cap = *cap ? *cap * 2 : TYPES_MIN;
		const struct btf_type **types = mem_realloc(btf->types, new_cap, sizeof(*types));

		if (!types)
			return no_memory(f);
		btf->types = types;
		*cap = new_cap;
	}
	if (!btf->cnt)
		btf->types[btf->cnt++] = &void_type;
	btf->types[btf->cnt++] = t;
	return 0;
}

static int read_types(struct object_file *f, const struct btf_header *hdr)
{
	const u8 *cur = f->btf.mem + hdr->hdr_len + hdr->type_off, *end = cur + hdr->type_len;
	u32 cap = 0, id;
	int err = 0;

	for (id = 1; cur < end && !err; id++) {
		const struct btf_type *t = (const struct btf_type *)cur;
		size_t left = end - cur, len = sizeof(*t);
		u32 kind;

		if (left < len)
			return object_bad(f, "type %u of its BTF is cut short", id);
		kind = btf_type_kind(t);
		if (!kind || kind >= ARRAY_SIZE(kinds))
			return object_refuse(f, -EINVAL,
				"has a type of kind %u in its BTF (number %u), which is not known "
				"here; compile it with an older or without a newer option",
				kind, id);
		len += kinds[kind].fixed + kinds[kind].each * btf_type_vlen(t);
		if (left < len)
			return object_bad(f, "type %u of its BTF is cut short", id);
		err = add_type(f, t, &cap);
		cur += len;
	}
	if (!err && !f->btf.cnt)
		return object_bad(f, "its BTF has no types");
	return err;
}

/* --- references ------------------------------------------------------------------------------- */

static int check_id(const struct object_file *f, u32 from, u32 id)
{
	if (id < f->btf.cnt)
		return 0;
	return object_bad(
		f, "type %u of its BTF refers to type %u of %u", from, id, f->btf.cnt - 1);
}

static int check_name(const struct object_file *f, u32 from, u32 off)
{
	if (off < f->btf.str_len)
		return 0;
	return object_bad(
		f, "type %u of its BTF has a name at byte %u of %u", from, off, f->btf.str_len);
}

/*
 * Whatever follows a type vlen times begins with a name and a type; but for enumerators, which have
 * no type, and variables of a section, which have no name.
 */
static int check_items(const struct object_file *f, u32 id, const struct btf_type *t)
{
	u32 kind = btf_type_kind(t), each = kinds[kind].each / sizeof(u32);
	bool is_enum = kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
	const u32 *item = btf_type_tail(t);
	int err = 0;

	for (u32 i = 0; each && i < btf_type_vlen(t) && !err; i++, item += each) {
		if (kind == BTF_KIND_DATASEC) {
			err = check_id(f, id, item[0]);
			continue;
		}
		err = check_name(f, id, item[0]);
		if (!err && !is_enum)
			err = check_id(f, id, item[1]);
	}
	return err;
}

static int check_refs(const struct object_file *f, u32 id)
{
	const struct btf_type *t = f->btf.types[id];
	u32 kind = btf_type_kind(t);
	int err = check_name(f, id, t->name_off);

	if (!err && kind == BTF_KIND_ARRAY) {
		err = check_id(f, id, btf_type_array(t)->type);
		if (!err)
			err = check_id(f, id, btf_type_array(t)->index_type);
	} else if (!err && kinds[kind].has_type && kind != BTF_KIND_FWD) {
		err = check_id(f, id, t->type);
	}
	if (!err && (kind == BTF_KIND_INT || kind == BTF_KIND_FLOAT || btf_type_is_enum(t)) &&
		t->size > NUMBER_MAX)
		return object_bad(f, "type %u of its BTF is a number of %u bytes", id, t->size);
	if (!err && kind == BTF_KIND_FUNC &&
		btf_type_kind(f->btf.types[t->type]) != BTF_KIND_FUNC_PROTO)
		return object_bad(f, "function %s in its BTF has type %u, which is no prototype",
			object_btf_str(f, t->name_off), t->type);
	return err ? err : check_items(f, id, t);
}

const struct btf_type *object_skip_modifiers(const struct object_file *f, u32 id)
{
	const struct btf_type *t = f->btf.types[id];

	while (btf_type_is_modifier(t))
		t = f->btf.types[t->type];
	return t;
}

int object_check_btf(struct object_file *f)
{
	struct btf_header hdr;
	int err;

	if (!f->btf_data)
		return 0;
	err = read_header(f, &hdr);
	if (err)
		return err;
	f->btf.mem = mem_dup(f->btf_data, f->btf_len);
	if (!f->btf.mem)
		return no_memory(f);
	err = read_strings(f, &hdr);
	if (!err)
		err = read_types(f, &hdr);
	for (u32 id = 1; id < f->btf.cnt && !err; id++)
		err = check_refs(f, id);
	return err ? err : object_check_nests(f);
}
