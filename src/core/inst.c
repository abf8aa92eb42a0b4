/*
 * Making and ending an instance, and the three things programs ask it for: time, randomness, CPUs.
 */
#include "core/inst.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/bug.h"
#include "base/mem.h"
#include "core/kbtf.h"
#include "core/run.h"

enum { CPU_CNT_MAX = 4096 };
static const u64 nsec_per_sec = 1000000000;

/* The file reads like "0-3" or "0,2-7": the count of possible CPUs is the last number plus one. */
u32 inst_host_cpu_cnt(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/possible", "re");
	unsigned last = 0, num;
	long online;
	int c;

	if (!file) {
		online = sysconf(_SC_NPROCESSORS_CONF);
		return online > 0 ? online : 1;
	}
	while (fscanf(file, "%u", &num) == 1) {
		last = num;
		c = fgetc(file);
		if (c != '-' && c != ',')
			break;
	}
	fclose(file);
	return last + 1;
}

static u64 seed_of_system(const struct skep *inst)
{
	u64 seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed))
		return seed;
	return (uintptr_t)inst ^ (u64)time(NULL) << 32 ^ (u64)getpid();
}

int inst_init(struct skep *inst, const struct inst_options *opts)
{
	int err;

	*inst = (struct skep){
		.sink = opts->sink,
		.cpu_cnt = opts->cpu_cnt ? opts->cpu_cnt : inst_host_cpu_cnt(),
		.use_jit = !opts->no_jit && !opts->checked,
		.use_checked = opts->checked,
		.use_checked_jit = opts->checked && opts->checked_jit,
		.clock = opts->clock,
		.rand_state = opts->seed,
		.map_mem_max = opts->map_mem_max,
	};
	if (inst->cpu_cnt > CPU_CNT_MAX)
		return -EINVAL;
	inst->runs = mem_array(inst->cpu_cnt, sizeof(*inst->runs));
	if (!inst->runs)
		return -ENOMEM;
	err = core_kbtf_new(opts->kernel_btf, &inst->kbtf);
	if (err)
		goto free_runs;
	err = trace_init(&inst->trace);
	if (err)
		goto free_kbtf;
	for (u32 cpu = 0; cpu < inst->cpu_cnt; cpu++) {
		inst->runs[cpu].inst = inst;
		inst->runs[cpu].cpu = cpu;
		inst->runs[cpu].rand_state = (u64)cpu << 48 ^ seed_of_system(inst);
		pthread_mutex_init(&inst->runs[cpu].lock, NULL);
	}
	pthread_mutex_init(&inst->lock, NULL);
	return 0;
free_kbtf:
	core_kbtf_free(inst->kbtf);
	inst->kbtf = NULL;
free_runs:
	mem_free(inst->runs);
	inst->runs = NULL;
	return err;
}

void inst_done(struct skep *inst)
{
	if (inst->free_timers)
		inst->free_timers(inst->timers); /* they may count programs */
	for (int kind = 0; kind < OBJ_KIND_CNT; kind++) {
		skep_bug_if(inst->tables[kind].cnt,
			"instance ended with %u objects of kind %d left", inst->tables[kind].cnt,
			kind);
		mem_free(inst->tables[kind].objs);
	}
	for (u32 cpu = 0; cpu < inst->cpu_cnt; cpu++)
		pthread_mutex_destroy(&inst->runs[cpu].lock);
	mem_free(inst->runs);
	core_kbtf_free(inst->kbtf);
	if (inst->free_code)
		inst->free_code(inst->code);
	trace_done(&inst->trace);
	pthread_mutex_destroy(&inst->lock);
}

void inst_wait_runs(struct skep *inst)
{
	for (u32 cpu = 0; cpu < inst->cpu_cnt; cpu++) {
		pthread_mutex_lock(&inst->runs[cpu].lock);
		pthread_mutex_unlock(&inst->runs[cpu].lock);
	}
}

static u64 read_clock(const struct skep *inst, clockid_t id)
{
	struct timespec ts;

	if (inst->clock == INST_CLOCK_REPLAY)
		return inst->replay_ns;
	clock_gettime(id, &ts);
	return ts.tv_sec * nsec_per_sec + ts.tv_nsec;
}

u64 inst_now_ns(const struct skep *inst)
{
	return read_clock(inst, CLOCK_MONOTONIC);
}

u64 inst_wall_ns(const struct skep *inst)
{
	return read_clock(inst, CLOCK_REALTIME);
}

u32 inst_random(struct skep *inst)
{
	u64 step = 0x9e3779b97f4a7c15, state;
	u32 num;

	if (inst->clock != INST_CLOCK_REPLAY &&
		getrandom(&num, sizeof(num), GRND_NONBLOCK) == sizeof(num))
		return num;
	state = __atomic_add_fetch(&inst->rand_state, step, __ATOMIC_RELAXED);
	return hash_mix(state, 0xd6e8feb86659fd93) >> 16;
}

u32 inst_prandom(struct run *run)
{
	if (run->inst->clock == INST_CLOCK_REPLAY)
		return inst_random(run->inst);
	run->rand_state += INST_PRANDOM_STEP;
	return (u32)hash_mix(run->rand_state, run->rand_state ^ INST_PRANDOM_MASK);
}
