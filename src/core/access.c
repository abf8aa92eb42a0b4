/*
 * What a checked run may touch: its own live stack, the regions the caller granted, and values of the
 * program's maps. A helper's arguments are held against its prototype, because a helper trusts them.
 * An address is only compared here, never dereferenced, except for strings whose bytes were allowed.
 */
#include "core/access.h"

#include "core/map.h"

static bool is_inside(u64 addr, u64 len, u64 start, u64 end)
{
	return addr >= start && addr <= end && len <= end - addr;
}

static bool is_in_map(const struct access *access, u64 addr, u64 len, bool is_write)
{
	const u32 need = is_write ? MAP_PROG_WRITE : MAP_PROG_READ;
	const struct map *map;

	for (u32 i = 0; i < access->map_cnt; i++) {
		map = access->maps[i];
		if (map->ops->owns && (map_prog_access(map) & need) &&
			map->ops->owns(map, (const void *)(uintptr_t)addr, len))
			return true;
	}
	return false;
}

bool access_may(const struct access *access, u64 addr, u64 len, bool is_write)
{
	const struct run_region *region;

	if (is_inside(addr, len, access->stack, access->stack_end))
		return true;
	for (u32 i = 0; i < access->run->region_cnt; i++) {
		region = &access->run->regions[i];
		if ((region->can_write || !is_write) && run_region_holds(region, addr, len))
			return true;
	}
	return is_in_map(access, addr, len, is_write);
}

/* The value that the bytes lie in. What a map owns is a stretch without gaps, so its ends are found by halving. */
static void find_value(const struct map *map, u64 addr, u64 len, struct access_bounds *ret_bounds)
{
	const u64 max = (u64)map->value_size;
	u64 before = 0, behind = 0;

	for (u64 step = max; step; step /= 2) {
		while (before + step <= max && addr >= before + step &&
			map->ops->owns(map, (const void *)(uintptr_t)(addr - before - step),
				len + before + step))
			before += step;
	}
	for (u64 step = max; step; step /= 2) {
		while (behind + step <= max &&
			map->ops->owns(map, (const void *)(uintptr_t)(addr - before),
				before + len + behind + step))
			behind += step;
	}
	*ret_bounds = (struct access_bounds){addr - before, addr + len + behind, 0};
}

static bool find_in_maps(const struct access *access, u64 addr, u64 len, bool is_write,
	struct access_bounds *ret_bounds)
{
	const u32 need = is_write ? MAP_PROG_WRITE : MAP_PROG_READ;

	for (u32 i = 0; i < access->map_cnt; i++) {
		const struct map *map = access->maps[i];

		if (!map->ops->owns || !(map_prog_access(map) & need) ||
			!map->ops->owns(map, (const void *)(uintptr_t)addr, len))
			continue;
		find_value(map, addr, len, ret_bounds);
		return true;
	}
	return false;
}

/* The frame that the bytes lie in; if they lie in two, only they. */
static struct access_bounds frame_of(const struct access *access, u64 addr, u64 len)
{
	const u64 end = access->stack_end -
			(access->stack_end - addr - 1) / PROG_STACK_MAX * PROG_STACK_MAX;

	if (len > end - addr)
		return (struct access_bounds){addr, addr + len, 0};
	return (struct access_bounds){end - PROG_STACK_MAX, end, 0};
}

bool access_bounds(const struct access *access, u64 addr, u64 len, bool is_write,
	struct access_bounds *ret_bounds)
{
	if (is_inside(addr, len, access->stack, access->stack_end)) {
		*ret_bounds = frame_of(access, addr, len);
		return true;
	}
	for (u32 i = 0; i < access->run->region_cnt; i++) {
		const struct run_region *region = &access->run->regions[i];

		if ((is_write && !region->can_write) || !run_region_holds(region, addr, len))
			continue;
		run_region_bounds(region, &ret_bounds->start, &ret_bounds->end);
		ret_bounds->region = i + 1;
		return true;
	}
	return find_in_maps(access, addr, len, is_write, ret_bounds);
}

static const struct map *find_map(const struct access *access, u64 addr, u64 types)
{
	for (u32 i = 0; i < access->map_cnt; i++)
		if ((u64)(uintptr_t)access->maps[i] == addr &&
			(!types || (types >> access->maps[i]->type->type & 1)))
			return access->maps[i];
	return NULL;
}

/* A string that ends inside of readable memory; ret_len counts up to where that was lost. */
static bool is_string(const struct access *access, u64 addr, u64 *ret_len)
{
	for (u64 len = 1; access_may(access, addr, len, false); len++) {
		*ret_len = len;
		if (!((const char *)(uintptr_t)addr)[len - 1])
			return true;
	}
	return false;
}

/* An instruction of the running code; of an ld_imm64 the first slot. */
static bool is_func(const struct access *access, u64 value)
{
	const struct prog_code *code = access->code;

	for (u32 i = 0; i < access->door_cnt; i++)
		if (access->doors[i] == value)
			return true;
	if (access->has_doors)
		return false;
	return (value & RUN_FUNC_INSN) && (value & ~RUN_FUNC_INSN) < code->insn_cnt &&
	       code->insns[(u32)value].code;
}

/* Bytes that argument i points at. */
static u64 arg_len(const struct hlp_proto *proto, u32 i, const struct map *map, const u64 *r)
{
	switch (HLP_KIND(proto->args[i])) {
	case HLP_MAP_KEY: return map ? map->key_size : UINT64_MAX;
	case HLP_MAP_VALUE: return map ? map->value_size : UINT64_MAX;
	case HLP_STACK: return 1;
	default: break;
	}
	if (proto->args[i] & HLP_FIXED_SIZE)
		return proto->arg_size[i];
	return i + 1 < HLP_ARG_MAX ? r[i + 2] : UINT64_MAX;
}

/* A null pointer to memory whose size, in the next argument, is not 0? */
static bool goes_with_size(const struct hlp_proto *proto, u32 i, const u64 *r)
{
	return HLP_KIND(proto->args[i]) == HLP_MEM && !(proto->args[i] & HLP_FIXED_SIZE) &&
	       i + 1 < HLP_ARG_MAX && r[i + 2];
}

static bool may_pass(const struct access *access, const struct hlp_proto *proto, u32 i,
	const struct map *map, const u64 *r, struct run_fault *ret_fault)
{
	const u32 arg = proto->args[i];
	const u64 value = r[i + 1];
	const bool is_write = arg & (HLP_WRITE | HLP_UNINIT);
	u64 len = 0;
	bool is_fine = true;

	if ((arg & HLP_MAYBE_NULL) && !value && !goes_with_size(proto, i, r))
		return true;
	switch (HLP_KIND(arg)) {
	case HLP_CONST_MAP_PTR: is_fine = find_map(access, value, proto->maps); break;
	case HLP_FUNC: is_fine = is_func(access, value); break;
	case HLP_CTX:
		is_fine = !access->run->ctx_is_memory && value == (u64)(uintptr_t)access->ctx;
		break;
	case HLP_CONST_STR: is_fine = is_string(access, value, &len); break;
	case HLP_MAP_KEY:
	case HLP_MAP_VALUE:
	case HLP_STACK:
	case HLP_MEM:
		len = arg_len(proto, i, map, r);
		is_fine = !len || access_may(access, value, len, is_write);
		break;
	case HLP_CONST_SIZE: is_fine = value != 0; break;
	case HLP_CONST_SIZE_OR_ZERO:
	case HLP_ANYTHING:
	case HLP_SCALAR_CONST: break;
	default: is_fine = false; break; /* an object that checked mode does not know */
	}
	if (!is_fine)
		*ret_fault = (struct run_fault){.kind = RUN_FAULT_ACCESS,
			.addr = value,
			.len = (u32)MIN(len, UINT32_MAX),
			.is_write = is_write};
	return is_fine;
}

bool access_may_call(const struct access *access, const struct hlp_proto *proto, const u64 *r,
	struct run_fault *ret_fault)
{
	const struct map *map = NULL;

	for (u32 i = 0; i < HLP_ARG_MAX && proto->args[i] != HLP_NONE; i++) {
		if (!may_pass(access, proto, i, map, r, ret_fault))
			return false;
		if (HLP_KIND(proto->args[i]) == HLP_CONST_MAP_PTR)
			map = find_map(access, r[i + 1], proto->maps);
	}
	return true;
}
