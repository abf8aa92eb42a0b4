/*
 * Records from programs to user space, with libbpf's own consumers over three engines: an instance in this
 * process, one behind its socket, and the running kernel. The same random operations on each; what
 * programs are answered, what consumers get and when they are woken, headers, positions and lost counts
 * must agree.
 *
 * records OBJECT [OPERATIONS [SEED]]; without a kernel to compare with, the two instances are compared.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>

#include "kernel.h"
#include "port/port.h"

enum { PAGE = 4096, SIDES_MAX = 3, PERF_PAGES = 2, PAD_MAX = 7 };

static u64 random_state;

static u32 rnd(u32 below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)(random_state >> 20) % below;
}

/* What the object's .bss holds. */
struct globals {
	u32 op, len;
	u64 flags;
	s64 result;
	u64 state[4];
};

struct seen {
	u64 hash, cnt, lost;
};

struct side {
	const char *name;
	struct port *port;
	struct bpf_object *obj;
	struct globals *globals;
	int prog_fd, ring_fd;
	struct ring_buffer *ring;
	struct perf_buffer *perf;
	const u64 *positions[2]; /* the consumer's page, the producer's */
	struct seen seen;
};

static void mix(struct seen *seen, const void *data, size_t len)
{
	const u8 *bytes = data;

	for (size_t i = 0; i < len; i++)
		seen->hash = (seen->hash ^ bytes[i]) * 0x100000001b3;
	seen->hash = (seen->hash ^ len) * 0x100000001b3;
}

/* The record and its header. */
static int on_record(void *arg, void *data, size_t len)
{
	struct side *side = arg;

	mix(&side->seen, (u8 *)data - 8, 8);
	mix(&side->seen, data, len);
	side->seen.cnt++;
	return 0;
}

/* The padding is what was in the ring before: other events' ids may be. */
static void on_sample(void *arg, int cpu, void *data, u32 len)
{
	struct side *side = arg;

	mix(&side->seen, data, len - MIN(len, (u32)PAD_MAX));
	side->seen.cnt++;
}

static void on_lost(void *arg, int cpu, unsigned long long cnt)
{
	struct side *side = arg;

	side->seen.lost += cnt;
}

/* --- the engines ----------------------------------------------------------------------------------- */

static struct bpf_object *load(const char *path)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_map *map;

	if (!obj)
		return NULL;
	map = bpf_object__find_map_by_name(obj, "events");
	bpf_map__set_max_entries(map, (u32)libbpf_num_possible_cpus());
	if (bpf_object__load(obj)) {
		bpf_object__close(obj);
		return NULL;
	}
	return obj;
}

static bool open_side(struct side *side, const char *path)
{
	struct bpf_map *map;
	size_t len;

	port_use(side->port);
	side->obj = load(path);
	if (!side->obj) {
		printf("%s: the object does not load: %s\n", side->name, strerror(errno));
		return false;
	}
	bpf_object__for_each_map(map, side->obj)
	{
		if (strstr(bpf_map__name(map), ".bss"))
			side->globals = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
				bpf_map__fd(map), 0);
	}
	side->prog_fd = bpf_program__fd(bpf_object__find_program_by_name(side->obj, "produce"));
	side->ring_fd = bpf_object__find_map_fd_by_name(side->obj, "ring");
	side->ring = ring_buffer__new(side->ring_fd, on_record, side, NULL);
	side->perf = perf_buffer__new(bpf_object__find_map_fd_by_name(side->obj, "events"),
		PERF_PAGES, on_sample, on_lost, side, NULL);
	for (len = 0; len < 2; len++)
		side->positions[len] = mmap(
			NULL, PAGE, PROT_READ, MAP_SHARED, side->ring_fd, (off_t)len * PAGE);
	if (!side->ring || !side->perf || side->globals == MAP_FAILED || !side->globals ||
		side->positions[0] == MAP_FAILED || side->positions[1] == MAP_FAILED) {
		printf("%s: ring %p perf %p globals %p: %s\n", side->name, (void *)side->ring,
			(void *)side->perf, (void *)side->globals, strerror(errno));
		return false;
	}
	return true;
}

static void close_side(struct side *side)
{
	port_use(side->port);
	ring_buffer__free(side->ring);
	perf_buffer__free(side->perf);
	munmap(side->globals, PAGE);
	munmap((void *)side->positions[0], PAGE);
	munmap((void *)side->positions[1], PAGE);
	bpf_object__close(side->obj);
	port_close(side->port);
}

/* --- operations ------------------------------------------------------------------------------------ */

struct step {
	enum { PRODUCE, POLL_RING, CONSUME_RING, POLL_PERF, CONSUME_PERF } kind;
	u32 op, len;
	u64 flags;
};

static struct step make_step(bool is_awake)
{
	static const u64 ring_flags[] = {
		0, 0, 0, BPF_RB_NO_WAKEUP, BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP, 3, 4, 1ULL << 40};
	static const u64 perf_flags[] = {BPF_F_CURRENT_CPU, BPF_F_CURRENT_CPU, BPF_F_CURRENT_CPU, 0,
		1, 1000, 1ULL << 33, BPF_F_CURRENT_CPU | 8ULL << 32,
		BPF_F_CURRENT_CPU | 100ULL << 32};
	struct step step = {.len = rnd(3) ? rnd(64) : rnd(1024)};
	u32 what = rnd(20);

	/* consumers sleep now and then, so that rings get full */
	if (what >= 16 && (is_awake || !rnd(16))) {
		step.kind = POLL_RING + what % 4;
		return step;
	}
	step.kind = PRODUCE;
	step.op = what % 16 < 6 ? 0 : what % 16 < 11 ? 1 + rnd(2) : 3;
	if (step.op == 3)
		step.flags = perf_flags[rnd(ARRAY_SIZE(perf_flags))];
	else if (step.op)
		step.flags = rnd(3);
	else
		step.flags = ring_flags[rnd(ARRAY_SIZE(ring_flags))];
	return step;
}

struct outcome {
	s64 ret, result;
	u64 state[4];
	u64 positions[2];
	struct seen seen;
};

static s64 produce(struct side *side, const struct step *step)
{
	char packet[64] = {1, 2, 3};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));

	*side->globals = (struct globals){.op = step->op, .len = step->len, .flags = step->flags};
	return bpf_prog_test_run_opts(side->prog_fd, &opts);
}

/* Linux reports a ring once more, wake-up or not, if it has data at the poll after one that reported it. So
 * it is emptied and polled again: then a poll reports only what somebody was woken for. */
static s64 poll_ring(struct side *side)
{
	s64 ret = ring_buffer__poll(side->ring, 0);

	ret = ret * 1000 + ring_buffer__consume(side->ring);
	return ret * 1000 + ring_buffer__poll(side->ring, 0);
}

static struct outcome take_step(struct side *side, const struct step *step)
{
	struct outcome out = {0};

	port_use(side->port);
	switch (step->kind) {
	case PRODUCE: out.ret = produce(side, step); break;
	case POLL_RING: out.ret = poll_ring(side); break;
	case CONSUME_RING: out.ret = ring_buffer__consume(side->ring); break;
	case POLL_PERF: out.ret = perf_buffer__poll(side->perf, 0); break;
	case CONSUME_PERF: out.ret = perf_buffer__consume(side->perf); break;
	}
	out.result = side->globals->result;
	memcpy(out.state, side->globals->state, sizeof(out.state));
	for (u32 i = 0; i < 2; i++)
		out.positions[i] = *(volatile const u64 *)side->positions[i];
	out.seen = side->seen;
	return out;
}

static void show(const char *name, const struct outcome *out)
{
	printf("  %-8s ret %lld result %lld state %llu %llu %llu %llu positions %llu %llu seen "
	       "%llu lost "
	       "%llu hash %llx\n",
		name, (long long)out->ret, (long long)out->result,
		(unsigned long long)out->state[0], (unsigned long long)out->state[1],
		(unsigned long long)out->state[2], (unsigned long long)out->state[3],
		(unsigned long long)out->positions[0], (unsigned long long)out->positions[1],
		(unsigned long long)out->seen.cnt, (unsigned long long)out->seen.lost,
		(unsigned long long)out->seen.hash);
}

static bool compare(struct side *sides, u32 cnt, u64 ops)
{
	for (u64 i = 0; i < ops; i++) {
		struct outcome out[SIDES_MAX];
		struct step step = make_step(i / 256 % 2);
		bool same = true;

		for (u32 side = 0; side < cnt; side++) {
			out[side] = take_step(&sides[side], &step);
			same = same && !memcmp(&out[side], &out[0], sizeof(out[0]));
		}
		if (same)
			continue;
		printf("step %llu: kind %d op %u len %u flags 0x%llx\n", (unsigned long long)i,
			step.kind, step.op, step.len, (unsigned long long)step.flags);
		for (u32 side = 0; side < cnt; side++)
			show(sides[side].name, &out[side]);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	u64 ops = argc > 2 ? strtoull(argv[2], NULL, 0) : 20000;
	u64 seed = argc > 3 ? strtoull(argv[3], NULL, 0) : (u64)time(NULL) << 20 ^ (u64)getpid();
	struct side sides[SIDES_MAX] = {{"local"}, {"instance"}, {"kernel"}};
	u32 cnt = kernel_is_missing() ? 2 : 3;
	char root[] = "/tmp/skep-records-XXXXXX";
	struct port_opts opts = {0};
	struct port_text err;
	bool ok = true;
	cpu_set_t cpu;

	/* one CPU, so that a record's ring is known */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (argc < 2 || !mkdtemp(root) || sched_setaffinity(0, sizeof(cpu), &cpu))
		return 1;
	port_instance_root(root);
	if (port_open_local(&opts, &sides[0].port, &err) ||
		port_instance_up("records", &opts, &err) ||
		port_open_instance("records", &sides[1].port, &err) ||
		port_open_kernel(&sides[2].port)) {
		printf("no engine: %s\n", err.text);
		return 1;
	}
	printf("seed %llu\n", (unsigned long long)seed);
	random_state = seed * 2 + 1;
	for (u32 i = 0; i < cnt && ok; i++)
		ok = open_side(&sides[i], argv[1]);
	ok = ok && compare(sides, cnt, ops);
	if (ok) {
		printf("%llu steps on %u engines agree: %llu records, %llu lost\n",
			(unsigned long long)ops, cnt, (unsigned long long)sides[0].seen.cnt,
			(unsigned long long)sides[0].seen.lost);
		for (u32 i = 0; i < cnt; i++)
			close_side(&sides[i]);
	}
	if (port_instance_down("records", &err))
		printf("%s\n", err.text);
	rmdir(root);
	return !ok;
}
