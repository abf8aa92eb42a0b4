/*
 * Strings that may not be there: each byte is read through the operating system, in pieces. A position or
 * length, or -ENOENT (not found), -EFAULT (runs into memory that is not there), -E2BIG (longer than
 * Linux looks).
 * Source: kernel/bpf/helpers.c of Linux 6.18.
 */
#include <errno.h>
#include <string.h>

#include "helpers/kfns.h"
#include "helpers/peek.h"

enum {
	TEXT_MAX = 65536, /* Linux: XATTR_SIZE_MAX */
	PIECE = 256,
};

/* A string, read as far as it was asked for. */
struct text {
	u64 addr;
	u32 from, len; /* what piece holds */
	char piece[PIECE];
};

static void text_init(struct text *text, u64 addr)
{
	text->addr = addr;
	text->from = text->len = 0;
}

/* The byte at pos, or -EFAULT. Pieces end with their page, so that no byte behind the string is asked for. */
static int text_at(struct text *text, u32 pos)
{
	u64 addr = text->addr + pos;

	if (pos < text->from || pos >= text->from + text->len) {
		text->len = (u32)MIN((u64)PIECE, 4096 - addr % 4096);
		text->from = pos;
		if (hlp_peek(addr, text->piece, text->len)) {
			text->len = 0;
			return -EFAULT;
		}
	}
	return (u8)text->piece[pos - text->from];
}

static u8 lower(u8 c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static u64 compare(u64 left, u64 right, u32 max, bool folds)
{
	struct text a, b;
	int x, y;

	text_init(&a, left);
	text_init(&b, right);
	for (u32 i = 0; i < max; i++) {
		x = text_at(&a, i);
		y = text_at(&b, i);
		if (x < 0 || y < 0)
			return (u64)-EFAULT;
		if (folds) {
			x = lower((u8)x);
			y = lower((u8)y);
		}
		if (x != y)
			return (u64)(x < y ? -1 : 1);
		if (!x)
			return 0;
	}
	return (u64)-E2BIG;
}

u64 hlp_kf_strcmp(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return compare(r1, r2, TEXT_MAX, false);
}

u64 hlp_kf_strcasecmp(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return compare(r1, r2, TEXT_MAX, true);
}

/* Where c is among the first max bytes; or_end: or the string ends. */
static u64 find(u64 addr, u64 max, char c, bool or_end)
{
	struct text text;
	int x;

	text_init(&text, addr);
	for (u32 i = 0; i < MIN(max, (u64)TEXT_MAX); i++) {
		x = text_at(&text, i);
		if (x < 0)
			return (u64)-EFAULT;
		if (x == (u8)c || (!x && or_end))
			return i;
		if (!x)
			return (u64)-ENOENT;
	}
	return (u64)(max <= TEXT_MAX ? (or_end ? (s64)max : -ENOENT) : -E2BIG);
}

u64 hlp_kf_strchr(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return find(r1, UINT64_MAX, (char)r2, false);
}

u64 hlp_kf_strnchr(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return find(r1, r2, (char)r3, false);
}

u64 hlp_kf_strchrnul(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return find(r1, UINT64_MAX, (char)r2, true);
}

u64 hlp_kf_strlen(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return find(r1, UINT64_MAX, 0, true);
}

u64 hlp_kf_strnlen(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return find(r1, r2, 0, true);
}

u64 hlp_kf_strrchr(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	s64 last = -ENOENT;
	struct text text;
	int x;

	text_init(&text, r1);
	for (u32 i = 0; i < TEXT_MAX; i++) {
		x = text_at(&text, i);
		if (x < 0)
			return (u64)-EFAULT;
		if (x == (u8)r2)
			last = i;
		if (!x)
			return (u64)last;
	}
	return (u64)-E2BIG;
}

/* How many bytes from the start on are in the set, or are not. */
static u64 span(u64 addr, u64 set, bool in)
{
	struct text text;
	u64 at;
	int x;

	text_init(&text, addr);
	for (u32 i = 0; i < TEXT_MAX; i++) {
		x = text_at(&text, i);
		if (x < 0)
			return (u64)-EFAULT;
		if (!x)
			return i;
		at = find(set, UINT64_MAX, (char)x, false);
		if ((s64)at < 0 && (s64)at != -ENOENT)
			return at;
		if (((s64)at >= 0) != in)
			return i;
	}
	return (u64)-E2BIG;
}

u64 hlp_kf_strspn(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return span(r1, r2, true);
}

u64 hlp_kf_strcspn(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return span(r1, r2, false);
}

/* Whether the needle stands at pos: 1, 0, or an errno; *ret_over: the haystack ended meanwhile. */
static int stands_at(struct text *hay, struct text *needle, u32 pos, u64 max, bool *ret_over)
{
	int x, y;

	*ret_over = false;
	for (u32 i = 0; pos + i < TEXT_MAX; i++) {
		y = text_at(needle, i);
		if (y <= 0)
			return y < 0 ? -EFAULT : 1;
		if (pos + i >= max) {
			*ret_over = true;
			return 0;
		}
		x = text_at(hay, pos + i);
		if (x < 0)
			return -EFAULT;
		if (!x)
			*ret_over = true;
		if (x != y)
			return 0;
	}
	return -E2BIG;
}

static u64 search(u64 hay_addr, u64 needle_addr, u64 max)
{
	struct text hay, needle;
	bool over;
	int ret;

	text_init(&hay, hay_addr);
	text_init(&needle, needle_addr);
	for (u32 pos = 0; pos < TEXT_MAX; pos++) {
		ret = stands_at(&hay, &needle, pos, max, &over);
		if (ret)
			return ret < 0 ? (u64)ret : pos;
		if (over)
			return (u64)-ENOENT;
	}
	return (u64)-E2BIG;
}

u64 hlp_kf_strstr(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return search(r1, r2, UINT64_MAX);
}

u64 hlp_kf_strnstr(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return search(r1, r2, r3);
}

/* (to, size, address, flags); BPF_F_PAD_ZEROS clears what is left. */
u64 hlp_kf_copy_from_user_str(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	enum { PAD_ZEROS = 1 };
	char *to = hlp_ptr(r1);
	u32 cap = (u32)r2;
	int len;

	if (r4 & ~(u64)PAD_ZEROS)
		return (u64)-EINVAL;
	if (!cap)
		return 0;
	len = hlp_peek_text(r3, to, cap);
	if (len < 0)
		memset(to, 0, cap);
	else if (r4)
		memset(to + len, 0, cap - (u32)len);
	return (u64)(s64)len;
}
