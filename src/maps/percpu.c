/*
 * The per-CPU areas of percpu.h.
 */
#include "maps/percpu.h"

#include <errno.h>

#include "base/mem.h"
#include "core/store.h"
#include "maps/maps.h"
#include "maps/value.h"

int map_percpu_init(
	struct map_percpu *values, const struct map_attr *attr, u32 cpu_cnt, u32 cnt, bool lazy)
{
	u32 stride = ROUND_UP(attr->value_size, 8);
	u64 cpu_len = ROUND_UP((u64)cnt * stride, MAP_CACHE_LINE);
	u8 *mem = map_store_pages(attr->store, cpu_len * cpu_cnt, lazy);

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

void map_percpu_put(struct map *map, struct map_percpu *values, u32 num, u32 cpu, const void *value,
	bool others_zero)
{
	for (u32 other = 0; others_zero && other < values->cpu_cnt; other++) {
		map_value_release(map, map_percpu_value(values, num, other));
		if (other != cpu)
			map_zero(map_percpu_value(values, num, other), map->value_size);
	}
	if (unlikely(map->store) && map->value_size > 8 && !others_zero)
		map_store_put(map->store, map_percpu_value(values, num, cpu), value,
			map->value_size, 1, 0);
	else
		map_value_put(map, map_percpu_value(values, num, cpu), value, 0);
	map_value_release(map, map_percpu_value(values, num, cpu));
}

/* Without fields the padding is user space's too. */
void map_percpu_put_all(struct map *map, struct map_percpu *values, u32 num, const void *value)
{
	const u8 *src = value;

	if (unlikely(map->store)) {
		map_store_put(map->store, map_percpu_value(values, num, 0), value,
			values->value_stride, values->cpu_cnt, values->cpu_len);
		return;
	}
	for (u32 cpu = 0; cpu < values->cpu_cnt; cpu++, src += values->value_stride) {
		void *to = map_percpu_value(values, num, cpu);

		if (map->fields)
			map_value_put(map, to, src, 0);
		else
			map_put(to, src, values->value_stride);
		map_value_release(map, to);
	}
}

void map_percpu_get_all(
	const struct map *map, const struct map_percpu *values, u32 num, void *ret_value)
{
	u8 *dst = ret_value;

	for (u32 cpu = 0; cpu < values->cpu_cnt; cpu++, dst += values->value_stride) {
		const void *from = map_percpu_value(values, num, cpu);

		map_get(dst, from, values->value_stride);
		if (map->fields)
			map_value_get(map, dst, from, 0);
	}
}

void map_percpu_release(struct map *map, struct map_percpu *values, u32 num)
{
	for (u32 cpu = 0; map->fields && cpu < values->cpu_cnt; cpu++)
		map_value_release(map, map_percpu_value(values, num, cpu));
}

void map_percpu_each(struct map *map, struct map_percpu *values, u32 first, u32 end,
	void (*fn)(struct map *map, void *value, void *arg), void *arg)
{
	for (u32 num = first; num < end; num++)
		for (u32 cpu = 0; cpu < values->cpu_cnt; cpu++)
			fn(map, map_percpu_value(values, num, cpu), arg);
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
