/*
 * The per-CPU areas of percpu.h.
 */
#include "maps/percpu.h"

#include <errno.h>

#include "base/mem.h"
#include "maps/maps.h"
#include "maps/sync.h"

int map_percpu_init(struct map_percpu *values, u32 cpu_cnt, u32 cnt, u32 value_size, bool lazy)
{
	u32 stride = ROUND_UP(value_size, 8);
	u64 cpu_len = ROUND_UP((u64)cnt * stride, MAP_CACHE_LINE);
	u8 *mem = mem_pages(cpu_len * cpu_cnt, lazy);

	if (!mem)
		return -ENOMEM;
	*values = (struct map_percpu){
		.mem = mem,
		.cpu_len = cpu_len,
		.value_stride = stride,
		.cnt = cnt,
		.cpu_cnt = cpu_cnt,
	};
	return 0;
}

void map_percpu_done(struct map_percpu *values)
{
	mem_pages_free(values->mem, values->cpu_len * values->cpu_cnt);
}

void map_percpu_put(
	struct map_percpu *values, u32 num, u32 cpu, const void *value, u32 len, bool others_zero)
{
	for (u32 other = 0; others_zero && other < values->cpu_cnt; other++) {
		if (other != cpu)
			map_zero(map_percpu_value(values, num, other), len);
	}
	map_put(map_percpu_value(values, num, cpu), value, len);
}

void map_percpu_put_all(struct map_percpu *values, u32 num, const void *value)
{
	const u8 *src = value;

	for (u32 cpu = 0; cpu < values->cpu_cnt; cpu++, src += values->value_stride)
		map_put(map_percpu_value(values, num, cpu), src, values->value_stride);
}

void map_percpu_get_all(const struct map_percpu *values, u32 num, void *ret_value)
{
	u8 *dst = ret_value;

	for (u32 cpu = 0; cpu < values->cpu_cnt; cpu++, dst += values->value_stride)
		map_get(dst, map_percpu_value(values, num, cpu), values->value_stride);
}

bool map_percpu_owns(
	const struct map_percpu *values, const void *addr, size_t len, u32 value_size, u32 cnt)
{
	u64 off = (u64)((uintptr_t)addr - (uintptr_t)values->mem), in_cpu, in_value;

	if (off >= values->cpu_len * values->cpu_cnt)
		return false;
	in_cpu = off % values->cpu_len;
	in_value = in_cpu % values->value_stride;
	return in_cpu / values->value_stride < cnt && in_value <= value_size &&
	       len <= value_size - in_value;
}
