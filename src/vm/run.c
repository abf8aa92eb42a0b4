/*
 * Running: taking a logical CPU, choosing the engine, test runs.
 */
#include "vm/vm.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "interp/interp.h"

enum {
	ENOTSUPP_LINUX = 524,
	CHECKED_BUDGET = 50000000, /* instructions; a verified program has at most 1M on one path */
};

struct run *vm_run_get(struct skep *inst, u32 cpu)
{
	struct run *run = &inst->runs[cpu % inst->cpu_cnt];

	pthread_mutex_lock(&run->lock);
	run->region_cnt = 0;
	run->skb = NULL;
	return run;
}

void vm_run_put(struct run *run)
{
	pthread_mutex_unlock(&run->lock);
}

void vm_run_wait(struct skep *inst)
{
	for (u32 cpu = 0; cpu < inst->cpu_cnt; cpu++)
		vm_run_put(vm_run_get(inst, cpu));
}

static u64 host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static u64 run_prog(struct prog *prog, void *ctx, struct run *run)
{
	run->prog = prog;
	if (likely(prog->image.entry && !prog->image.guarded))
		return prog->image.entry(ctx, run);
	if (!run->inst->use_checked)
		return interp_run(&prog->code, ctx, run);
	run->budget = CHECKED_BUDGET;
	run->fault = (struct run_fault){0};
	if (prog->image.entry)
		return prog->image.entry(ctx, run);
	return interp_run_checked(&prog->code, prog->maps, prog->map_cnt, ctx, run);
}

/* Other CPUs may run the same program. The time is the host's, whatever clock programs see. */
static u64 run_counted(struct prog *prog, void *ctx, struct run *run)
{
	u64 start = host_ns(), ret = run_prog(prog, ctx, run);

	__atomic_fetch_add(&prog->stats.run_time_ns, host_ns() - start, __ATOMIC_RELAXED);
	__atomic_fetch_add(&prog->stats.run_cnt, 1, __ATOMIC_RELAXED);
	return ret;
}

u64 vm_run(struct prog *prog, void *ctx, struct run *run)
{
	if (unlikely(__atomic_load_n(&run->inst->count_runs, __ATOMIC_RELAXED)))
		return run_counted(prog, ctx, run);
	return run_prog(prog, ctx, run);
}

/* Of a program that was verified: it is not held against its regions, which belong to a run. */
u64 vm_call(struct prog *prog, u64 func, const u64 args[5], struct run *run)
{
	if (func & RUN_FUNC_INSN)
		return interp_call(&prog->code, func, args, run);
	run->code = &prog->code;
	return ((hlp_fn)(uintptr_t)func)(args[0], args[1], args[2], args[3], args[4], run);
}

u64 vm_run_checked(struct prog *prog, void *ctx, struct run *run)
{
	u64 value;

	run->prog = prog;
	run->fault = (struct run_fault){0};
	run->ctx_is_memory = true;
	if (prog->image.guarded)
		value = prog->image.entry(ctx, run);
	else
		value = interp_run_checked(&prog->code, prog->maps, prog->map_cnt, ctx, run);
	run->ctx_is_memory = false;
	return value;
}

int vm_test_run(struct prog *prog, struct prog_test_run *io)
{
	struct skep *inst = prog->obj.inst;
	struct run *run;
	int cpu, err;

	if (!prog->type->test_run)
		return -ENOTSUPP_LINUX;
	if (inst->verify_only)
		return -EOPNOTSUPP;
	cpu = inst->clock == INST_CLOCK_REPLAY ? 0 : sched_getcpu();
	run = vm_run_get(inst, cpu < 0 ? 0 : cpu);
	err = prog->type->test_run(prog, run, io);
	if (!err && run->fault.kind && inst->use_checked)
		err = -EFAULT;
	vm_run_put(run);
	return err;
}
