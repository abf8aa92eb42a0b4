/*
 * Locks and pointers in the values of maps and in objects. A lock is a word: 0 free, 1 held; user space takes the
 * same word for BPF_F_LOCK (maps/sync.h). The verifier lets a program hold one lock for a short stretch
 * without calls, so who waits spins, and yields to a holder that does not run.
 */
#include <sched.h>

#include "helpers/fns.h"

enum { SPINS = 64 };

u64 hlp_spin_lock(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	u32 *lock = hlp_ptr(r1);

	for (u32 tries = 1; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); tries++) {
		if (tries % SPINS == 0)
			sched_yield();
	}
	return 0;
}

u64 hlp_spin_unlock(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	__atomic_store_n((u32 *)hlp_ptr(r1), 0, __ATOMIC_RELEASE);
	return 0;
}

/* What was there before. */
u64 hlp_kptr_xchg(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return __atomic_exchange_n((u64 *)hlp_ptr(r1), r2, __ATOMIC_ACQ_REL);
}
