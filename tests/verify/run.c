/*
 * The verifier's verdicts: every case is put to the running kernel (when bpf(2) is available) and to
 * skep's own engine in this process, and both must say what the case expects, with the same errno. The
 * words of the last log line are compared too: that they differ is counted, and fails with --words.
 *
 * usage: run [--show] [--words] [--logs LEVEL] [--engine kernel|skep] CASES...
 *	FILE.txt		a file of instruction texts, see raw.c
 *	FILE.bpf.o=SOURCE	an object and the source that says what to expect, see object.c
 *	--show			print each engine's verdict instead of judging
 *	--provoked FILE		add the ids of the complaints that skep had to FILE, a line each
 *	--logs LEVEL		compare the whole logs of that level, and show the first line that differs
 * Exit: 0 all as expected, 1 not, 2 a case is at fault, 77 no engine at all.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isa/uapi.h"
#include "port/port.h"
#include "verdict.h"

enum { SKIP = 77, PROG_TYPES_MAX = 64 };
enum { KERNEL, SKEP, ENGINES };

static const char *const engine_names[ENGINES] = {"kernel", "skep"};

struct run {
	struct port *port[ENGINES];		       /* NULL: not here */
	signed char has_type[ENGINES][PROG_TYPES_MAX]; /* 0 not yet known, 1 yes, -1 no */
	bool show, words_matter, compare_logs;
	u32 log_level;
	u32 cases, failed, compared, other_words, other_logs, unsupported;
	char *log[ENGINES];
	FILE *provoked; /* NULL: not asked for */
};

/* The engine's messages: a complaint's id stands in them. */
static void note_complaint(void *arg, int level, const char *text)
{
	struct run *r = arg;
	char id[64];

	if (r->provoked && sscanf(text, "verifier: complaint %63s", id) == 1)
		fprintf(r->provoked, "%s\n", id);
}

/* Whether the engine knows a type: it takes the simplest program of it, or has something to say about it. */
static bool has_prog_type(struct run *r, int engine, u32 type, u32 attach_type)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	char log[4096] = "";
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type, .log_buf = log,
		.log_size = sizeof(log), .log_level = LOG_STATS);
	signed char *has = &r->has_type[engine][type % PROG_TYPES_MAX];
	int fd;

	if (*has)
		return *has > 0;
	port_use(r->port[engine]);
	fd = bpf_prog_load(type, "probe", "GPL", insns, ARRAY_SIZE(insns), &opts);
	*has = fd >= 0 || log[0] ? 1 : -1;
	if (fd >= 0)
		close(fd);
	return *has > 0;
}

static void say(
	const struct test_case *c, int engine, const struct verdict *verdict, const char *note)
{
	char text[WORDS_MAX + 32];

	verdict_text(verdict, text, sizeof(text));
	printf("%s: %s: %s: %s%s\n", c->file, c->name, engine_names[engine], text, note);
}

/* What skep does not have yet it refuses, and says that it is not the program's fault. */
static bool is_not_supported(const struct verdict *verdict)
{
	return verdict->err && !strncmp(verdict->words, "skep: ", strlen("skep: "));
}

/* A kernel may refuse a kind of program whatever it does, before it looks at it; or have no table of the
 * addresses of its variables. */
static bool is_policy(int engine, const struct verdict *verdict)
{
	static const char no_table[] = "ldimm64 failed to find the address";

	return engine == KERNEL && ((verdict->err == EPERM && !verdict->words[0]) ||
					   !strncmp(verdict->words, no_table, strlen(no_table)));
}

/* The kernel decides; without it, the expectation. */
static void judge(struct run *r, const struct test_case *c, const struct verdict verdict[ENGINES],
	const bool asked[ENGINES])
{
	bool is_bad = false;

	for (int engine = 0; engine < ENGINES; engine++) {
		bool met = expectation_met(&c->expect, &verdict[engine]);

		if (!asked[engine])
			continue;
		if (engine == SKEP && c->expect.err == verdict[engine].err && !r->words_matter)
			met = true;
		if (met)
			continue;
		is_bad = true;
		say(c, engine, &verdict[engine], " - not as expected");
	}
	if (is_bad && c->expect.is_set) {
		struct verdict expected = {.err = c->expect.err};

		snprintf(expected.words, sizeof(expected.words), "%s", c->expect.words);
		say(c, KERNEL, &expected, " - is expected");
	}
	r->failed += is_bad;
	if (!asked[KERNEL] || !asked[SKEP])
		return;
	r->compared++;
	if (!strcmp(verdict[KERNEL].words, verdict[SKEP].words))
		return;
	r->other_words++;
	printf("%s: %s: other words:\n  kernel: %s\n  skep:   %s\n", c->file, c->name,
		verdict[KERNEL].words, verdict[SKEP].words);
}

/*
 * Lines that are no knowledge of registers and stack: times, and what the analyses before exploration
 * found (live registers by instruction, stack slots that are read later).
 */
static bool is_aside(const char *line)
{
	size_t at = strspn(line, " 0123456789");

	if (!strncmp(line, "verification time ", strlen("verification time ")))
		return true;
	if (*line == '(')
		return strspn(line + 1, "0123456789,");
	return at && line[at] == ':' && strspn(line + at + 2, ".0123456789") == 10;
}

static const char *next_line(const char *line)
{
	do {
		line += strcspn(line, "\n");
		line += *line == '\n';
	} while (*line && is_aside(line));
	return line;
}

/* An address is another one in each engine: as far as it, the lines are the same. */
static bool is_same_line(const char *a, const char *b)
{
	size_t len = strcspn(a, "\n");
	const char *address = memmem(a, len, " = 0x", 5);

	if (address && memmem(a, len, ": (18) r", 8))
		len = address - a;
	else if (len != strcspn(b, "\n"))
		return false;
	return !strncmp(a, b, len);
}

static void compare_logs(struct run *r, const struct test_case *c)
{
	const char *a = r->log[KERNEL], *b = r->log[SKEP];

	while ((*a || *b) && is_same_line(a, b)) {
		a = next_line(a);
		b = next_line(b);
	}
	if (!*a && !*b)
		return;
	r->other_logs++;
	printf("%s: %s: other logs:\n  kernel: %.*s\n  skep:   %.*s\n", c->file, c->name,
		(int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
}

static int try_case(void *arg, const struct test_case *c)
{
	struct verdict verdict[ENGINES] = {0};
	bool asked[ENGINES] = {false};
	char why[WORDS_MAX] = "";
	struct run *r = arg;
	int err;

	r->cases++;
	for (int engine = 0; engine < ENGINES; engine++) {
		if (!r->port[engine])
			continue;
		if (!has_prog_type(r, engine, c->prog_type, c->attach_type)) {
			r->unsupported++;
			continue;
		}
		port_use(r->port[engine]);
		err = c->ask(c, r->log_level, r->log[engine], &verdict[engine], why);
		if (err)
			printf("%s: %s: %s: %s\n", c->file, c->name, engine_names[engine], why);
		if (err == ENGINE_LACKS) {
			r->unsupported++;
			continue;
		}
		if (err)
			return err;
		asked[engine] = (engine == KERNEL || c->must_know ||
					!is_not_supported(&verdict[engine])) &&
				!is_policy(engine, &verdict[engine]);
		r->unsupported += !asked[engine];
		if (r->show)
			say(c, engine, &verdict[engine], "");
	}
	if (!r->show)
		judge(r, c, verdict, asked);
	if (r->compare_logs && asked[KERNEL] && asked[SKEP])
		compare_logs(r, c);
	return 0;
}

static int try_cases(struct run *r, const char *arg)
{
	const char *source = strchr(arg, '=');
	char why[WORDS_MAX] = "";
	char *object;
	int err;

	if (source) {
		object = strndup(arg, source - arg);
		if (!object)
			return -ENOMEM;
		err = object_each(object, source + 1, try_case, r, why);
		free(object);
	} else {
		err = raw_each(arg, try_case, r, why);
	}
	if (why[0])
		printf("%s\n", why);
	return err;
}

/* root may lack bpf(2) too: ask */
static bool is_bpf_available(struct port *port)
{
	union bpf_attr attr = {0};
	long ret;

	port_use(port);
	ret = port->ops->bpf(port, BPF_PROG_GET_NEXT_ID, &attr, sizeof(attr));
	return ret >= 0 || ret == -ENOENT;
}

static void open_engines(struct run *r, const char *only)
{
	const struct port_opts opts = {.verify_only = true};
	struct port_text why = {""};
	struct port *port;

	if ((!only || !strcmp(only, "kernel")) && !port_open_kernel(&port)) {
		if (is_bpf_available(port)) {
			r->port[KERNEL] = port;
		} else {
			printf("no bpf(2) here: skep is compared with the expectations\n");
			port_close(port);
		}
	}
	if (!only || !strcmp(only, "skep")) {
		if (!port_open_local(&opts, &port, &why))
			r->port[SKEP] = port;
		else
			printf("no engine of our own: %s\n", why.text);
	}
}

static void report(const struct run *r)
{
	printf("%u cases, %u not as expected", r->cases, r->failed);
	if (r->port[KERNEL] && r->port[SKEP])
		printf("; %u compared, %u with other words", r->compared, r->other_words);
	if (r->compare_logs)
		printf(", %u with other logs", r->other_logs);
	if (r->unsupported)
		printf("; %u not judged: the engine lacks what they need", r->unsupported);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct run r = {.log = {malloc(LOG_MAX), malloc(LOG_MAX)}, .log_level = LOG_STATS};
	const char *only = NULL;
	int err = 0, i = 1;

	if (!r.log[KERNEL] || !r.log[SKEP])
		return 2;
	libbpf_set_print(NULL);
	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--engine") && i + 1 < argc)
			only = argv[++i];
		if (!strcmp(argv[i], "--provoked") && i + 1 < argc) {
			r.provoked = fopen(argv[++i], "a");
			if (!r.provoked)
				return 2;
		}
		if (!strcmp(argv[i], "--logs") && i + 1 < argc) {
			r.compare_logs = true;
			r.log_level = strtoul(argv[++i], NULL, 0);
		}
		r.show |= !strcmp(argv[i], "--show");
		r.words_matter |= !strcmp(argv[i], "--words");
	}
	open_engines(&r, only);
	if (!r.port[KERNEL] && !r.port[SKEP])
		return SKIP;
	if (r.port[SKEP] && r.provoked) {
		r.port[SKEP]->say = note_complaint;
		r.port[SKEP]->say_arg = &r;
	}
	for (; i < argc && !err; i++)
		err = try_cases(&r, argv[i]);
	if (!r.show)
		report(&r);
	for (int engine = 0; engine < ENGINES; engine++) {
		port_close(r.port[engine]);
		free(r.log[engine]);
	}
	if (r.provoked && fclose(r.provoked))
		return 2;
	return err ? 2 : r.failed ? 1 : 0;
}
