/*
 * Values of which every logical CPU has its own: one area a CPU, on cache lines of its own, each with
 * the values of all slots side by side.
 *
 *   | CPU 0: value 0 | value 1 | … | to the line's end | CPU 1: value 0 | …
 */
#ifndef MAPS_PERCPU_H
#define MAPS_PERCPU_H

#include "core/map.h"

struct map_percpu {
	u8 *mem;
	u64 cpu_len;	  /* bytes from one CPU's area to the next */
	u32 value_stride; /* bytes from one value to the next */
	u32 cnt;	  /* values of a CPU */
	u32 cpu_cnt;
};

/* -ENOMEM. */
int map_percpu_init(
	struct map_percpu *values, const struct map_attr *attr, u32 cpu_cnt, u32 cnt, bool lazy);
void map_percpu_done(struct map_percpu *values);

static inline void *map_percpu_value(const struct map_percpu *values, u32 num, u32 cpu)
{
	return values->mem + cpu * values->cpu_len + (u64)num * values->value_stride;
}

/* One CPU's value; with others_zero the other CPUs' values become 0. */
void map_percpu_put(struct map *map, struct map_percpu *values, u32 num, u32 cpu, const void *value,
	bool others_zero);
/* All CPUs' values from or to user space: side by side, value_stride apart. */
void map_percpu_put_all(struct map *map, struct map_percpu *values, u32 num, const void *value);
void map_percpu_get_all(
	const struct map *map, const struct map_percpu *values, u32 num, void *ret_value);
/* What the values' special fields hold is let go. */
void map_percpu_release(struct map *map, struct map_percpu *values, u32 num);
/* map_ops.each_value over the values [first, end). */
void map_percpu_each(struct map *map, struct map_percpu *values, u32 first, u32 end,
	void (*fn)(struct map *map, void *value, void *arg), void *arg);
/* Are [addr, addr + len) bytes of one value, whose number is below cnt? */
bool map_percpu_owns(
	const struct map_percpu *values, const void *addr, size_t len, u32 value_size, u32 cnt);

#endif
