/*
 * Helpers without their call: the number of the CPU, and lookups in a map that is known. An element of an array
 * is a comparison and an address, because the elements of a map stay where they are; other types are asked for
 * their lookup, which is called without the way through the helper, as are update and delete.
 */
#include "core/inst.h"
#include "core/map.h"
#include "isa/isa.h"
#include "jit/x86/x86.h"

static const struct x86_mem run_cpu = {.base = RUN, .disp = offsetof(struct run, cpu)};

/* reg *= factor, which fits */
static void multiply(struct buf *out, enum x86_reg reg, u32 factor)
{
	if (factor & (factor - 1))
		x86_imul_rri(out, true, reg, reg, (s32)factor);
	else
		x86_shift_ri(out, X86_SHL, true, reg, (u8)__builtin_ctz(factor));
}

static u64 value_of(const struct map *map, u32 cpu)
{
	const u32 first = 0;

	return (uintptr_t)map->ops->lookup((struct map *)map, &first, cpu);
}

/* Elements of stride bytes from base on, and as much again `apart` bytes behind for each CPU (0: one for all). */
static bool array_lookup(struct jit *jit, const struct map *map, u64 apart)
{
	const u32 stride = map->value_stride;
	struct buf *out = &jit->out;
	u32 to_end;

	if (stride > INT32_MAX || apart > INT32_MAX)
		return false;
	x86_load(out, 4, TMP, (struct x86_mem){.base = RSI});
	x86_alu_rr(out, X86_XOR, false, RAX, RAX);
	x86_alu_ri(out, X86_CMP, false, TMP, (s32)map->max_entries);
	to_end = x86_jcc8(out, X86_AE);
	x86_mov_ri(out, RAX, value_of(map, 0));
	if (apart) {
		x86_load(out, 4, TMP2, run_cpu);
		multiply(out, TMP2, (u32)apart);
		x86_alu_rr(out, X86_ADD, true, RAX, TMP2);
	}
	if (stride == 8) {
		x86_lea(out, true, RAX, (struct x86_mem){.base = RAX, .index = TMP, .scale = 8});
	} else {
		multiply(out, TMP, stride);
		x86_alu_rr(out, X86_ADD, true, RAX, TMP);
	}
	x86_here8(out, to_end);
	return true;
}

static bool lookup(struct jit *jit, const struct map *map)
{
	map_lookup_fn fn;

	switch (map->type->type) {
	case BPF_MAP_TYPE_ARRAY:
		if (array_lookup(jit, map, 0))
			return true;
		break;
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		if (array_lookup(jit, map,
			    map->obj.inst->cpu_cnt > 1 ? value_of(map, 1) - value_of(map, 0) : 0))
			return true;
		break;
	/* what their lookup gives is no socket: the helper says that there is none */
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
	case BPF_MAP_TYPE_XSKMAP: return false;
	default: break;
	}
	fn = map->ops->lookup_fn ? map->ops->lookup_fn(map) : map->ops->lookup;
	if (!fn)
		return false;
	x86_load(&jit->out, 4, RDX, run_cpu);
	x86_call_address(jit, (const void *)(uintptr_t)fn);
	return true;
}

/* The map's own update or delete; fn gives an int. */
static bool change(struct jit *jit, const void *fn, enum x86_reg cpu)
{
	if (!fn)
		return false;
	if (cpu != RAX)
		x86_load(&jit->out, 4, cpu, run_cpu);
	x86_call_address(jit, fn);
	x86_movsx_rr(&jit->out, 4, true, RAX, RAX);
	return true;
}

bool x86_inline_helper(struct jit *jit, const struct hlp_proto *proto)
{
	const struct map *map = jit->known_maps & 1 << BPF_REG_1 ? jit->maps[BPF_REG_1] : NULL;

	switch (proto->id) {
	case BPF_FUNC_get_smp_processor_id: x86_load(&jit->out, 4, RAX, run_cpu); return true;
	case BPF_FUNC_map_lookup_elem:
		return map && proto->ret == HLP_RET_MAP_VALUE_OR_NULL && lookup(jit, map);
	case BPF_FUNC_map_update_elem:
		return map && change(jit, (const void *)(uintptr_t)map->ops->update, R8);
	case BPF_FUNC_map_delete_elem:
		return map && change(jit, (const void *)(uintptr_t)map->ops->remove, RAX);
	default: return false;
	}
}
