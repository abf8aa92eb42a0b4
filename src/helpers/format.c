/*
 * The format language that Linux allows programs:
 *
 *   text := { byte | "%%" | "%" { "0" | "+" | "-" | " " } [ width ] spec }
 *   spec := [ "l" | "ll" ] ( "d" | "i" | "u" | "x" | "X" )
 *	   | "c" | "s" | "pks" | "pus" | "p" | "pK" | "px" | "ps" | "pS" | "pB"
 *	   | "p" ( "i" | "I" ) ( "4" | "6" )
 *
 * where s, pks, pus and p must be followed by the end, a space or punctuation, and bytes of text are
 * printable ASCII, white space, or >= 0x80. Strings and addresses are read through the operating system,
 * so that a bad pointer gives an empty string and never a crash.
 * Letters and digits right behind a pointer's specifier are swallowed, and widths count only where they
 * do in Linux.
 * A plain %p shows a hash of the pointer, as in Linux; there are no symbols, so %ps and %pB show numbers.
 * Source: bpf_bprintf_prepare in Linux 6.18, lib/vsprintf.c for the texts.
 */
#include "helpers/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "helpers/peek.h"

enum {
	SPACE_MAX =
		512, /* bytes that all values of one call may take, strings with their zero byte */
	WIDTH_MAX = 8192,
	IPV4_LEN = 4,
	IPV6_LEN = 16,
};

struct out {
	char *text;
	u32 cap;   /* bytes of text, with the zero byte */
	u32 len;   /* of the whole text */
	u32 space; /* of SPACE_MAX, used */
};

/* One conversion, parsed. */
struct spec {
	char flags[8]; /* distinct flag characters */
	u32 width;
	enum kind { NUMBER, CHAR, STRING, POINTER, ADDRESS } kind;
	char conv;    /* d i u x X; for pointers the letter after p, or 0; for addresses i or I */
	u8 value_len; /* 4 or 8; of addresses 4 or 16 */
	bool has_no_width; /* the width is read and ignored */
};

static bool is_space(u8 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0;
}

static bool is_print(u8 c)
{
	return c >= ' ' && c < 0x7f;
}

/* Linux's characters are those of Latin-1. */
static bool is_alnum(u8 c)
{
	if (c >= 0x80)
		return c >= 0xc0 && c != 0xd7 && c != 0xf7;
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_punct(u8 c)
{
	if (c >= 0x80)
		return (c > 0xa0 && c <= 0xbf) || c == 0xd7 || c == 0xf7;
	return is_print(c) && c != ' ' && !is_alnum(c);
}

static bool may_follow(u8 c)
{
	return !c || is_space(c) || is_punct(c);
}

static void put(struct out *out, const char *bytes, u32 len)
{
	if (out->cap && out->len < out->cap - 1)
		memcpy(out->text + out->len, bytes, MIN(len, out->cap - 1 - out->len));
	out->len += len;
}

static void put_padding(struct out *out, u32 cnt)
{
	while (cnt--)
		put(out, " ", 1);
}

/* A piece of text in its field. */
static void put_field(struct out *out, const struct spec *spec, const char *bytes, u32 len)
{
	u32 padding = spec->width > len ? spec->width - len : 0;
	bool to_left = strchr(spec->flags, '-');

	put_padding(out, to_left ? 0 : padding);
	put(out, bytes, len);
	put_padding(out, to_left ? padding : 0);
}

/* Room for one value of len bytes; numbers stand at multiples of 4. */
static int take_space(struct out *out, u32 len, bool aligned)
{
	u32 from = aligned ? ROUND_UP(out->space, 4) : out->space;

	if (from + len > SPACE_MAX)
		return -ENOSPC;
	out->space = from + len;
	return 0;
}

static int put_string(struct out *out, const struct spec *spec, u64 value)
{
	char text[SPACE_MAX];
	u32 room = SPACE_MAX - out->space, len;

	if (!room)
		return -ENOSPC;
	len = (u32)MAX(hlp_peek_text(value, text, room), 1) - 1; /* "" if it cannot be read */
	out->space += len + 1;
	put_field(out, spec, text, len);
	return 0;
}

static int put_number(struct out *out, const struct spec *spec, u64 value)
{
	bool is_long = spec->value_len == 8;
	char form[24], text[WIDTH_MAX + 32];
	int len;

	if (take_space(out, spec->value_len, true))
		return -ENOSPC;
	if (!is_long)
		value = spec->conv == 'd' || spec->conv == 'i' ? (u64)(s64)(s32)value : (u32)value;
	snprintf(form, sizeof(form), "%%%s*ll%c", spec->flags, spec->conv);
	len = snprintf(text, sizeof(text), form, (int)spec->width, (long long)value);
	put(out, text, (u32)len);
	return 0;
}

static int put_char(struct out *out, const struct spec *spec, u64 value)
{
	char c = (char)value;

	if (take_space(out, 1, false))
		return -ENOSPC;
	put_field(out, spec, &c, 1);
	return 0;
}

/* Without a width, 16 digits. */
static int put_pointer(struct out *out, const struct spec *spec, u64 value)
{
	static const char secret; /* its address differs from process to process */
	struct spec as_number = {
		.kind = NUMBER, .conv = 'x', .value_len = 8, .flags = "0", .width = 16};
	char text[24];
	int len;

	if (spec->conv == 's' || spec->conv == 'S' || spec->conv == 'B') {
		if (take_space(out, 8, true))
			return -ENOSPC;
		len = snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
		put_field(out, spec, text, (u32)len);
		return 0;
	}
	if (spec->width) {
		as_number.width = spec->width;
		memcpy(as_number.flags, spec->flags, sizeof(spec->flags));
	}
	if (spec->conv != 'x' && value)
		value = (u32)hash_mix(value ^ (uintptr_t)&secret, 0x9e3779b97f4a7c15);
	return put_number(out, &as_number, value);
}

static int put_address(struct out *out, const struct spec *spec, u64 value)
{
	u8 addr[IPV6_LEN];
	char text[48] = "";
	int len = 0;

	if (SPACE_MAX - out->space < spec->value_len)
		return -ENOSPC;
	if (hlp_peek(value, addr, spec->value_len))
		memset(addr, 0, sizeof(addr));
	if (spec->value_len == IPV4_LEN) {
		len = snprintf(text, sizeof(text),
			spec->conv == 'i' ? "%03u.%03u.%03u.%03u" : "%u.%u.%u.%u", addr[0], addr[1],
			addr[2], addr[3]);
	} else {
		for (int i = 0; i < IPV6_LEN; i += 2)
			len += snprintf(text + len, sizeof(text) - len, "%s%02x%02x",
				i && spec->conv == 'I' ? ":" : "", addr[i], addr[i + 1]);
	}
	out->space = MIN(out->space + (u32)len + 1, SPACE_MAX);
	put_field(out, spec, text, (u32)len);
	return 0;
}

/* What follows "p". The characters used, or -EINVAL. */
static int parse_pointer(const char *p, struct spec *spec)
{
	*spec = (struct spec){.kind = POINTER, .value_len = 8};
	if (may_follow((u8)p[0]))
		return 0;
	if ((p[0] == 'k' || p[0] == 'u') && p[1] == 's') {
		*spec = (struct spec){.kind = STRING, .has_no_width = true};
		return may_follow((u8)p[2]) ? 2 : -EINVAL;
	}
	spec->conv = p[0];
	spec->has_no_width = p[0] == 'B';
	if (strchr("KxsSB", p[0]))
		return 1;
	if ((p[0] != 'i' && p[0] != 'I') || (p[1] != '4' && p[1] != '6'))
		return -EINVAL;
	spec->kind = ADDRESS;
	spec->value_len = p[1] == '4' ? IPV4_LEN : IPV6_LEN;
	spec->has_no_width = true;
	return 2;
}

/* "l", "ll" or nothing, and the conversion: the number of l's, or -EINVAL. */
static int parse_number(const char *p, struct spec *spec)
{
	int used = 0;

	while (used < 2 && p[used] == 'l')
		used++;
	if (!p[used] || !strchr("diuxX", p[used]))
		return -EINVAL;
	*spec = (struct spec){.kind = NUMBER, .conv = p[used], .value_len = used ? 8 : 4};
	return used;
}

/* What follows "%". The characters used, or -EINVAL. */
static int parse_spec(const char *fmt, struct spec *ret_spec)
{
	char flags[sizeof(ret_spec->flags)] = "";
	const char *p = fmt;
	u32 width = 0;
	int used;

	for (; *p && strchr("0+- ", *p); p++) {
		if (!strchr(flags, *p))
			flags[strlen(flags)] = *p;
	}
	for (; *p >= '0' && *p <= '9'; p++)
		width = MIN(width * 10 + (u32)(*p - '0'), (u32)WIDTH_MAX);
	switch (*p) {
	case 'p': used = parse_pointer(p + 1, ret_spec); break;
	case 's':
		*ret_spec = (struct spec){.kind = STRING};
		used = may_follow((u8)p[1]) ? 0 : -EINVAL;
		break;
	case 'c':
		*ret_spec = (struct spec){.kind = CHAR};
		used = 0;
		break;
	default: used = parse_number(p, ret_spec); break;
	}
	if (used < 0)
		return -EINVAL;
	memcpy(ret_spec->flags, flags, sizeof(flags));
	ret_spec->width = ret_spec->has_no_width ? 0 : width;
	if (*p == 'p') { /* letters and digits that follow are of the pointer's kind to Linux */
		while (is_alnum((u8)p[1 + used]))
			used++;
	}
	return (int)(p - fmt) + 1 + used;
}

static int put_value(struct out *out, const struct spec *spec, u64 value)
{
	switch (spec->kind) {
	case NUMBER: return put_number(out, spec, value);
	case CHAR: return put_char(out, spec, value);
	case STRING: return put_string(out, spec, value);
	case POINTER: return put_pointer(out, spec, value);
	case ADDRESS: return put_address(out, spec, value);
	}
	return -EINVAL;
}

int hlp_format(const char *fmt, u32 size, const u64 *args, u32 arg_cnt, char *ret_text, u32 cap)
{
	struct out out = {.text = ret_text, .cap = cap};
	struct spec spec;
	u32 arg = 0;
	int used;

	if (strnlen(fmt, size) == size)
		return -EINVAL;
	for (; *fmt; fmt++) {
		u8 c = (u8)*fmt;

		if (c < 0x80 && !is_print(c) && !is_space(c))
			return -EINVAL;
		if (c != '%' || fmt[1] == '%') {
			put(&out, fmt, 1);
			fmt += c == '%';
			continue;
		}
		used = arg < arg_cnt ? parse_spec(fmt + 1, &spec) : -EINVAL;
		if (used < 0)
			return used;
		if (put_value(&out, &spec, args[arg++]))
			return -ENOSPC;
		fmt += used;
	}
	if (cap)
		ret_text[MIN(out.len, cap - 1)] = 0;
	return (int)out.len;
}

int hlp_format_check(const char *fmt, u32 size, u32 arg_cnt)
{
	static const u64 no_args[HLP_FORMAT_ARGS_MAX];
	int ret;

	ret = hlp_format(fmt, size, no_args, MIN(arg_cnt, (u32)HLP_FORMAT_ARGS_MAX), NULL, 0);
	return MIN(ret, 0);
}
