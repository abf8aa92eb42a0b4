/*
 * Maps of skep and of the kernel side by side: nanoseconds of an operation inside a program.
 *
 *	bench_maps [--json] [--rounds N] [--quick] OBJECT [MAP...]
 *
 * OBJECT is maps.bpf.o; the map "calls" stands for what is called from C. In each round both engines run each operation's program, on the same keys, which differ
 * from round to round; the figure is the engines' own duration, the least of the rounds, with the least of the
 * program without an operation taken off: the kernel does not let others run meanwhile, skep cannot help it. What is
 * deleted is added again in between. Both must say that as many operations
 * succeeded. --quick: one round of the small maps, to see that they do.
 *
 * Exit status: 0, 1 when the engines disagree, 2 when nothing could be measured.
 */
#include "bench.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "port/port.h"

enum { ROUNDS = 15, QUICK_ENTRIES = 1 << 12, FRAME_LEN = 64, NAME_MAX = 64, PAGE_LEN = 4096 };
static const double NS_FLOOR = 0.1; /* less than that cannot be told from nothing */

enum engine { SKEP, KERNEL, ENGINE_CNT };
static const char *const engine_names[] = {"skep", "kernel"};

/* In this order a round leaves the map as it was. */
static const char *const ops[] = {"update", "lookup", "delete"};

struct row {
	const char *map, *type;
	u32 key_size, entries, room;
};

static const struct row rows[] = {
#define ROW(map, type, key, entries, room) {#map, #type, key, entries, room},
#include "rows.def"
};

/* As in maps.bpf.c. */
struct params {
	u32 seed, step, mask, cnt;
	u64 sink;
};

struct bench {
	struct port *ports[ENGINE_CNT];
	const char *path;
	u32 rounds;
	bool json, quick;
	bool differs;
	double log_sum;
	u32 ratio_cnt;
	double worst;
};

double least(const double *numbers, u32 cnt)
{
	double min = numbers[0];

	for (u32 i = 1; i < cnt; i++)
		min = fmin(min, numbers[i]);
	return min;
}

/* --- a row on an engine ------------------------------------------------------------------------ */

struct side {
	struct port *port;
	struct bpf_object *obj; /* NULL: not there */
	struct params *params;
};

static int program_fd(const struct side *side, const struct row *row, const char *op)
{
	const struct bpf_program *prog;
	char name[NAME_MAX];

	snprintf(name, sizeof(name), "%s_%s", row->map, op);
	prog = bpf_object__find_program_by_name(side->obj, name);
	return prog ? bpf_program__fd(prog) : -1;
}

static bool begins_with(const char *name, const char *map)
{
	size_t len = strlen(map);

	return !strncmp(name, map, len) && name[len] == '_';
}

/* The parameters of the loops, in the programs' own memory. */
static struct params *map_params(const struct bpf_object *obj)
{
	const struct bpf_map *map;
	void *mem = MAP_FAILED;

	bpf_object__for_each_map(map, obj) if (bpf_map__is_internal(map))
		mem = mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	return mem == MAP_FAILED ? NULL : mem;
}

/* Only what belongs to the row is made. */
static int load(struct side *side, const char *path, const struct row *row)
{
	struct bpf_program *prog;
	struct bpf_map *map;

	port_use(side->port);
	side->obj = bpf_object__open_file(path, NULL);
	if (!side->obj)
		return -1;
	bpf_object__for_each_program(prog, side->obj)
		bpf_program__set_autoload(prog, begins_with(bpf_program__name(prog), row->map));
	bpf_object__for_each_map(map, side->obj)
	{
		if (!strcmp(bpf_map__name(map), row->map))
			bpf_map__set_max_entries(map, row->entries * row->room);
		else if (!bpf_map__is_internal(map))
			bpf_map__set_autocreate(map, false);
	}
	if (!bpf_object__load(side->obj)) {
		side->params = map_params(side->obj);
		if (side->params)
			return 0;
	}
	bpf_object__close(side->obj);
	side->obj = NULL;
	return -1;
}

static void unload(struct side *side)
{
	port_use(side->port);
	if (side->params)
		munmap(side->params, PAGE_LEN);
	bpf_object__close(side->obj);
}

/* Nanoseconds of one run; -1: there is no such program. */
static double run(const struct side *side, int fd, const struct params *params, u32 *ret_done)
{
	static const u8 frame[FRAME_LEN];
	LIBBPF_OPTS(
		bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME_LEN, .repeat = 1);

	if (fd < 0)
		return -1;
	port_use(side->port);
	*side->params = *params;
	if (bpf_prog_test_run_opts(fd, &opts))
		return -1;
	*ret_done = opts.retval;
	return (double)opts.duration;
}

static u32 pow2_below(u32 n)
{
	return 1U << (31 - __builtin_clz(n));
}

/* All entries, one after the other. */
static void fill(const struct side *side, const struct row *row)
{
	int fd = program_fd(side, row, "fill");
	struct params params = {.step = 1, .mask = UINT32_MAX};
	u32 done;

	for (; params.seed < row->entries && fd >= 0; params.seed += LOOPS) {
		params.cnt = MIN((u32)LOOPS, row->entries - params.seed);
		run(side, fd, &params, &done);
	}
}

static int drop_record(void *arg, void *data, size_t len)
{
	return 0;
}

/* What lies in a ring buffer is taken. */
static void drain(const struct side *side, const struct row *row)
{
	struct ring_buffer *ring;
	int fd;

	if (strcmp(row->type, "RINGBUF"))
		return;
	fd = bpf_object__find_map_fd_by_name(side->obj, row->map);
	port_use(side->port);
	ring = ring_buffer__new(fd, drop_record, NULL, NULL);
	if (ring)
		ring_buffer__consume(ring);
	ring_buffer__free(ring);
}

/* --- a row ------------------------------------------------------------------------------------- */

static struct params draw(const struct row *row, u32 round)
{
	u32 entries = pow2_below(row->entries);

	return (struct params){
		.seed = round * 0x9e3779b9,
		.step = 0x85ebca6b,
		.mask = entries - 1,
		.cnt = MIN(entries, (u32)LOOPS),
	};
}

static const char *empty_of(const struct row *row, const char *op)
{
	return !strcmp(row->type, "LPM_TRIE") && strcmp(op, "lookup") ? "empty_prefix" : "empty";
}

struct sample {
	double op[ROUNDS_MAX], empty[ROUNDS_MAX];
	bool is_there;
};

static void measure(struct bench *b, const struct row *row, struct side sides[ENGINE_CNT],
	struct sample samples[ARRAY_SIZE(ops)][ENGINE_CNT])
{
	for (u32 round = 0; round < b->rounds; round++) {
		struct params params = draw(row, round);

		for (u32 o = 0; o < ARRAY_SIZE(ops); o++) {
			u32 done[ENGINE_CNT] = {0}, empty;

			for (u32 i = 0; i < ENGINE_CNT; i++) {
				u32 e = (i + round) % ENGINE_CNT;
				struct sample *sample = &samples[o][e];
				int fd = sides[e].obj ? program_fd(&sides[e], row, ops[o]) : -1;

				sample->op[round] = run(&sides[e], fd, &params, &done[e]);
				sample->is_there = sample->op[round] >= 0;
				if (!sample->is_there)
					continue;
				sample->empty[round] = run(&sides[e],
					program_fd(&sides[e], row, empty_of(row, ops[o])), &params,
					&empty);
				if (!strcmp(ops[o], "delete"))
					run(&sides[e], program_fd(&sides[e], row, "fill"), &params,
						&empty);
				drain(&sides[e], row);
			}
			if (samples[o][SKEP].is_there && samples[o][KERNEL].is_there &&
				done[SKEP] != done[KERNEL]) {
				fprintf(stderr,
					"%s, %u entries, %s: %u succeed on skep, %u on the "
					"kernel\n",
					row->type, row->entries, ops[o], done[SKEP], done[KERNEL]);
				b->differs = true;
			}
		}
	}
}

static double net(const struct bench *b, struct sample *sample, u32 cnt)
{
	double ns = least(sample->op, b->rounds) - least(sample->empty, b->rounds);

	return sample->is_there ? fmax(ns / cnt, NS_FLOOR) : -1;
}

static void show(struct bench *b, const struct figure *f)
{
	double ratio = f->skep_ns / f->peer_ns;

	if (b->json) {
		printf("{\"map\":\"%s\",\"key\":%u,\"entries\":%u,\"op\":\"%s\",\"skep_ns\":%.2f",
			f->map, f->key_size, f->entries, f->op, f->skep_ns);
		if (f->peer_ns >= 0)
			printf(",\"%s_ns\":%.2f,\"ratio\":%.3f", f->peer, f->peer_ns, ratio);
		printf("}\n");
	} else if (f->peer_ns >= 0) {
		printf("%-13s %3u %8u  %-13s %8.1f  %8.1f %s  %6.3f\n", f->map, f->key_size,
			f->entries, f->op, f->skep_ns, f->peer_ns, f->peer, ratio);
	} else {
		printf("%-13s %3u %8u  %-13s %8.1f\n", f->map, f->key_size, f->entries, f->op,
			f->skep_ns);
	}
	fflush(stdout);
}

static void bench_row(struct bench *b, const struct row *row)
{
	struct sample(*samples)[ENGINE_CNT] = calloc(ARRAY_SIZE(ops), sizeof(*samples));
	u32 cnt = MIN(pow2_below(row->entries), (u32)LOOPS);
	struct side sides[ENGINE_CNT] = {0};

	for (u32 e = 0; samples && e < ENGINE_CNT; e++) {
		sides[e].port = b->ports[e];
		if (!load(&sides[e], b->path, row))
			fill(&sides[e], row);
	}
	if (samples && sides[SKEP].obj) {
		measure(b, row, sides, samples);
		for (u32 o = 0; o < ARRAY_SIZE(ops); o++) {
			struct figure f = {
				.map = row->type,
				.op = ops[o],
				.key_size = row->key_size,
				.entries = row->entries,
				.peer = engine_names[KERNEL],
				.skep_ns = net(b, &samples[o][SKEP], cnt),
				.peer_ns = net(b, &samples[o][KERNEL], cnt),
			};

			if (f.skep_ns < 0)
				continue;
			show(b, &f);
			if (f.peer_ns < 0)
				continue;
			b->log_sum += log(f.skep_ns / f.peer_ns);
			b->ratio_cnt++;
			b->worst = fmax(b->worst, f.skep_ns / f.peer_ns);
		}
	}
	for (u32 e = 0; e < ENGINE_CNT; e++)
		unload(&sides[e]);
	free(samples);
}

/* --- all of them ------------------------------------------------------------------------------- */

static int print_none(enum libbpf_print_level level, const char *text, va_list args)
{
	return 0;
}

static bool is_asked(const char *map, char **names, int cnt)
{
	for (int i = 0; i < cnt; i++)
		if (!strcmp(names[i], map))
			return true;
	return !cnt;
}

static const struct {
	u32 type;
	const char *name;
} scaled[] = {
	{BPF_MAP_TYPE_HASH, "HASH"},
	{BPF_MAP_TYPE_LRU_HASH, "LRU_HASH"},
	{BPF_MAP_TYPE_PERCPU_HASH, "PERCPU_HASH"},
	{BPF_MAP_TYPE_LPM_TRIE, "LPM_TRIE"},
};

static void bench_others(struct bench *b)
{
	struct figure calls[2], f;

	bench_calls(b->rounds, calls);
	for (u32 i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].skep_ns >= 0)
			show(b, &calls[i]);
	for (u32 i = 0; i < ARRAY_SIZE(scaled); i++) {
		f = bench_scale(scaled[i].type, scaled[i].name, b->rounds);
		if (f.skep_ns >= 0)
			show(b, &f);
	}
#ifdef HAVE_LFHT

	for (u32 entries = 1 << 10; entries <= (b->quick ? 1U << 10 : 1U << 20); entries <<= 5) {
		f = bench_lfht(entries, b->rounds);
		if (f.skep_ns >= 0)
			show(b, &f);
	}
#endif
}

static int bench_all(struct bench *b, char **names, int cnt)
{
	if (!b->json)
		printf("%-13s %3s %8s  %-13s %8s  %8s %s  %6s\n", "map", "key", "entries", "op",
			"skep ns", "peer ns", "      ", "ratio");
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		if (is_asked(rows[i].map, names, cnt) &&
			(!b->quick || rows[i].entries <= QUICK_ENTRIES))
			bench_row(b, &rows[i]);
	if (is_asked("calls", names, cnt))
		bench_others(b);
	if (!b->json && b->ratio_cnt)
		printf("skep / kernel inside programs: geometric mean %.3f, worst %.3f, of %u\n",
			exp(b->log_sum / b->ratio_cnt), b->worst, b->ratio_cnt);
	return b->differs;
}

int main(int argc, char **argv)
{
	struct bench b = {.rounds = ROUNDS};
	const struct port_opts opts = {0};
	struct port_text why = {0};
	int at = 1, status;

	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--json"))
			b.json = true;
		else if (!strcmp(argv[at], "--quick"))
			b.quick = true, b.rounds = 1;
		else if (!strcmp(argv[at], "--rounds") && at + 1 < argc)
			b.rounds = (u32)strtoul(argv[++at], NULL, 0);
		else
			break;
	}
	if (at >= argc || argv[at][0] == '-' || !b.rounds || b.rounds > ROUNDS_MAX) {
		fprintf(stderr,
			"usage: bench_maps [--json] [--rounds N] [--quick] OBJECT [MAP...]\n");
		return 2;
	}
	libbpf_set_print(print_none);
	b.path = argv[at];
	if (port_open_local(&opts, &b.ports[SKEP], &why) || port_open_kernel(&b.ports[KERNEL])) {
		fprintf(stderr, "no engine: %s\n", why.text);
		return 2;
	}
	status = bench_all(&b, argv + at + 1, argc - at - 1);
	for (u32 e = 0; e < ENGINE_CNT; e++)
		port_close(b.ports[e]);
	return status;
}
