/*
 * Reading, comparing and printing verdicts.
 */
#include "verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ERRNO_MAX = 600 };

static int errno_by_name(const char *name, size_t len)
{
	for (int err = 1; err < ERRNO_MAX; err++) {
		const char *known = strerrorname_np(err);

		if (known && strlen(known) == len && !memcmp(known, name, len))
			return err;
	}
	return 0;
}

/* The kernel's own, which the C library has no name for. */
enum { ENOTSUPP_ERRNO = 524 };

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(text, word, len);
}

bool expectation_parse(const char *text, struct expectation *ret)
{
	size_t len;

	memset(ret, 0, sizeof(*ret));
	text += strspn(text, " \t");
	len = strcspn(text, " \t\n");
	if (len == 1 && *text == '?')
		return true;
	if (is_word(text, len, "accepted")) {
		ret->is_set = true;
		return true;
	}
	ret->err = is_word(text, len, "ENOTSUPP") ? ENOTSUPP_ERRNO : errno_by_name(text, len);
	if (!ret->err)
		return false;
	text += len;
	text += strspn(text, " \t");
	snprintf(ret->words, sizeof(ret->words), "%.*s", (int)strcspn(text, "\n"), text);
	ret->is_set = true;
	return true;
}

bool expectation_met(const struct expectation *expect, const struct verdict *verdict)
{
	return expect->is_set && expect->err == verdict->err &&
	       strstr(verdict->words, expect->words);
}

void verdict_text(const struct verdict *verdict, char *out, size_t len)
{
	const char *name = verdict->err == ENOTSUPP_ERRNO ? "ENOTSUPP"
			   : verdict->err		  ? strerrorname_np(verdict->err)
							  : "accepted";

	if (!name)
		snprintf(out, len, "errno %d %s", verdict->err, verdict->words);
	else
		snprintf(out, len, "%s%s%s", name, verdict->words[0] ? " " : "", verdict->words);
}

/* Figures, the states of an endless loop and source lines ("; …") may stand after the complaint. */
static bool is_figure(const char *line)
{
	static const char *const starts[] = {"processed ", "verification time ", "stack depth ",
		"cur state:", "old state:", "; "};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (!strncmp(line, starts[i], strlen(starts[i])))
			return true;
	return false;
}

void verdict_set(struct verdict *verdict, int err, const char *log)
{
	const char *last = "";

	memset(verdict, 0, sizeof(*verdict));
	verdict->err = err;
	if (!err)
		return;
	for (const char *line = log; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (*line != '\n' && !is_figure(line))
			last = line;
	snprintf(verdict->words, sizeof(verdict->words), "%.*s", (int)strcspn(last, "\n"), last);
}
