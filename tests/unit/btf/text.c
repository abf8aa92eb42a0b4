/*
 * The text is read line by line; types and strings grow in two buffers that are put behind the header
 * at the end of the block.
 */
#include "text.h"

#include <errno.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 256, WORD_LEN = 700 };

static const char *const kinds[] = {"UNKN", "INT", "PTR", "ARRAY", "STRUCT", "UNION", "ENUM", "FWD",
	"TYPEDEF", "VOLATILE", "CONST", "RESTRICT", "FUNC", "FUNC_PROTO", "VAR", "DATASEC", "FLOAT",
	"DECL_TAG", "TYPE_TAG", "ENUM64"};

/* the words of one line */
struct words {
	u32 cnt;
	char word[WORDS_MAX][WORD_LEN];
	bool quoted[WORDS_MAX];
};

struct build {
	struct buf types, strings, extra;
	struct btf_header hdr;
	u32 hdr_given; /* bit per field of hdr, in order */
	s64 tail, gap;
	size_t at; /* of the type that items are added to */
	u32 kind;
	bool vlen_given;
};

static void add_u32(struct buf *buf, u32 v)
{
	buf_add(buf, &v, sizeof(v));
}

static u32 intern(struct build *b, const char *text)
{
	size_t len = strlen(text) + 1;

	for (size_t at = 0; at + len <= b->strings.len; at++)
		if ((!at || !b->strings.data[at - 1]) && !memcmp(b->strings.data + at, text, len))
			return at;
	buf_add(&b->strings, text, len);
	return b->strings.len - len;
}

static const char *read_word(const char *p, struct words *w)
{
	char *out = w->word[w->cnt];
	bool quoted = *p == '"';
	u32 len = 0, byte;

	for (p += quoted; *p && *p != '\n' && (quoted ? *p != '"' : *p != ' '); p++) {
		if (quoted && !strncmp(p, "\\x", 2) && sscanf(p + 2, "%2x", &byte) == 1) {
			out[len++] = byte;
			p += 3;
		} else {
			out[len++] = *p;
		}
		if (len == WORD_LEN - 1)
			break;
	}
	out[len] = '\0';
	w->quoted[w->cnt++] = quoted;
	return p + quoted;
}

static void split(const char *line, struct words *w)
{
	w->cnt = 0;
	while (*line && *line != '\n' && w->cnt < WORDS_MAX) {
		if (*line == ' ' || *line == '\t')
			line++;
		else
			line = read_word(line, w);
	}
}

static bool is_name(const struct words *w, u32 i)
{
	return i < w->cnt && (w->quoted[i] || !strchr(w->word[i], '='));
}

/* KEY=NUMBER among the words */
static bool get(const struct words *w, const char *key, s64 *ret)
{
	size_t len = strlen(key);

	for (u32 i = 0; i < w->cnt; i++) {
		if (w->quoted[i] || strncmp(w->word[i], key, len) || w->word[i][len] != '=')
			continue;
		*ret = strtoll(w->word[i] + len + 1, NULL, 0);
		return true;
	}
	return false;
}

static s64 value(const struct words *w, const char *key, s64 otherwise)
{
	get(w, key, &otherwise);
	return otherwise;
}

static u32 name_of(struct build *b, const struct words *w, u32 i)
{
	return value(w, "name_off", is_name(w, i) ? intern(b, w->word[i]) : 0);
}

static void add_type(struct build *b, const struct words *w, u32 kind)
{
	s64 info = (s64)(u32)value(w, "kind", kind) << 24 | (s64)value(w, "kflag", 0) << 31;
	s64 vlen = 0;

	b->vlen_given = get(w, "vlen", &vlen) || get(w, "info", &info);
	b->at = b->types.len;
	b->kind = kind;
	add_u32(&b->types, name_of(b, w, 1));
	add_u32(&b->types, info | vlen);
	add_u32(&b->types, value(w, "size", value(w, "type", 0)));
	switch (kind) {
	case BTF_KIND_INT:
		add_u32(&b->types, value(w, "enc", 0) << 24 | value(w, "bitoff", 0) << 16 |
					   value(w, "bits", value(w, "size", 0) * 8));
		break;
	case BTF_KIND_ARRAY:
		add_u32(&b->types, value(w, "elem", 0));
		add_u32(&b->types, value(w, "index", 0));
		add_u32(&b->types, value(w, "nelems", 0));
		break;
	case BTF_KIND_VAR: add_u32(&b->types, value(w, "linkage", 0)); break;
	case BTF_KIND_DECL_TAG: add_u32(&b->types, value(w, "idx", -1)); break;
	}
}

static void add_item(struct build *b, const struct words *w)
{
	u32 info;

	if (b->kind != BTF_KIND_DATASEC)
		add_u32(&b->types, name_of(b, w, 0));
	switch (b->kind) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		add_u32(&b->types, value(w, "type", 0));
		add_u32(&b->types, value(w, "bitsize", 0) << 24 | value(w, "off", 0));
		break;
	case BTF_KIND_ENUM: add_u32(&b->types, value(w, "val", 0)); break;
	case BTF_KIND_ENUM64:
		add_u32(&b->types, value(w, "val", 0));
		add_u32(&b->types, value(w, "hi", value(w, "val", 0) >> 32));
		break;
	case BTF_KIND_FUNC_PROTO: add_u32(&b->types, value(w, "type", 0)); break;
	case BTF_KIND_DATASEC:
		add_u32(&b->types, value(w, "type", 0));
		add_u32(&b->types, value(w, "off", 0));
		add_u32(&b->types, value(w, "size", 0));
		break;
	}
	if (b->vlen_given)
		return;
	memcpy(&info, b->types.data + b->at + 4, sizeof(info));
	info++;
	memcpy(b->types.data + b->at + 4, &info, sizeof(info));
}

static void set_header(struct build *b, const struct words *w)
{
	s64 v;

	b->tail = value(w, "tail", b->tail);
	b->gap = value(w, "gap", b->gap);
#define FIELD(i, name)                                                                             \
	if (get(w, #name, &v)) {                                                                   \
		b->hdr.name = v;                                                                   \
		b->hdr_given |= 1 << (i);                                                          \
	}
	FIELD(0, magic)
	FIELD(1, version)
	FIELD(2, flags)
	FIELD(3, hdr_len)
	FIELD(4, type_off)
	FIELD(5, type_len)
	FIELD(6, str_off)
	FIELD(7, str_len)
#undef FIELD
}

static void fill_header(struct build *b)
{
	const struct btf_header right = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(right) + b->gap,
		.type_len = b->types.len,
		.str_off = b->types.len,
		.str_len = b->strings.len,
	};

#define FIELD(i, name)                                                                             \
	if (!(b->hdr_given & 1 << (i)))                                                            \
		b->hdr.name = right.name;
	FIELD(0, magic)
	FIELD(1, version)
	FIELD(2, flags)
	FIELD(3, hdr_len)
	FIELD(4, type_off)
	FIELD(5, type_len)
	FIELD(6, str_off)
	FIELD(7, str_len)
#undef FIELD
}

static void finish(struct build *b, struct buf *out)
{
	*out = BUF_INIT;
	fill_header(b);
	buf_add(out, &b->hdr, sizeof(b->hdr));
	if (b->gap > 0)
		buf_room(out, b->gap);
	buf_add(out, b->types.data, b->types.len);
	buf_add(out, b->strings.data, b->strings.len);
	buf_add(out, b->extra.data, b->extra.len);
	if (b->tail > 0)
		buf_room(out, b->tail);
	else
		out->len += b->tail;
	buf_done(&b->types);
	buf_done(&b->strings);
	buf_done(&b->extra);
}

static int add_line(struct build *b, const char *line, struct words *w)
{
	split(line, w);
	if (!w->cnt)
		return 0;
	if (*line == '\t' || *line == ' ') {
		add_item(b, w);
		return 0;
	}
	if (!strcmp(w->word[0], "hdr")) {
		set_header(b, w);
		return 0;
	}
	for (u32 i = 1; i < w->cnt; i++) {
		u8 byte = strtoul(w->word[i], NULL, 16);

		if (!strcmp(w->word[0], "raw"))
			add_u32(&b->types, strtoull(w->word[i], NULL, 0));
		else if (!strcmp(w->word[0], "hex"))
			buf_add(&b->extra, &byte, 1);
		else if (!strcmp(w->word[0], "str"))
			intern(b, w->word[i]);
	}
	if (!strcmp(w->word[0], "raw") || !strcmp(w->word[0], "hex") || !strcmp(w->word[0], "str"))
		return 0;
	for (u32 kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		if (!strcmp(w->word[0], kinds[kind])) {
			add_type(b, w, kind);
			return 0;
		}
	}
	return -EINVAL;
}

static void set_expected(struct btf_case *c, const char *line)
{
	char *text;
	size_t len;

	c->err = strtol(line + 2, &text, 0);
	text += strspn(text, " ");
	len = strcspn(text, "\n");
	snprintf(c->complaint, sizeof(c->complaint), "%.*s", (int)len, text);
}

int btf_text_next(const char **text, int *line, struct btf_case *ret_case)
{
	struct words *w = malloc(sizeof(*w));
	struct btf_case c = {.line = *line};
	struct build b = {0};
	int ret = 0;

	buf_add(&b.strings, "", 1);
	for (; w && **text && !ret; ++*line) {
		const char *at = *text;

		*text += strcspn(at, "\n");
		*text += **text == '\n';
		if (*at == '#') {
			snprintf(c.title, sizeof(c.title), "%.*s", (int)strcspn(at + 1, "\n"),
				at + 1);
			c.line = *line;
		} else if (!strncmp(at, "=>", 2)) {
			set_expected(&c, at);
			ret = 1;
		} else if (add_line(&b, at, w)) {
			fprintf(stderr, "line %d: not understood: %.60s\n", *line, at);
			ret = -EINVAL;
		}
	}
	free(w);
	finish(&b, &c.data);
	if (ret > 0)
		*ret_case = c;
	else
		buf_done(&c.data);
	return ret;
}

struct buf btf_text(const char *text)
{
	struct buf whole = BUF_INIT;
	struct btf_case c;
	const char *p;
	int line = 1;

	buf_printf(&whole, "%s\n=> 0\n", text);
	p = buf_text(&whole);
	if (btf_text_next(&p, &line, &c) != 1)
		abort();
	buf_done(&whole);
	return c.data;
}
