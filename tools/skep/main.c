/*
 * The command line: general options are taken out wherever they stand, the verb is found in
 * verbs.def, and its result becomes the exit status.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "out.h"
#include "tool.h"

#ifndef SKEP_VERSION
#define SKEP_VERSION "0.1.0"
#endif

struct verb {
	const char *object, *command;
	int (*fn)(struct tool *t, struct args *a);
};

static const struct verb verbs[] = {
#define VERB(object, command, name, grammar, text) {object, command, verb_##name},
#define NOTE(object, text)
#include "verbs.def"
#undef VERB
#undef NOTE
};

/* Letters that may stand together (-jp). The ones bpftool has and skep needs not do nothing. */
static bool set_letter(struct tool *t, char c, bool *version, bool *help)
{
	switch (c) {
	case 'K': t->engine = TOOL_ENGINE_KERNEL; return true;
	case 'j': t->json = true; return true;
	case 'p': t->json = t->pretty = true; return true;
	case 'd': t->debug = true; return true;
	case 'f': t->pins = true; return true;
	case 'V': *version = true; return true;
	case 'h': *help = true; return true;
	case 'n':
	case 'm':
	case 'l': return true;
	}
	return false;
}

static bool set_letters(struct tool *t, const char *word, bool *version, bool *help)
{
	struct tool probe = *t;
	bool v = *version, h = *help;

	if (word[0] != '-' || !word[1] || word[1] == '-')
		return false;
	for (const char *c = word + 1; *c; c++)
		if (!set_letter(&probe, *c, &v, &h))
			return false;
	*t = probe;
	*version = v;
	*help = h;
	return true;
}

static bool set_long(struct tool *t, const char *word, bool *version, bool *help)
{
	static const struct {
		const char *word;
		char letter;
	} longs[] = {{"--real-kernel", 'K'}, {"--json", 'j'}, {"--pretty", 'p'}, {"--debug", 'd'},
		{"--bpffs", 'f'}, {"--version", 'V'}, {"--help", 'h'}, {"--nomount", 'n'},
		{"--mapcompat", 'm'}, {"--legacy", 'l'}};

	for (size_t i = 0; i < ARRAY_SIZE(longs); i++)
		if (!strcmp(word, longs[i].word))
			return set_letter(t, longs[i].letter, version, help);
	if (!strcmp(word, "--ip"))
		return t->dotted = true;
	return false;
}

/*
 * Takes the general options out of the words; "--" ends them. The general options are no verb's own
 * and no data: data is bytes, numbers, addresses and names.
 */
static int take_options(struct tool *t, struct args *a, bool *version, bool *help)
{
	int kept = 0, i;

	for (i = 0; i < a->cnt; i++) {
		const char *word = a->words[i];

		if (!strcmp(word, "--")) {
			i++;
			break;
		}
		if (!strcmp(word, "-i") || !strcmp(word, "--instance")) {
			if (++i == a->cnt)
				return fail_missing(t, "the name of an instance", word);
			t->engine = TOOL_ENGINE_INSTANCE;
			t->instance = a->words[i];
			continue;
		}
		if (!strcmp(word, "--btf")) {
			if (++i == a->cnt)
				return fail_missing(t, "a file with the kernel's BTF", word);
			t->kernel_btf = a->words[i];
			continue;
		}
		if (!set_letters(t, word, version, help) && !set_long(t, word, version, help))
			a->words[kept++] = a->words[i];
	}
	for (; i < a->cnt; i++)
		a->words[kept++] = a->words[i];
	a->cnt = kept;
	return 0;
}

/* A word stands for the first row it is, or else begins; rows of other objects are passed over. */
static const struct verb *find_command(const char *object, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].object, object) && !strcmp(verbs[i].command, word))
			return &verbs[i];
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].object, object) && args_is_prefix(word, verbs[i].command))
			return &verbs[i];
	return NULL;
}

static const char *find_object(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (*verbs[i].object && args_is_prefix(word, verbs[i].object))
			return verbs[i].object;
	return NULL;
}

static int run_object(struct tool *t, const char *object, struct args *a)
{
	const struct verb *verb;
	const char *word = args_next(a);

	if (!word)
		word = "show"; /* as in bpftool: `skep prog` lists */
	if (args_is_prefix(word, "help"))
		return help_print(t, object);
	verb = find_command(object, word);
	if (!verb) {
		fail(t, "'%s' is no command of %s: `skep %s help` lists them", word, object,
			object);
		return -1;
	}
	return verb->fn(t, a);
}

static int run_line(struct tool *t, struct args *a)
{
	const char *word = args_next(a), *object;
	const struct verb *verb;

	if (!word)
		return help_usage(t, "");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!*verbs[i].object && !strcmp(verbs[i].command, word))
			return verbs[i].fn(t, a);
	object = find_object(word);
	if (object)
		return run_object(t, object, a);
	verb = find_command("", word);
	if (verb)
		return verb->fn(t, a);
	return fail(t, "'%s' is neither a verb nor an object: `skep help` lists them", word);
}

int verb_version(struct tool *t, struct args *a)
{
	struct json *w = &t->w;

	if (!t->json) {
		printf("skep v" SKEP_VERSION "\nusing libbpf v%u.%u\n", libbpf_major_version(),
			libbpf_minor_version());
		return 0;
	}
	json_start_object(w);
	json_string_field(w, "version", SKEP_VERSION);
	json_name(w, "libbpf_version");
	json_printf(w, "\"%u.%u\"", libbpf_major_version(), libbpf_minor_version());
	json_end_object(w);
	return 0;
}

int main(int argc, char **argv)
{
	struct tool t = {0};
	struct args a = {argc - 1, argv + 1};
	bool version = false, help = false;
	int ret;

	json_init(&t.w, stdout, false);
	port_instance_root(getenv("XDG_RUNTIME_DIR"));
	ret = take_options(&t, &a, &version, &help);
	t.w.pretty = t.pretty;
	out_bpf_capture(&t);
	if (!ret && version)
		ret = verb_version(&t, &a);
	else if (!ret && help)
		ret = verb_help(&t, &a);
	else if (!ret)
		ret = run_line(&t, &a);
	json_end_line(&t.w);
	port_close(t.port);
	out_bpf_done(&t);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "Error: cannot write the result: %s\n", strerror(errno));
		ret = ret ? ret : -1;
	}
	return ret & 0xff;
}
