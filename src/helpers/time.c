/*
 * Clocks. All of them follow the instance: with a replayed capture every clock shows its time.
 */
#include <time.h>

#include "core/inst.h"
#include "helpers/fns.h"

enum {
	TICK_HZ = 250, /* Linux as distributions build it */
	TICKS_BEFORE_WRAP =
		300 /* seconds: Linux lets 32-bit jiffies wrap five minutes after boot */
};
static const u64 nsec_per_sec = 1000000000;

static u64 clock_ns(const struct run *run, clockid_t id)
{
	struct timespec ts;

	if (run->inst->clock == INST_CLOCK_REPLAY)
		return id == CLOCK_TAI ? inst_wall_ns(run->inst) : inst_now_ns(run->inst);
	clock_gettime(id, &ts);
	return (u64)ts.tv_sec * nsec_per_sec + (u64)ts.tv_nsec;
}

u64 hlp_ktime_get_ns(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return inst_now_ns(run->inst);
}

u64 hlp_ktime_get_boot_ns(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return clock_ns(run, CLOCK_BOOTTIME);
}

u64 hlp_ktime_get_coarse_ns(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return clock_ns(run, CLOCK_MONOTONIC_COARSE);
}

u64 hlp_ktime_get_tai_ns(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return clock_ns(run, CLOCK_TAI);
}

u64 hlp_jiffies64(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	u64 start = (u32)(-TICKS_BEFORE_WRAP * TICK_HZ);

	return start + clock_ns(run, CLOCK_MONOTONIC) / (nsec_per_sec / TICK_HZ);
}
