/*
 * The JSON writer: one separator character and one depth are all the state a stream needs, because
 * a comma is due exactly when something was written at this level since it was opened.
 */
#include "json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void json_init(struct json *w, FILE *out, bool pretty)
{
	*w = (struct json){.out = out, .pretty = pretty};
}

void json_end_line(struct json *w)
{
	if (w->started)
		putc('\n', w->out);
	w->started = false;
	w->sep = 0;
	w->depth = 0;
}

static void break_line(struct json *w)
{
	if (w->pretty)
		fprintf(w->out, "\n%*s", (int)w->depth * 4, "");
}

/* Writes the comma that is due; the next value at this level owes one again. */
static void begin_value(struct json *w)
{
	if (w->sep)
		putc(w->sep, w->out);
	w->sep = ',';
	w->started = true;
}

static void open_bracket(struct json *w, char c)
{
	begin_value(w);
	putc(c, w->out);
	w->depth++;
	w->sep = 0;
}

static void close_bracket(struct json *w, char c)
{
	w->depth--;
	if (w->sep)
		break_line(w);
	putc(c, w->out);
	w->sep = ',';
}

void json_start_object(struct json *w)
{
	open_bracket(w, '{');
}

void json_end_object(struct json *w)
{
	close_bracket(w, '}');
}

void json_start_array(struct json *w)
{
	open_bracket(w, '[');
}

void json_end_array(struct json *w)
{
	close_bracket(w, ']');
}

/*
 * Control characters other than the five with a short form are written as \u00XX, and bytes that
 * are not ASCII as they are: names come from UTF-8 sources.
 */
static void put_escaped(struct json *w, unsigned char c)
{
	static const char from[] = "\t\n\r\f\b\\\"", to[] = "tnrfb\\\"";
	const char *at = c ? strchr(from, c) : NULL;

	if (at)
		fprintf(w->out, "\\%c", to[at - from]);
	else if (c < 0x20)
		fprintf(w->out, "\\u%04x", c);
	else
		putc(c, w->out);
}

static void put_quoted(struct json *w, const char *text, size_t len)
{
	putc('"', w->out);
	for (size_t i = 0; i < len; i++)
		put_escaped(w, (unsigned char)text[i]);
	putc('"', w->out);
}

void json_name(struct json *w, const char *name)
{
	begin_value(w);
	break_line(w);
	w->sep = 0;
	put_quoted(w, name, strlen(name));
	fputs(w->pretty ? ": " : ":", w->out);
}

void json_string_len(struct json *w, const char *text, size_t len)
{
	begin_value(w);
	put_quoted(w, text, len);
}

void json_string(struct json *w, const char *text)
{
	json_string_len(w, text, strlen(text));
}

void json_printf(struct json *w, const char *fmt, ...)
{
	va_list ap;

	begin_value(w);
	va_start(ap, fmt);
	vfprintf(w->out, fmt, ap);
	va_end(ap);
}

void json_bool(struct json *w, bool value)
{
	json_printf(w, "%s", value ? "true" : "false");
}

void json_uint(struct json *w, u64 value)
{
	json_printf(w, "%" PRIu64, value);
}

void json_int(struct json *w, s64 value)
{
	json_printf(w, "%" PRId64, value);
}

void json_null(struct json *w)
{
	json_printf(w, "null");
}

void json_hex_array(struct json *w, const void *data, size_t len)
{
	const u8 *p = data;

	json_start_array(w);
	for (size_t i = 0; i < len; i++)
		json_printf(w, "\"0x%02x\"", p[i]);
	json_end_array(w);
}

void json_byte_array(struct json *w, const void *data, size_t len)
{
	const u8 *p = data;

	json_start_array(w);
	for (size_t i = 0; i < len; i++)
		json_uint(w, p[i]);
	json_end_array(w);
}

void json_string_field(struct json *w, const char *name, const char *text)
{
	json_name(w, name);
	json_string(w, text);
}

void json_bool_field(struct json *w, const char *name, bool value)
{
	json_name(w, name);
	json_bool(w, value);
}

void json_uint_field(struct json *w, const char *name, u64 value)
{
	json_name(w, name);
	json_uint(w, value);
}

void json_int_field(struct json *w, const char *name, s64 value)
{
	json_name(w, name);
	json_int(w, value);
}

void json_null_field(struct json *w, const char *name)
{
	json_name(w, name);
	json_null(w);
}
