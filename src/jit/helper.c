/*
 * Helpers and kfuncs by number, for every machine: at compile time for a call that names one, and from the code itself
 * for a call by register, which only unverified programs have.
 */
#include "base/bug.h"
#include "core/skb.h"
#include "jit/target.h"

static const struct hlp_proto *find_helper(const struct skep *inst, u64 id)
{
	if (!inst || id >= inst->helper_cnt || !inst->helpers[id] || !inst->helpers[id]->fn)
		return NULL;
	return inst->helpers[id];
}

const struct hlp_proto *jit_helper(const struct jit *jit, s32 id)
{
	return find_helper(jit->inst, (u64)(s64)id);
}

const struct kfunc_proto *jit_kfunc(const struct jit *jit, s32 num)
{
	if (!jit->inst || num < 0 || (u32)num >= jit->inst->kfunc_cnt)
		return NULL;
	return jit->inst->kfuncs[num];
}

s64 jit_load_packet(const struct net_skb *skb, s32 off, u32 len)
{
	return skb_load(skb, off, len);
}

static u64 no_helper(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	skep_bug("unverified code called a helper that does not exist");
}

hlp_fn jit_find_helper(const struct skep *inst, u64 id)
{
	const struct hlp_proto *proto = find_helper(inst, id);

	return proto ? proto->fn : no_helper;
}
