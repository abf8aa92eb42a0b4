/*
 * References become addresses: ld_imm64 of a map (by descriptor or by index) or of a map's value. The
 * program then holds a reference of each map that it names. Opcodes that do not exist are found here
 * too, because this is the first pass that looks at every instruction.
 */
#include <errno.h>

#include "core/arena.h"
#include "core/map.h"
#include "verifier/env.h"
#include "verifier/static.h"

/* The map of descriptor or index fd, counted once however often the program names it. */
static int use_map(struct vf_env *env, int fd, bool is_idx, struct map **ret_map)
{
	struct map *map = NULL;
	int err;

	if (!env->params->map_get)
		return vf_complain_err(env, -EBADF, VF_C_MAP_FD, fd);
	err = env->params->map_get(env->params->arg, fd, is_idx, &map);
	if (err == -EPROTO)
		return vf_complain(env, VF_C_FD_ARRAY);
	if (err)
		return vf_complain_err(env, err, VF_C_MAP_FD, fd);
	for (u32 i = 0; i < env->map_cnt; i++) {
		if (env->maps[i] == map) {
			obj_put(&map->obj);
			*ret_map = map;
			return 0;
		}
	}
	if (env->map_cnt == PROG_MAP_MAX) {
		obj_put(&map->obj);
		return vf_complain(env, VF_C_MAPS_TOO_MANY, PROG_MAP_MAX);
	}
	env->maps[env->map_cnt++] = map;
	*ret_map = map;
	return vf_map_usable(env, map);
}

static int value_address(struct vf_env *env, const struct map *map, u32 off, u64 *ret_addr)
{
	int err;

	if (off >= VF_VAR_OFF_MAX)
		return vf_complain(env, VF_C_VALUE_OFF, off);
	if (!map->ops->value_addr)
		return vf_complain(env, VF_C_VALUE_DIRECT);
	err = map->ops->value_addr(map, off, ret_addr);
	if (err)
		return vf_complain_err(env, err, VF_C_VALUE_RANGE, map->value_size, off);
	return 0;
}

/* Addresses in a program are of one arena, which user space has put somewhere. */
static int use_arena(struct vf_env *env, struct map *map)
{
	const struct arena *arena = container_of(map, struct map_arena, map)->arena;

	if (env->arena && env->arena != map)
		return vf_complain(env, VF_C_ARENA_TWO);
	if (!arena_user_start(arena))
		return vf_complain(env, VF_C_ARENA_ADDRESS);
	env->arena = map;
	return 0;
}

static int resolve_map(struct vf_env *env, struct bpf_insn *insn, struct vf_aux *aux)
{
	bool is_value, is_idx;
	struct map *map = NULL;
	u64 addr = 0;
	int err;

	switch (insn->src_reg) {
	case BPF_PSEUDO_MAP_FD:
	case BPF_PSEUDO_MAP_IDX:
		if (insn[1].imm)
			return vf_complain(env, VF_C_LDDW_KIND);
		is_value = false;
		break;
	case BPF_PSEUDO_MAP_VALUE:
	case BPF_PSEUDO_MAP_IDX_VALUE: is_value = true; break;
	default: return vf_complain(env, VF_C_LDDW_KIND);
	}
	is_idx = insn->src_reg == BPF_PSEUDO_MAP_IDX || insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE;
	err = use_map(env, insn->imm, is_idx, &map);
	if (err)
		return err;
	if (map->type->type == BPF_MAP_TYPE_ARENA) {
		err = use_arena(env, map);
		if (err)
			return err;
	}
	addr = (uintptr_t)map;
	if (is_value) {
		aux->map_off = insn[1].imm;
		err = value_address(env, map, aux->map_off, &addr);
		if (err)
			return err;
	}
	aux->map = map;
	insn->src_reg = is_value ? BPF_PSEUDO_MAP_VALUE : BPF_PSEUDO_MAP_FD;
	insn[0].imm = (s32)(u32)addr;
	insn[1].imm = (s32)(u32)(addr >> 32);
	return 0;
}

static int resolve_lddw(struct vf_env *env, u32 idx)
{
	struct bpf_insn *insn = &env->insns[idx];

	if (idx + 1 == env->insn_cnt || insn[1].code || insn[1].dst_reg || insn[1].src_reg ||
		insn[1].off)
		return vf_complain(env, VF_C_LDDW_HALF);
	switch (insn->src_reg) {
	case 0:
	case BPF_PSEUDO_FUNC: return 0;
	case BPF_PSEUDO_BTF_ID: return vf_ksym_resolve(env, insn, &env->aux[idx]);
	default: return resolve_map(env, insn, &env->aux[idx]);
	}
}

/* Whether any instruction has this opcode; other fields are looked at when it is reached. */
static bool is_opcode(u8 code)
{
	const struct isa_op *op = isa_find_code(code);

	return op && op->group != ISA_GROUP_CALLX && op->group != ISA_GROUP_INTERNAL;
}

int vf_resolve(struct vf_env *env)
{
	int err;

	for (u32 i = 0; i < env->insn_cnt; i++) {
		const struct bpf_insn *insn = &env->insns[i];

		env->insn_idx = i;
		if (BPF_CLASS(insn->code) == BPF_LDX &&
			((BPF_MODE(insn->code) != BPF_MEM && BPF_MODE(insn->code) != BPF_MEMSX) ||
				insn->imm))
			return vf_complain(env, VF_C_LDX_RESERVED);
		if (isa_is_lddw(insn)) {
			err = resolve_lddw(env, i);
			if (err)
				return err;
			i++;
			continue;
		}
		if (!is_opcode(insn->code))
			return vf_complain(env, VF_C_OPCODE, insn->code);
	}
	return 0;
}
