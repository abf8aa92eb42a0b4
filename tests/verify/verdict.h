/*
 * What an engine said of a program, what a test case expects, and how the two compare. A case carries
 * its expectation as text:
 *
 *	expect: accepted
 *	expect: EACCES R1 !read_ok		(the errno, and a part of the last line of the log)
 *	expect: ?				(not yet known, never met)
 *
 * The expectations are the running kernel's words (`run --show` prints them), so that the suite says
 * something where there is no bpf(2) too.
 */
#ifndef TEST_VERDICT_H
#define TEST_VERDICT_H

#include "base/types.h"

/*
 * The log of level 4 has the complaint and figures only: a log of every instruction would overflow
 * where a million of them are processed, and that has an errno of its own.
 */
enum { WORDS_MAX = 512, LOG_MAX = 1 << 22, LOG_STATS = 4 };

struct verdict {
	int err;	       /* positive errno; 0: accepted */
	char words[WORDS_MAX]; /* last line of the log that is not a figure; "" without */
};

struct expectation {
	bool is_set;
	int err;
	char words[WORDS_MAX];
};

/* From the text after "expect:". False when it is not one. */
bool expectation_parse(const char *text, struct expectation *ret);
bool expectation_met(const struct expectation *expect, const struct verdict *verdict);
/* "EACCES R1 !read_ok" or "accepted". */
void verdict_text(const struct verdict *verdict, char *out, size_t len);
/* err and the last line of log that says something. */
void verdict_set(struct verdict *verdict, int err, const char *log);

/*
 * A case: a name for people, and the engine-independent way to ask the engine in use (port_use) for its
 * verdict. 0; ENGINE_LACKS when the engine does not have what the case needs; or a negative errno when
 * the case itself is at fault. Both of these with a sentence in why.
 */
enum { ENGINE_LACKS = 1 };

struct test_case {
	const char *file;
	const char *name;
	u32 prog_type; /* BPF_PROG_TYPE_* */
	u32 attach_type;
	struct expectation expect;
	bool must_know; /* to refuse for lack of support is a failure too */
	int (*ask)(const struct test_case *c, u32 log_level, char *log, struct verdict *ret,
		char why[WORDS_MAX]);
	const void *arg;
};

typedef int (*case_fn)(void *arg, const struct test_case *c);

/* Calls fn for every case of the file until it returns non-zero; a negative errno and why. */
int raw_each(const char *path, case_fn fn, void *arg, char why[WORDS_MAX]);
/* An object: its programs one by one. source: where its expectation stands. */
int object_each(const char *path, const char *source, case_fn fn, void *arg, char why[WORDS_MAX]);

#endif
