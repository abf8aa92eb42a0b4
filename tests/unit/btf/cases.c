/*
 * The text cases: what btf_new() says of each, and that it says it without leaking when the first,
 * second, third … allocation fails.
 *
 *	cases FILE.txt…
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "text.h"

static int failures, cases;

static void fail(const char *path, const struct btf_case *c, const char *what)
{
	printf("%s:%d:%s: %s\n", path, c->line, c->title, what);
	failures++;
}

/* The last line, without its end. */
static void last_line(const char *text, char *ret, size_t cap)
{
	size_t end = strlen(text), begin;

	while (end && text[end - 1] == '\n')
		end--;
	for (begin = end; begin && text[begin - 1] != '\n'; begin--)
		;
	snprintf(ret, cap, "%.*s", (int)(end - begin), text + begin);
}

static void check_verdict(const char *path, const struct btf_case *c)
{
	struct buf log = BUF_INIT;
	struct btf_obj *btf = NULL;
	char line[1024], what[2048];
	int err = btf_new(c->data.data, c->data.len, &log, &btf);

	last_line(buf_text(&log), line, sizeof(line));
	snprintf(what, sizeof(what), "%d %s", err, line);
	if (err != c->err)
		fail(path, c, what);
	else if (*c->complaint && strcmp(c->complaint, line))
		fail(path, c, what);
	if (!err != !!btf)
		fail(path, c, "the result does not fit the verdict");
	btf_free(btf);
	buf_done(&log);
}

static void check_no_memory(const char *path, const struct btf_case *c)
{
	for (u64 nth = 1;; nth++) {
		struct btf_obj *btf = NULL;
		int err;

		mem_fail_at(nth);
		err = btf_new(c->data.data, c->data.len, NULL, &btf);
		if (!mem_did_fail()) {
			mem_fail_at(0);
			btf_free(btf);
			return;
		}
		if (err != -ENOMEM || btf)
			fail(path, c, "a failed allocation is not told");
		btf_free(btf);
	}
}

/* Every question that can be asked of every type of a good object. */
static void ask_everything(const char *path, const struct btf_case *c)
{
	struct buf text = BUF_INIT;
	struct btf_obj *btf;
	u32 len, id, size;

	if (btf_new(c->data.data, c->data.len, NULL, &btf))
		return;
	if (memcmp(btf_raw(btf, &len), c->data.data, c->data.len) || len != c->data.len)
		fail(path, c, "the bytes are not the ones given");
	for (u32 i = 0; i < btf_type_cnt(btf); i++) {
		struct btf_proto proto;
		u32 cnt;

		btf_print_type(&text, btf, i);
		btf_skip_modifiers(btf, i);
		btf_size(btf, i, &id, &size);
		btf_elems(btf, i, &id, &cnt);
		btf_proto_of(btf, i, &proto);
		if (*btf_type_name(btf, i) && (btf_find(btf, btf_type_name(btf, i),
						       btf_type_kind(btf_type_at(btf, i)), &id) ||
						      id > i))
			fail(path, c, "a type is not found by its name");
	}
	if (text.err || !text.len)
		fail(path, c, "types do not print");
	buf_done(&text);
	btf_free(btf);
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!f || !text || !fread(text, 1, (1 << 20) - 1, f)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	fclose(f);
	return text;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *text = read_file(argv[i]);
		const char *p = text;
		struct btf_case c;
		int line = 1, ret;

		while ((ret = btf_text_next(&p, &line, &c)) > 0) {
			check_verdict(argv[i], &c);
			check_no_memory(argv[i], &c);
			ask_everything(argv[i], &c);
			buf_done(&c.data);
			cases++;
		}
		failures += ret < 0;
		free(text);
	}
	printf("%d cases, %d failures\n", cases, failures);
	return failures || !cases;
}
