/*
 * State subsumption. Registers and slots that nothing reads any more do not count; ids are compared up
 * to renaming, with a map from the old state's ids to the current one's that must be one to one.
 */
#include "verifier/equal.h"

#include <string.h>

#include "verifier/env.h"

/* registers and slots have at most two ids each */
enum { ID_MAP_MAX = 2 * (VF_REG_CNT + VF_SLOT_MAX) * PROG_FRAME_MAX };

struct id_map {
	u32 cnt, next_tmp;
	struct {
		u32 old, cur;
	} pairs[ID_MAP_MAX];
};

static bool map_ids(struct id_map *map, u32 old, u32 cur)
{
	if (!old != !cur)
		return false;
	if (!old)
		return true;
	for (u32 i = 0; i < map->cnt; i++) {
		if (map->pairs[i].old == old)
			return map->pairs[i].cur == cur;
		if (map->pairs[i].cur == cur)
			return false;
	}
	if (map->cnt == ID_MAP_MAX)
		return false;
	map->pairs[map->cnt].old = old;
	map->pairs[map->cnt].cur = cur;
	map->cnt++;
	return true;
}

/* A scalar without id counts as linked to nothing: it gets one that nobody else has. */
static bool map_scalar_ids(struct id_map *map, u32 old, u32 cur)
{
	old = old ? old : ++map->next_tmp;
	cur = cur ? cur : ++map->next_tmp;
	return map_ids(map, old, cur);
}

static bool is_same_num(const struct vf_scalar *a, const struct vf_scalar *b)
{
	return a->var_off.value == b->var_off.value && a->var_off.mask == b->var_off.mask &&
	       a->umin == b->umin && a->umax == b->umax && a->smin == b->smin &&
	       a->smax == b->smax && a->u32min == b->u32min && a->u32max == b->u32max &&
	       a->s32min == b->s32min && a->s32max == b->s32max;
}

/* All but precision, ids and the number. */
static bool is_same_pointer(const struct vf_reg *old, const struct vf_reg *cur)
{
	return old->kind == cur->kind && old->may_be_null == cur->may_be_null &&
	       old->is_rdonly == cur->is_rdonly && old->flags == cur->flags &&
	       old->off == cur->off && (old->kind == VF_MEM || old->frame == cur->frame) &&
	       old->mem_size == cur->mem_size && old->map == cur->map;
}

static bool is_same_ids(struct id_map *map, const struct vf_reg *old, const struct vf_reg *cur)
{
	return map_ids(map, old->id, cur->id) && map_ids(map, old->ref_id, cur->ref_id) &&
	       (old->kind != VF_MEM || map_ids(map, old->dynptr_id, cur->dynptr_id));
}

static bool is_same_reg(struct id_map *map, const struct vf_reg *old, const struct vf_reg *cur)
{
	return is_same_pointer(old, cur) && is_same_num(&old->num, &cur->num) &&
	       is_same_ids(map, old, cur);
}

static bool covers_scalar(struct id_map *map, const struct vf_reg *old, const struct vf_reg *cur,
	enum vf_exactness exact)
{
	if (!old->is_precise && exact == VF_NOT_EXACT)
		return true;
	if (!vf_scalar_is_subset(&old->num, &cur->num))
		return false;
	/* what cur is linked to only adds to what is known of it; the links of old were relied upon */
	if (!old->id)
		return true;
	if ((old->id & VF_ID_DELTA) != (cur->id & VF_ID_DELTA))
		return false;
	if (old->id & VF_ID_DELTA && old->off != cur->off)
		return false;
	return map_scalar_ids(map, old->id, cur->id);
}

static bool covers_reg(struct id_map *map, const struct vf_reg *old, const struct vf_reg *cur,
	enum vf_exactness exact)
{
	if (exact == VF_EXACT)
		return is_same_reg(map, old, cur);
	if (old->kind == VF_NOT_INIT)
		return true;
	if (old->kind != cur->kind || old->may_be_null != cur->may_be_null ||
		old->is_rdonly != cur->is_rdonly || old->flags != cur->flags)
		return false;
	switch (old->kind) {
	case VF_SCALAR: return covers_scalar(map, old, cur, exact);
	case VF_MAP_VALUE:
	case VF_MAP_KEY:
	case VF_MEM:
		return is_same_pointer(old, cur) && vf_scalar_is_subset(&old->num, &cur->num) &&
		       is_same_ids(map, old, cur);
	case VF_PACKET:
	case VF_PACKET_META:
		/* that a pointer is at the end decides branches: no other range covers that */
		if ((old->range < 0 || cur->range < 0) && old->range != cur->range)
			return false;
		return old->range <= cur->range && old->off == cur->off &&
		       map_ids(map, old->id, cur->id) && vf_scalar_is_subset(&old->num, &cur->num);
	default: return is_same_reg(map, old, cur);
	}
}

static bool is_all_misc(const struct vf_slot *slot)
{
	for (u32 b = 0; b < VF_SLOT_LEN; b++) {
		if (slot->byte[b] != VF_BYTE_MISC && slot->byte[b] != VF_BYTE_INVALID)
			return false;
	}
	return true;
}

/* The slot as one scalar of 8 bytes, or NULL. */
static const struct vf_reg *slot_scalar(const struct vf_slot *slot, const struct vf_reg *unknown)
{
	if (slot->byte[0] == VF_BYTE_SPILL && vf_has_scalar_spill(slot))
		return &slot->spill;
	return is_all_misc(slot) ? unknown : NULL;
}

/* What an iterator has counted does not matter, or no round would be like the one before. */
static bool covers_object(struct id_map *map, const struct vf_slot *old, const struct vf_slot *cur)
{
	const struct vf_reg *was = &old->spill, *is = &cur->spill;

	switch (old->byte[VF_SLOT_LEN - 1]) {
	case VF_BYTE_DYNPTR:
		return was->dynptr.type == is->dynptr.type &&
		       was->dynptr.is_first == is->dynptr.is_first &&
		       map_ids(map, was->ref_id, is->ref_id);
	case VF_BYTE_ITER:
		return was->btf == is->btf && was->btf_id == is->btf_id &&
		       was->iter_state == is->iter_state && was->flags == is->flags &&
		       map_ids(map, was->ref_id, is->ref_id);
	case VF_BYTE_IRQ:
		return was->irq_class == is->irq_class && map_ids(map, was->ref_id, is->ref_id);
	default: return true;
	}
}

static bool covers_slot(struct id_map *map, const struct vf_slot *old, const struct vf_slot *cur,
	enum vf_exactness exact)
{
	const struct vf_reg *old_num, *cur_num;
	struct vf_reg unknown;

	if (exact != VF_NOT_EXACT && memcmp(old->byte, cur->byte, sizeof(old->byte)))
		return false;
	/* nothing but an unknown number was ever read from these */
	if (is_all_misc(old))
		return true;
	vf_reg_unknown(&unknown);
	old_num = slot_scalar(old, &unknown);
	cur_num = slot_scalar(cur, &unknown);
	if (old_num && cur_num)
		return covers_reg(map, old_num, cur_num, exact);
	for (u32 b = 0; b < VF_SLOT_LEN; b++) {
		if (old->byte[b] == VF_BYTE_INVALID || old->byte[b] == VF_BYTE_MISC)
			continue;
		if (old->byte[b] != cur->byte[b])
			return false;
	}
	return covers_object(map, old, cur) &&
	       (!vf_has_spill(old) || covers_reg(map, &old->spill, &cur->spill, exact));
}

static bool covers_stack(struct id_map *map, const struct vf_frame *old, const struct vf_frame *cur,
	enum vf_exactness exact)
{
	for (u32 s = 0; s < old->slot_cnt; s++) {
		bool is_there = s < cur->slot_cnt;

		if (exact != VF_NOT_EXACT && !is_there)
			return false;
		if (!is_there) {
			/* as Linux: a slot that cur never had is not taken for an unknown number */
			if (!is_all_misc(&old->slots[s]))
				return false;
			continue;
		}
		if (!covers_slot(map, &old->slots[s], &cur->slots[s], exact))
			return false;
	}
	return true;
}

static bool covers_frame(struct id_map *map, const struct vf_frame *old, const struct vf_frame *cur,
	u16 live_regs, enum vf_exactness exact)
{
	for (u32 r = 0; r < VF_REG_CNT; r++) {
		if (live_regs & 1u << r && !covers_reg(map, &old->regs[r], &cur->regs[r], exact))
			return false;
	}
	return covers_stack(map, old, cur, exact);
}

/* The same things are held, taken in the same order. */
static bool covers_refs(struct id_map *map, const struct vf_state *old, const struct vf_state *cur)
{
	if (old->ref_cnt != cur->ref_cnt || old->lock_cnt != cur->lock_cnt ||
		old->preempt_cnt != cur->preempt_cnt || old->rcu_cnt != cur->rcu_cnt ||
		old->may_sleep != cur->may_sleep || old->lock_ptr != cur->lock_ptr)
		return false;
	if (!map_ids(map, old->irq_id, cur->irq_id) || !map_ids(map, old->lock_id, cur->lock_id))
		return false;
	for (u32 i = 0; i < old->ref_cnt; i++) {
		const struct vf_ref *a = &old->refs[i], *b = &cur->refs[i];

		if (a->kind != b->kind || a->ptr != b->ptr || !map_ids(map, a->id, b->id))
			return false;
	}
	return true;
}

bool vf_states_equal(struct vf_env *env, const struct vf_state *old, const struct vf_state *cur,
	enum vf_exactness exact)
{
	struct id_map map;

	if (old->top != cur->top)
		return false;
	map.cnt = 0;
	map.next_tmp = env->id_gen;
	if (!covers_refs(&map, old, cur))
		return false;
	for (u32 f = 0; f <= old->top; f++) {
		u32 at = f == old->top ? old->insn_idx : (u32)old->frames[f + 1]->callsite;

		if (old->frames[f]->callsite != cur->frames[f]->callsite ||
			old->frames[f]->sub != cur->frames[f]->sub ||
			old->frames[f]->callback_depth > cur->frames[f]->callback_depth)
			return false;
		if (!covers_frame(
			    &map, old->frames[f], cur->frames[f], env->aux[at].live_regs, exact))
			return false;
	}
	return true;
}
