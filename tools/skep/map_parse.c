/*
 * Reading keys and values. The grammar stands in map_data.h; each form is tried in turn and must use
 * all words up to the next keyword and fill the item exactly.
 */
#include <arpa/inet.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "btf_value.h"
#include "info.h"
#include "map_data.h"
#include "out.h"

enum { TEXT_MAX = 65536 };

static const char *item_name(enum map_item item)
{
	return item == MAP_KEY ? "key" : "value";
}

bool map_data_ends(const struct args *a)
{
	static const char *const words[] = {"key", "value", "any", "exist", "noexist"};

	if (!a->cnt)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(a->words[0], words[i]))
			return true;
	return false;
}

/* -EINVAL: no number; -ERANGE: over 255. A byte of hex has one or two digits, 0x or not. */
static int parse_byte(const char *word, int base, u8 *ret)
{
	unsigned long value;
	char *end;

	if (!*word || strspn(word, "0123456789abcdefABCDEFxX") != strlen(word))
		return -EINVAL;
	errno = 0;
	value = strtoul(word, &end, base);
	if (*end)
		return -EINVAL;
	if (errno || value > 255)
		return -ERANGE;
	*ret = (u8)value;
	return 0;
}

static int parse_bytes(
	struct tool *t, enum map_item item, char *const *words, size_t cnt, int base, u8 *buf)
{
	for (size_t i = 0; i < cnt; i++) {
		int err = parse_byte(words[i], base, &buf[i]);

		if (err == -ERANGE)
			return fail(t, "byte %zu of the %s is '%s': a byte is at most 255 (0xff)",
				i + 1, item_name(item), words[i]);
		if (err)
			return fail(t, "error parsing byte: %s (byte %zu of the %s)", words[i],
				i + 1, item_name(item));
	}
	return 0;
}

/* ADDRESS for 4 or 16 bytes, ADDRESS/LEN for the key of a trie. -EINVAL: no address of that size. */
static int parse_address(const struct map_data *d, enum map_item item, const char *word, u8 *buf)
{
	size_t len = map_item_len(d, item);
	char text[INET6_ADDRSTRLEN];
	const char *slash = strchr(word, '/');
	size_t addr_len = len, text_len = slash ? (size_t)(slash - word) : strlen(word);
	u64 prefix;
	u32 prefix32;

	if (item == MAP_KEY && info_is_indexed(d->info.type))
		return -EINVAL;
	if (slash) {
		if (item != MAP_KEY || d->info.type != BPF_MAP_TYPE_LPM_TRIE || len < sizeof(u32))
			return -EINVAL;
		addr_len = len - sizeof(u32);
	}
	if ((addr_len != 4 && addr_len != 16) || text_len >= sizeof(text))
		return -EINVAL;
	memcpy(text, word, text_len);
	text[text_len] = 0;
	if (slash && args_number(slash + 1, addr_len * 8, &prefix))
		return -EINVAL;
	if (inet_pton(addr_len == 4 ? AF_INET : AF_INET6, text, buf + len - addr_len) != 1)
		return -EINVAL;
	if (slash) {
		prefix32 = (u32)prefix;
		memcpy(buf, &prefix32, sizeof(prefix32));
	}
	return 0;
}

/* A number for an item of 1, 2, 4 or 8 bytes, in the machine's order. */
static int parse_number(const char *word, size_t len, u8 *buf)
{
	bool negative = *word == '-';
	u64 value, max = len >= 8 ? UINT64_MAX : (1ULL << (len * 8)) - 1;
	int err;

	if (len != 1 && len != 2 && len != 4 && len != 8)
		return -EINVAL;
	err = args_number(word + negative, negative ? max / 2 + 1 : max, &value);
	if (err)
		return err;
	if (negative)
		value = -value;
	memcpy(buf, &value, len); /* little endian: the build refuses others */
	return 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written little endian");

/* The words joined to one text: braces and commas may be spread over several. */
static int parse_typed(struct tool *t, const struct map_data *d, enum map_item item,
	char *const *words, size_t cnt, u8 *buf)
{
	u32 id = item == MAP_KEY ? d->key_id : d->value_id;
	struct buf text = BUF_INIT_MAX(TEXT_MAX);
	char why[BTF_VALUE_ERROR_MAX] = "";
	int err;

	for (size_t i = 0; i < cnt; i++)
		buf_printf(&text, "%s%s", i ? " " : "", words[i]);
	err = text.err;
	if (err == -E2BIG)
		fail(t, "the %s is longer than %d characters", item_name(item), TEXT_MAX);
	else if (err)
		fail(t, "out of memory");
	else
		err = btf_value_parse(
			buf_text(&text), d->btf, id, buf, map_item_len(d, item), why, sizeof(why));
	if (err && !text.err)
		fail(t, "cannot read the %s '%s': %s%s", item_name(item), buf_text(&text),
			why[0] ? why : errno_text(err),
			strstr(why, "bytes") ? ""
					     : "; its bytes can be written one by one as well");
	buf_done(&text);
	return err ? -1 : 0;
}

/* Bytes, or one number: all there is where the type is not known. */
static int parse_plain(struct tool *t, const struct map_data *d, enum map_item item,
	char *const *words, size_t cnt, u8 *buf)
{
	size_t len = map_item_len(d, item);
	int err = -EINVAL;

	if (cnt == len)
		return parse_bytes(t, item, words, cnt, 0, buf);
	if (cnt == 1)
		err = parse_number(words[0], len, buf);
	if (err == -ERANGE)
		return fail(t, "the %s '%s' does not fit the %zu bytes of this map",
			item_name(item), words[0], len);
	if (err)
		return fail(t,
			"the %s of this map has %zu bytes, but %zu %s given: write each byte "
			"(0-255, or after 'hex'), or one number",
			item_name(item), len, cnt, cnt == 1 ? "was" : "were");
	return 0;
}

int map_data_parse(
	struct tool *t, const struct map_data *d, enum map_item item, struct args *a, void *buf)
{
	size_t len = map_item_len(d, item), cnt = 0;
	bool hex = args_take_exact(a, "hex");
	char **words = a->words;

	for (; !map_data_ends(a); cnt++)
		args_next(a);
	if (!cnt)
		return fail_missing(t, "data", hex ? "hex" : item_name(item));
	if (hex && cnt != len)
		return fail(t, "the %s of this map has %zu bytes, but %zu %s given",
			item_name(item), len, cnt, cnt == 1 ? "was" : "were");
	if (hex)
		return parse_bytes(t, item, words, cnt, 16, buf);
	if (cnt == 1 && !parse_address(d, item, words[0], buf))
		return 0;
	if (!d->btf || !(item == MAP_KEY ? d->key_id : d->value_id))
		return parse_plain(t, d, item, words, cnt, buf);
	/* "{ a = 1 , b = 2 }" may have as many words as bytes */
	if (cnt == len && cnt > 1 && words[0][0] >= '0' && words[0][0] <= '9')
		return parse_bytes(t, item, words, cnt, 0, buf);
	return parse_typed(t, d, item, words, cnt, buf);
}
