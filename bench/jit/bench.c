/*
 * skep's JIT, the kernel's JIT, native code of the same C and skep's checked JIT, side by side: many short rounds, in each of
 * which every engine runs every program, so that what disturbs the machine disturbs all of them.
 *
 *	bench_jit [--json] [--rounds N] FOLDER [PROGRAM...]
 *
 * FOLDER holds the objects. Printed are nanoseconds of one run (minimum, median, maximum of the rounds) with
 * the minimum of the empty program on that engine taken off, the ratios of the minima, and their geometric
 * means. Every result is compared with the one in progs.def. An engine that is not there is not in the table.
 * Exit status: 0, 1 when a result is wrong, 2 when nothing could be measured.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "port/port.h"

enum {
	ROUNDS = 25,
	ROUND_NS = 200000, /* what one program runs for in a round */
	PROBE_CNT = 100,
	REPEAT_MAX = 1 << 20,
	FRAME_LEN = 128,
};
static const double NS_FLOOR = 0.5; /* less than that cannot be told from the empty program */

enum engine { SKEP, KERNEL, NATIVE, CHECKED, ENGINE_CNT };
static const char *const engine_names[] = {"skep", "kernel", "native", "checked"};

/* ---- frames ---- */

static const u8 frame_tcp[FRAME_LEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, /* Ethernet */
	0x45, 0, 0, 114, 0x12, 0x34, 0x40, 0, 64, 6, 0xa5, 0x5a, 10, 0, 0, 1, 192, 168, 1, 7, 0xd4,
	0x31, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0x80, 2, 0xfa, 0xf0, 0x11, 0x22, 0, 0, /* TCP */
	2, 4, 5, 0xb4, 1, 3, 3, 7, 1, 1, 1, 1,					    /* options */
	'G', 'E', 'T', ' ', '/', 'a', '1', '\r', '\n'};
static const u8 frame_vlan[FRAME_LEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0, 100,
	0x81, 0, 0x20, 7, 8, 0, 0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
static const u8 frame_ip6[FRAME_LEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0,
	0, 0, 24, 0, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 1, 0xd, 0xb8,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, /* hop-by-hop, destination options, UDP */
	60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0, 0x12, 0x34, 0, 53, 0, 8, 0, 0};

/* ---- programs ---- */

struct native_ctx {
	void *data, *data_end;
};

#define NATIVE_true(name) int name(struct native_ctx *ctx);
#define NATIVE_false(name)
#define PROG(object, name, frame, expected, native) NATIVE_##native(name)
#include "progs.def"
#undef NATIVE_true
#undef NATIVE_false
#define NATIVE_true(name)  name
#define NATIVE_false(name) NULL

struct row {
	const char *object, *name;
	const u8 *frame;
	u32 expected;
	int (*native)(struct native_ctx *ctx);
	int fd[ENGINE_CNT]; /* -1: not there */
	u32 repeat[ENGINE_CNT];
	double *ns[ENGINE_CNT]; /* a round each */
	bool is_asked;
};

static struct row rows[] = {
#define PROG(object, name, frame, expected, native)                                                \
	{#object, #name, frame_##frame, expected, NATIVE_##native(name)},
#include "progs.def"
};

enum { ROW_CNT = sizeof(rows) / sizeof(rows[0]) };

/* ---- engines ---- */

static struct port *ports[ENGINE_CNT];

/* Their programs run until the end, when close_engines() ends them. */
enum { OBJECT_CNT = 4 };
static const char *const object_names[OBJECT_CNT] = {"compute", "parse", "maps", "tail"};
static struct bpf_object *objects[ENGINE_CNT][OBJECT_CNT];

static int print_none(enum libbpf_print_level level, const char *text, va_list args)
{
	return 0;
}

static void fill_u64(struct bpf_map *map, u32 cnt)
{
	u8 key[64] = {0};
	u64 values[256] = {0};

	for (u32 k = 0; k < cnt; k++) {
		memcpy(key, &k, sizeof(k));
		for (u32 cpu = 0; cpu < ARRAY_SIZE(values); cpu++)
			values[cpu] = (u64)k * 3;
		bpf_map_update_elem(bpf_map__fd(map), key, values, BPF_ANY);
	}
}

static void fill_prefixes(struct bpf_map *map)
{
	struct {
		u32 len;
		u8 addr[4];
	} key = {.addr = {10}};

	for (u32 i = 0; i < 64; i++) {
		u64 value = i * 3;

		key.len = 8 + i % 3 * 8;
		key.addr[1] = (u8)(i * 4);
		bpf_map_update_elem(bpf_map__fd(map), &key, &value, BPF_ANY);
	}
}

static void fill_maps(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
	{
		switch (bpf_map__type(map)) {
		case BPF_MAP_TYPE_LPM_TRIE: fill_prefixes(map); break;
		case BPF_MAP_TYPE_PROG_ARRAY: break;
		default:
			if (bpf_map__value_size(map) == sizeof(u64))
				fill_u64(map, bpf_map__max_entries(map) < 800
						      ? bpf_map__max_entries(map)
						      : 800);
		}
	}
}

static void load(enum engine engine, const char *folder, u32 object)
{
	const char *name = object_names[object];
	struct bpf_object *obj;
	char path[512];

	port_use(ports[engine]);
	snprintf(path, sizeof(path), "%s/%s.bpf.o", folder, name);
	obj = objects[engine][object] = bpf_object__open_file(path, NULL);
	if (!obj || bpf_object__load(obj)) {
		fprintf(stderr, "%s: not loaded on %s\n", path, engine_names[engine]);
		return;
	}
	fill_maps(obj);
	for (u32 i = 0; i < ROW_CNT; i++) {
		struct bpf_program *prog = strcmp(rows[i].object, name)
						   ? NULL
						   : bpf_object__find_program_by_name(
							     obj, rows[i].name);

		if (prog)
			rows[i].fd[engine] = bpf_program__fd(prog);
	}
}

/* ---- runs ---- */

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

/* Nanoseconds of `repeat` runs and the last result; -1: it could not run. The figure is the engine's own, which
 * has no fractions: getting ready for a test run is no part of it. */
static double run_bpf(const struct row *row, enum engine engine, u32 repeat, u32 *ret_result)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = row->frame, .data_size_in = FRAME_LEN,
		.repeat = (int)repeat);

	port_use(ports[engine]);
	if (bpf_prog_test_run_opts(row->fd[engine], &opts))
		return -1;
	*ret_result = opts.retval;
	return (double)opts.duration * repeat;
}

static double run_native(const struct row *row, u32 repeat, u32 *ret_result)
{
	u8 frame[FRAME_LEN];
	struct native_ctx ctx = {frame, frame + FRAME_LEN};
	int (*volatile fn)(struct native_ctx *) = row->native;
	u64 start;

	memcpy(frame, row->frame, FRAME_LEN);
	start = now_ns();
	for (u32 i = 0; i < repeat; i++)
		*ret_result = (u32)fn(&ctx);
	return (double)(now_ns() - start);
}

static double run(const struct row *row, enum engine engine, u32 repeat, u32 *ret_result)
{
	return engine == NATIVE ? run_native(row, repeat, ret_result)
				: run_bpf(row, engine, repeat, ret_result);
}

static bool is_there(const struct row *row, enum engine engine)
{
	return row->is_asked && (engine == NATIVE ? row->native != NULL : row->fd[engine] >= 0);
}

/* The first run: is the result right, and how often fits a round? */
static int prepare(struct row *row, enum engine engine, u32 rounds)
{
	u32 result = 0;
	double ns;

	if (run(row, engine, 1, &result) < 0) {
		row->fd[engine] = -1;
		return 0;
	}
	if (result != row->expected) {
		fprintf(stderr, "%s on %s: %u, expected %u\n", row->name, engine_names[engine],
			result, row->expected);
		return 1;
	}
	ns = run(row, engine, PROBE_CNT, &result) / PROBE_CNT;
	row->repeat[engine] = (u32)fmin(fmax(ROUND_NS / fmax(ns, 0.1), PROBE_CNT), REPEAT_MAX);
	row->ns[engine] = calloc(rounds, sizeof(double));
	return row->ns[engine] ? 0 : 2;
}

static void measure(u32 rounds)
{
	u32 result;

	for (u32 round = 0; round < rounds; round++)
		for (u32 i = 0; i < ROW_CNT; i++)
			for (u32 e = 0; e < ENGINE_CNT; e++)
				if (is_there(&rows[i], e))
					rows[i].ns[e][round] = run(&rows[i], e, rows[i].repeat[e],
								       &result) /
							       rows[i].repeat[e];
}

/* ---- the table ---- */

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

static double net(double ns, double empty)
{
	return fmax(ns - empty, NS_FLOOR);
}

struct mean {
	double log_sum;
	u32 cnt;
};

/* How the two engines of a column are named: skep against the others, checked code against skep. */
static const char *ratio_name(enum engine e)
{
	static const char *const names[] = {
		[KERNEL] = "skep/kernel", [NATIVE] = "skep/native", [CHECKED] = "checked/skep"};

	return names[e];
}

static double ratio(const struct row *row, enum engine e, struct mean *mean)
{
	const enum engine a = e == CHECKED ? CHECKED : SKEP, b = e == CHECKED ? SKEP : e;
	double quotient = net(row->ns[a][0], rows[0].ns[a][0]) /
			  net(row->ns[b][0], rows[0].ns[b][0]);

	mean->log_sum += log(quotient);
	mean->cnt++;
	return quotient;
}

static void show_row(const struct row *row, u32 rounds, struct mean means[ENGINE_CNT])
{
	printf("%-14s", row->name);
	for (u32 e = 0; e < ENGINE_CNT; e++) {
		const double empty = rows[0].ns[e] ? rows[0].ns[e][0] : 0;

		if (is_there(row, e))
			printf("  %7.1f %7.1f %7.1f", net(row->ns[e][0], empty),
				net(row->ns[e][rounds / 2], empty),
				net(row->ns[e][rounds - 1], empty));
		else
			printf("  %7s %7s %7s", "-", "-", "-");
	}
	for (u32 e = KERNEL; e < ENGINE_CNT; e++) {
		if (is_there(row, SKEP) && is_there(row, e))
			printf("  %6.2f", ratio(row, e, &means[e]));
		else
			printf("  %6s", "-");
	}
	printf("\n");
}

static void show(u32 rounds)
{
	struct mean means[ENGINE_CNT] = {0};

	printf("%-14s", "ns a run");
	for (u32 e = 0; e < ENGINE_CNT; e++)
		printf("  %7s %7s %7s", engine_names[e], "median", "max");
	printf("  /%6s  /%6s  chk/skep\n", engine_names[KERNEL], engine_names[NATIVE]);
	for (u32 i = 1; i < ROW_CNT; i++)
		if (rows[i].is_asked)
			show_row(&rows[i], rounds, means);
	for (u32 e = 0; e < ENGINE_CNT; e++)
		if (rows[0].ns[e])
			printf("empty on %s: %.1f ns, taken off\n", engine_names[e],
				rows[0].ns[e][0]);
	for (u32 e = KERNEL; e < ENGINE_CNT; e++)
		if (means[e].cnt)
			printf("%s: geometric mean %.3f over %u programs\n", ratio_name(e),
				exp(means[e].log_sum / means[e].cnt), means[e].cnt);
}

static void show_json(u32 rounds)
{
	struct mean means[ENGINE_CNT] = {0};

	printf("{\"empty\":{");
	for (u32 e = 0, n = 0; e < ENGINE_CNT; e++)
		if (rows[0].ns[e])
			printf("%s\"%s\":%.2f", n++ ? "," : "", engine_names[e], rows[0].ns[e][0]);
	printf("},\"programs\":[");
	for (u32 i = 1, n = 0; i < ROW_CNT; i++) {
		if (!rows[i].is_asked)
			continue;
		printf("%s{\"name\":\"%s\",\"engines\":{", n++ ? "," : "", rows[i].name);
		for (u32 e = 0, m = 0; e < ENGINE_CNT; e++)
			if (is_there(&rows[i], e))
				printf("%s\"%s\":{\"ns_min\":%.2f,\"ns_median\":%.2f,\"ns_max\":%."
				       "2f}",
					m++ ? "," : "", engine_names[e],
					net(rows[i].ns[e][0], rows[0].ns[e][0]),
					net(rows[i].ns[e][rounds / 2], rows[0].ns[e][0]),
					net(rows[i].ns[e][rounds - 1], rows[0].ns[e][0]));
		printf("},\"ratio\":{");
		for (u32 e = KERNEL, m = 0; e < ENGINE_CNT; e++)
			if (is_there(&rows[i], SKEP) && is_there(&rows[i], e))
				printf("%s\"%s\":%.3f", m++ ? "," : "", ratio_name(e),
					ratio(&rows[i], e, &means[e]));
		printf("}}");
	}
	printf("],\"mean\":{");
	for (u32 e = KERNEL, m = 0; e < ENGINE_CNT; e++)
		if (means[e].cnt)
			printf("%s\"%s\":%.3f", m++ ? "," : "", ratio_name(e),
				exp(means[e].log_sum / means[e].cnt));
	printf("}}\n");
}

static void ask(char **names, int cnt)
{
	for (u32 i = 0; i < ROW_CNT; i++) {
		rows[i].is_asked = !i || !cnt;
		for (int n = 0; n < cnt; n++)
			rows[i].is_asked |= !strcmp(names[n], rows[i].name);
		for (u32 e = 0; e < ENGINE_CNT; e++)
			rows[i].fd[e] = -1;
	}
}

static void open_engines(const char *folder)
{
	const struct port_opts opts = {0}, checked = {.checked = true, .checked_jit = true};
	struct port_text why = {0};

	libbpf_set_print(print_none);
	if (port_open_local(&opts, &ports[SKEP], &why))
		fprintf(stderr, "no instance: %s\n", why.text);
	if (port_open_local(&checked, &ports[CHECKED], &why))
		fprintf(stderr, "no checked instance: %s\n", why.text);
	if (port_open_kernel(&ports[KERNEL]))
		fprintf(stderr, "no memory for the kernel's port\n");
	for (u32 e = 0; e < ENGINE_CNT; e++)
		for (u32 o = 0; ports[e] && o < OBJECT_CNT; o++)
			load(e, folder, o);
}

static void close_engines(void)
{
	for (u32 e = 0; e < ENGINE_CNT; e++) {
		if (!ports[e])
			continue;
		port_use(ports[e]);
		for (u32 o = 0; o < OBJECT_CNT; o++)
			bpf_object__close(objects[e][o]);
		port_close(ports[e]);
	}
	for (u32 i = 0; i < ROW_CNT; i++)
		for (u32 e = 0; e < ENGINE_CNT; e++)
			free(rows[i].ns[e]);
}

static int bench(u32 rounds, bool json)
{
	int err = 0;

	for (u32 i = 0; i < ROW_CNT; i++)
		for (u32 e = 0; e < ENGINE_CNT; e++)
			if (is_there(&rows[i], e))
				err |= prepare(&rows[i], e, rounds);
	if (err)
		return 1;
	if (!rows[0].ns[SKEP])
		return 2;
	measure(rounds);
	for (u32 i = 0; i < ROW_CNT; i++)
		for (u32 e = 0; e < ENGINE_CNT; e++)
			if (rows[i].ns[e])
				qsort(rows[i].ns[e], rounds, sizeof(double), compare);
	if (json)
		show_json(rounds);
	else
		show(rounds);
	return 0;
}

int main(int argc, char **argv)
{
	u32 rounds = ROUNDS;
	bool json = false;
	int at = 1, err = 0;

	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--json"))
			json = true;
		else if (!strcmp(argv[at], "--rounds") && at + 1 < argc)
			rounds = (u32)strtoul(argv[++at], NULL, 0);
		else
			break;
	}
	if (at >= argc || argv[at][0] == '-' || !rounds) {
		fprintf(stderr, "usage: bench_jit [--json] [--rounds N] FOLDER [PROGRAM...]\n");
		return 2;
	}
	ask(argv + at + 1, argc - at - 1);
	open_engines(argv[at]);
	err = bench(rounds, json);
	close_engines();
	return err;
}
