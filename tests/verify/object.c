/*
 * Cases from objects that clang made: each program of the object is loaded alone, by libbpf, so that the
 * engine in use gets what it would get from any loader. The expectation is the line
 * `// expect: …` of the source and holds for every program in it, or `// expect NAME: …` for one.
 */
#include "verdict.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct object {
	const char *path;
};

static int load(const struct test_case *c, u32 log_level, char *log, struct verdict *ret,
	char why[WORDS_MAX])
{
	const struct object *object = c->arg;
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log, .kernel_log_size = LOG_MAX,
		.kernel_log_level = log_level);
	struct bpf_object *obj = bpf_object__open_file(object->path, &opts);
	struct bpf_program *prog;
	int err;

	if (!obj) {
		snprintf(why, WORDS_MAX, "libbpf cannot open it: %s", strerror(errno));
		return -errno;
	}
	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), c->name));
	log[0] = 0;
	err = bpf_object__load(obj);
	verdict_set(ret, -err, log);
	bpf_object__close(obj);
	return 0;
}

/* What follows `// expect:` or `// expect NAME:`; NULL: the line says nothing about the program. */
static const char *expectation_in(const char *line, const char *prog)
{
	static const char key[] = "// expect";
	size_t len = strlen(prog);

	if (strncmp(line, key, strlen(key)))
		return NULL;
	line += strlen(key);
	if (*line == ':')
		return line + 1;
	return *line == ' ' && !strncmp(line + 1, prog, len) && line[1 + len] == ':'
		       ? line + len + 2
		       : NULL;
}

static int read_expectation(
	const char *source, const char *prog, struct expectation *ret, char why[WORDS_MAX])
{
	char line[2 * WORDS_MAX];
	const char *text;
	FILE *file = fopen(source, "re");
	int err = -ENOENT;

	if (!file) {
		snprintf(why, WORDS_MAX, "%s: %s", source, strerror(errno));
		return -errno;
	}
	while (err && fgets(line, sizeof(line), file)) {
		text = expectation_in(line, prog);
		if (text)
			err = expectation_parse(text, ret) ? 0 : -EINVAL;
	}
	fclose(file);
	if (err)
		snprintf(why, WORDS_MAX,
			"%s: no line \"// expect: accepted\" or \"// expect: ERRNO words\" for %s",
			source, prog);
	return err;
}

int object_each(const char *path, const char *source, case_fn fn, void *arg, char why[WORDS_MAX])
{
	struct object object = {path};
	struct test_case c = {.file = path, .must_know = true, .ask = load, .arg = &object};
	struct bpf_program *prog;
	struct bpf_object *obj;
	int err = 0;

	obj = bpf_object__open_file(path, NULL);
	if (!obj) {
		snprintf(why, WORDS_MAX, "%s: libbpf cannot open it: %s", path, strerror(errno));
		return -errno;
	}
	bpf_object__for_each_program(prog, obj)
	{
		c.name = bpf_program__name(prog);
		c.prog_type = bpf_program__type(prog);
		memset(&c.expect, 0, sizeof(c.expect));
		err = read_expectation(source, c.name, &c.expect, why);
		if (!err)
			err = fn(arg, &c);
		if (err)
			break;
	}
	bpf_object__close(obj);
	return err;
}
