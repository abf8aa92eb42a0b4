/*
 * Programs that no verifier has seen: their form is checked, maps are resolved, functions found. They run
 * checked only, so nothing is said about what they touch or whether they end.
 *
 * Invariant: prog->is_unverified is set, the program has no machine code that does not check, and it is
 * never published: no descriptor, program array or link can lead to it.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "core/map.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"
#include "vm/vm.h"

static const struct prog_type unverified_type = {.name = "unverified", .ret_any = true};

static int refuse(struct buf *why, u32 idx, const char *what)
{
	buf_printf(why, "instruction %u: %s", idx, what);
	return -EINVAL;
}

static int keep_map(struct prog *prog, struct map *map)
{
	struct map **more;

	for (u32 i = 0; i < prog->map_cnt; i++) {
		if (prog->maps[i] == map) {
			obj_put(&map->obj);
			return 0;
		}
	}
	more = prog->map_cnt < PROG_MAP_MAX
		       ? mem_realloc(prog->maps, prog->map_cnt + 1, sizeof(*more))
		       : NULL;
	if (!more) {
		obj_put(&map->obj);
		return prog->map_cnt < PROG_MAP_MAX ? -ENOMEM : -E2BIG;
	}
	prog->maps = more;
	prog->maps[prog->map_cnt++] = map;
	return 0;
}

static int resolve_map(
	struct prog *prog, const struct vm_load *load, u32 idx, bool is_value, struct buf *why)
{
	struct bpf_insn *insn = &prog->code.insns[idx];
	u64 addr;
	struct map *map;
	int err = load->map_get(load->arg, insn[0].imm, false, &map);

	if (err) {
		refuse(why, idx, "its descriptor is none of a map");
		return err;
	}
	if (map->ops->fits_prog) {
		obj_put(&map->obj);
		return refuse(why, idx, "a program array, which only verified programs may use");
	}
	addr = (uintptr_t)map;
	if (is_value)
		err = map->ops->value_addr ? map->ops->value_addr(map, (u32)insn[1].imm, &addr)
					   : -EINVAL;
	if (err) {
		obj_put(&map->obj);
		return refuse(why, idx, "the map has no value at this offset");
	}
	insn[0].imm = (s32)addr;
	insn[1].imm = (s32)(addr >> 32);
	return keep_map(prog, map);
}

/* Loaded code names a function by its distance, as a call does; code that runs by its place. */
static void place_funcs(struct prog *prog)
{
	for (u32 i = 0; i < prog->code.insn_cnt; i++) {
		struct bpf_insn *insn = &prog->code.insns[i];

		if (isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_FUNC)
			insn->imm = (s32)(i + 1 + (u32)insn->imm);
		i += isa_is_lddw(insn);
	}
}

static int resolve(struct prog *prog, const struct vm_load *load, struct buf *why)
{
	int err = 0;

	for (u32 i = 0; i + 1 < prog->code.insn_cnt && !err; i++) {
		const struct bpf_insn *insn = &prog->code.insns[i];

		if (!isa_is_lddw(insn))
			continue;
		if (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE)
			err = resolve_map(
				prog, load, i, insn->src_reg == BPF_PSEUDO_MAP_VALUE, why);
		else if (insn->src_reg && insn->src_reg != BPF_PSEUDO_FUNC)
			err = refuse(why, i, "a constant of a kind that needs the verifier");
		i++;
	}
	return err;
}

/* Functions begin where a call goes to; the form is sound by now. */
static int find_subs(struct prog_code *code)
{
	bool *starts = mem_array(code->insn_cnt, sizeof(*starts));
	u32 cnt = 1;

	if (!starts)
		return -ENOMEM;
	for (u32 i = 0; i < code->insn_cnt; i++) {
		const struct bpf_insn *insn = &code->insns[i];
		const bool is_call = insn->code == (BPF_JMP | BPF_CALL) &&
				     insn->src_reg == BPF_PSEUDO_CALL;
		const bool is_func = isa_is_lddw(insn) && insn->src_reg == BPF_PSEUDO_FUNC;
		const u32 to = is_func ? (u32)insn->imm : i + 1 + (u32)insn->imm;

		if ((is_call || is_func) && to && !starts[to]) {
			starts[to] = true;
			cnt++;
		}
	}
	starts[0] = true;
	code->subs = mem_array(cnt, sizeof(*code->subs));
	for (u32 i = 0; i < code->insn_cnt && code->subs; i++)
		if (starts[i])
			code->subs[code->sub_cnt++] = (struct prog_sub){i, PROG_STACK_MAX};
	mem_free(starts);
	return code->subs ? 0 : -ENOMEM;
}

/* What the machine cannot take is interpreted, with the same results. */
static int compile(struct prog *prog)
{
	const struct skep *inst = prog->obj.inst;
	int err;

	if (!inst->use_jit && !inst->use_checked_jit)
		return 0;
	err = jit_compile_checked(prog, inst, &prog->image);
	return err == -ENOMEM ? err : 0;
}

int vm_prog_load_unverified(
	struct skep *inst, const struct vm_load *load, struct buf *why, struct prog **ret_prog)
{
	struct prog *prog;
	int err;

	if (load->insn_cnt > PROG_INSN_MAX)
		return refuse(why, load->insn_cnt, "too many instructions");
	prog = vm_prog_new(inst, &unverified_type, load->name);
	if (!prog)
		return -ENOMEM;
	prog->is_unverified = true;
	prog->code.insns = mem_dup(load->insns, load->insn_cnt * sizeof(*load->insns));
	prog->code.insn_cnt = load->insn_cnt;
	if (prog->code.insns)
		place_funcs(prog);
	err = prog->code.insns ? interp_check(&prog->code, why) : -ENOMEM;
	if (!err)
		err = resolve(prog, load, why);
	if (!err)
		err = find_subs(&prog->code);
	if (!err)
		err = compile(prog);
	if (err)
		obj_put(&prog->obj);
	else
		*ret_prog = prog;
	return err;
}
