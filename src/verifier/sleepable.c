/*
 * Programs that may sleep (BPF_F_SLEEPABLE): only types whose hooks can wait have them, and only maps whose
 * memory outlives a sleeping reader may be used.
 */
#include <errno.h>

#include "verifier/env.h"
#include "verifier/static.h"

#define MAP(word) (1ull << BPF_MAP_TYPE_##word)
#define MAPS                                                                                       \
	(MAP(HASH) | MAP(LRU_HASH) | MAP(ARRAY) | MAP(PERCPU_HASH) | MAP(PERCPU_ARRAY) |           \
		MAP(LRU_PERCPU_HASH) | MAP(ARRAY_OF_MAPS) | MAP(HASH_OF_MAPS) | MAP(RINGBUF) |     \
		MAP(USER_RINGBUF) | MAP(INODE_STORAGE) | MAP(SK_STORAGE) | MAP(TASK_STORAGE) |     \
		MAP(CGRP_STORAGE) | MAP(QUEUE) | MAP(STACK) | MAP(ARENA))

int vf_sleepable_map(struct vf_env *env, const struct map *map)
{
	if (!(env->params->flags & BPF_F_SLEEPABLE) || MAPS & 1ull << map->type->type)
		return 0;
	return vf_complain(env, VF_C_SLEEPABLE_MAP);
}

/* Types that may sleep do so at some of their hooks only. */
static bool may_sleep(const struct vf_env *env)
{
	switch (env->params->expected_attach_type) {
	case BPF_TRACE_RAW_TP: return env->type->type != BPF_PROG_TYPE_TRACING;
	case BPF_LSM_CGROUP: return env->type->type != BPF_PROG_TYPE_LSM;
	default: return true;
	}
}

int vf_sleepable_check(struct vf_env *env)
{
	if (env->type->type == BPF_PROG_TYPE_SYSCALL)
		return env->params->flags & BPF_F_SLEEPABLE
			       ? 0
			       : vf_complain(env, VF_C_SLEEPABLE_SYSCALL);
	if (!(env->params->flags & BPF_F_SLEEPABLE) || (env->type->may_sleep && may_sleep(env)))
		return 0;
	return vf_complain(env, VF_C_SLEEPABLE_TYPE);
}
