/*
 * The leaves of a value: words, numbers, names of enumerators, addresses.
 */
#include "btf_value_scalar.h"

#include <arpa/inet.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "btf_value.h"

/* --- errors and names -------------------------------------------------------------------------- */

int bv_fail(struct bv_parser *p, int err, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (!p->why_len)
		return err;
	len = snprintf(p->why, p->why_len, "%s%s", p->path, *p->path ? ": " : "");
	if (len < 0 || (size_t)len >= p->why_len)
		return err;
	va_start(ap, fmt);
	vsnprintf(p->why + len, p->why_len - (size_t)len, fmt, ap);
	va_end(ap);
	return err;
}

size_t bv_size(const struct bv_parser *p, u32 id)
{
	s64 size = btf__resolve_size(p->btf, id);

	return size < 0 ? 0 : (size_t)size;
}

/* "struct key", "unsigned short", "int[4]": what the type is called, typedefs by their own name. */
void bv_name(const struct bv_parser *p, u32 id, char *ret, size_t len)
{
	const struct btf_type *t = btf__type_by_id(p->btf, id);
	const char *name, *word = "";
	char elem[BV_NAME_LEN];

	while (t && btf_is_mod(t) && !btf_is_typedef(t))
		t = btf__type_by_id(p->btf, t->type);
	if (t && btf_is_array(t) && p->depth < BV_DEPTH_MAX) {
		const struct btf_type *et = btf__type_by_id(p->btf, btf_array(t)->type);

		if (et && btf_is_array(et))
			snprintf(elem, sizeof(elem), "array");
		else
			bv_name(p, btf_array(t)->type, elem, sizeof(elem));
		snprintf(ret, len, "%s[%u]", elem, btf_array(t)->nelems);
		return;
	}
	name = t ? btf__name_by_offset(p->btf, t->name_off) : NULL;
	if (t && btf_is_struct(t))
		word = "struct ";
	else if (t && btf_is_union(t))
		word = "union ";
	else if (t && btf_is_any_enum(t))
		word = "enum ";
	else if (t && btf_is_ptr(t))
		name = "a pointer";
	snprintf(ret, len, "%s%s", word, name && *name ? name : "(anon)");
}

/* --- words ------------------------------------------------------------------------------------- */

void bv_space(struct bv_parser *p)
{
	p->at += strspn(p->at, " \t\n");
}

bool bv_take(struct bv_parser *p, char ch)
{
	bv_space(p);
	if (*p->at != ch)
		return false;
	p->at++;
	return true;
}

bool bv_is_end(char ch)
{
	return !ch || strchr(" \t\n,{}[]=\"'", ch);
}

/* The next word, up to a space or a sign of the grammar; its length, 0 when there is none. */
size_t bv_word(struct bv_parser *p, char *ret)
{
	size_t len = 0;

	bv_space(p);
	while (!bv_is_end(p->at[len]) && len < BV_WORD_MAX - 1)
		len++;
	memcpy(ret, p->at, len);
	ret[len] = '\0';
	return len;
}

int bv_fail_at(struct bv_parser *p, u32 id, const char *expected)
{
	char name[BV_NAME_LEN];

	bv_name(p, id, name, sizeof(name));
	bv_space(p);
	if (!*p->at)
		return bv_fail(p, -EINVAL, "a value is missing: %s for %s", expected, name);
	return bv_fail(p, -EINVAL, "'%.40s' is not %s, as %s needs", p->at, expected, name);
}

/* --- numbers ----------------------------------------------------------------------------------- */

/* Digits of base 10, 16 (0x) or 8 (0), all of them; -EINVAL, -ERANGE over 128 bits. */
int bv_digits(const char *word, bv_u128 *ret)
{
	unsigned int base = word[0] != '0' || !word[1]	       ? 10
			    : word[1] == 'x' || word[1] == 'X' ? 16
							       : 8;
	const char *digits = word + (base == 16 ? 2 : base == 8 ? 1 : 0);
	bv_u128 value = 0;

	if (!*digits)
		return -EINVAL;
	for (; *digits; digits++) {
		unsigned int digit = *digits >= '0' && *digits <= '9'	? *digits - '0'
				     : *digits >= 'a' && *digits <= 'f' ? *digits - 'a' + 10
				     : *digits >= 'A' && *digits <= 'F' ? *digits - 'A' + 10
									: 99;

		if (digit >= base)
			return -EINVAL;
		if (value > (~(bv_u128)0 - digit) / base)
			return -ERANGE;
		value = value * base + digit;
	}
	*ret = value;
	return 0;
}

/* bits (1-128) of value, from bit_off on; the bytes were zero */
static void bv_store(u8 *buf, u32 bit_off, u32 bits, bv_u128 value)
{
	for (u32 i = 0; i < bits; i++) {
		u32 at = bit_off + i;

		buf[at / 8] |= (u8)((value >> i & 1) << at % 8);
	}
}

static int fail_range(struct bv_parser *p, const char *word, u32 id, u32 bits, bool is_signed)
{
	char name[BV_NAME_LEN], size[BV_NAME_LEN];

	bv_name(p, id, name, sizeof(name));
	if (bits % 8)
		snprintf(size, sizeof(size), "%u bit%s", bits, bits == 1 ? "" : "s");
	else
		snprintf(size, sizeof(size), "%u byte%s", bits / 8, bits == 8 ? "" : "s");
	if (bits > 64)
		return bv_fail(p, -ERANGE, "%s does not fit %s (%s)", word, name, size);
	if (is_signed)
		return bv_fail(p, -ERANGE, "%s does not fit %s (%s): %lld to %lld", word, name,
			size, (long long)(INT64_MIN >> (64 - bits)),
			(long long)(INT64_MAX >> (64 - bits)));
	return bv_fail(p, -ERANGE, "%s does not fit %s (%s): 0 to %llu", word, name, size,
		(unsigned long long)(UINT64_MAX >> (64 - bits)));
}

/* word as a number of so many bits */
int bv_number(struct bv_parser *p, const char *word, u32 id, u32 bits, bool is_signed, u8 *buf,
	u32 bit_off)
{
	bool negative = *word == '-';
	bv_u128 value, limit;
	int err = bv_digits(word + (negative || *word == '+'), &value);

	if (err == -EINVAL)
		return bv_fail_at(
			p, id, strpbrk(word, ".:") ? "a number or an address" : "a number");
	/* the largest that fits, without its sign */
	limit = is_signed ? ((bv_u128)1 << (bits - 1)) - !negative : ~(bv_u128)0 >> (128 - bits);
	if (err || (negative && !is_signed && value) || value > limit)
		return fail_range(p, word, id, bits, is_signed);
	bv_store(buf, bit_off, bits, negative ? -value : value);
	p->at += strlen(word);
	return 0;
}

/* 'c' */
static bool take_char(struct bv_parser *p, u8 *ret)
{
	bv_space(p);
	if (p->at[0] != '\'' || !p->at[1] || p->at[2] != '\'')
		return false;
	*ret = (u8)p->at[1];
	p->at += 3;
	return true;
}

int bv_int(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf, u32 bit_off, u32 bits)
{
	u32 encoding = btf_int_encoding(t);
	char word[BV_WORD_MAX];
	u8 ch;

	if (bits == 8 && take_char(p, &ch)) {
		bv_store(buf, bit_off, 8, ch);
		return 0;
	}
	if (!bv_word(p, word))
		return bv_fail_at(p, id, "a number");
	if (encoding == BTF_INT_BOOL) {
		bool is_true = !strcmp(word, "true");

		if (!is_true && strcmp(word, "false"))
			return bv_number(p, word, id, 1, false, buf, bit_off);
		bv_store(buf, bit_off, 1, is_true);
		p->at += strlen(word);
		return 0;
	}
	if (encoding == BTF_INT_CHAR && *word != '-')
		return bv_number(p, word, id, bits, false, buf, bit_off);
	return bv_number(
		p, word, id, bits, encoding & (BTF_INT_SIGNED | BTF_INT_CHAR), buf, bit_off);
}

static bool find_enumerator(
	const struct bv_parser *p, const struct btf_type *t, const char *word, u64 *ret)
{
	for (u32 i = 0; i < btf_vlen(t); i++) {
		u32 name = btf_is_enum(t) ? btf_enum(t)[i].name_off : btf_enum64(t)[i].name_off;

		if (strcmp(btf__name_by_offset(p->btf, name), word))
			continue;
		*ret = btf_is_enum(t) ? (u64)(s64)btf_enum(t)[i].val
				      : btf_enum64_value(&btf_enum64(t)[i]);
		return true;
	}
	return false;
}

int bv_enum(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf, u32 bit_off, u32 bits)
{
	bool quoted = bv_take(p, '"');
	char word[BV_WORD_MAX], name[BV_NAME_LEN];
	u64 value;

	if (!bv_word(p, word))
		return bv_fail_at(p, id, "a name or a number");
	if (find_enumerator(p, t, word, &value)) {
		bv_store(buf, bit_off, bits, value);
		p->at += strlen(word);
		if (quoted && !bv_take(p, '"'))
			return bv_fail(p, -EINVAL, "a '\"' is missing after %s", word);
		return 0;
	}
	if (quoted || !strchr("0123456789+-", *word)) {
		bv_name(p, id, name, sizeof(name));
		return bv_fail(p, -EINVAL, "%s has no value named '%s'", name, word);
	}
	/* an enum is signed or not by its values; old BTF does not say: either may be meant */
	return bv_number(p, word, id, bits, *word == '-', buf, bit_off);
}

int bv_float(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf)
{
	char word[BV_WORD_MAX], *end;
	double wide;
	float narrow;

	if (!bv_word(p, word))
		return bv_fail_at(p, id, "a number");
	wide = strtod(word, &end);
	if (*end || (t->size != sizeof(wide) && t->size != sizeof(narrow)))
		return bv_fail_at(p, id, "a number");
	narrow = (float)wide;
	if (t->size == sizeof(wide))
		memcpy(buf, &wide, sizeof(wide));
	else
		memcpy(buf, &narrow, sizeof(narrow));
	p->at += strlen(word);
	return 0;
}

/* --- addresses --------------------------------------------------------------------------------- */

/* How many bytes the address takes: 4, 6 or 16; 0: the word is none. */
static size_t read_address(const char *word, u8 *ret)
{
	unsigned int mac[6];
	char end;

	if (inet_pton(AF_INET, word, ret) == 1)
		return 4;
	if (inet_pton(AF_INET6, word, ret) == 1)
		return 16;
	if (strlen(word) == 17 && sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x%c", &mac[0], &mac[1],
					  &mac[2], &mac[3], &mac[4], &mac[5], &end) == 6) {
		for (int i = 0; i < 6; i++)
			ret[i] = (u8)mac[i];
		return 6;
	}
	return 0;
}

/* struct { u32 bits; 4 or 16 bytes }: the length of the address in it, else 0 */
static size_t prefix_addr_len(const struct bv_parser *p, const struct btf_type *t)
{
	const struct btf_type *first;

	if (!btf_is_struct(t) || btf_vlen(t) < 2 || (t->size != 8 && t->size != 20))
		return 0;
	first = btf_value_type(p->btf, btf_members(t)[0].type);
	if (!first || !btf_is_int(first) || first->size != 4 || btf_member_bit_offset(t, 1) != 32)
		return 0;
	return t->size - 4;
}

/* ADDRESS[/BITS]. 1: taken, 0: the next word is no address. */
int bv_address(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf)
{
	size_t size = bv_size(p, id), len, prefix_len = prefix_addr_len(p, t), word_len;
	char word[BV_WORD_MAX], name[BV_NAME_LEN], *slash;
	u8 addr[16];
	bv_u128 bits;

	word_len = bv_word(p, word);
	slash = strchr(word, '/');
	if (slash)
		*slash = '\0';
	len = read_address(word, addr);
	if (!len)
		return 0;
	bv_name(p, id, name, sizeof(name));
	if (slash && (!prefix_len || len == 6))
		return bv_fail(p, -EINVAL, "%s is no prefix: '/' has no meaning", name);
	if (len != (prefix_len ? prefix_len : size))
		return bv_fail(p, -EINVAL, "%s is an address of %zu bytes, but %s has %zu", word,
			len, name, prefix_len ? prefix_len : size);
	bits = len * 8;
	if (slash && (bv_digits(slash + 1, &bits) || bits > len * 8))
		return bv_fail(p, -ERANGE, "'/%s': a prefix of this address has 0 to %zu bits",
			slash + 1, len * 8);
	if (prefix_len)
		bv_store(buf, 0, 32, bits);
	memcpy(buf + (prefix_len ? 4 : 0), addr, len);
	p->at += word_len;
	return 1;
}
