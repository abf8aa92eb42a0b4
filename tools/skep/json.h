/*
 * A streaming JSON writer with the layout of `bpftool -j` (compact) and `bpftool -j -p` (pretty).
 *
 * The pretty layout puts every name of an object on a line of its own, four spaces a level; the
 * values of an array follow each other on one line, and the bracket that closes something that is
 * not empty stands on its own line:
 *
 *	{
 *	    "id": 7,
 *	    "map_ids": [4,5
 *	    ]
 *	}
 *
 * The writer checks nothing: the caller closes what it opened, and names values inside objects.
 * Not thread-safe. Output goes to a stdio stream, whose error state tells of failed writes.
 */
#ifndef SKEP_JSON_H
#define SKEP_JSON_H

#include <stdio.h>

#include "base/types.h"

struct json {
	FILE *out;
	bool pretty;
	bool started; /* anything was written since json_init() or json_end_line() */
	unsigned depth;
	char sep; /* 0, or the comma due before the next value or name */
};

void json_init(struct json *w, FILE *out, bool pretty);
/* Ends a complete text with a newline; nothing when nothing was written. */
void json_end_line(struct json *w);

void json_start_object(struct json *w);
void json_end_object(struct json *w);
void json_start_array(struct json *w);
void json_end_array(struct json *w);

/* The name of the next value; only inside an object. */
void json_name(struct json *w, const char *name);

void json_string(struct json *w, const char *text);
void json_string_len(struct json *w, const char *text, size_t len);
void json_bool(struct json *w, bool value);
void json_uint(struct json *w, u64 value);
void json_int(struct json *w, s64 value);
void json_null(struct json *w);
/* A value written as it stands: for numbers of a special form. The caller quotes if needed. */
__attribute__((format(printf, 2, 3))) void json_printf(struct json *w, const char *fmt, ...);
/* ["0x0a","0x01"]: bytes as bpftool writes them. */
void json_hex_array(struct json *w, const void *data, size_t len);
/* [10,1]: bytes as decimal numbers. */
void json_byte_array(struct json *w, const void *data, size_t len);

/* name and value in one call */
void json_string_field(struct json *w, const char *name, const char *text);
void json_bool_field(struct json *w, const char *name, bool value);
void json_uint_field(struct json *w, const char *name, u64 value);
void json_int_field(struct json *w, const char *name, s64 value);
void json_null_field(struct json *w, const char *name);

#endif
