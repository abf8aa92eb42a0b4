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

int vf_sleepable_check(struct vf_env *env)
{
	if (!(env->params->flags & BPF_F_SLEEPABLE) || env->type->may_sleep)
		return 0;
	return vf_complain(env, VF_C_SLEEPABLE_TYPE);
}
