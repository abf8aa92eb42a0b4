/*
 * BTF written as text, for tests: a block of lines makes the bytes of one BTF and says what is
 * expected of them.
 *
 *	# a struct may point to itself
 *	INT int size=4 bits=32
 *	STRUCT node size=16
 *		value type=1 off=0
 *		next type=3 off=64
 *	PTR type=2
 *	=> 0
 *
 * A type is a line KIND [NAME] KEY=NUMBER…; what follows it (members, enumerators, parameters,
 * variables of a section) are indented lines [NAME] KEY=NUMBER…. Names are gathered in the string
 * section; a name in double quotes may have spaces, and bytes as \xNN. Numbers are decimal, negative
 * or 0x hexadecimal.
 *	keys of a type	  size type bits enc bitoff (INT) elem index nelems (ARRAY) linkage (VAR)
 *			  idx (DECL_TAG) kflag vlen (not counted: as given) info (the whole word)
 *			  kind name_off
 *	keys of an item	  type off size (variables) bitsize (the high byte of a member's off) val
 *			  hi (ENUM64) name_off
 * Other lines:
 *	raw N…		  words of 32 bits into the type section, as they are
 *	str "text"	  a string, also if nothing names it
 *	hdr KEY=NUMBER…	  the header's fields, instead of the right ones: magic version flags hdr_len
 *			  type_off type_len str_off str_len; `tail` cuts (or adds, zero) so many bytes
 *			  at the end, `gap` puts so many zero bytes after the header
 *	hex N…		  bytes appended to everything
 *	=> NUMBER [text]  ends the block: 0 or the negative errno, and the last line of the log
 */
#ifndef TESTS_BTF_TEXT_H
#define TESTS_BTF_TEXT_H

#include "base/buf.h"

struct btf_case {
	char title[128]; /* of the comment before it */
	int line;	 /* where it begins */
	struct buf data;
	int err; /* expected */
	char complaint[256];
};

/*
 * Reads the next block of *text into *ret_case (data to be freed with buf_done) and moves *text behind
 * it. 1: a case, 0: no more, -EINVAL: not understood, with a message on standard error.
 * *line counts lines, from 1.
 */
int btf_text_next(const char **text, int *line, struct btf_case *ret_case);
/* One block without "=>": the bytes. Aborts when it is not understood. */
struct buf btf_text(const char *text);

#endif
