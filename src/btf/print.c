/*
 * A type as a C declaration without a name. C writes a type around the name it declares, so printing
 * has a part before the (absent) name and a part after it:
 *
 *	int (*)[4]	before: "int (*"	after: ")[4]"
 *
 * A type from a program may nest without end or be wide without measure: depth and length of the text
 * are bounded, and a cut shows as "...".
 */
#include "base/buf.h"
#include "btf/btf.h"

enum { TEXT_MAX = 512 };

struct printer {
	struct buf *buf;
	const struct btf_obj *btf;
	size_t end; /* of buf->len: no more from there */
	int depth;
};

static void print_before(struct printer *p, u32 id);
static void print_after(struct printer *p, u32 id);

static bool is_full(const struct printer *p)
{
	return p->buf->len >= p->end || p->depth > BTF_DEPTH_MAX;
}

static const struct btf_type *bare(const struct printer *p, u32 id)
{
	const struct btf_type *t = btf_type_at(p->btf, id);

	while (btf_type_is_modifier(t) && !btf_type_is(t, BTF_KIND_TYPEDEF))
		t = btf_type_at(p->btf, t->type);
	return t;
}

/* A pointer to it needs parentheses. */
static bool is_postfix(const struct btf_type *t)
{
	return btf_type_is(t, BTF_KIND_ARRAY) || btf_type_is(t, BTF_KIND_FUNC_PROTO);
}

static void print_ptr(struct printer *p, const struct btf_type *t)
{
	print_before(p, t->type);
	if (is_postfix(bare(p, t->type)))
		buf_str(p->buf, " (*");
	else if (p->buf->len && p->buf->data[p->buf->len - 1] == '*')
		buf_str(p->buf, "*");
	else
		buf_str(p->buf, " *");
}

static void print_qualifier(struct printer *p, const struct btf_type *t, const char *word)
{
	if (btf_type_is(bare(p, t->type), BTF_KIND_PTR)) {
		print_before(p, t->type);
		buf_str(p->buf, word);
	} else {
		buf_printf(p->buf, "%s ", word);
		print_before(p, t->type);
	}
}

static void print_named(struct printer *p, const char *word, u32 id)
{
	const char *name = btf_type_name(p->btf, id);

	buf_printf(p->buf, "%s%s", word, *name ? name : "(anon)");
}

static void print_before(struct printer *p, u32 id)
{
	const struct btf_type *t = btf_type_at(p->btf, id);

	if (is_full(p)) {
		buf_str(p->buf, "...");
		return;
	}
	p->depth++;
	switch (btf_type_kind(t)) {
	case BTF_KIND_UNKN: buf_str(p->buf, "void"); break;
	case BTF_KIND_PTR: print_ptr(p, t); break;
	case BTF_KIND_CONST: print_qualifier(p, t, "const"); break;
	case BTF_KIND_VOLATILE: print_qualifier(p, t, "volatile"); break;
	case BTF_KIND_RESTRICT: print_qualifier(p, t, "restrict"); break;
	case BTF_KIND_ARRAY: print_before(p, btf_type_array(t)->type); break;
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
	case BTF_KIND_TYPE_TAG:
	case BTF_KIND_FUNC_PROTO: print_before(p, t->type); break;
	case BTF_KIND_STRUCT: print_named(p, "struct ", id); break;
	case BTF_KIND_UNION: print_named(p, "union ", id); break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: print_named(p, "enum ", id); break;
	case BTF_KIND_FWD: print_named(p, btf_type_kflag(t) ? "union " : "struct ", id); break;
	default: print_named(p, "", id); break;
	}
	p->depth--;
}

static void print_args(struct printer *p, u32 id)
{
	struct btf_proto proto;

	if (btf_proto_of(p->btf, id, &proto))
		return;
	buf_str(p->buf, "(");
	for (u32 i = 0; i < proto.arg_cnt; i++) {
		buf_str(p->buf, i ? ", " : "");
		print_before(p, proto.args[i].type);
		if (is_full(p))
			break;
		print_after(p, proto.args[i].type);
	}
	if (proto.is_variadic)
		buf_str(p->buf, proto.arg_cnt ? ", ..." : "...");
	else if (!proto.arg_cnt)
		buf_str(p->buf, "void");
	buf_str(p->buf, ")");
}

static void print_after(struct printer *p, u32 id)
{
	const struct btf_type *t = btf_type_at(p->btf, id);

	if (is_full(p))
		return;
	p->depth++;
	switch (btf_type_kind(t)) {
	case BTF_KIND_PTR:
		if (is_postfix(bare(p, t->type)))
			buf_str(p->buf, ")");
		print_after(p, t->type);
		break;
	case BTF_KIND_ARRAY:
		buf_printf(p->buf, "[%u]", btf_type_array(t)->nelems);
		print_after(p, btf_type_array(t)->type);
		break;
	case BTF_KIND_FUNC_PROTO:
		print_args(p, id);
		print_after(p, t->type);
		break;
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG: print_after(p, t->type); break;
	}
	p->depth--;
}

void btf_print_type(struct buf *buf, const struct btf_obj *btf, u32 id)
{
	struct printer p = {.buf = buf, .btf = btf, .end = buf->len + TEXT_MAX};

	if (id >= btf_type_cnt(btf)) {
		buf_printf(buf, "(type %u)", id);
		return;
	}
	print_before(&p, id);
	print_after(&p, id);
}
