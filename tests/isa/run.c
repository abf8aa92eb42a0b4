/*
 * Runs conformance cases (.data files of the public bpf_conformance format) against a plugin.
 *
 *	run-conformance --plugin PATH [--option OPT]... [--skip NAME]... [--cover] FILE.data | DIR ...
 *
 * A case has the sections -- asm (or -- raw), -- mem, and -- result or -- error. It passes if the plugin
 * exits with 0 and prints the result, or with --error fails with exactly that text. With both asm and
 * raw the two must be the same bytes. --cover also demands that the cases that passed have between
 * them every row of isa/insn.def; only the engine-internal rows are exempt.
 * Exit status: 0 all passed, 1 not, 2 wrong command line, 77 a directory is absent (nothing to run).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "isa/isa.h"

enum { OPTION_MAX = 8, SKIP_MAX = 16, EXIT_SKIP = 77 };

enum section {
	SECTION_NONE,
	SECTION_ASM,
	SECTION_MEM,
	SECTION_RESULT,
	SECTION_ERROR,
	SECTION_RAW,
	SECTION_CNT
};

static const char *const section_names[SECTION_CNT] = {
	[SECTION_ASM] = "asm",
	[SECTION_MEM] = "mem",
	[SECTION_RESULT] = "result",
	[SECTION_ERROR] = "error",
	[SECTION_RAW] = "raw",
};

struct suite {
	const char *plugin;
	char *options[OPTION_MAX];
	u32 option_cnt;
	const char *skips[SKIP_MAX];
	u32 skip_cnt;
	bool must_cover;
	bool has_row[ISA_CNT];
	u32 passed, failed, skipped;
};

struct test_case {
	const char *path;
	struct buf sections[SECTION_CNT];
	bool has[SECTION_CNT];
	struct bpf_insn *insns;
	u32 insn_cnt;
};

/* ---- the file ---- */

static enum section section_of(const char *line)
{
	for (u32 i = SECTION_ASM; i < SECTION_CNT; i++)
		if (!strcmp(line + 3, section_names[i]))
			return (enum section)i;
	return SECTION_NONE;
}

/* Comments are for asm to understand; elsewhere they are cut. */
static void take_line(struct test_case *c, enum section section, char *line)
{
	if (section == SECTION_NONE)
		return;
	if (section != SECTION_ASM && section != SECTION_ERROR)
		line[strcspn(line, "#")] = 0;
	buf_str(&c->sections[section], line);
	buf_str(&c->sections[section], "\n");
}

static int read_case(struct test_case *c)
{
	enum section section = SECTION_NONE;
	char *line = NULL;
	size_t cap = 0;
	FILE *file = fopen(c->path, "re");

	if (!file)
		return -errno;
	while (getline(&line, &cap, file) >= 0) {
		line[strcspn(line, "\r\n")] = 0;
		if (strncmp(line, "-- ", 3)) {
			take_line(c, section, line);
			continue;
		}
		section = section_of(line);
		c->has[section] = true;
	}
	free(line);
	fclose(file);
	return 0;
}

static void free_case(struct test_case *c)
{
	for (u32 i = 0; i < SECTION_CNT; i++)
		buf_done(&c->sections[i]);
	mem_free(c->insns);
}

/* ---- the program ---- */

static int parse_raw(const char *text, struct bpf_insn **ret_insns, u32 *ret_cnt)
{
	struct buf words = BUF_INIT;
	char *end;
	int err;
	u64 word;

	for (;; text = end) {
		word = strtoull(text, &end, 0);
		if (end == text)
			break;
		buf_add(&words, &word, sizeof(word));
	}
	err = words.err ? words.err : text[strspn(text, " \t\n")] ? -EINVAL : 0;
	if (!err) {
		*ret_insns = mem_dup(buf_text(&words), words.len);
		*ret_cnt = (u32)(words.len / sizeof(word));
		err = *ret_insns ? 0 : -ENOMEM;
	}
	buf_done(&words);
	return err;
}

static int compare_raw(
	const struct test_case *c, const struct bpf_insn *raw, u32 cnt, struct buf *why)
{
	if (cnt == c->insn_cnt && !memcmp(raw, c->insns, cnt * sizeof(*raw)))
		return 0;
	buf_str(why, "asm and raw are not the same bytes");
	return -EINVAL;
}

static int build(struct test_case *c, struct buf *why)
{
	struct bpf_insn *raw = NULL;
	u32 cnt = 0;
	int err;

	if (c->has[SECTION_ASM]) {
		err = isa_asm(buf_text(&c->sections[SECTION_ASM]), &c->insns, &c->insn_cnt, why);
		if (err)
			return err;
	}
	if (!c->has[SECTION_RAW])
		return 0;
	err = parse_raw(buf_text(&c->sections[SECTION_RAW]), &raw, &cnt);
	if (err) {
		buf_str(why, "section raw is not a list of 64-bit words");
		return err;
	}
	if (!c->has[SECTION_ASM]) {
		c->insns = raw;
		c->insn_cnt = cnt;
		return 0;
	}
	err = compare_raw(c, raw, cnt, why);
	mem_free(raw);
	return err;
}

/* ---- the plugin ---- */

static void add_hex(struct buf *out, const void *data, size_t len, const char *between)
{
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%s%02x", i ? between : "", ((const u8 *)data)[i]);
}

static int feed(int fd, const struct test_case *c)
{
	struct buf text = BUF_INIT;
	FILE *in = fdopen(fd, "w");

	if (!in) {
		close(fd);
		return -errno;
	}
	add_hex(&text, c->insns, c->insn_cnt * sizeof(*c->insns), " ");
	fprintf(in, "%s\n", buf_text(&text));
	fclose(in);
	buf_done(&text);
	return 0;
}

static void drain(int fd, struct buf *out)
{
	char chunk[512];
	ssize_t len;

	while ((len = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(out, chunk, (size_t)len);
	close(fd);
	while (out->len && strchr(" \r\n", out->data[out->len - 1]))
		out->data[--out->len] = 0;
}

/* One line of hexadecimal bytes from however the section was broken into lines. */
static void mem_argument(const struct test_case *c, struct buf *arg)
{
	const char *text = buf_text(&c->sections[SECTION_MEM]);

	for (; *text; text++)
		if (!strchr(" \t\n", *text))
			buf_printf(arg, "%s%c", arg->len % 3 == 2 ? " " : "", *text);
}

static int spawn(const struct suite *suite, const struct test_case *c, const int in[2],
	const int out[2], pid_t *ret_pid)
{
	char *argv[OPTION_MAX + 3] = {(char *)suite->plugin};
	posix_spawn_file_actions_t actions;
	struct buf mem = BUF_INIT;
	u32 argc = 1;
	int err;

	mem_argument(c, &mem);
	if (c->has[SECTION_MEM])
		argv[argc++] = (char *)buf_text(&mem);
	for (u32 i = 0; i < suite->option_cnt; i++)
		argv[argc++] = suite->options[i];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_adddup2(&actions, out[1], 2);
	err = -posix_spawn(ret_pid, suite->plugin, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	buf_done(&mem);
	return err;
}

/* Runs the plugin on the case: its wait status and everything it printed. */
static int run_plugin(
	const struct suite *suite, const struct test_case *c, int *ret_status, struct buf *output)
{
	int in[2], out[2], err;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -errno;
	err = spawn(suite, c, in, out, &pid);
	close(in[0]);
	close(out[1]);
	if (err) {
		close(in[1]);
		close(out[0]);
		return err;
	}
	err = feed(in[1], c);
	drain(out[0], output);
	if (waitpid(pid, ret_status, 0) < 0)
		return -errno;
	return err;
}

static bool judge(const struct test_case *c, int status, struct buf *output, struct buf *why)
{
	const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char *expected = c->sections[SECTION_ERROR].data, *end;
	u64 result, wanted;

	if (WIFSIGNALED(status)) {
		buf_printf(why, "the plugin died of signal %d: %s", WTERMSIG(status),
			buf_text(output));
		return false;
	}
	if (c->has[SECTION_ERROR]) {
		expected[strcspn(expected, "\n")] = 0;
		if (!ended_well && !strcmp(buf_text(output), expected))
			return true;
		buf_printf(why, "expected the error '%s', got %s'%s'", expected,
			ended_well ? "result " : "", buf_text(output));
		return false;
	}
	wanted = strtoull(buf_text(&c->sections[SECTION_RESULT]), NULL, 0);
	result = strtoull(buf_text(output), &end, 16);
	if (ended_well && output->len && !*end && result == wanted)
		return true;
	buf_printf(why, "expected 0x%" PRIx64 ", got '%s'", wanted, buf_text(output));
	return false;
}

static bool try_case(const struct suite *suite, struct test_case *c, struct buf *why)
{
	struct buf output = BUF_INIT;
	int status, err = read_case(c);
	bool did_pass = false;

	if (!err && c->has[SECTION_RESULT] == c->has[SECTION_ERROR]) {
		buf_str(why, "neither or both of the sections result and error");
		return false;
	}
	if (!err)
		err = build(c, why);
	if (!err)
		err = run_plugin(suite, c, &status, &output);
	if (err && !why->len)
		buf_str(why, strerror(-err));
	if (!err)
		did_pass = judge(c, status, &output, why);
	buf_done(&output);
	return did_pass;
}

static void note_rows(struct suite *suite, const struct test_case *c)
{
	const struct isa_op *op;

	for (u32 idx = 0; idx < c->insn_cnt; idx++) {
		op = isa_find(&c->insns[idx]);
		if (op)
			suite->has_row[op->id] = true;
		idx += isa_is_lddw(&c->insns[idx]);
	}
}

static bool is_skipped(const struct suite *suite, const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	for (u32 i = 0; i < suite->skip_cnt; i++)
		if (!strncmp(name, suite->skips[i], strlen(suite->skips[i])) &&
			!strcmp(name + strlen(suite->skips[i]), ".data"))
			return true;
	return false;
}

static void run_case(struct suite *suite, const char *path)
{
	struct test_case c = {.path = path};
	struct buf why = BUF_INIT;

	if (is_skipped(suite, path)) {
		printf("SKIP %s\n", path);
		suite->skipped++;
		return;
	}
	if (try_case(suite, &c, &why)) {
		note_rows(suite, &c);
		suite->passed++;
	} else {
		printf("FAIL %s: %s\n", path, buf_text(&why));
		suite->failed++;
	}
	buf_done(&why);
	free_case(&c);
}

/* ---- the command ---- */

static int is_case_file(const struct dirent *entry)
{
	const size_t len = strlen(entry->d_name);

	return len > 5 && !strcmp(entry->d_name + len - 5, ".data");
}

static int run_dir(struct suite *suite, const char *dir)
{
	struct buf path = BUF_INIT;
	struct dirent **entries;
	int cnt = scandir(dir, &entries, is_case_file, alphasort);

	if (cnt < 0)
		return -errno;
	for (int i = 0; i < cnt; i++) {
		buf_reset(&path);
		buf_printf(&path, "%s/%s", dir, entries[i]->d_name);
		run_case(suite, buf_text(&path));
		free(entries[i]);
	}
	free(entries);
	buf_done(&path);
	return 0;
}

static bool is_covered(const struct suite *suite)
{
	u32 missing = 0;

	for (u32 id = 0; id < ISA_CNT; id++) {
		if (suite->has_row[id] || isa_op(id)->group == ISA_GROUP_INTERNAL)
			continue;
		printf("no case has '%s' (opcode %02x)\n", isa_op(id)->name, isa_op(id)->code);
		missing++;
	}
	return !missing;
}

static int run_paths(struct suite *suite, char **paths, int cnt)
{
	struct stat st;

	for (int i = 0; i < cnt; i++) {
		if (stat(paths[i], &st)) {
			printf("skipped: %s: %s\n", paths[i], strerror(errno));
			return EXIT_SKIP;
		}
		if (!S_ISDIR(st.st_mode))
			run_case(suite, paths[i]);
		else if (run_dir(suite, paths[i]))
			return 2;
	}
	printf("%u passed, %u failed, %u skipped\n", suite->passed, suite->failed, suite->skipped);
	if (suite->failed || !suite->passed || (suite->must_cover && !is_covered(suite)))
		return 1;
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: run-conformance --plugin PATH [--option OPT]... [--skip NAME]... "
			"[--cover] FILE.data | DIR ...\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct suite suite = {0};
	int i = 1;

	/* a plugin may end without reading its input */
	signal(SIGPIPE, SIG_IGN);
	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--cover"))
			suite.must_cover = true;
		else if (i + 1 == argc)
			return usage();
		else if (!strcmp(argv[i], "--plugin"))
			suite.plugin = argv[++i];
		else if (!strcmp(argv[i], "--option") && suite.option_cnt < OPTION_MAX)
			suite.options[suite.option_cnt++] = argv[++i];
		else if (!strcmp(argv[i], "--skip") && suite.skip_cnt < SKIP_MAX)
			suite.skips[suite.skip_cnt++] = argv[++i];
		else
			return usage();
	}
	if (!suite.plugin || i == argc)
		return usage();
	return run_paths(&suite, argv + i, argc - i);
}
