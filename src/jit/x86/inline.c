/*
 * Helpers without their call: the number of the CPU, pseudo-random numbers, checksums of a few words, and lookups in a
 * map that is known. An element of an array is a comparison and an address, because the elements of a map stay where
 * they are; other types are asked for their lookup, which is called without the way through the helper, as are update
 * and delete.
 */
#include "core/inst.h"
#include "core/map.h"
#include "isa/isa.h"
#include "jit/x86/x86.h"

enum { SUM_WORDS_MAX = 8 }; /* in both blocks: what replacing an IPv6 address takes */

static const struct x86_mem run_rand_state = {
	.base = RUN, .disp = offsetof(struct run, rand_state)};
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

/* inst_prandom(); numbers of a replay are the instance's, one after the other for all CPUs */
static bool prandom(struct jit *jit)
{
	struct buf *out = &jit->out;

	if (jit->inst->clock == INST_CLOCK_REPLAY)
		return false;
	x86_mov_ri(out, RAX, INST_PRANDOM_STEP);
	x86_alu_rm(out, X86_ADD, true, RAX, run_rand_state);
	x86_store(out, 8, run_rand_state, RAX);
	x86_mov_ri(out, RDX, INST_PRANDOM_MASK);
	x86_alu_rr(out, X86_XOR, true, RDX, RAX);
	x86_unary(out, X86_MUL, true, RDX);
	x86_alu_rr(out, X86_XOR, false, RAX, RDX);
	return true;
}

/* sum, of 64 bits, += cnt words of 32 bits from base on */
static void add_words(struct buf *out, enum x86_reg sum, enum x86_reg base, u32 cnt)
{
	for (u32 i = 0; i < cnt; i++) {
		x86_load(out, 4, TMP2, (struct x86_mem){.base = base, .disp = (s32)(i * 4)});
		x86_alu_rr(out, X86_ADD, true, sum, TMP2);
	}
}

/* sum = its two halves, of bits bits each, added, and the carry too; 0 only if both are. */
static void fold(struct buf *out, enum x86_reg sum, u8 bits)
{
	const bool w = bits == 32;

	x86_mov_rr(out, w, TMP2, sum);
	x86_shift_ri(out, X86_ROL, w, TMP2, bits);
	x86_alu_rr(out, X86_ADD, w, sum, TMP2);
	x86_shift_ri(out, X86_SHR, w, sum, bits);
}

/* bpf_csum_diff() of blocks of known lengths. One's complement sums depend on no order, so carries are added last. */
static bool csum_diff(struct jit *jit)
{
	const u32 from_len = (u32)jit->consts[BPF_REG_2], to_len = (u32)jit->consts[BPF_REG_4];
	const u16 lens = 1 << BPF_REG_2 | 1 << BPF_REG_4;
	struct buf *out = &jit->out;

	if ((jit->known_consts & lens) != lens || from_len % 4 || to_len % 4 ||
		(u64)from_len + to_len > SUM_WORDS_MAX * 4)
		return false;
	x86_mov_rr(out, false, TMP, R8);
	if (from_len && !to_len)
		x86_alu_ri(out, X86_XOR, false, TMP, -1);
	add_words(out, TMP, RDX, to_len / 4);
	if (from_len && to_len) {
		x86_alu_rr(out, X86_XOR, false, RAX, RAX);
		add_words(out, RAX, RDI, from_len / 4);
		fold(out, RAX, 32);
		x86_alu_ri(out, X86_XOR, false, RAX, -1);
		x86_alu_rr(out, X86_ADD, true, RAX, TMP);
		fold(out, RAX, 32);
	} else {
		add_words(out, TMP, RDI, from_len / 4);
		x86_mov_rr(out, true, RAX, TMP);
		fold(out, RAX, 32);
		if (from_len)
			x86_alu_ri(out, X86_XOR, false, RAX, -1);
	}
	fold(out, RAX, 16);
	return true;
}

bool x86_inline_helper(struct jit *jit, const struct hlp_proto *proto)
{
	const struct map *map = jit->known_maps & 1 << BPF_REG_1 ? jit->maps[BPF_REG_1] : NULL;

	switch (proto->id) {
	case BPF_FUNC_get_smp_processor_id: x86_load(&jit->out, 4, RAX, run_cpu); return true;
	case BPF_FUNC_get_prandom_u32: return prandom(jit);
	case BPF_FUNC_csum_diff: return csum_diff(jit);
	case BPF_FUNC_map_lookup_elem:
		return map && proto->ret == HLP_RET_MAP_VALUE_OR_NULL && lookup(jit, map);
	case BPF_FUNC_map_update_elem:
		return map && change(jit, (const void *)(uintptr_t)map->ops->update, R8);
	case BPF_FUNC_map_delete_elem:
		return map && change(jit, (const void *)(uintptr_t)map->ops->remove, RAX);
	default: return false;
	}
}
