/*
 * Types are written in bpftool's way: each part is followed by a space, so a pointer is "struct x * ",
 * and only a name after it closes up. Depth is limited because BTF from elsewhere may nest deeply.
 */
#include "signature.h"

#include <bpf/btf.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

static void add_type(struct buf *out, const struct btf *btf, u32 id, int depth);

static const char *name_of(const struct btf *btf, u32 off)
{
	const char *name = btf__name_by_offset(btf, off);

	return name ? name : "";
}

/* RET NAME(ARG, ARG); without a name for pointers to functions. */
static void add_proto(struct buf *out, const struct btf *btf, const struct btf_type *proto,
	const char *name, int depth)
{
	const struct btf_param *p = btf_params(proto);

	add_type(out, btf, proto->type, depth);
	buf_printf(out, "%s(", name);
	for (u32 i = 0; i < btf_vlen(proto); i++) {
		if (i)
			buf_str(out, ", ");
		if (!p[i].type) {
			buf_str(out, "...");
			continue;
		}
		add_type(out, btf, p[i].type, depth);
		if (p[i].name_off)
			buf_str(out, name_of(btf, p[i].name_off));
		else if (out->len && out->data[out->len - 1] == ' ')
			out->data[--out->len] = 0;
	}
	buf_str(out, ")");
}

static void add_prefixed(struct buf *out, const char *prefix, const char *name)
{
	buf_printf(out, "%s%s ", prefix, name);
}

static void add_type(struct buf *out, const struct btf *btf, u32 id, int depth)
{
	const struct btf_type *type = id ? btf__type_by_id(btf, id) : NULL;
	const char *name;

	if (!type || depth > DEPTH_MAX) {
		buf_str(out, "void ");
		return;
	}
	name = name_of(btf, type->name_off);
	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT: add_prefixed(out, "struct ", name); break;
	case BTF_KIND_UNION: add_prefixed(out, "union ", name); break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: add_prefixed(out, "enum ", name); break;
	case BTF_KIND_FWD: add_prefixed(out, btf_kflag(type) ? "union " : "struct ", name); break;
	case BTF_KIND_ARRAY:
		add_type(out, btf, btf_array(type)->type, depth + 1);
		buf_printf(out, "[%u]", btf_array(type)->nelems);
		break;
	case BTF_KIND_PTR:
		add_type(out, btf, type->type, depth + 1);
		buf_str(out, "* ");
		break;
	case BTF_KIND_VOLATILE:
		buf_str(out, "volatile ");
		add_type(out, btf, type->type, depth + 1);
		break;
	case BTF_KIND_CONST:
		buf_str(out, "const ");
		add_type(out, btf, type->type, depth + 1);
		break;
	case BTF_KIND_RESTRICT:
		buf_str(out, "restrict ");
		add_type(out, btf, type->type, depth + 1);
		break;
	case BTF_KIND_TYPE_TAG: add_type(out, btf, type->type, depth + 1); break;
	case BTF_KIND_FUNC_PROTO: add_proto(out, btf, type, "", depth + 1); break;
	default: add_prefixed(out, "", name);
	}
}

void signature_add(struct buf *out, const struct btf *btf, u32 id)
{
	const struct btf_type *func = btf__type_by_id(btf, id), *proto;

	if (!func || !btf_is_func(func))
		return;
	proto = btf__type_by_id(btf, func->type);
	if (proto && btf_is_func_proto(proto))
		add_proto(out, btf, proto, name_of(btf, func->name_off), 0);
}
