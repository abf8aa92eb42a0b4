/*
 * What the reader of values (btf_value_parse.c) is made of: its state, its words, and the values that
 * have no parts.
 */
#ifndef SKEP_BTF_VALUE_SCALAR_H
#define SKEP_BTF_VALUE_SCALAR_H

#include "base/types.h"

struct btf;
struct btf_type;

typedef unsigned __int128 bv_u128;

enum { BV_DEPTH_MAX = 64, BV_WORD_MAX = 128, BV_PATH_MAX = 96, BV_NAME_LEN = 96 };

struct bv_parser {
	const struct btf *btf;
	const char *at;
	char *why;
	size_t why_len;
	char path[BV_PATH_MAX]; /* "" at the top, else "a.b[2]" */
	int depth;
};

/* "PATH: text" into why; returns err */
__attribute__((format(printf, 3, 4))) int bv_fail(
	struct bv_parser *p, int err, const char *fmt, ...);
/* -EINVAL: what stands there is not what the type needs */
int bv_fail_at(struct bv_parser *p, u32 id, const char *expected);
/* bytes of a value, 0 if it has none */
size_t bv_size(const struct bv_parser *p, u32 id);
/* "struct key", "unsigned short", "int[4]": what the type is called, typedefs by their own name */
void bv_name(const struct bv_parser *p, u32 id, char *ret, size_t len);

void bv_space(struct bv_parser *p);
bool bv_take(struct bv_parser *p, char ch);
bool bv_is_end(char ch);
/* The next word, up to a space or a sign of the grammar; its length, 0 when there is none. */
size_t bv_word(struct bv_parser *p, char *ret);

/* Digits of base 10, 16 (0x) or 8 (0), all of them; -EINVAL, -ERANGE over 128 bits. */
int bv_digits(const char *word, bv_u128 *ret);
/* The word as a number of so many bits, bit_off into buf, which is zero there. */
int bv_number(struct bv_parser *p, const char *word, u32 id, u32 bits, bool is_signed, u8 *buf,
	u32 bit_off);
int bv_int(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf, u32 bit_off, u32 bits);
int bv_enum(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf, u32 bit_off, u32 bits);
int bv_float(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf);
/* ADDRESS[/BITS]. 1: taken, 0: the next word is no address. */
int bv_address(struct bv_parser *p, u32 id, const struct btf_type *t, u8 *buf);

#endif
