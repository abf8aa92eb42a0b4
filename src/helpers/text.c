/*
 * Numbers and strings in program memory, which has a length and need not end with a zero byte.
 */
#include <errno.h>
#include <string.h>

#include "helpers/fns.h"

enum {
	NUMBER_TEXT_MAX = 63, /* digits looked at, prefix included */
	BASE_MASK = 0x1f,
};

static bool is_space(u8 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0;
}

static u32 digit_value(u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : UINT32_MAX;
}

/* number := [0x] digit … ; the bytes used are returned, or -EINVAL, -ERANGE. text ends with a zero. */
static int parse_digits(const char *text, u32 base, u64 *ret_value)
{
	bool is_hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	const char *p = text;
	bool overflow = false;
	u64 value = 0;

	if (!base) {
		is_hex = is_hex && digit_value((u8)text[2]) < 16;
		base = is_hex ? 16 : text[0] == '0' ? 8 : 10;
	}
	if (base == 16 && is_hex)
		p += 2;
	const char *digits = p;

	for (; digit_value((u8)*p) < base; p++) {
		overflow |= __builtin_mul_overflow(value, (u64)base, &value);
		overflow |= __builtin_add_overflow(value, (u64)digit_value((u8)*p), &value);
	}
	if (overflow)
		return -ERANGE;
	if (p == digits)
		return -EINVAL;
	*ret_value = value;
	return (int)(p - text);
}

/* text := space … [-] number */
static int parse(const u8 *buf, u64 len, u64 flags, u64 *ret_value, bool *ret_negative)
{
	char text[NUMBER_TEXT_MAX + 1] = "";
	u32 base = flags & BASE_MASK;
	u64 pos = 0;
	int used;

	if (!len || (base && base != 8 && base != 10 && base != 16) || flags & ~(u64)BASE_MASK)
		return -EINVAL;
	while (pos < len && is_space(buf[pos]))
		pos++;
	*ret_negative = pos < len && buf[pos] == '-';
	pos += *ret_negative;
	if (pos == len)
		return -EINVAL;
	memcpy(text, buf + pos, MIN(len - pos, (u64)NUMBER_TEXT_MAX));
	used = parse_digits(text, base, ret_value);
	return used < 0 ? used : (int)pos + used;
}

u64 hlp_strtol(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	s64 *res = hlp_ptr(r4);
	bool negative;
	u64 value;
	int used;

	*res = 0;
	used = parse(hlp_ptr(r1), r2, r3, &value, &negative);
	if (used < 0)
		return (u64)used;
	if (value > (u64)INT64_MAX + negative)
		return (u64)-ERANGE;
	*res = (s64)(negative ? -value : value);
	return (u64)used;
}

u64 hlp_strtoul(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	u64 *res = hlp_ptr(r4);
	bool negative;
	u64 value;
	int used;

	*res = 0;
	used = parse(hlp_ptr(r1), r2, r3, &value, &negative);
	if (used < 0)
		return (u64)used;
	if (negative)
		return (u64)-EINVAL;
	*res = value;
	return (u64)used;
}

u64 hlp_strncmp(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const u8 *a = hlp_ptr(r1), *b = hlp_ptr(r3);

	for (u32 i = 0; i < (u32)r2; i++) {
		if (a[i] != b[i])
			return (u64)(a[i] < b[i] ? -1 : 1);
		if (!a[i])
			break;
	}
	return 0;
}
