/*
 * What the parts of bench/maps share: a figure a row.
 */
#ifndef BENCH_MAPS_H
#define BENCH_MAPS_H

#include <time.h>

#include "base/types.h"

enum { LOOPS = 4096, ROUNDS_MAX = 101 };

struct figure {
	const char *map, *op;
	u32 key_size, entries;
	const char *peer;	 /* "kernel", "lfht" */
	double skep_ns, peer_ns; /* an operation; peer < 0: not there */
};

static inline u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

double least(const double *numbers, u32 cnt);
/* Lookups through bpf(2) beside the kernel's: as anyone, and as a trusted caller. */
void bench_calls(u32 rounds, struct figure ret_figures[2]);
/* Updates by two threads beside those by one. */
struct figure bench_scale(u32 type, const char *name, u32 rounds);
#ifdef HAVE_LFHT
/* Lookups in a HASH and in liburcu's hash table, both called from C. */
struct figure bench_lfht(u32 entries, u32 rounds);
#endif

#endif
