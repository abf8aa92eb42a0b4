/*
 * Help, from the rows of verbs.def alone. It goes to stderr, as bpftool's does, so that it never
 * mixes with results; in JSON mode stdout gets null.
 */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "out.h"

struct row {
	const char *object, *command, *grammar, *text;
};

struct note {
	const char *object, *text;
};

static const struct row rows[] = {
#define VERB(object, command, fn, grammar, text) {object, command, grammar, text},
#define NOTE(object, text)
#include "verbs.def"
#undef VERB
#undef NOTE
};

static const struct note notes[] = {
#define VERB(object, command, fn, grammar, text)
#define NOTE(object, text) {object, text},
#include "verbs.def"
#undef VERB
#undef NOTE
};

enum { WIDTH = 96, INDENT = 15 };

/* Grammar is broken before a bracket or a word when a line is full. */
static void print_wrapped(const char *text, int column)
{
	while (*text) {
		int room = WIDTH - column, len = (int)strlen(text);

		if (len > room) {
			len = room;
			while (len > 0 && text[len] != ' ')
				len--;
			if (!len)
				len = (int)strcspn(text, " ");
		}
		fprintf(stderr, "%.*s", len, text);
		text += len;
		while (*text == ' ')
			text++;
		if (*text)
			fprintf(stderr, "\n%*s", INDENT + 8, "");
		column = INDENT + 8;
	}
	putc('\n', stderr);
}

static void print_row(const struct row *r, bool first)
{
	char head[64];
	int len = snprintf(head, sizeof(head), "%s skep %s%s%s ", first ? "Usage:" : "      ",
		r->object, *r->object ? " " : "", r->command);

	fputs(head, stderr);
	print_wrapped(r->grammar, len);
	fprintf(stderr, "%*s%s\n", INDENT + 4, "", r->text);
}

static void print_general(void)
{
	fputs("\n"
	      "OPTIONS, before or after the verb:\n"
	      "       -K, --real-kernel     work on the real kernel\n"
	      "       -i, --instance NAME   work on that running instance (default: the one named "
	      "\"" TOOL_DEFAULT_INSTANCE "\")\n"
	      "       -j, --json            results as JSON       -p, --pretty   indented JSON\n"
	      "       -f, --bpffs           show pins             -d, --debug    show libbpf's "
	      "words\n"
	      "       --btf FILE            types of the kernel (default: "
	      "/sys/kernel/btf/vmlinux)\n"
	      "       --ip                  write keys of 4 and 16 bytes as addresses\n"
	      "       -V, --version         -h, --help\n",
		stderr);
}

static bool is_object(const char *object)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (*object && !strcmp(rows[i].object, object))
			return true;
	return false;
}

static void print_objects(void)
{
	const char *last = "";

	fputs("       skep [OPTIONS] OBJECT { COMMAND | help }\n\n       OBJECT := {", stderr);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!*rows[i].object || !strcmp(rows[i].object, last))
			continue;
		fprintf(stderr, "%s %s", *last ? " |" : "", rows[i].object);
		last = rows[i].object;
	}
	fputs(" }\n", stderr);
}

int help_print(struct tool *t, const char *object)
{
	bool first = true;

	if (!is_object(object))
		object = "";
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].object, object))
			continue;
		print_row(&rows[i], first);
		first = false;
	}
	if (!*object)
		print_objects();
	for (size_t i = 0, shown = 0; i < ARRAY_SIZE(notes); i++)
		if (!strcmp(notes[i].object, object))
			fprintf(stderr, "%s       %s\n", shown++ ? "" : "\n", notes[i].text);
	print_general();
	done_silently(t);
	return 0;
}

int help_usage(struct tool *t, const char *object)
{
	help_print(t, object);
	return -1;
}

int verb_help(struct tool *t, struct args *a)
{
	const char *object = args_next(a);

	if (object && !is_object(object)) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			if (*rows[i].object || strcmp(rows[i].command, object))
				continue;
			print_row(&rows[i], true);
			done_silently(t);
			return 0;
		}
		return fail(t, "there is no help on '%s': `skep help` lists what there is", object);
	}
	return help_print(t, object ? object : "");
}
