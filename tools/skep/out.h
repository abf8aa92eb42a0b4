/*
 * How results and errors leave the command. Results go to stdout as text or JSON; an error goes to
 * stderr as "Error: ...", or in JSON mode to stdout as {"error": "..."}, as bpftool writes them.
 */
#ifndef SKEP_OUT_H
#define SKEP_OUT_H

#include "tool.h"

/* Writes the error and returns -1, the exit status of most failures. */
__attribute__((format(printf, 2, 3))) int fail(struct tool *t, const char *fmt, ...);
/* The same, returning err (a negative errno) as exit status. */
__attribute__((format(printf, 3, 4))) int fail_errno(struct tool *t, int err, const char *fmt, ...);
/* "expected at least one more argument" style errors of grammar: what was wanted after what. */
int fail_missing(struct tool *t, const char *what, const char *after);
/* Something is left over on the line. */
int fail_extra(struct tool *t, const struct args *a);
/* Goes to stderr, in text mode only. */
__attribute__((format(printf, 2, 3))) void note(struct tool *t, const char *fmt, ...);

/* The name of an errno ("EACCES"), NULL when unknown. */
const char *errno_name(int err);
/* "Permission denied" and the kernel's own numbers beyond the C library's (ENOTSUPP). */
const char *errno_text(int err);

/* JSON mode: the null that a command without a result writes. Text: nothing. */
void done_silently(struct tool *t);

/* "0a 01 00 09": bytes in hex with sep between. */
void print_hex(const void *data, size_t len, const char *sep);

/*
 * libbpf's own messages are kept instead of printed (with -d they are printed as well). The text
 * since out_bpf_forget(), "" when there was none; lives until the next message.
 */
void out_bpf_capture(struct tool *t);
void out_bpf_forget(struct tool *t);
const char *out_bpf_text(struct tool *t);
/* A reason of our own where libbpf's stand. */
__attribute__((format(printf, 1, 2))) void out_bpf_add(const char *fmt, ...);
void out_bpf_done(struct tool *t);
/* For struct port: the engine's own words, kept in the same place. level 0 is a warning. */
void out_say(void *arg, int level, const char *text);

#endif
