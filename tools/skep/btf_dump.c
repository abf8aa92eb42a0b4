/*
 * btf dump: types as rows, one a type, with the fields of its kind; or as C, which libbpf writes.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "info.h"
#include "object.h"
#include "out.h"
#include "ref.h"

/* Newer than the header of an older distribution. */
#ifndef BTF_KIND_ENUM64
#define BTF_KIND_ENUM64 19
#endif

struct dump {
	struct tool *t;
	struct btf *btf, *base;
	u32 roots[2]; /* only these types; 0 = none */
	size_t root_cnt;
	bool as_c;
};

static const char *const kind_names[] = {
	[BTF_KIND_UNKN] = "UNKNOWN",
	[BTF_KIND_INT] = "INT",
	[BTF_KIND_PTR] = "PTR",
	[BTF_KIND_ARRAY] = "ARRAY",
	[BTF_KIND_STRUCT] = "STRUCT",
	[BTF_KIND_UNION] = "UNION",
	[BTF_KIND_ENUM] = "ENUM",
	[BTF_KIND_FWD] = "FWD",
	[BTF_KIND_TYPEDEF] = "TYPEDEF",
	[BTF_KIND_VOLATILE] = "VOLATILE",
	[BTF_KIND_CONST] = "CONST",
	[BTF_KIND_RESTRICT] = "RESTRICT",
	[BTF_KIND_FUNC] = "FUNC",
	[BTF_KIND_FUNC_PROTO] = "FUNC_PROTO",
	[BTF_KIND_VAR] = "VAR",
	[BTF_KIND_DATASEC] = "DATASEC",
	[BTF_KIND_FLOAT] = "FLOAT",
	[BTF_KIND_DECL_TAG] = "DECL_TAG",
	[BTF_KIND_TYPE_TAG] = "TYPE_TAG",
	[BTF_KIND_ENUM64] = "ENUM64",
};

static const char *text_at(const struct btf *btf, u32 off)
{
	const char *text = off ? btf__name_by_offset(btf, off) : NULL;

	return !off ? "(anon)" : text ? text : "(invalid)";
}

/* One number of a row: " name=12" or "name":12. */
static void field(struct tool *t, const char *name, u64 value)
{
	if (t->json)
		json_uint_field(&t->w, name, value);
	else
		printf(" %s=%" PRIu64, name, value);
}

static void text_field(struct tool *t, const char *name, const char *value)
{
	if (t->json)
		json_string_field(&t->w, name, value);
	else
		printf(" %s=%s", name, value);
}

/* A part of a type: a row of its own in text, an object of an array in JSON. */
static void start_part(struct tool *t, const char *name)
{
	if (t->json)
		json_start_object(&t->w);
	else
		printf("\n\t");
	if (name && t->json)
		json_string_field(&t->w, "name", name);
	else if (name)
		printf("'%s'", name);
}

static void end_part(struct tool *t)
{
	if (t->json)
		json_end_object(&t->w);
}

static void start_parts(struct tool *t, const char *name)
{
	if (!t->json)
		return;
	json_name(&t->w, name);
	json_start_array(&t->w);
}

static void end_parts(struct tool *t)
{
	if (t->json)
		json_end_array(&t->w);
}

static const char *encoding_name(u32 encoding)
{
	switch (encoding) {
	case 0: return "(none)";
	case BTF_INT_SIGNED: return "SIGNED";
	case BTF_INT_CHAR: return "CHAR";
	case BTF_INT_BOOL: return "BOOL";
	}
	return "UNKN";
}

static const char *linkage_name(u32 linkage)
{
	static const char *const names[] = {"static", "global", "extern"};

	return linkage < ARRAY_SIZE(names) ? names[linkage] : "(unknown)";
}

static void dump_int(struct dump *d, const struct btf_type *type)
{
	u32 bits = *(const u32 *)(type + 1);

	field(d->t, "size", type->size);
	field(d->t, "bits_offset", BTF_INT_OFFSET(bits));
	field(d->t, "nr_bits", BTF_INT_BITS(bits));
	text_field(d->t, "encoding", encoding_name(BTF_INT_ENCODING(bits)));
}

static void dump_ref(struct dump *d, const struct btf_type *type)
{
	field(d->t, "type_id", type->type);
}

static void dump_array(struct dump *d, const struct btf_type *type)
{
	const struct btf_array *array = btf_array(type);

	field(d->t, "type_id", array->type);
	field(d->t, "index_type_id", array->index_type);
	field(d->t, "nr_elems", array->nelems);
}

static void dump_struct(struct dump *d, const struct btf_type *type)
{
	const struct btf_member *m = btf_members(type);

	field(d->t, "size", type->size);
	field(d->t, "vlen", btf_vlen(type));
	start_parts(d->t, "members");
	for (u32 i = 0; i < btf_vlen(type); i++) {
		u32 bits = btf_member_bitfield_size(type, i);

		start_part(d->t, text_at(d->btf, m[i].name_off));
		field(d->t, "type_id", m[i].type);
		field(d->t, "bits_offset", btf_member_bit_offset(type, i));
		if (bits)
			field(d->t, "bitfield_size", bits);
		end_part(d->t);
	}
	end_parts(d->t);
}

static void enum_value(struct dump *d, bool is_signed, s64 value, const char *suffix)
{
	struct tool *t = d->t;

	if (t->json && is_signed)
		json_int_field(&t->w, "val", value);
	else if (t->json)
		json_uint_field(&t->w, "val", (u64)value);
	else if (is_signed)
		printf(" val=%" PRId64 "%s", value, suffix);
	else
		printf(" val=%" PRIu64 "%s%s", (u64)value, *suffix ? "U" : "", suffix);
}

static void dump_enum(struct dump *d, const struct btf_type *type)
{
	const bool is_signed = btf_kflag(type);
	const struct btf_enum *e = btf_enum(type);

	text_field(d->t, "encoding", is_signed ? "SIGNED" : "UNSIGNED");
	field(d->t, "size", type->size);
	field(d->t, "vlen", btf_vlen(type));
	start_parts(d->t, "values");
	for (u32 i = 0; i < btf_vlen(type); i++) {
		start_part(d->t, text_at(d->btf, e[i].name_off));
		enum_value(d, is_signed, is_signed ? e[i].val : (s64)(u32)e[i].val, "");
		end_part(d->t);
	}
	end_parts(d->t);
}

static void dump_enum64(struct dump *d, const struct btf_type *type)
{
	const bool is_signed = btf_kflag(type);
	const struct btf_enum64 *e = btf_enum64(type);

	text_field(d->t, "encoding", is_signed ? "SIGNED" : "UNSIGNED");
	field(d->t, "size", type->size);
	field(d->t, "vlen", btf_vlen(type));
	start_parts(d->t, "values");
	for (u32 i = 0; i < btf_vlen(type); i++) {
		start_part(d->t, text_at(d->btf, e[i].name_off));
		enum_value(d, is_signed, (s64)((u64)e[i].val_hi32 << 32 | e[i].val_lo32), "LL");
		end_part(d->t);
	}
	end_parts(d->t);
}

static void dump_fwd(struct dump *d, const struct btf_type *type)
{
	text_field(d->t, "fwd_kind", btf_kflag(type) ? "union" : "struct");
}

static void dump_func(struct dump *d, const struct btf_type *type)
{
	field(d->t, "type_id", type->type);
	text_field(d->t, "linkage", linkage_name(btf_vlen(type)));
}

static void dump_func_proto(struct dump *d, const struct btf_type *type)
{
	const struct btf_param *p = btf_params(type);

	field(d->t, "ret_type_id", type->type);
	field(d->t, "vlen", btf_vlen(type));
	start_parts(d->t, "params");
	for (u32 i = 0; i < btf_vlen(type); i++) {
		start_part(d->t, text_at(d->btf, p[i].name_off));
		field(d->t, "type_id", p[i].type);
		end_part(d->t);
	}
	end_parts(d->t);
}

static void dump_var(struct dump *d, const struct btf_type *type)
{
	field(d->t, "type_id", type->type);
	if (!d->t->json)
		printf(",");
	text_field(d->t, "linkage", linkage_name(btf_var(type)->linkage));
}

static void dump_datasec(struct dump *d, const struct btf_type *type)
{
	const struct btf_var_secinfo *v = btf_var_secinfos(type);

	field(d->t, "size", type->size);
	field(d->t, "vlen", btf_vlen(type));
	start_parts(d->t, "vars");
	for (u32 i = 0; i < btf_vlen(type); i++) {
		const struct btf_type *var = btf__type_by_id(d->btf, v[i].type);

		if (d->t->json)
			json_start_object(&d->t->w);
		else
			printf("\n\ttype_id=%u", v[i].type);
		if (d->t->json)
			json_uint_field(&d->t->w, "type_id", v[i].type);
		field(d->t, "offset", v[i].offset);
		field(d->t, "size", v[i].size);
		if (!d->t->json && var && btf_kind(var) < ARRAY_SIZE(kind_names))
			printf(" (%s '%s')", kind_names[btf_kind(var)],
				text_at(d->btf, var->name_off));
		end_part(d->t);
	}
	end_parts(d->t);
}

static void dump_float(struct dump *d, const struct btf_type *type)
{
	field(d->t, "size", type->size);
}

static void dump_decl_tag(struct dump *d, const struct btf_type *type)
{
	s32 idx = *(const s32 *)(type + 1);

	field(d->t, "type_id", type->type);
	if (d->t->json)
		json_int_field(&d->t->w, "component_idx", idx);
	else
		printf(" component_idx=%d", idx);
}

static void (*const dump_kind[])(struct dump *d, const struct btf_type *type) = {
	[BTF_KIND_INT] = dump_int,
	[BTF_KIND_PTR] = dump_ref,
	[BTF_KIND_ARRAY] = dump_array,
	[BTF_KIND_STRUCT] = dump_struct,
	[BTF_KIND_UNION] = dump_struct,
	[BTF_KIND_ENUM] = dump_enum,
	[BTF_KIND_FWD] = dump_fwd,
	[BTF_KIND_TYPEDEF] = dump_ref,
	[BTF_KIND_VOLATILE] = dump_ref,
	[BTF_KIND_CONST] = dump_ref,
	[BTF_KIND_RESTRICT] = dump_ref,
	[BTF_KIND_FUNC] = dump_func,
	[BTF_KIND_FUNC_PROTO] = dump_func_proto,
	[BTF_KIND_VAR] = dump_var,
	[BTF_KIND_DATASEC] = dump_datasec,
	[BTF_KIND_FLOAT] = dump_float,
	[BTF_KIND_DECL_TAG] = dump_decl_tag,
	[BTF_KIND_TYPE_TAG] = dump_ref,
	[BTF_KIND_ENUM64] = dump_enum64,
};

static int dump_type(struct dump *d, u32 id)
{
	const struct btf_type *type = btf__type_by_id(d->btf, id);
	const char *name;
	u32 kind;

	if (!type)
		return fail(d->t, "can't find type with ID [%u]", id);
	kind = btf_kind(type);
	name = text_at(d->btf, type->name_off);
	if (d->t->json) {
		json_start_object(&d->t->w);
		json_uint_field(&d->t->w, "id", id);
		json_string_field(&d->t->w, "kind",
			kind < ARRAY_SIZE(kind_names) ? kind_names[kind] : "UNKNOWN");
		json_string_field(&d->t->w, "name", name);
	} else {
		printf("[%u] %s '%s'", id,
			kind < ARRAY_SIZE(kind_names) ? kind_names[kind] : "UNKNOWN", name);
	}
	if (kind < ARRAY_SIZE(dump_kind) && dump_kind[kind])
		dump_kind[kind](d, type);
	if (d->t->json)
		json_end_object(&d->t->w);
	else
		printf("\n");
	return 0;
}

static int dump_rows(struct dump *d)
{
	u32 first = d->base ? btf__type_cnt(d->base) : 1;
	int err = 0;

	if (d->t->json) {
		json_start_object(&d->t->w);
		json_name(&d->t->w, "types");
		json_start_array(&d->t->w);
	}
	for (size_t i = 0; i < d->root_cnt && !err; i++)
		err = dump_type(d, d->roots[i]);
	for (u32 id = first; !d->root_cnt && id < btf__type_cnt(d->btf) && !err; id++)
		err = dump_type(d, id);
	if (d->t->json) {
		json_end_array(&d->t->w);
		json_end_object(&d->t->w);
	}
	return err;
}

static void print_c(void *ctx, const char *fmt, va_list ap)
{
	vfprintf(stdout, fmt, ap);
}

/* The guard and the pragma are those that make the output a header for CO-RE programs. */
static int dump_c(struct dump *d)
{
	struct btf_dump *dumper;
	int err = 0;

	if (d->t->json)
		return fail_errno(
			d->t, -EOPNOTSUPP, "JSON output for C-syntax dump is not supported");
	dumper = btf_dump__new(d->btf, print_c, NULL, NULL);
	if (libbpf_get_error(dumper))
		return fail(d->t, "can't write C: %s", errno_text((int)libbpf_get_error(dumper)));
	printf("#ifndef __VMLINUX_H__\n"
	       "#define __VMLINUX_H__\n\n"
	       "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n"
	       "#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = "
	       "record)\n"
	       "#endif\n\n");
	for (size_t i = 0; i < d->root_cnt && !err; i++)
		err = btf_dump__dump_type(dumper, d->roots[i]);
	for (u32 id = 1; !d->root_cnt && id < btf__type_cnt(d->btf) && !err; id++)
		err = btf_dump__dump_type(dumper, id);
	printf("#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n"
	       "#pragma clang attribute pop\n"
	       "#endif\n\n"
	       "#endif /* __VMLINUX_H__ */\n");
	btf_dump__free(dumper);
	return err ? fail(d->t, "can't write C: %s", errno_text(err)) : 0;
}

static int load_id(struct dump *d, u32 id)
{
	char name[64] = "";
	struct bpf_btf_info info = {.name = (u64)(uintptr_t)name, .name_len = sizeof(name)};
	u32 len = sizeof(info);
	int fd = bpf_btf_get_fd_by_id(id), err;

	if (fd < 0)
		return fail_errno(d->t, fd, "get btf by id (%u): %s%s", id, errno_text(fd),
			ref_hint(d->t, fd));
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	/* A kernel module's types continue those of vmlinux. */
	if (!err && info.kernel_btf && strcmp(name, "vmlinux")) {
		d->base = btf__load_vmlinux_btf();
		if (libbpf_get_error(d->base))
			d->base = NULL;
	}
	if (!err)
		d->btf = btf__load_from_kernel_by_id_split(id, d->base);
	if (!err && libbpf_get_error(d->btf)) {
		err = (int)libbpf_get_error(d->btf);
		d->btf = NULL;
	}
	return err ? fail_errno(d->t, err, "get btf by id (%u): %s", id, errno_text(err)) : 0;
}

static int load_prog(struct dump *d, struct args *a)
{
	struct info_prog prog;
	struct ref ref;
	int err = ref_prog(d->t, a, &ref);
	u32 id = 0;

	if (err)
		return err;
	err = info_prog_get(ref.fds[0], 0, &prog);
	if (err) {
		err = fail(d->t, "can't get prog info: %s", errno_text(err));
	} else {
		id = prog.info.btf_id;
		info_prog_done(&prog);
	}
	ref_done(&ref);
	if (err)
		return err;
	return id ? load_id(d, id) : fail(d->t, "program has no BTF: compile with -g");
}

static int load_map(struct dump *d, struct args *a)
{
	struct bpf_map_info info;
	struct ref ref;
	int err = ref_map(d->t, a, &ref);
	bool key = false, value = false;

	if (err)
		return err;
	err = info_map_get(ref.fds[0], &info);
	ref_done(&ref);
	if (err)
		return fail(d->t, "can't get map info: %s", errno_text(err));
	if (args_take(a, "key"))
		key = true;
	else if (args_take(a, "value"))
		value = true;
	else if (!args_take(a, "all"))
		key = value = true;
	args_take(a, "kv"); /* what is meant without a word, too */
	if (!info.btf_id)
		return fail(d->t, "map has no BTF");
	if (key && info.btf_key_type_id)
		d->roots[d->root_cnt++] = info.btf_key_type_id;
	if (value && info.btf_value_type_id)
		d->roots[d->root_cnt++] = info.btf_value_type_id;
	return load_id(d, info.btf_id);
}

static int load_file(struct dump *d, struct args *a)
{
	const char *path = args_next(a);
	struct port_text text = {0};
	int err;

	if (!path)
		return fail_missing(d->t, "a file", "file");
	err = object_types(path, &d->btf, &text);
	return err ? fail(d->t, "%s", text.text) : 0;
}

static int load_source(struct dump *d, struct args *a)
{
	const char *word;
	u64 id;
	int err;

	if (args_take(a, "file"))
		return load_file(d, a);
	err = tool_engine_running(d->t);
	if (err)
		return err;
	if (args_take(a, "map"))
		return load_map(d, a);
	if (args_take(a, "prog"))
		return load_prog(d, a);
	if (!args_take(a, "id"))
		return fail(d->t, "unrecognized BTF source specifier: '%s' (id, prog, map or file)",
			a->cnt ? args_peek(a) : "nothing given");
	word = args_next(a);
	if (!word)
		return fail_missing(d->t, "a number", "id");
	if (args_number(word, UINT32_MAX, &id))
		return fail(d->t, "can't parse %s as ID", word);
	return load_id(d, (u32)id);
}

static int parse_format(struct dump *d, struct args *a)
{
	const char *word;

	if (!args_take(a, "format"))
		return a->cnt ? fail(d->t, "unrecognized option: '%s'", args_peek(a)) : 0;
	word = args_next(a);
	if (!word)
		return fail(d->t, "expecting value for 'format' option (raw or c)");
	d->as_c = !strcmp(word, "c");
	if (!d->as_c && strcmp(word, "raw"))
		return fail(
			d->t, "unrecognized format specifier: '%s', possible values: raw, c", word);
	return a->cnt ? fail_extra(d->t, a) : 0;
}

int verb_btf_dump(struct tool *t, struct args *a)
{
	struct dump d = {.t = t};
	int err = load_source(&d, a);

	if (!err)
		err = parse_format(&d, a);
	if (!err)
		err = d.as_c ? dump_c(&d) : dump_rows(&d);
	btf__free(d.btf);
	btf__free(d.base);
	return err;
}
