/*
 * Helpers by number, for every machine: at compile time for a call that names one, and from the code itself
 * for a call by register, which only unverified programs have.
 */
#include "base/bug.h"
#include "jit/target.h"

bool jit_has_helper(const struct jit *jit, s32 id)
{
	return id >= 0 && (u32)id < jit->helper_cnt && jit->helpers[id] && jit->helpers[id]->fn;
}

static u64 no_helper(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	skep_bug("unverified code called a helper that does not exist");
}

hlp_fn jit_find_helper(const struct hlp_proto *const *helpers, u64 cnt, u64 id)
{
	return id < cnt && helpers[id] && helpers[id]->fn ? helpers[id]->fn : no_helper;
}
