/*
 * What a batch saves: xdp_firewall over frames from 65,536 random sources, each frame in a buffer of its own,
 * one call a frame and one call for 64 frames, in turn, in many rounds over the same frames.
 *
 *	bench_batch [--json] XDP_FIREWALL.o
 *
 * Printed are nanoseconds a frame (the median of the rounds) and the ratio. Exit status 1: verdicts are wrong.
 */
#include <linux/bpf.h>
#include <skep/embed.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/types.h"

enum {
	SOURCES = 65536,
	BUF_LEN = 512,
	FRAME_LEN = 64,
	HEADROOM = 128,
	ROUNDS = 41,
	ETH = 14,
	SADDR = ETH + 12
};

static struct skep_packet packets[SOURCES];

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static u64 random_state = 1;

static u32 rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)((random_state * 0x2545f4914f6cdd1d) >> 32);
}

/* Every other source is blocked. Frames lie in memory in another order than they come in. */
static int fill(struct skep_map *blocklist, u8 *memory)
{
	static u32 places[SOURCES];
	static const u8 head[] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 50, 0, 1, 0, 0, 64, 17};
	int err = 0;

	for (u32 i = 0; i < SOURCES; i++)
		places[i] = i;
	for (u32 i = SOURCES - 1; i; i--) {
		u32 k = rnd() % (i + 1), place = places[i];

		places[i] = places[k];
		places[k] = place;
	}
	for (u32 i = 0; i < SOURCES && !err; i++) {
		u8 *buf = memory + (size_t)places[i] * BUF_LEN, blocks = 1;
		u32 source = (rnd() & ~1u) | (i & 1);

		memcpy(buf + HEADROOM, head, sizeof(head));
		memcpy(buf + HEADROOM + SADDR, &source, sizeof(source));
		packets[i] = (struct skep_packet){
			.buf = buf, .cap = BUF_LEN, .off = HEADROOM, .len = FRAME_LEN};
		if (i & 1)
			err = skep_map_update(blocklist, &source, &blocks, BPF_ANY);
	}
	return err;
}

/* Nanoseconds a frame. */
static double run(struct skep_prog *prog, size_t at_once)
{
	double start = now_ns();

	for (size_t i = 0; i < SOURCES; i += at_once)
		if (skep_run_packets(prog, &packets[i], at_once))
			return -1;
	return (now_ns() - start) / SOURCES;
}

static int count_wrong(void)
{
	int wrong = 0;

	for (u32 i = 0; i < SOURCES; i++)
		wrong += packets[i].verdict != (i & 1 ? XDP_DROP : XDP_PASS);
	return wrong;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	bool json = argc > 1 && !strcmp(argv[1], "--json");
	double one[ROUNDS], batch[ROUNDS], ratio[ROUNDS];
	struct skep_object *object;
	struct skep_text why = {""};
	struct skep *skep;
	u8 *memory = aligned_alloc(64, (size_t)SOURCES * BUF_LEN);
	int wrong = 0;

	if (argc != 2 + json || !memory || skep_new(NULL, &skep)) {
		fprintf(stderr, "usage: bench_batch [--json] XDP_FIREWALL.o\n");
		return 2;
	}
	if (skep_object_open(skep, argv[argc - 1], NULL, &object, &why) ||
		fill(skep_object_map(object, "blocklist"), memory)) {
		fprintf(stderr, "%s\n", why.text);
		return 2;
	}
	run(skep_object_prog(object, NULL), SKEP_BATCH);
	for (int i = 0; i < ROUNDS; i++) {
		one[i] = run(skep_object_prog(object, NULL), 1);
		wrong += count_wrong();
		batch[i] = run(skep_object_prog(object, NULL), SKEP_BATCH);
		wrong += count_wrong();
		ratio[i] = batch[i] / one[i];
	}
	qsort(one, ROUNDS, sizeof(*one), compare);
	qsort(batch, ROUNDS, sizeof(*batch), compare);
	qsort(ratio, ROUNDS, sizeof(*ratio), compare);
	printf(json ? "{\"one_ns\":%.2f,\"batch_ns\":%.2f,\"ratio\":%.3f}\n"
		    : "one by one %.2f ns a frame, in batches of 64 %.2f ns, ratio %.2f\n",
		one[ROUNDS / 2], batch[ROUNDS / 2], ratio[ROUNDS / 2]);
	skep_object_close(object);
	skep_free(skep);
	free(memory);
	if (wrong)
		fprintf(stderr, "%d verdicts are wrong\n", wrong);
	return wrong != 0;
}
