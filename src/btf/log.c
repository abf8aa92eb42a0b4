/*
 * Rendering of log lines. One call of the kernel's log function makes at most LOG_PART_MAX - 1 bytes,
 * so a longer text (a tag may be of any length) is cut at the same place here.
 */
#include "btf/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"

enum { LOG_PART_MAX = 1024 };

static void add_part(struct buf *log, const char *before, const char *fmt, va_list ap)
{
	char part[LOG_PART_MAX];
	int len = vsnprintf(part, sizeof(part), fmt, ap);

	if (len <= 0)
		return;
	buf_str(log, before);
	buf_add(log, part, MIN(len, LOG_PART_MAX - 1));
}

void btf_log(struct btf_check *c, const char *fmt, ...)
{
	va_list ap;

	if (!c->log)
		return;
	va_start(ap, fmt);
	add_part(c->log, "", fmt, ap);
	va_end(ap);
}

static const char *shown_name(const struct btf_obj *btf, u32 off)
{
	const char *name = btf_str(btf, off);

	return !off ? "(anon)" : name ? name : "(invalid-name-offset)";
}

static void detail_int(struct btf_check *c, const struct btf_type *t)
{
	static const char *const encodings[] = {
		[0] = "(none)",
		[BTF_INT_SIGNED] = "SIGNED",
		[BTF_INT_CHAR] = "CHAR",
		[BTF_INT_BOOL] = "BOOL",
	};
	u32 data = btf_type_int(t), encoding = BTF_INT_ENCODING(data);
	const char *word = encoding < ARRAY_SIZE(encodings) ? encodings[encoding] : NULL;

	btf_log(c, "size=%u bits_offset=%u nr_bits=%u encoding=%s", t->size, BTF_INT_OFFSET(data),
		BTF_INT_BITS(data), word ? word : "UNKN");
}

static void detail_ref(struct btf_check *c, const struct btf_type *t)
{
	btf_log(c, "type_id=%u", t->type);
}

static void detail_array(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_array *array = btf_type_array(t);

	btf_log(c, "type_id=%u index_type_id=%u nr_elems=%u", array->type, array->index_type,
		array->nelems);
}

static void detail_vlen(struct btf_check *c, const struct btf_type *t)
{
	btf_log(c, "size=%u vlen=%u", t->size, btf_type_vlen(t));
}

static void detail_fwd(struct btf_check *c, const struct btf_type *t)
{
	btf_log(c, "%s", btf_type_kflag(t) ? "union" : "struct");
}

static void detail_proto(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_param *args = btf_raw_params(t);
	u32 cnt = btf_type_vlen(t);

	btf_log(c, "return=%u args=(", t->type);
	if (!cnt)
		btf_log(c, "void");
	for (u32 i = 0; i < cnt; i++) {
		if (i)
			btf_log(c, ", ");
		if (i == cnt - 1 && !args[i].type)
			btf_log(c, "vararg");
		else
			btf_log(c, "%u %s", args[i].type, shown_name(c->btf, args[i].name_off));
	}
	btf_log(c, ")");
}

static void detail_var(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_var *var = btf_type_tail(t);

	btf_log(c, "type_id=%u linkage=%u", t->type, var->linkage);
}

static void detail_float(struct btf_check *c, const struct btf_type *t)
{
	btf_log(c, "size=%u", t->size);
}

static void detail_decl_tag(struct btf_check *c, const struct btf_type *t)
{
	const struct btf_decl_tag *tag = btf_type_tail(t);

	btf_log(c, "type=%u component_idx=%d", t->type, tag->component_idx);
}

static void (*const details[])(struct btf_check *, const struct btf_type *) = {
#define KIND(name, fixed, each, props, detail, ...) [BTF_KIND_##name] = detail_##detail,
#include "btf/kinds.def"
#undef KIND
};

static void add_complaint(struct buf *log, const char *fmt, va_list ap)
{
	add_part(log, " ", fmt, ap);
	buf_str(log, "\n");
}

static void begin_type(struct btf_check *c, const struct btf_type *t, const char *gap)
{
	btf_log(c, "[%u] %s %s%s", c->log_id, btf_kind_name(btf_type_kind(t)),
		shown_name(c->btf, t->name_off), gap);
}

void btf_log_type(struct btf_check *c, const struct btf_type *t, const char *fmt, ...)
{
	va_list ap;

	if (!c->log)
		return;
	begin_type(c, t, " ");
	details[btf_type_kind(t)](c, t);
	va_start(ap, fmt);
	add_complaint(c->log, fmt, ap);
	va_end(ap);
}

void btf_log_basic(struct btf_check *c, const struct btf_type *t, const char *fmt, ...)
{
	va_list ap;

	if (!c->log)
		return;
	begin_type(c, t, "");
	va_start(ap, fmt);
	add_complaint(c->log, fmt, ap);
	va_end(ap);
}

void btf_log_member(struct btf_check *c, const struct btf_type *st, const struct btf_member *m,
	const char *fmt, ...)
{
	const char *name;
	va_list ap;

	if (!c->log)
		return;
	if (c->meta_done)
		btf_log_type(c, st, "%s", "");
	name = shown_name(c->btf, m->name_off);
	if (btf_type_kflag(st))
		btf_log(c, "\t%s type_id=%u bitfield_size=%u bits_offset=%u", name, m->type,
			BTF_MEMBER_BITFIELD_SIZE(m->offset), BTF_MEMBER_BIT_OFFSET(m->offset));
	else
		btf_log(c, "\t%s type_id=%u bits_offset=%u", name, m->type, m->offset);
	va_start(ap, fmt);
	add_complaint(c->log, fmt, ap);
	va_end(ap);
}

void btf_log_var(struct btf_check *c, const struct btf_type *sec, const struct btf_var_secinfo *var,
	const char *fmt, ...)
{
	va_list ap;

	if (!c->log)
		return;
	if (c->meta_done)
		btf_log_type(c, sec, "%s", "");
	btf_log(c, "\t type_id=%u offset=%u size=%u", var->type, var->offset, var->size);
	va_start(ap, fmt);
	add_complaint(c->log, fmt, ap);
	va_end(ap);
}

void btf_log_header(struct btf_check *c)
{
	const struct btf_header *hdr = &c->btf->hdr;

	btf_log(c, "magic: 0x%x\nversion: %u\nflags: 0x%x\nhdr_len: %u\n", hdr->magic, hdr->version,
		hdr->flags, hdr->hdr_len);
	btf_log(c, "type_off: %u\ntype_len: %u\nstr_off: %u\nstr_len: %u\nbtf_total_size: %u\n",
		hdr->type_off, hdr->type_len, hdr->str_off, hdr->str_len, c->btf->len);
}
