/*
 * Timers and work items in the values of maps: functions of a program that run later, one after the other, on a
 * thread of the instance, as the logical CPU that started them.
 *
 *	field (16 bytes): | address of struct timer, 0: not ready | unused |
 *
 * Invariants
 * 1. `lock` guards all timers and is held neither while a callback runs nor while a logical CPU is waited for.
 * 2. A timer is due at most once at a time. It runs only if, with its CPU in hand, nobody stopped it meanwhile.
 * 3. A field that goes (release_field) takes the timer away at once; the thread frees one whose callback runs.
 *    So a callback may remove the element that it stands in.
 * 4. While a callback runs, its map and program are counted.
 * 5. A timer counts the program of its callback until it gets another or goes; a map without descriptors lets its
 *    timers go. The thread gives programs back, because the last reference may wait for all logical CPUs.
 *
 * With a replayed clock nothing runs later: starting is -EOPNOTSUPP.
 * Source: bpf_timer_* and bpf_wq_* in kernel/bpf/helpers.c of Linux 6.18.
 */
#include "helpers/timers.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#include "base/mem.h"
#include "btf/fields.h"
#include "core/inst.h"
#include "core/map.h"
#include "core/prog.h"
#include "helpers/fns.h"
#include "helpers/kfns.h"
#include "helpers/object.h"

enum {
	KEY_MAX = 512,	 /* bytes: longest key of a map whose values may hold timers */
	START_FLAGS = 3, /* BPF_F_TIMER_ABS, BPF_F_TIMER_CPU_PIN */
	START_ABS = 1,
	NO_TIMEOUT_S = 3600,
};
static const s64 nsec_per_sec = 1000000000;

struct timer {
	struct list node; /* of timers->due, by time */
	struct map *map;
	void *value;
	struct prog *prog; /* counted; NULL: no callback, or stopped */
	u64 func;
	s64 at_ns; /* of CLOCK_MONOTONIC */
	clockid_t clock;
	u32 cpu;
	bool is_due, is_stopped, is_dead;
};

struct hlp_timers {
	pthread_mutex_t lock;
	pthread_cond_t wake, ran;
	pthread_t thread;
	struct skep *inst;
	struct list due;
	struct list dead; /* to be freed, with the program they count */
	struct timer *running;
	u32 running_cpu;
	bool is_stopping;
};

static s64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * nsec_per_sec + ts.tv_nsec;
}

/* ---- the thread ---- */

static bool get_map(struct map *map)
{
	u32 refs = __atomic_load_n(&map->obj.refs, __ATOMIC_RELAXED);

	while (refs && !__atomic_compare_exchange_n(&map->obj.refs, &refs, refs + 1, true,
			       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		;
	return refs != 0;
}

/* The key of the element: before its value in hash tables, its place in arrays. */
static void copy_key(const struct timer *timer, u8 *ret_key)
{
	struct map *map = timer->map;
	u32 zero = 0, place;
	const u8 *first;

	if (map->type->type == BPF_MAP_TYPE_ARRAY) {
		first = map->ops->lookup(map, &zero, 0);
		place = (u32)((u64)((const u8 *)timer->value - first) / map->value_stride);
		memcpy(ret_key, &place, sizeof(place));
		return;
	}
	memcpy(ret_key, (const u8 *)timer->value - ROUND_UP(map->key_size, 8), map->key_size);
}

static void call(struct timer *timer, struct prog *prog, u64 func, struct run *run)
{
	u64 key[KEY_MAX / sizeof(u64)], args[5];

	copy_key(timer, (u8 *)key);
	memcpy(args, (u64[5]){(uintptr_t)timer->map, (uintptr_t)key, (uintptr_t)timer->value},
		sizeof(args));
	run->prog = prog;
	run->region_cnt = 0;
	run->is_stopped = false;
	run->inst->call(prog, func, args, run);
}

/* The lock is held on entry and on return. */
static void run_timer(struct hlp_timers *timers, struct timer *timer)
{
	struct run *run = &timers->inst->runs[timer->cpu];
	struct prog *prog;
	struct map *map;
	u64 func;

	timers->running = timer;
	timers->running_cpu = timer->cpu;
	pthread_mutex_unlock(&timers->lock);
	pthread_mutex_lock(&run->lock);
	pthread_mutex_lock(&timers->lock);
	prog = timer->prog;
	map = timer->map;
	func = timer->func;
	if (!timer->is_dead && !timer->is_stopped && get_map(map)) {
		obj_get(&prog->obj);
		pthread_mutex_unlock(&timers->lock);
		call(timer, prog, func, run);
		pthread_mutex_unlock(&run->lock);
		obj_put(&prog->obj);
		obj_put(&map->obj);
		pthread_mutex_lock(&timers->lock);
	} else {
		pthread_mutex_unlock(&run->lock);
	}
	timers->running = NULL;
	pthread_cond_broadcast(&timers->ran);
	if (timer->is_dead)
		list_add_tail(&timer->node, &timers->dead);
}

/* The lock is held on entry and on return. */
static void bury(struct hlp_timers *timers)
{
	struct timer *timer;

	while (!list_is_empty(&timers->dead)) {
		timer = list_entry(timers->dead.next, struct timer, node);
		list_del(&timer->node);
		pthread_mutex_unlock(&timers->lock);
		if (timer->prog)
			obj_put(&timer->prog->obj);
		mem_free(timer);
		pthread_mutex_lock(&timers->lock);
	}
}

static void wait_until(struct hlp_timers *timers, s64 at_ns)
{
	struct timespec ts = {at_ns / nsec_per_sec, at_ns % nsec_per_sec};

	pthread_cond_timedwait(&timers->wake, &timers->lock, &ts);
}

static void *serve(void *arg)
{
	struct hlp_timers *timers = arg;
	struct timer *timer;
	s64 now;

	pthread_mutex_lock(&timers->lock);
	while (!timers->is_stopping) {
		bury(timers);
		now = clock_ns(CLOCK_MONOTONIC);
		timer = list_is_empty(&timers->due)
				? NULL
				: list_entry(timers->due.next, struct timer, node);
		if (!timer || timer->at_ns > now) {
			wait_until(
				timers, timer ? timer->at_ns : now + NO_TIMEOUT_S * nsec_per_sec);
			continue;
		}
		list_del(&timer->node);
		timer->is_due = false;
		run_timer(timers, timer);
	}
	bury(timers);
	pthread_mutex_unlock(&timers->lock);
	return NULL;
}

static int start_thread(struct hlp_timers *timers)
{
	pthread_condattr_t attr;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&timers->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&timers->ran, NULL);
	pthread_mutex_init(&timers->lock, NULL);
	err = pthread_create(&timers->thread, NULL, serve, timers);
	return err ? -ENOMEM : 0;
}

/* The instance's timers, made when the first one is asked for. */
static struct hlp_timers *timers_of(struct skep *inst)
{
	struct hlp_timers *timers = __atomic_load_n(&inst->timers, __ATOMIC_ACQUIRE), *made;

	if (timers)
		return timers;
	made = mem_zalloc(sizeof(*made));
	if (!made)
		return NULL;
	made->inst = inst;
	list_init(&made->due);
	list_init(&made->dead);
	if (start_thread(made)) {
		mem_free(made);
		return NULL;
	}
	if (__atomic_compare_exchange_n(
		    &inst->timers, &timers, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return made;
	hlp_timers_free(made);
	return timers;
}

void hlp_timers_free(struct hlp_timers *timers)
{
	if (!timers)
		return;
	pthread_mutex_lock(&timers->lock);
	timers->is_stopping = true;
	pthread_cond_signal(&timers->wake);
	pthread_mutex_unlock(&timers->lock);
	pthread_join(timers->thread, NULL);
	pthread_cond_destroy(&timers->wake);
	pthread_cond_destroy(&timers->ran);
	pthread_mutex_destroy(&timers->lock);
	mem_free(timers);
}

/* ---- what programs do ---- */

static struct timer *timer_at(u64 field)
{
	return (struct timer *)(uintptr_t)__atomic_load_n((u64 *)hlp_ptr(field), __ATOMIC_ACQUIRE);
}

static const struct btf_field *field_of(const struct map *map, enum btf_field_kind kind)
{
	return map->fields ? btf_fields_at(map->fields, kind) : NULL;
}

/* A map without descriptors could hold a program that holds the map. */
static bool is_forgotten(const struct map *map)
{
	return __atomic_load_n(&map->is_forgotten, __ATOMIC_SEQ_CST);
}

static void release_timer(struct hlp_timers *timers, u64 *field);

static u64 make(
	u64 field, struct map *map, clockid_t clock, enum btf_field_kind kind, struct run *run)
{
	const struct btf_field *where = field_of(map, kind);
	struct timer *timer;
	u64 none = 0;

	if (!where || map->key_size > KEY_MAX)
		return (u64)-EINVAL;
	if (timer_at(field))
		return (u64)-EBUSY;
	timer = mem_zalloc(sizeof(*timer));
	if (!timer || !timers_of(run->inst)) {
		mem_free(timer);
		return (u64)-ENOMEM;
	}
	*timer = (struct timer){
		.map = map, .value = (u8 *)hlp_ptr(field) - where->off, .clock = clock};
	if (!__atomic_compare_exchange_n((u64 *)hlp_ptr(field), &none, (uintptr_t)timer, false,
		    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
		mem_free(timer);
		return (u64)-EBUSY;
	}
	if (!is_forgotten(map))
		return 0;
	release_timer(run->inst->timers, hlp_ptr(field));
	return (u64)-EPERM;
}

/* The program that it had before is left to the thread, in a timer of its own. */
static u64 set_callback(u64 field, u64 func, struct run *run)
{
	struct hlp_timers *timers = run->inst->timers;
	struct prog *prog = (struct prog *)run->prog;
	struct timer *timer, *grave = mem_zalloc(sizeof(*grave));
	u64 ret = (u64)-EINVAL;

	if (!timers || !prog || !grave) {
		mem_free(grave);
		return (u64)(grave || !timers ? -EINVAL : -ENOMEM);
	}
	pthread_mutex_lock(&timers->lock);
	timer = timer_at(field);
	if (timer && is_forgotten(timer->map)) {
		ret = (u64)-EPERM;
	} else if (timer) {
		ret = 0;
		obj_get(&prog->obj);
		grave->prog = timer->prog;
		list_add_tail(&grave->node, &timers->dead);
		grave = NULL;
		timer->prog = prog;
		timer->func = func;
		timer->is_stopped = false;
		pthread_cond_signal(&timers->wake);
	}
	pthread_mutex_unlock(&timers->lock);
	mem_free(grave);
	return ret;
}

static void insert(struct hlp_timers *timers, struct timer *timer)
{
	struct list *at = timers->due.next;

	while (at != &timers->due && list_entry(at, struct timer, node)->at_ns <= timer->at_ns)
		at = at->next;
	list_add_tail(&timer->node, at);
	timer->is_due = true;
	pthread_cond_signal(&timers->wake);
}

static u64 start(u64 field, u64 nsecs, bool is_abs, struct run *run)
{
	struct hlp_timers *timers = run->inst->timers;
	struct timer *timer;
	s64 wait;
	u64 ret = (u64)-EINVAL;

	if (run->inst->clock == INST_CLOCK_REPLAY)
		return (u64)-EOPNOTSUPP;
	if (!timers)
		return ret;
	pthread_mutex_lock(&timers->lock);
	timer = timer_at(field);
	if (timer && timer->prog && !timer->is_stopped) {
		if (timer->is_due)
			list_del(&timer->node);
		wait = is_abs ? (s64)nsecs - clock_ns(timer->clock)
			      : (s64)MIN(nsecs, (u64)INT64_MAX / 2);
		timer->at_ns = clock_ns(CLOCK_MONOTONIC) + MAX(wait, 0);
		timer->cpu = run->cpu;
		insert(timers, timer);
		ret = 0;
	}
	pthread_mutex_unlock(&timers->lock);
	return ret;
}

static void stop(struct timer *timer)
{
	if (timer->is_due)
		list_del(&timer->node);
	timer->is_due = false;
	timer->is_stopped = true;
}

u64 hlp_timer_init(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	if (r3 != CLOCK_MONOTONIC && r3 != CLOCK_REALTIME && r3 != CLOCK_BOOTTIME)
		return (u64)-EINVAL;
	return make(r1, hlp_ptr(r2), (clockid_t)r3, BTF_FIELD_TIMER, run);
}

u64 hlp_timer_set_callback(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return set_callback(r1, r2, run);
}

/* (timer, nanoseconds, flags) */
u64 hlp_timer_start(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r3 & ~(u64)START_FLAGS ? (u64)-EINVAL : start(r1, r2, r3 & START_ABS, run);
}

/* 1: it was to run; 0: not; waits for its callback to end, which it cannot do in that callback (-EDEADLK).
 * A callback that waits for this CPU will find itself stopped. */
u64 hlp_timer_cancel(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct hlp_timers *timers = run->inst->timers;
	struct timer *timer;
	u64 ret = (u64)-EINVAL;

	if (!timers)
		return ret;
	pthread_mutex_lock(&timers->lock);
	timer = timer_at(r1);
	if (timer && timers->running == timer && pthread_equal(pthread_self(), timers->thread)) {
		ret = (u64)-EDEADLK;
	} else if (timer) {
		ret = timer->is_due;
		stop(timer);
		/* with this CPU in hand, a callback for it has not begun */
		while (timers->running == timer && timers->running_cpu != run->cpu)
			pthread_cond_wait(&timers->ran, &timers->lock);
	}
	pthread_mutex_unlock(&timers->lock);
	return ret;
}

/* (work, map, flags) */
u64 hlp_kf_wq_init(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r3 ? (u64)-EINVAL : make(r1, hlp_ptr(r2), CLOCK_MONOTONIC, BTF_FIELD_WORKQUEUE, run);
}

/* (work, function, flags) */
u64 hlp_kf_wq_set_callback(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r3 ? (u64)-EINVAL : set_callback(r1, r2, run);
}

/* (work, flags) */
u64 hlp_kf_wq_start(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r2 ? (u64)-EINVAL : start(r1, 0, false, run);
}

static void release_timer(struct hlp_timers *timers, u64 *field)
{
	struct timer *timer;

	if (!timers)
		return;
	pthread_mutex_lock(&timers->lock);
	timer = (struct timer *)(uintptr_t)__atomic_exchange_n(field, 0, __ATOMIC_ACQ_REL);
	if (timer) {
		stop(timer);
		timer->is_dead = true;
		if (timers->running != timer)
			list_add_tail(&timer->node, &timers->dead);
		pthread_cond_signal(&timers->wake);
	}
	pthread_mutex_unlock(&timers->lock);
}

void hlp_release_field(struct map *map, const struct btf_field *field, void *at)
{
	if (field->kind == BTF_FIELD_TIMER || field->kind == BTF_FIELD_WORKQUEUE)
		release_timer(map->obj.inst->timers, at);
	else
		hlp_object_release_field(map, field, at);
}
