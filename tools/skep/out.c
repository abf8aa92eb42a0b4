/*
 * Errors, captured messages and bytes. libbpf's print function takes no argument of ours, so the one
 * buffer its words are kept in is a variable of this file; a process runs one command.
 */
#include "out.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/sink.h"

enum { BPF_TEXT_MAX = 64 << 20, ERROR_MAX = 4096 };

static struct buf bpf_text;
static bool bpf_show;

static void write_error(struct tool *t, const char *fmt, va_list ap)
{
	char text[ERROR_MAX];

	vsnprintf(text, sizeof(text), fmt, ap);
	t->failed = true;
	if (t->json) {
		json_start_object(&t->w);
		json_string_field(&t->w, "error", text);
		json_end_object(&t->w);
		return;
	}
	fflush(stdout);
	fprintf(stderr, "Error: %s\n", text);
}

int fail(struct tool *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_error(t, fmt, ap);
	va_end(ap);
	return -1;
}

int fail_errno(struct tool *t, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_error(t, fmt, ap);
	va_end(ap);
	return err < 0 ? err : -1;
}

int fail_missing(struct tool *t, const char *what, const char *after)
{
	return fail(t, "%s expected after '%s'", what, after);
}

int fail_extra(struct tool *t, const struct args *a)
{
	return fail(t, "'%s' is one word too many here", args_peek(a));
}

void note(struct tool *t, const char *fmt, ...)
{
	va_list ap;

	if (t->json)
		return;
	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
}

const char *errno_name(int err)
{
	err = err < 0 ? -err : err;
	return err == 524 ? "ENOTSUPP" : strerrorname_np(err);
}

const char *errno_text(int err)
{
	return strerror(err < 0 ? -err : err);
}

void done_silently(struct tool *t)
{
	if (t->json)
		json_null(&t->w);
}

void print_hex(const void *data, size_t len, const char *sep)
{
	const u8 *p = data;

	for (size_t i = 0; i < len; i++)
		printf("%s%02x", i ? sep : "", p[i]);
}

static int keep_message(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	va_list copy;

	if (bpf_show) {
		va_copy(copy, ap);
		vfprintf(stderr, fmt, copy);
		va_end(copy);
	}
	if (level != LIBBPF_DEBUG)
		buf_vprintf(&bpf_text, fmt, ap);
	return 0;
}

void out_say(void *arg, int level, const char *text)
{
	const struct tool *t = arg;

	if (bpf_show || (t->live && level == SINK_WARN))
		fprintf(stderr, "%s: %s\n", level == SINK_WARN ? "Warning" : "skep", text);
	else if (level == SINK_WARN)
		buf_printf(&bpf_text, "%s\n", text);
}

void out_bpf_capture(struct tool *t)
{
	bpf_show = t->debug;
	bpf_text = BUF_INIT_MAX(BPF_TEXT_MAX);
	libbpf_set_print(keep_message);
}

void out_bpf_forget(struct tool *t)
{
	buf_reset(&bpf_text);
}

const char *out_bpf_text(struct tool *t)
{
	return buf_text(&bpf_text);
}

void out_bpf_add(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&bpf_text, fmt, ap);
	va_end(ap);
	buf_str(&bpf_text, "\n");
}

void out_bpf_done(struct tool *t)
{
	libbpf_set_print(NULL);
	buf_done(&bpf_text);
}
