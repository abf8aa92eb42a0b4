/*
 * Reading. A recursive descent over one text; the type says at each place what may stand there. The
 * first thing that does not fit ends it with one message that names the place by its members:
 *
 *	ports[2]: 70000 does not fit unsigned short (2 bytes): 0 to 65535
 */
#include "btf_value.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "btf_value_scalar.h"

static int parse_value(struct bv_parser *p, u32 id, u8 *buf);

/* --- structs and arrays ------------------------------------------------------------------------ */

/* Where a member is, counted from the outer struct. */
struct place {
	u32 id;
	u32 bit_off, bits; /* bits 0: not a bitfield */
};

static bool find_member(const struct bv_parser *p, const struct btf_type *t, const char *name,
	int depth, struct place *ret)
{
	for (u32 i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = &btf_members(t)[i];
		const char *member = btf__name_by_offset(p->btf, m->name_off);
		const struct btf_type *inner = btf_value_type(p->btf, m->type);

		*ret = (struct place){
			m->type, btf_member_bit_offset(t, i), btf_member_bitfield_size(t, i)};
		if (!strcmp(member, name))
			return true;
		if (!*member && inner && btf_is_composite(inner) && depth < BV_DEPTH_MAX) {
			u32 off = ret->bit_off;

			if (find_member(p, inner, name, depth + 1, ret)) {
				ret->bit_off += off;
				return true;
			}
		}
	}
	return false;
}

static int parse_place(struct bv_parser *p, const struct place *place, u8 *buf)
{
	const struct btf_type *t = btf_value_type(p->btf, place->id);
	u8 *at = buf + place->bit_off / 8;
	u32 rest = place->bit_off % 8;

	if (!t)
		return bv_fail(p, -EINVAL, "type %u is not known", place->id);
	if (place->bits && btf_is_any_enum(t))
		return bv_enum(p, place->id, t, at, rest, place->bits);
	if (place->bits && btf_is_int(t))
		return bv_int(p, place->id, t, at, rest, place->bits);
	if (rest && btf_is_int(t))
		return bv_int(p, place->id, t, at, rest + btf_int_offset(t), btf_int_bits(t));
	return parse_value(p, place->id, at);
}

static void enter_path(struct bv_parser *p, const char *name)
{
	size_t len = strlen(p->path);

	snprintf(
		p->path + len, sizeof(p->path) - len, "%s%s", len && *name != '[' ? "." : "", name);
}

/* NAME "=" or NAME ":"; the name may be quoted or have a dot before it. False: nothing was taken. */
static bool take_name(struct bv_parser *p, char *ret)
{
	const char *begin = p->at;
	bool quoted = bv_take(p, '"');
	size_t len = 0;

	p->at += !quoted && *p->at == '.';
	while (!bv_is_end(p->at[len]) && p->at[len] != ':' && len < BV_WORD_MAX - 1)
		len++;
	memcpy(ret, p->at, len);
	ret[len] = '\0';
	p->at += len;
	if (len && (!quoted || bv_take(p, '"')) && (bv_take(p, '=') || bv_take(p, ':')))
		return true;
	p->at = begin;
	return false;
}

/* Bits that a member given before has, must not be given again. */
static bool was_given(u8 *given, const struct bv_parser *p, const struct place *place)
{
	u32 bits = place->bits ? place->bits : (u32)bv_size(p, place->id) * 8;
	bool again = false;

	for (u32 at = place->bit_off; at < place->bit_off + bits; at++) {
		again |= given[at / 8] >> at % 8 & 1;
		given[at / 8] |= (u8)(1 << at % 8);
	}
	return again;
}

/* One member; next: which one it is when no name says so. */
static int parse_member(
	struct bv_parser *p, u32 id, const struct btf_type *t, u32 *next, u8 *given, u8 *buf)
{
	char name[BV_WORD_MAX], type_name[BV_NAME_LEN];
	size_t path_len = strlen(p->path);
	struct place place;
	int err;

	bv_space(p);
	bv_name(p, id, type_name, sizeof(type_name));
	if (take_name(p, name)) {
		if (!find_member(p, t, name, 0, &place))
			return bv_fail(p, -EINVAL, "%s has no member '%s'", type_name, name);
	} else if (*next < btf_vlen(t) && (!*next || !btf_is_union(t))) {
		const struct btf_member *m = &btf_members(t)[*next];

		snprintf(name, sizeof(name), "%s", btf__name_by_offset(p->btf, m->name_off));
		place = (struct place){m->type, btf_member_bit_offset(t, *next),
			btf_member_bitfield_size(t, *next)};
	} else {
		return bv_fail(p, -EINVAL, "more values than %s has members", type_name);
	}
	(*next)++;
	enter_path(p, name);
	if (was_given(given, p, &place))
		return bv_fail(p, -EINVAL, "given twice");
	err = parse_place(p, &place, buf);
	if (!err)
		p->path[path_len] = '\0';
	return err;
}

static int parse_struct(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf)
{
	u32 next = 0;
	u8 *given;
	int err = 0;

	if (!bv_take(p, '{'))
		return bv_fail_at(p, id, "{…}");
	if (bv_take(p, '}'))
		return 0;
	given = mem_zalloc(t->size);
	if (!given)
		return bv_fail(p, -ENOMEM, "no memory");
	do {
		err = parse_member(p, id, t, &next, given, buf);
	} while (!err && bv_take(p, ','));
	mem_free(given);
	if (!err && !bv_take(p, '}'))
		err = bv_fail(p, -EINVAL, "'%.40s': a ',' or '}' is missing before it", p->at);
	return err;
}

static bool is_char_array(const struct bv_parser *p, const struct btf_type *t)
{
	const struct btf_type *elem = btf_is_array(t) ? btf_value_type(p->btf, btf_array(t)->type)
						      : NULL;

	return elem && btf_is_int(elem) && elem->size == 1 &&
	       (btf_int_encoding(elem) == BTF_INT_CHAR ||
		       !strcmp(btf__name_by_offset(p->btf, elem->name_off), "char"));
}

/* "TEXT": at most as long as the array, the rest stays zero. */
static int parse_text(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf)
{
	u32 room = btf_array(t)->nelems, len = 0;
	char name[BV_NAME_LEN];

	bv_name(p, id, name, sizeof(name));
	for (p->at++; *p->at && *p->at != '"'; p->at++) {
		if (*p->at == '\\' && p->at[1])
			p->at++;
		if (len == room)
			return bv_fail(p, -ERANGE, "the text is longer than %s has room for", name);
		buf[len++] = (u8)*p->at;
	}
	if (*p->at != '"')
		return bv_fail(p, -EINVAL, "the text has no '\"' at its end");
	p->at++;
	return 0;
}

static int parse_array(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf)
{
	const struct btf_array *array = btf_array(t);
	size_t elem = bv_size(p, array->type), path_len = strlen(p->path);
	char name[BV_NAME_LEN], close;
	int err = 0;

	bv_space(p);
	if (*p->at == '"' && is_char_array(p, t))
		return parse_text(p, id, t, buf);
	close = *p->at == '[' ? ']' : '}';
	if (*p->at != '[' && *p->at != '{')
		return bv_fail_at(p, id, is_char_array(p, t) ? "a \"text\" or {…}" : "{…}");
	p->at++;
	if (bv_take(p, close))
		return 0;
	for (u32 i = 0; !err; i++) {
		snprintf(name, sizeof(name), "[%u]", i);
		p->path[path_len] = '\0';
		if (i == array->nelems)
			return bv_fail(p, -EINVAL, "more than %u values", array->nelems);
		enter_path(p, name);
		err = parse_value(p, array->type, buf + i * elem);
		if (!err && !bv_take(p, ','))
			break;
	}
	if (err)
		return err;
	p->path[path_len] = '\0';
	if (!bv_take(p, close))
		return bv_fail(
			p, -EINVAL, "'%.40s': a ',' or '%c' is missing before it", p->at, close);
	return 0;
}

/* {"name": value, …}, each a variable of the section */
static int parse_section(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf)
{
	const struct btf_var_secinfo *vars = btf_var_secinfos(t);
	const char *section = btf__name_by_offset(p->btf, t->name_off);
	char name[BV_WORD_MAX];
	u32 i;
	int err;

	if (!bv_take(p, '{'))
		return bv_fail_at(p, id, "{…}");
	if (bv_take(p, '}'))
		return 0;
	do {
		if (!take_name(p, name))
			return bv_fail(p, -EINVAL, "a variable of %s is NAME=VALUE", section);
		for (i = 0; i < btf_vlen(t); i++) {
			const struct btf_type *var = btf__type_by_id(p->btf, vars[i].type);

			if (!strcmp(btf__name_by_offset(p->btf, var->name_off), name))
				break;
		}
		if (i == btf_vlen(t))
			return bv_fail(p, -EINVAL, "%s has no variable '%s'", section, name);
		enter_path(p, name);
		err = parse_value(p, vars[i].type, buf + vars[i].offset);
		if (err)
			return err;
		*p->path = '\0';
	} while (bv_take(p, ','));
	return bv_take(p, '}') ? 0 : bv_fail(p, -EINVAL, "a '}' is missing");
}

/* --- everything -------------------------------------------------------------------------------- */

static int parse_kind(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf)
{
	int ret = bv_address(p, id, t, buf);
	char word[BV_WORD_MAX];

	if (ret)
		return ret > 0 ? 0 : ret;
	switch (btf_kind(t)) {
	case BTF_KIND_INT: return bv_int(p, id, t, buf, btf_int_offset(t), btf_int_bits(t));
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return bv_enum(p, id, t, buf, 0, t->size * 8);
	case BTF_KIND_FLOAT: return bv_float(p, id, t, buf);
	case BTF_KIND_PTR:
		if (!bv_word(p, word))
			return bv_fail_at(p, id, "a number");
		return bv_number(p, word, id, 64, false, buf, 0);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return parse_struct(p, id, t, buf);
	case BTF_KIND_ARRAY: return parse_array(p, id, t, buf);
	case BTF_KIND_DATASEC: return parse_section(p, id, t, buf);
	default: return bv_fail(p, -EINVAL, "its type has no values");
	}
}

static int parse_value(struct bv_parser *p, u32 id, u8 *buf)
{
	const struct btf_type *t = btf_value_type(p->btf, id);
	int err;

	if (!t)
		return bv_fail(p, -EINVAL, "type %u is not known", id);
	if (++p->depth > BV_DEPTH_MAX)
		return bv_fail(p, -EINVAL, "types deeper than %d are not read", BV_DEPTH_MAX);
	err = parse_kind(p, id, t, buf);
	p->depth--;
	return err;
}

static u32 count_words(const char *text)
{
	u32 cnt = 0;

	while (*(text += strspn(text, " \t\n"))) {
		text += strcspn(text, " \t\n");
		cnt++;
	}
	return cnt;
}

/* All words are bytes: exactly len of them. */
static int parse_bytes(struct bv_parser *p, u32 id, bool hex, u8 *buf, size_t len)
{
	char word[BV_WORD_MAX], digits[BV_WORD_MAX + 2], name[BV_NAME_LEN];
	u32 cnt = count_words(p->at);

	bv_name(p, id, name, sizeof(name));
	for (u32 i = 0; i < cnt; i++) {
		size_t word_len = bv_word(p, word);
		bool bare = hex && strncmp(word, "0x", 2) && strncmp(word, "0X", 2);
		bv_u128 value;
		int err;

		snprintf(digits, sizeof(digits), "%s%s", bare ? "0x" : "", word);
		err = word_len ? bv_digits(digits, &value) : -EINVAL;
		if (err == -EINVAL)
			return bv_fail(p, err, "byte %u is '%.40s', not a number from 0 to 255",
				i + 1, p->at);
		if (err || value > 255)
			return bv_fail(p, -ERANGE, "byte %u is %s: a byte is at most 255 (0xff)",
				i + 1, word);
		if (i < len)
			buf[i] = (u8)value;
		p->at += word_len;
	}
	if (cnt != len)
		return bv_fail(p, -EINVAL, "%u byte%s given, but %s has %zu", cnt,
			cnt == 1 ? "" : "s", name, len);
	return 0;
}

/* A text without quotes, for an array of char that is all there is. */
static int parse_bare_text(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf)
{
	size_t len = strlen(p->at), room = btf_array(t)->nelems;
	char name[BV_NAME_LEN];

	bv_name(p, id, name, sizeof(name));
	if (len > room)
		return bv_fail(p, -ERANGE, "the text has %zu characters, but %s has room for %zu",
			len, name, room);
	memcpy(buf, p->at, len);
	p->at += len;
	return 0;
}

static bool is_number_list(const char *text)
{
	return !text[strspn(text, "0123456789abcdefABCDEFxX \t\n")] && *text >= '0' && *text <= '9';
}

static int parse_whole(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf, size_t len)
{
	u32 words = count_words(p->at);
	int err;

	bv_space(p);
	if (!strncmp(p->at, "hex", 3) && (p->at[3] == ' ' || p->at[3] == '\t')) {
		p->at += 3;
		return parse_bytes(p, id, true, buf, len);
	}
	if (words > 1 && is_number_list(p->at))
		return parse_bytes(p, id, false, buf, len);
	if (is_char_array(p, t) && !strchr("\"{[", *p->at))
		return parse_bare_text(p, id, t, buf);
	err = parse_value(p, id, buf);
	if (err)
		return err;
	bv_space(p);
	return *p->at ? bv_fail(p, -EINVAL, "'%.40s' is left over", p->at) : 0;
}

int btf_value_parse(const char *text, const struct btf *btf, u32 id, void *buf, size_t len,
	char *why, size_t why_len)
{
	struct bv_parser p = {.btf = btf, .at = text, .why = why, .why_len = why_len};
	const struct btf_type *t = btf_value_type(btf, id);
	char name[BV_NAME_LEN];
	u8 *value;
	int err;

	bv_name(&p, id, name, sizeof(name));
	if (!t)
		return bv_fail(&p, -EINVAL, "type %u is not known", id);
	if (btf__resolve_size(btf, id) != (s64)len)
		return bv_fail(
			&p, -EINVAL, "%s has %zu bytes, not %zu", name, bv_size(&p, id), len);
	if (btf_value_check(btf, id, len))
		return bv_fail(&p, -EINVAL, "values of %s cannot be written by type", name);
	value = mem_zalloc(len);
	if (!value)
		return bv_fail(&p, -ENOMEM, "no memory");
	err = parse_whole(&p, id, t, value, len);
	if (!err)
		memcpy(buf, value, len);
	mem_free(value);
	return err;
}
