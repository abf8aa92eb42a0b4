/*
 * Values and their types: printing bytes as the type says, in bpftool's shapes, and reading them back
 * from words.
 *
 * What can be written for a value, by its type:
 *
 *	value	:= NUMBER			int, enum, pointer: 10, -1, 0x1f (a leading 0 is octal)
 *		 | NAME				enum
 *		 | "true" | "false"		_Bool
 *		 | "'" CHARACTER "'"		char
 *		 | ADDRESS			4 or 16 bytes of any type, as on the wire: 192.168.1.5, fe80::1;
 *						6 bytes: 02:00:00:00:00:01
 *		 | ADDRESS "/" NUMBER		struct of u32 and 4 or 16 bytes, the key of an LPM trie;
 *						without "/" all bits count
 *		 | TEXT | '"' TEXT '"'		array of char, the rest is zero
 *		 | "{" [item {"," item}] "}"	struct, union, array, section ("[" "]" as well)
 *	item	:= NAME ("=" | ":") value | value	by name, or in order; what is not named is zero
 *	bytes	:= BYTE…  |  "hex" XX…		any type: exactly as many as it has, 0 to 255 each
 *
 * Nothing is cut: a number that does not fit, a wrong count of bytes, an unknown name is an error.
 */
#ifndef SKEP_BTF_VALUE_H
#define SKEP_BTF_VALUE_H

#include "base/types.h"
#include "json.h"

struct btf; /* libbpf's */

enum { BTF_VALUE_ERROR_MAX = 256 };

/*
 * One value of type id from len bytes at data. text: what bpftool writes without -j (pointers in hex,
 * bitfields without quotes). Errors, before anything is written: -EINVAL for a type that is not known,
 * has no values or does not have len bytes.
 */
int btf_value_print(
	struct json *w, const struct btf *btf, u32 id, const void *data, size_t len, bool text);

/*
 * Reads the whole of `text` as a value of type id into buf, which has len bytes. 0, or -EINVAL
 * (-ERANGE when a number does not fit, -ENOMEM) with the reason in why; buf is untouched then.
 */
int btf_value_parse(const char *text, const struct btf *btf, u32 id, void *buf, size_t len,
	char *why, size_t why_len);

/* Whether values of type id exist, have len bytes, and all members lie inside them: 0, -EINVAL. */
int btf_value_check(const struct btf *btf, u32 id, size_t len);

/* The type id stands for, past typedefs, qualifiers, type tags and variables; NULL if not known. */
const struct btf_type *btf_value_type(const struct btf *btf, u32 id);

#endif
