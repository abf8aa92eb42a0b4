/*
 * Printing. A first walk checks that all the type speaks of lies inside the bytes (types of another
 * process are not to be trusted), so that the second only writes.
 *
 * bpftool's shapes, by example:
 *
 *	int 5			5
 *	char 'a', 1		"a"  "\u0001"		text: "a"  0x1
 *	char[] "eth0"		"eth0"			when printable and ended by zero
 *	bitfield 5		"0x5"			text: 0x5
 *	pointer			4096			text: 0x1000
 *	enum			"RED"			7 when it has no name
 *	struct			{"a": 1, "b": [1,2]}
 *	section .bss		{".bss": [{"counter": 1}]}
 */
#include "btf_value.h"

#include <bpf/btf.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

typedef unsigned __int128 u128;

enum {
	DEPTH_MAX = 64,
	BITS_MAX = 128,
	EMPTY_MAX = 4096, /* elements without size */
	MEMBERS_MAX = 1 << 20,
};

struct printer {
	struct json *w;
	const struct btf *btf;
	bool text;
};

const struct btf_type *btf_value_type(const struct btf *btf, u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	for (int depth = 0; t && depth < DEPTH_MAX; depth++) {
		if (!btf_is_mod(t) && !btf_is_typedef(t) && !btf_is_var(t))
			return t;
		t = btf__type_by_id(btf, t->type);
	}
	return NULL;
}

static size_t size_of(const struct btf *btf, u32 id)
{
	s64 size = btf__resolve_size(btf, id);

	return size < 0 ? SIZE_MAX : (size_t)size;
}

/* --- check ------------------------------------------------------------------------------------- */

struct checker {
	const struct btf *btf;
	u32 left; /* members that may still be looked at: nests of empty structs have no end */
};

static int check(struct checker *c, u32 id, size_t len, u32 bit_off, int depth);

static int check_members(struct checker *c, const struct btf_type *t, size_t len, int depth)
{
	int err = t->size > len ? -EINVAL : 0;

	len = t->size;
	for (u32 i = 0; i < btf_vlen(t) && !err; i++) {
		u32 off = btf_member_bit_offset(t, i), bits = btf_member_bitfield_size(t, i);

		if (!c->left-- || off / 8 > len || bits > BITS_MAX)
			err = -EINVAL;
		else if (bits)
			err = ((size_t)off + bits + 7) / 8 > len ? -EINVAL : 0;
		else
			err = check(c, btf_members(t)[i].type, len - off / 8, off % 8, depth);
	}
	return err;
}

static int check_vars(struct checker *c, const struct btf_type *t, size_t len, int depth)
{
	const struct btf_var_secinfo *vars = btf_var_secinfos(t);
	int err = 0;

	for (u32 i = 0; i < btf_vlen(t) && !err; i++) {
		const struct btf_type *var = btf__type_by_id(c->btf, vars[i].type);

		if (!var || !btf_is_var(var) || vars[i].offset > len)
			err = -EINVAL;
		else
			err = check(c, vars[i].type, len - vars[i].offset, 0, depth);
	}
	return err;
}

static int check_array(struct checker *c, const struct btf_type *t, size_t len, int depth)
{
	const struct btf_array *array = btf_array(t);
	size_t elem = size_of(c->btf, array->type);

	if (!array->nelems)
		return 0;
	if (elem == SIZE_MAX || array->nelems > (elem ? len / elem : EMPTY_MAX))
		return -EINVAL;
	return check(c, array->type, elem, 0, depth);
}

static bool is_int_size(const struct btf_type *t)
{
	return t->size == 1 || t->size == 2 || t->size == 4 || t->size == 8;
}

/* A value of type id can be printed from len bytes, bit_off (0-7) bits into the first. */
static int check(struct checker *c, u32 id, size_t len, u32 bit_off, int depth)
{
	const struct btf_type *t = btf_value_type(c->btf, id);
	bool fits = false;

	if (!t || ++depth > DEPTH_MAX || (bit_off && !btf_is_int(t)))
		return -EINVAL;
	switch (btf_kind(t)) {
	case BTF_KIND_INT:
		fits = btf_int_bits(t) && btf_int_bits(t) <= BITS_MAX &&
		       (bit_off + btf_int_offset(t) + btf_int_bits(t) + 7) / 8 <= len;
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: fits = t->size <= len && is_int_size(t); break;
	case BTF_KIND_FLOAT: fits = t->size <= len; break;
	case BTF_KIND_PTR: fits = len >= 8; break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return check_members(c, t, len, depth);
	case BTF_KIND_ARRAY: return check_array(c, t, len, depth);
	case BTF_KIND_DATASEC: return check_vars(c, t, len, depth);
	}
	return fits ? 0 : -EINVAL;
}

/* --- print ------------------------------------------------------------------------------------- */

static void print(struct printer *p, u32 id, u32 bit_off, const u8 *data);

static u64 load(const u8 *data, u32 size)
{
	u64 value = 0;

	memcpy(&value, data, size);
	return value;
}

static s64 load_signed(const u8 *data, u32 size)
{
	u32 unused = 64 - size * 8;

	return (s64)(load(data, size) << unused) >> unused;
}

static void print_hex(struct printer *p, u128 value)
{
	const char *quote = p->text ? "" : "\"";
	u64 high = value >> 64, low = value;

	if (high)
		json_printf(p->w, "%s0x%llx%016llx%s", quote, (unsigned long long)high,
			(unsigned long long)low, quote);
	else
		json_printf(p->w, "%s0x%llx%s", quote, (unsigned long long)low, quote);
}

/* bits from bit_off on; 128 bits from the middle of a byte touch 17 */
static void print_bits(struct printer *p, u32 bit_off, u32 bits, const u8 *data)
{
	u128 value = 0;

	for (u32 i = 0; i < bits; i++) {
		u32 at = bit_off + i;

		value |= (u128)(data[at / 8] >> at % 8 & 1) << i;
	}
	print_hex(p, value);
}

static void print_char(struct printer *p, u8 ch)
{
	char text[2] = {(char)ch};

	if (ch < 0x80 && isprint(ch))
		json_string(p->w, text);
	else
		json_printf(p->w, p->text ? "0x%x" : "\"\\u00%02x\"", ch);
}

static void print_int(struct printer *p, const struct btf_type *t, u32 bit_off, const u8 *data)
{
	u32 bits = btf_int_bits(t), size = bits / 8;

	bit_off += btf_int_offset(t);
	if (bit_off || (bits != 8 && bits != 16 && bits != 32 && bits != 64)) {
		print_bits(p, bit_off, bits, data);
		return;
	}
	switch (btf_int_encoding(t)) {
	case BTF_INT_SIGNED: json_int(p->w, load_signed(data, size)); break;
	case BTF_INT_CHAR: print_char(p, *data); break;
	case BTF_INT_BOOL: json_bool(p->w, *data); break;
	default: json_uint(p->w, load(data, size)); break;
	}
}

static void print_enum(struct printer *p, const struct btf_type *t, const u8 *data)
{
	s64 value = load_signed(data, t->size);
	u32 name = 0;

	for (u32 i = 0; i < btf_vlen(t) && !name; i++) {
		if (btf_is_enum(t) && btf_enum(t)[i].val == value)
			name = btf_enum(t)[i].name_off;
		else if (btf_is_enum64(t) && btf_enum64_value(&btf_enum64(t)[i]) == (u64)value)
			name = btf_enum64(t)[i].name_off;
	}
	if (name)
		json_string(p->w, btf__name_by_offset(p->btf, name));
	else
		json_int(p->w, value);
}

static void print_float(struct printer *p, const struct btf_type *t, const u8 *data)
{
	double wide;
	float narrow;

	memcpy(&wide, data, t->size == sizeof(wide) ? sizeof(wide) : 0);
	memcpy(&narrow, data, t->size == sizeof(narrow) ? sizeof(narrow) : 0);
	if (t->size == sizeof(wide) && wide - wide == 0)
		json_printf(p->w, "%.17g", wide);
	else if (t->size == sizeof(narrow) && narrow - narrow == 0)
		json_printf(p->w, "%.9g", (double)narrow);
	else
		json_hex_array(
			p->w, data, t->size); /* other widths, and what JSON has no number for */
}

static void print_ptr(struct printer *p, const u8 *data)
{
	unsigned long long value = load(data, 8);

	if (!p->text)
		json_uint(p->w, value);
	else
		json_printf(p->w, value ? "0x%llx" : "(nil)", value); /* no JSON, as in bpftool */
}

static bool is_char(const struct btf *btf, u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	/* a typedef of char is a small number */
	while (t && btf_is_mod(t) && !btf_is_typedef(t))
		t = btf__type_by_id(btf, t->type);
	return t && btf_is_int(t) && t->size == 1 &&
	       (btf_int_encoding(t) == BTF_INT_CHAR ||
		       !strcmp(btf__name_by_offset(btf, t->name_off), "char"));
}

static bool is_text(const struct btf *btf, const struct btf_array *array, const u8 *data)
{
	if (!is_char(btf, array->type))
		return false;
	for (u32 i = 0; i < array->nelems; i++) {
		if (!data[i])
			return true;
		if (data[i] <= 0x1f || data[i] >= 0x7f)
			return false;
	}
	return false;
}

static void print_array(struct printer *p, const struct btf_type *t, const u8 *data)
{
	const struct btf_array *array = btf_array(t);
	size_t elem = array->nelems ? size_of(p->btf, array->type) : 0;

	if (is_text(p->btf, array, data)) {
		json_string(p->w, (const char *)data);
		return;
	}
	json_start_array(p->w);
	for (u32 i = 0; i < array->nelems; i++)
		print(p, array->type, 0, data + i * elem);
	json_end_array(p->w);
}

static void print_struct(struct printer *p, const struct btf_type *t, const u8 *data)
{
	json_start_object(p->w);
	for (u32 i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = &btf_members(t)[i];
		u32 off = btf_member_bit_offset(t, i), bits = btf_member_bitfield_size(t, i);

		json_name(p->w, btf__name_by_offset(p->btf, m->name_off));
		if (bits)
			print_bits(p, off % 8, bits, data + off / 8);
		else
			print(p, m->type, off % 8, data + off / 8);
	}
	json_end_object(p->w);
}

static void print_section(struct printer *p, const struct btf_type *t, const u8 *data)
{
	const struct btf_var_secinfo *vars = btf_var_secinfos(t);

	json_start_object(p->w);
	json_name(p->w, btf__name_by_offset(p->btf, t->name_off));
	json_start_array(p->w);
	for (u32 i = 0; i < btf_vlen(t); i++) {
		const struct btf_type *var = btf__type_by_id(p->btf, vars[i].type);

		json_start_object(p->w);
		json_name(p->w, btf__name_by_offset(p->btf, var->name_off));
		print(p, vars[i].type, 0, data + vars[i].offset);
		json_end_object(p->w);
	}
	json_end_array(p->w);
	json_end_object(p->w);
}

static void print(struct printer *p, u32 id, u32 bit_off, const u8 *data)
{
	const struct btf_type *t = btf_value_type(p->btf, id);

	switch (btf_kind(t)) {
	case BTF_KIND_INT: print_int(p, t, bit_off, data); break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: print_enum(p, t, data); break;
	case BTF_KIND_FLOAT: print_float(p, t, data); break;
	case BTF_KIND_PTR: print_ptr(p, data); break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: print_struct(p, t, data); break;
	case BTF_KIND_ARRAY: print_array(p, t, data); break;
	default: print_section(p, t, data); break;
	}
}

int btf_value_check(const struct btf *btf, u32 id, size_t len)
{
	struct checker c = {.btf = btf, .left = MEMBERS_MAX};

	return size_of(btf, id) == len ? check(&c, id, len, 0, 0) : -EINVAL;
}

int btf_value_print(
	struct json *w, const struct btf *btf, u32 id, const void *data, size_t len, bool text)
{
	struct printer p = {.w = w, .btf = btf, .text = text};
	int err = btf_value_check(btf, id, len);

	if (err)
		return err;
	print(&p, id, 0, data);
	return 0;
}
