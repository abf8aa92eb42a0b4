/*
 * From loaded bytes to a program: verify, then compile. A program that the JIT cannot take on this
 * machine is interpreted; that is never an error, because both engines give the same results.
 */
#include "vm/vm.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "core/btf.h"
#include "core/map.h"
#include "jit/jit.h"
#include "verifier/explain.h"
#include "vm/tag.h"

static void free_prog(struct obj *obj)
{
	struct prog *prog = container_of(obj, struct prog, obj);

	jit_free(&prog->image);
	for (u32 i = 0; i < prog->map_cnt; i++)
		obj_put(&prog->maps[i]->obj);
	obj_put(prog->btf);
	mem_free(prog->maps);
	mem_free(prog->code.insns);
	mem_free(prog->code.subs);
	mem_free(prog->func_info);
	mem_free(prog->line_info);
	mem_free(prog->orig_insns);
	mem_free(prog);
}

static const struct obj_ops prog_obj_ops = {
	.free = free_prog,
};

static u64 boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

struct prog *vm_prog_new(struct skep *inst, const struct prog_type *type, const char *name)
{
	struct prog *prog = mem_zalloc(sizeof(*prog));

	if (!prog)
		return NULL;
	obj_init(&prog->obj, inst, OBJ_PROG, &prog_obj_ops);
	prog->type = type;
	prog->load_time_ns = boot_ns();
	memcpy(prog->name, name, sizeof(prog->name));
	return prog;
}

static int verify(struct skep *inst, const struct vm_load *load, const struct prog_type *type,
	struct vf_result *ret_result)
{
	struct vf_verdict verdict;
	struct vf_params params = {
		.inst = inst,
		.type = type,
		.expected_attach_type = load->expected_attach_type,
		.flags = load->flags,
		.is_gpl = load->is_gpl,
		.attach_btf = load->attach_btf,
		.attach_btf_id = load->attach_btf_id,
		.insns = load->insns,
		.insn_cnt = load->insn_cnt,
		.btf = load->btf ? load->btf->btf : NULL,
		.func_info = load->func_info,
		.func_info_cnt = load->func_info_cnt,
		.line_info = load->line_info,
		.line_info_cnt = load->line_info_cnt,
		.core_relos = load->core_relos,
		.core_relo_cnt = load->core_relo_cnt,
		.map_get = load->map_get,
		.arg = load->arg,
		.log_level = load->log_level,
		.log = load->log,
		.log_arg = load->log_arg,
		.insns_max = inst->verify_insns_max,
	};
	int err = vf_verify(&params, ret_result, &verdict);

	if (verdict.cause)
		sink_emit(&inst->sink, SINK_DEBUG, "verifier: complaint %s at instruction %u",
			vf_complaint_id(verdict.cause), verdict.insn_idx);
	if (verdict.complaint)
		sink_emit(&inst->sink, SINK_DEBUG, "verifier: complaint %s at instruction %u",
			vf_complaint_id(verdict.complaint), verdict.insn_idx);
	return err;
}

/* Everything result holds moves into the program. */
static void adopt(struct prog *prog, const struct vf_result *result)
{
	prog->code = result->code;
	prog->maps = result->maps;
	prog->map_cnt = result->map_cnt;
	for (u32 i = 0; i < prog->map_cnt; i++)
		if (prog->maps[i]->type->type == BPF_MAP_TYPE_ARENA)
			prog->code.arena =
				container_of(prog->maps[i], struct map_arena, map)->arena;
	prog->ctx_len = result->ctx_len;
	prog->func_info = result->func_info;
	prog->func_info_cnt = result->func_info_cnt;
	prog->line_info = result->line_info;
	prog->line_info_cnt = result->line_info_cnt;
	prog->stats.verified_insns = result->stats.insns_processed;
}

/* A program that calls what the engine does not have is right, and cannot be run. */
static int check_runnable(struct prog *prog, const char *missing)
{
	struct skep *inst = prog->obj.inst;
	static const struct bpf_insn exit = {.code = BPF_JMP | BPF_EXIT};

	if (!missing)
		return 0;
	if (!inst->verify_only) {
		sink_emit(&inst->sink, SINK_WARN,
			"program '%s' is correct, but calls %s(), which this engine cannot run: "
			"run it "
			"on the real kernel (-K)",
			prog->name, missing);
		return -EOPNOTSUPP;
	}
	for (u32 i = 0; i < prog->code.insn_cnt; i++)
		prog->code.insns[i] = exit;
	return 0;
}

static int compile(struct prog *prog)
{
	struct skep *inst = prog->obj.inst;
	int err;

	if ((!inst->use_jit && !inst->use_checked_jit) || inst->verify_only)
		return 0;
	err = inst->use_checked_jit ? jit_compile_checked(prog, inst, &prog->image)
				    : jit_compile(&prog->code, inst, &prog->image);
	if (err == -ENOMEM || !err)
		return err;
	sink_emit(&inst->sink, SINK_INFO, "program '%s' is interpreted: the JIT gave %s",
		prog->name, strerrorname_np(-err));
	return 0;
}

/* Programs that call each other through a map must be alike. */
static int check_maps(const struct prog *prog)
{
	for (u32 i = 0; i < prog->map_cnt; i++) {
		struct map *map = prog->maps[i];

		if (map->ops->fits_prog && !map->ops->fits_prog(map, prog))
			return -EINVAL;
	}
	return 0;
}

int vm_prog_load(struct skep *inst, const struct vm_load *load, struct prog **ret_prog)
{
	const struct prog_type *type;
	struct vf_result result;
	struct prog *prog;
	int err;

	if (load->type >= inst->prog_type_cnt || !inst->prog_types[load->type])
		return -EINVAL;
	type = inst->prog_types[load->type];
	prog = vm_prog_new(inst, type, load->name);
	if (!prog)
		return -ENOMEM;
	prog->expected_attach_type = load->expected_attach_type;
	prog->load_flags = load->flags;
	prog->is_gpl = load->is_gpl;
	prog->attach_btf_id = load->attach_btf_id;
	prog->uid = load->uid;
	if (load->btf) {
		prog->btf = &load->btf->obj;
		obj_get(prog->btf);
	}
	err = -ENOMEM;
	prog->orig_insns = mem_dup(load->insns, load->insn_cnt * sizeof(*load->insns));
	if (!prog->orig_insns)
		goto put_prog;
	prog->orig_insn_cnt = load->insn_cnt;
	err = vm_tag(load->insns, load->insn_cnt, prog->tag);
	if (err)
		goto put_prog;
	err = verify(inst, load, type, &result);
	if (err)
		goto put_prog;
	adopt(prog, &result);
	err = check_runnable(prog, result.missing);
	if (!err)
		err = compile(prog);
	if (!err)
		err = check_maps(prog);
	if (err)
		goto put_prog;
	vm_export(prog);
	*ret_prog = prog;
	return 0;
put_prog:
	obj_put(&prog->obj);
	return err;
}

int vm_prog_bind_map(struct prog *prog, struct map *map)
{
	struct skep *inst = prog->obj.inst;
	struct map **maps, **old = NULL;
	int err = 0;

	pthread_mutex_lock(&inst->lock);
	for (u32 i = 0; i < prog->map_cnt; i++)
		if (prog->maps[i] == map)
			goto unlock;
	err = -ENOMEM;
	maps = mem_array(prog->map_cnt + 1, sizeof(*maps));
	if (!maps)
		goto unlock;
	if (prog->map_cnt)
		memcpy(maps, prog->maps, prog->map_cnt * sizeof(*maps));
	maps[prog->map_cnt] = map;
	obj_get(&map->obj);
	old = prog->maps;
	__atomic_store_n(&prog->maps, maps, __ATOMIC_RELEASE);
	prog->map_cnt++;
	err = 0;
unlock:
	pthread_mutex_unlock(&inst->lock);
	/* A checked run reads the array without a lock: the old one goes when every CPU has ended its run. */
	if (old)
		vm_run_wait(inst);
	mem_free(old);
	return err;
}
