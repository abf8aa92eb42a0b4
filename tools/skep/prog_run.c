/*
 * prog run: one BPF_PROG_TEST_RUN with bytes from files, and what came out. prog tracelog: what
 * programs print.
 */
#include <bpf/bpf.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "info.h"
#include "out.h"
#include "ref.h"

enum { DATA_OUT_DEFAULT = 32 * 1024, IN_MAX = 16 << 20, DUMP_LINE = 16 };

struct test {
	const char *data_in, *data_out, *ctx_in, *ctx_out; /* file names, "-" the terminal */
	u32 data_out_len, ctx_out_len, repeat;
	void *data, *ctx, *out_data, *out_ctx;
	u32 data_len, ctx_len;
};

static int read_all(struct tool *t, FILE *file, const char *path, void **ret, u32 *ret_len)
{
	u8 *buf = NULL;
	size_t len = 0, got = 1;

	while (got && len <= IN_MAX) {
		u8 *more = mem_realloc(buf, len + DATA_OUT_DEFAULT, 1);

		if (!more) {
			mem_free(buf);
			return fail(t, "out of memory");
		}
		buf = more;
		got = fread(buf + len, 1, DATA_OUT_DEFAULT, file);
		len += got;
	}
	if (ferror(file) || len > IN_MAX) {
		mem_free(buf);
		return ferror(file) ? fail(t, "failed to read from %s: %s", path, strerror(errno))
				    : fail(t, "%s is larger than %d bytes", path, IN_MAX);
	}
	*ret = buf;
	*ret_len = (u32)len;
	return 0;
}

static int read_input(struct tool *t, const char *path, void **ret, u32 *ret_len)
{
	FILE *file = !strcmp(path, "-") ? stdin : fopen(path, "re");
	int err;

	if (!file)
		return fail(t, "failed to open %s: %s", path, strerror(errno));
	err = read_all(t, file, path, ret, ret_len);
	if (file != stdin)
		fclose(file);
	return err;
}

/* "0000010	0028 0001 ... | .(....": offset, pairs of bytes, characters. */
static void print_dump(const u8 *data, u32 len)
{
	for (u32 at = 0; at < len; at += DUMP_LINE) {
		printf("%07x\t", at);
		for (u32 i = at; i < at + DUMP_LINE; i++) {
			if (i < len)
				printf("%02x", data[i]);
			else
				printf("  ");
			if (i % 2)
				putchar(' ');
		}
		printf("| ");
		for (u32 i = at; i < at + DUMP_LINE && i < len; i++) {
			putchar(isprint(data[i]) ? data[i] : '.');
			if (i == at + 7)
				putchar(' ');
		}
		printf("\n");
	}
}

static bool is_shown(const char *path)
{
	return path && !strcmp(path, "-");
}

/* Bytes that go to a file. */
static int write_output(struct tool *t, const char *path, const void *data, u32 len)
{
	FILE *file;
	bool bad;

	if (!path || is_shown(path))
		return 0;
	file = fopen(path, "we");
	if (!file)
		return fail(t, "failed to open %s: %s", path, strerror(errno));
	bad = fwrite(data, 1, len, file) != len;
	bad |= fclose(file) != 0;
	return bad ? fail(t, "failed to write to %s: %s", path, strerror(errno)) : 0;
}

/* Bytes that are shown. */
static void show_output(
	struct tool *t, const char *name, const char *path, const void *data, u32 len)
{
	if (!is_shown(path) || !len)
		return;
	if (!t->json) {
		print_dump(data, len);
		return;
	}
	json_name(&t->w, name);
	json_byte_array(&t->w, data, len);
}

static int parse_number(struct tool *t, struct args *a, const char *what, u32 *ret)
{
	const char *word = args_next(a);
	u64 number;

	if (!word)
		return fail_missing(t, "a number", what);
	if (args_number(word, UINT32_MAX, &number))
		return fail(t, "can't parse %s '%s' as a number of 32 bits", what, word);
	*ret = (u32)number;
	return 0;
}

static int parse_test(struct tool *t, struct args *a, struct test *test)
{
	const struct {
		const char *word, **file;
		u32 *number;
	} words[] = {{"data_in", &test->data_in}, {"data_out", &test->data_out},
		{"data_size_out", .number = &test->data_out_len}, {"ctx_in", &test->ctx_in},
		{"ctx_out", &test->ctx_out}, {"ctx_size_out", .number = &test->ctx_out_len},
		{"repeat", .number = &test->repeat}};
	size_t i;
	int err;

	while (a->cnt) {
		for (i = 0; i < ARRAY_SIZE(words) && !args_is(a, words[i].word); i++)
			continue;
		if (i == ARRAY_SIZE(words))
			return fail(t,
				"expected no more arguments, 'data_in', 'data_out', "
				"'data_size_out', "
				"'ctx_in', 'ctx_out', 'ctx_size_out' or 'repeat', got: '%s'?",
				args_peek(a));
		args_next(a);
		if (words[i].number) {
			err = parse_number(t, a, words[i].word, words[i].number);
			if (err)
				return err;
		} else {
			*words[i].file = args_next(a);
			if (!*words[i].file)
				return fail_missing(t, "a file", words[i].word);
		}
	}
	return 0;
}

static int prepare(struct tool *t, struct test *test)
{
	int err = 0;

	if (test->data_in)
		err = read_input(t, test->data_in, &test->data, &test->data_len);
	if (!err && test->ctx_in)
		err = read_input(t, test->ctx_in, &test->ctx, &test->ctx_len);
	if (err)
		return err;
	/* Room even when nobody asked: the program may lengthen its packet. */
	if (!test->data_out_len && test->data_in)
		test->data_out_len = DATA_OUT_DEFAULT;
	if (!test->ctx_out_len && test->ctx_out)
		test->ctx_out_len = DATA_OUT_DEFAULT;
	test->out_data = mem_zalloc(test->data_out_len);
	test->out_ctx = mem_zalloc(test->ctx_out_len);
	return test->out_data && test->out_ctx ? 0 : fail(t, "out of memory");
}

/* Files first: what cannot be written is an error, and then there is no result to show. */
static int print_result(
	struct tool *t, const struct test *test, const struct bpf_test_run_opts *opts)
{
	int err = write_output(t, test->data_out, test->out_data, opts->data_size_out);

	if (!err)
		err = write_output(t, test->ctx_out, test->out_ctx, opts->ctx_size_out);
	if (err)
		return err;
	if (t->json)
		json_start_object(&t->w);
	show_output(t, "data_out", test->data_out, test->out_data, opts->data_size_out);
	show_output(t, "ctx_out", test->ctx_out, test->out_ctx, opts->ctx_size_out);
	if (!t->json) {
		printf("Return value: %u, duration%s: %uns\n", opts->retval,
			test->repeat > 1 ? " (average)" : "", opts->duration);
		return 0;
	}
	json_uint_field(&t->w, "retval", opts->retval);
	json_uint_field(&t->w, "duration", opts->duration);
	json_end_object(&t->w);
	return 0;
}

static int run_test(struct tool *t, int fd, struct test *test)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = test->data, .data_size_in = test->data_len,
		.data_out = test->data_out_len ? test->out_data : NULL,
		.data_size_out = test->data_out_len, .ctx_in = test->ctx,
		.ctx_size_in = test->ctx_len, .ctx_out = test->ctx_out_len ? test->out_ctx : NULL,
		.ctx_size_out = test->ctx_out_len, .repeat = (int)test->repeat);
	int err = bpf_prog_test_run_opts(fd, &opts);

	if (err == -524)
		return fail(t, "failed to run program: programs of this type cannot be test-run");
	if (err == -EINVAL && !test->data_in)
		return fail(t,
			"failed to run program: %s; most types need `data_in FILE`, at least "
			"14 bytes",
			errno_text(err));
	if (err)
		return fail_errno(t, err, "failed to run program: %s", errno_text(err));
	return print_result(t, test, &opts);
}

int verb_prog_run(struct tool *t, struct args *a)
{
	struct test test = {.repeat = 1};
	struct ref ref;
	int err = ref_is_file(a) ? tool_engine_fresh(t) : tool_engine_running(t);

	if (!err)
		err = ref_prog(t, a, &ref);
	if (err)
		return err;
	err = parse_test(t, a, &test);
	if (!err)
		err = prepare(t, &test);
	if (!err)
		err = run_test(t, ref.fds[0], &test);
	mem_free(test.data);
	mem_free(test.ctx);
	mem_free(test.out_data);
	mem_free(test.out_ctx);
	ref_done(&ref);
	return err;
}

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = 1;
}

/* Without SA_RESTART a read that waits is ended by the signal. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = stop};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int verb_prog_tracelog(struct tool *t, struct args *a)
{
	char buf[4096];
	long len = 1;
	int err = tool_engine_running(t);

	if (err)
		return err;
	if (a->cnt)
		return fail_extra(t, a);
	if (!t->port->ops->trace_read)
		return fail(t, "this engine keeps no trace texts");
	catch_signals();
	if (t->json)
		json_start_array(&t->w);
	while (!stopped && len > 0) {
		len = t->port->ops->trace_read(t->port, buf, sizeof(buf));
		if (len > 0 && t->json)
			json_string_len(&t->w, buf, (size_t)len);
		else if (len > 0)
			fwrite(buf, 1, (size_t)len, stdout);
		fflush(stdout);
	}
	if (t->json)
		json_end_array(&t->w);
	if (len < 0 && len != -EINTR)
		return fail_errno(t, (int)len, "cannot read what programs print: %s%s",
			errno_text((int)len),
			t->port->ops->is_kernel
				? " (is tracefs mounted at /sys/kernel/tracing, and "
				  "is this root?)"
				: "");
	return 0;
}
