/*
 * bench prog: what one run of a program costs, on engines side by side. Every engine runs in each of many
 * short rounds, so that what disturbs the machine disturbs all of them; beside the program stands an empty
 * one of the same type, whose time is what the test run itself costs there.
 *
 * A run's time is the test run's own figure, which is a whole number of nanoseconds, rounded down; its
 * fraction comes from the time of the whole call, as far as the figure leaves room for it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench_data.h"
#include "map_update.h"
#include "object.h"
#include "out.h"
#include "tool.h"

enum {
	ROUNDS = 25,
	ROUND_NS =
		2000000, /* that long runs a program in a round, unless --repeat says how often */
	PROBE_CNT = 100,
	CALL_CNT = 5,
	REPEAT_MAX = 1 << 24,
	UPDATES_MAX = 256,
	TYPE_CANNOT = 524, /* ENOTSUPP: no test run for this type */
};

/* A ratio to less than that would be one of noise. */
static const double NET_FLOOR_NS = 0.5;

struct engine {
	const char *name;
	struct port_opts opts;
	bool is_kernel;
};

static const struct engine engines[] = {
	{"jit"},
	{"interp", .opts = {.interp = true}},
	{"checked", .opts = {.checked = true, .checked_jit = true}},
	{"kernel", .is_kernel = true},
};

enum { ENGINE_CNT = ARRAY_SIZE(engines) };

/* A program on one engine: its rounds, sorted once they are done. */
struct timing {
	int fd;
	u32 repeat, retval;
	double call_ns; /* what a call takes beside the runs */
	double ns[ROUNDS];
};

enum { EMPTY, ASKED, TIMING_CNT };

struct side {
	const struct engine *engine; /* NULL: not asked for */
	struct port *port;
	struct bpf_object *object;
	struct timing timings[TIMING_CNT];
};

struct bench {
	char *path; /* up to the colon */
	const char *prog_name, *data_path;
	u32 frame; /* which one of a capture, from 1 */
	u32 repeat;
	u8 *data;
	u32 data_len;
	const char *updates[UPDATES_MAX];
	size_t update_cnt;
	struct side sides[ENGINE_CNT];
	char shown[256];
};

/* ---- the line ---- */

static int parse_engines(struct tool *t, struct bench *b, const char *list)
{
	for (size_t i = 0; i < ENGINE_CNT; i++)
		b->sides[i].engine = NULL;
	while (list && *list) {
		size_t len = strcspn(list, ","), i = 0;

		while (i < ENGINE_CNT &&
			(strlen(engines[i].name) != len || memcmp(engines[i].name, list, len)))
			i++;
		if (i == ENGINE_CNT)
			break;
		b->sides[i].engine = &engines[i];
		list += len;
		if (!*list)
			return 0;
		list++;
	}
	return fail(t,
		"--engine takes jit, interp, checked and kernel, with commas between, not '%s'",
		list ? list : "");
}

static int parse_count(struct tool *t, struct args *a, const char *option, u32 max, u32 *ret)
{
	const char *word = args_next(a);
	u64 number;

	if (args_number(word, max, &number) || !number)
		return fail(t, "%s takes a number from 1 to %u, not '%s'", option, max,
			word ? word : "");
	*ret = (u32)number;
	return 0;
}

static int parse_word(struct tool *t, struct args *a, struct bench *b)
{
	const char *word = args_next(a);

	if (!strcmp(word, "--engine"))
		return parse_engines(t, b, args_next(a));
	if (!strcmp(word, "--repeat"))
		return parse_count(t, a, word, REPEAT_MAX, &b->repeat);
	if (!strcmp(word, "--frame"))
		return parse_count(t, a, word, UINT32_MAX, &b->frame);
	if (!strcmp(word, "--data")) {
		b->data_path = args_next(a);
		return b->data_path ? 0 : fail_missing(t, "a file", word);
	}
	if (!strcmp(word, "--update")) {
		if (b->update_cnt == UPDATES_MAX)
			return fail(t, "--update can be given %d times at most", UPDATES_MAX);
		b->updates[b->update_cnt] = args_next(a);
		return b->updates[b->update_cnt++] ? 0 : fail_missing(t, "a value", word);
	}
	if (word[0] == '-')
		return fail(t, "%s is no option of bench: `skep bench help` lists them", word);
	if (b->path)
		return fail(t, "'%s' is one word too many here: bench takes one program", word);
	b->path = mem_dup(word, strlen(word) + 1);
	return b->path ? 0 : fail(t, "out of memory");
}

/* FILE.o[:PROG]: a colon belongs to the file's name if there is a file of that name. */
static void split_path(struct bench *b)
{
	char *colon = strrchr(b->path, ':');

	if (!colon || !access(b->path, F_OK))
		return;
	*colon = 0;
	b->prog_name = colon + 1;
}

static int parse(struct tool *t, struct args *a, struct bench *b)
{
	int err = 0;

	b->frame = 1;
	b->sides[0].engine = &engines[0];
	b->sides[1].engine = &engines[1];
	if (t->engine == TOOL_ENGINE_KERNEL)
		b->sides[ENGINE_CNT - 1].engine = &engines[ENGINE_CNT - 1];
	else if (t->engine == TOOL_ENGINE_INSTANCE)
		return fail(t, "bench runs engines of its own: leave out -i");
	while (a->cnt && !err)
		err = parse_word(t, a, b);
	if (err)
		return err;
	if (!b->path)
		return fail(t, "an object file is missing: skep bench prog FILE.o[:PROG]");
	split_path(b);
	return 0;
}

/* ---- the packet ---- */

/* Without --data: the shortest Ethernet frame, TCP over IPv4. */
static int need_data(struct tool *t, struct bench *b)
{
	static const u8 frame[64] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 50, 0, 1,
		0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x30, 0x39, 0, 80, 0, 0, 0, 1, 0,
		0, 0, 0, 0x50, 2, 0xff, 0xff};
	char reason[BENCH_REASON_MAX];

	if (b->data_path) {
		int err = bench_data(b->data_path, b->frame, &b->data, &b->data_len, reason);

		return err ? fail(t, "%s: %s", b->data_path, reason) : 0;
	}
	b->data_len = sizeof(frame);
	b->data = mem_dup(frame, sizeof(frame));
	return b->data ? 0 : fail(t, "out of memory");
}

/* ---- loading ---- */

static void work_on(struct tool *t, struct side *side)
{
	t->port = side->port;
	port_use(side->port);
}

static int open_engine(struct tool *t, struct side *side)
{
	struct port_text text = {0};
	int err = side->engine->is_kernel
			  ? port_open_kernel(&side->port)
			  : port_open_local(&side->engine->opts, &side->port, &text);

	if (err)
		return fail(t, "%s: %s", side->engine->name,
			text.text[0] ? text.text : errno_text(err));
	side->port->say = out_say;
	side->port->say_arg = t;
	work_on(t, side);
	return 0;
}

static int load_empty(struct tool *t, struct side *side, const struct bpf_program *like)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {BPF_JMP | BPF_EXIT}};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.expected_attach_type = bpf_program__expected_attach_type(like));
	int fd = bpf_prog_load(
		bpf_program__type(like), "empty", "GPL", insns, ARRAY_SIZE(insns), &opts);

	side->timings[EMPTY].fd = fd;
	return fd < 0 ? fail(t, "%s: an empty program of this type cannot be loaded: %s",
				side->engine->name, errno_text(fd))
		      : 0;
}

static int load(struct tool *t, struct bench *b, struct side *side)
{
	struct bpf_program *prog;
	int err = open_engine(t, side);

	if (!err)
		err = object_open(t, b->path, &side->object);
	if (err)
		return err;
	prog = b->prog_name ? bpf_object__find_program_by_name(side->object, b->prog_name)
			    : bpf_object__next_program(side->object, NULL);
	if (!prog)
		return fail(t, "%s has no program named %s", b->path, b->prog_name);
	snprintf(b->shown, sizeof(b->shown), "%s", bpf_program__name(prog));
	err = object_load_one(t, side->object, b->path, prog, &side->timings[ASKED].fd);
	if (!err)
		err = load_empty(t, side, prog);
	for (size_t i = 0; i < b->update_cnt && !err; i++)
		err = map_update_line(t, side->object, b->updates[i]);
	return err;
}

/* ---- running ---- */

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Nanoseconds of one of `repeat` runs, or a negative errno. */
static double run(const struct bench *b, struct timing *timing, u32 repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = b->data, .data_size_in = b->data_len,
		.repeat = (int)repeat);
	double start = now_ns(), each;
	int err = bpf_prog_test_run_opts(timing->fd, &opts);

	if (err)
		return err;
	each = (now_ns() - start - timing->call_ns) / repeat;
	timing->retval = opts.retval;
	if (each < opts.duration)
		return opts.duration;
	return each < opts.duration + 1.0 ? each : opts.duration + 0.999;
}

static int run_failed(struct tool *t, const struct bench *b, const struct side *side, int err)
{
	if (err == -TYPE_CANNOT)
		return fail(t, "%s: programs of its type cannot be test-run on %s", b->shown,
			side->engine->name);
	return fail(t, "%s: the test run fails on %s: %s%s", b->shown, side->engine->name,
		errno_text(err),
		err == -EINVAL ? " (a program whose type takes no packet cannot be repeated)" : "");
}

/* How often a round runs it; the first runs also warm what there is to warm. */
static int calibrate(
	struct tool *t, const struct bench *b, struct side *side, struct timing *timing)
{
	double least = 0, start, ns = 0;

	for (int i = 0; i < CALL_CNT && ns >= 0; i++) {
		start = now_ns();
		ns = run(b, timing, 1);
		least = i ? MIN(least, now_ns() - start) : now_ns() - start;
	}
	timing->call_ns = least;
	if (ns >= 0 && !b->repeat)
		ns = run(b, timing, PROBE_CNT);
	if (ns < 0)
		return run_failed(t, b, side, (int)ns);
	timing->repeat = b->repeat ? b->repeat : (u32)(ROUND_NS / (ns > 1 ? ns : 1));
	timing->repeat = MAX(timing->repeat, 1u);
	return 0;
}

static int compare_ns(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int measure(struct tool *t, struct bench *b)
{
	int err = 0;

	for (int round = -1; round < ROUNDS && !err; round++) {
		for (size_t i = 0; i < ENGINE_CNT * TIMING_CNT && !err; i++) {
			struct side *side = &b->sides[i / TIMING_CNT];
			struct timing *timing = &side->timings[i % TIMING_CNT];

			if (!side->engine)
				continue;
			work_on(t, side);
			if (round < 0) {
				err = calibrate(t, b, side, timing);
				continue;
			}
			timing->ns[round] = run(b, timing, timing->repeat);
			if (timing->ns[round] < 0)
				err = run_failed(t, b, side, (int)timing->ns[round]);
		}
	}
	for (size_t i = 0; i < ENGINE_CNT * TIMING_CNT; i++)
		qsort(b->sides[i / TIMING_CNT].timings[i % TIMING_CNT].ns, ROUNDS, sizeof(double),
			compare_ns);
	return err;
}

/* ---- the result ---- */

/* What disturbs the machine only adds: the least time, less the empty program's least. */
static double net_ns(const struct side *side)
{
	double ns = side->timings[ASKED].ns[0] - side->timings[EMPTY].ns[0];

	return ns > NET_FLOOR_NS ? ns : NET_FLOOR_NS;
}

static void json_timing(struct json *w, const struct side *side, int which)
{
	const struct timing *timing = &side->timings[which];

	json_name(w, side->engine->name);
	json_start_object(w);
	json_name(w, "ns_min");
	json_printf(w, "%.3f", timing->ns[0]);
	json_name(w, "ns_median");
	json_printf(w, "%.3f", timing->ns[ROUNDS / 2]);
	json_name(w, "ns_max");
	json_printf(w, "%.3f", timing->ns[ROUNDS - 1]);
	if (which == ASKED) {
		json_name(w, "ns_net");
		json_printf(w, "%.3f", net_ns(side));
		json_uint_field(w, "retval", timing->retval);
	}
	json_uint_field(w, "repeat", timing->repeat);
	json_end_object(w);
}

/* fn for every pair of engines, the faster kind first. */
static void each_ratio(struct tool *t, const struct bench *b,
	void (*fn)(struct tool *t, const char *name, double ratio))
{
	char name[64];

	for (size_t i = 0; i < ENGINE_CNT; i++) {
		for (size_t k = i + 1; k < ENGINE_CNT; k++) {
			const struct side *one = &b->sides[i], *other = &b->sides[k];

			if (!one->engine || !other->engine)
				continue;
			snprintf(name, sizeof(name), "%s/%s", one->engine->name,
				other->engine->name);
			fn(t, name, net_ns(one) / net_ns(other));
		}
	}
}

static void json_ratio(struct tool *t, const char *name, double ratio)
{
	json_name(&t->w, name);
	json_printf(&t->w, "%.3f", ratio);
}

static void print_ratio(struct tool *t, const char *name, double ratio)
{
	printf("%-16s%.2f\n", name, ratio);
}

static void show_json(struct tool *t, const struct bench *b)
{
	static const char *const names[] = {[EMPTY] = "empty", [ASKED] = "engines"};
	struct json *w = &t->w;

	json_start_object(w);
	json_string_field(w, "prog", b->shown);
	json_uint_field(w, "rounds", ROUNDS);
	json_uint_field(w, "data_len", b->data_len);
	for (int which = 0; which < TIMING_CNT; which++) {
		json_name(w, names[which]);
		json_start_object(w);
		for (size_t i = 0; i < ENGINE_CNT; i++)
			if (b->sides[i].engine)
				json_timing(w, &b->sides[i], which);
		json_end_object(w);
	}
	json_name(w, "ratio");
	json_start_object(w);
	each_ratio(t, b, json_ratio);
	json_end_object(w);
	json_end_object(w);
}

static void show_text(struct tool *t, const struct bench *b)
{
	printf("%s: ns per run of %u bytes, %d rounds; net: the least, less the empty program's\n",
		b->shown, b->data_len, ROUNDS);
	printf("%-12s%10s%10s%10s%10s%10s%12s\n", "engine", "min", "median", "max", "empty", "net",
		"returns");
	for (size_t i = 0; i < ENGINE_CNT; i++) {
		const struct side *side = &b->sides[i];
		const struct timing *timing = &side->timings[ASKED];

		if (side->engine)
			printf("%-12s%10.2f%10.2f%10.2f%10.2f%10.2f%12u\n", side->engine->name,
				timing->ns[0], timing->ns[ROUNDS / 2], timing->ns[ROUNDS - 1],
				side->timings[EMPTY].ns[0], net_ns(side), timing->retval);
	}
	each_ratio(t, b, print_ratio);
}

/* Engines that disagree measure different things. */
static void compare_results(struct tool *t, const struct bench *b)
{
	const struct side *first = NULL;

	for (size_t i = 0; i < ENGINE_CNT; i++) {
		const struct side *side = &b->sides[i];

		if (!side->engine)
			continue;
		if (!first)
			first = side;
		if (side->timings[ASKED].retval != first->timings[ASKED].retval)
			note(t, "Warning: %s returned %u on %s and %u on %s", b->shown,
				first->timings[ASKED].retval, first->engine->name,
				side->timings[ASKED].retval, side->engine->name);
	}
}

static void done(struct tool *t, struct bench *b)
{
	for (size_t i = 0; i < ENGINE_CNT; i++) {
		struct side *side = &b->sides[i];

		if (side->port)
			work_on(t, side);
		for (int which = 0; which < TIMING_CNT; which++)
			if (side->timings[which].fd >= 0)
				close(side->timings[which].fd);
		bpf_object__close(side->object);
		port_close(side->port);
	}
	t->port = NULL;
	mem_free(b->data);
	mem_free(b->path);
	mem_free(b);
}

int verb_bench_prog(struct tool *t, struct args *a)
{
	struct bench *b = mem_zalloc(sizeof(*b));
	int err;

	if (!b)
		return fail(t, "out of memory");
	for (size_t i = 0; i < ENGINE_CNT * TIMING_CNT; i++)
		b->sides[i / TIMING_CNT].timings[i % TIMING_CNT].fd = -1;
	err = parse(t, a, b);
	if (!err)
		err = need_data(t, b);
	for (size_t i = 0; i < ENGINE_CNT && !err; i++)
		if (b->sides[i].engine)
			err = load(t, b, &b->sides[i]);
	if (!err)
		err = measure(t, b);
	if (!err && t->json)
		show_json(t, b);
	else if (!err)
		show_text(t, b);
	if (!err)
		compare_results(t, b);
	done(t, b);
	return err;
}
