/*
 * Making, copying and freeing states. All memory is charged to the env, so that a program cannot make
 * the verifier eat the machine: beyond env->mem_max allocations fail with -ENOMEM.
 */
#include "verifier/state.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "btf/fields.h"
#include "core/map.h"
#include "verifier/env.h"

void *vf_alloc(struct vf_env *env, size_t len)
{
	void *p;

	if (env->mem_used + len > env->mem_max)
		return NULL;
	p = mem_zalloc(len);
	if (p)
		env->mem_used += len;
	return p;
}

void vf_free(struct vf_env *env, void *p, size_t len)
{
	if (!p)
		return;
	env->mem_used -= len;
	mem_free(p);
}

void vf_reg_clear(struct vf_reg *reg)
{
	memset(reg, 0, sizeof(*reg));
	reg->num = vf_scalar_unknown();
}

void vf_reg_unknown(struct vf_reg *reg)
{
	vf_reg_clear(reg);
	reg->kind = VF_SCALAR;
}

void vf_reg_known(struct vf_reg *reg, u64 value)
{
	memset(reg, 0, sizeof(*reg));
	reg->kind = VF_SCALAR;
	reg->num = vf_scalar_const(value);
}

void vf_reg_pointer(struct vf_reg *reg, enum vf_kind kind)
{
	vf_reg_known(reg, 0);
	reg->kind = kind;
}

void vf_reg_not_null(struct vf_reg *reg)
{
	reg->may_be_null = false;
	if (reg->kind != VF_MAP_VALUE)
		return;
	if (reg->map->inner) {
		reg->kind = VF_MAP_PTR;
		reg->map = reg->map->inner;
		/* each look-up may find another map of this form; only timers must know */
		if (map_has_field(reg->map, BTF_FIELD_TIMER | BTF_FIELD_WORKQUEUE))
			reg->map_uid = reg->id;
		return;
	}
	switch (reg->map->type->type) {
	case BPF_MAP_TYPE_XSKMAP: reg->kind = VF_XDP_SOCK; break;
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH: reg->kind = VF_SOCKET; break;
	default: return;
	}
	reg->map = NULL;
}

void vf_each_reg(struct vf_state *st, void (*visit)(struct vf_reg *reg, void *arg), void *arg)
{
	for (u32 f = 0; f <= st->top; f++) {
		struct vf_frame *frame = st->frames[f];

		for (u32 r = 0; r < VF_REG_CNT; r++)
			visit(&frame->regs[r], arg);
		for (u32 s = 0; s < frame->slot_cnt; s++) {
			if (vf_has_spill(&frame->slots[s]))
				visit(&frame->slots[s].spill, arg);
		}
	}
}

struct vf_frame *vf_frame_new(struct vf_env *env, u32 no, u32 sub, s32 callsite)
{
	struct vf_frame *frame = vf_alloc(env, sizeof(*frame));

	if (!frame)
		return NULL;
	frame->no = no;
	frame->sub = sub;
	frame->callsite = callsite;
	for (u32 r = 0; r < VF_FP; r++)
		vf_reg_clear(&frame->regs[r]);
	vf_reg_pointer(&frame->regs[VF_FP], VF_STACK);
	frame->regs[VF_FP].frame = no;
	return frame;
}

void vf_frame_free(struct vf_env *env, struct vf_frame *frame)
{
	if (!frame)
		return;
	vf_free(env, frame->slots, frame->slot_cnt * sizeof(*frame->slots));
	vf_free(env, frame, sizeof(*frame));
}

int vf_frame_grow(struct vf_env *env, struct vf_frame *frame, u32 cnt)
{
	struct vf_slot *slots;

	if (cnt <= frame->slot_cnt)
		return 0;
	slots = vf_alloc(env, cnt * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	if (frame->slot_cnt)
		memcpy(slots, frame->slots, frame->slot_cnt * sizeof(*slots));
	vf_free(env, frame->slots, frame->slot_cnt * sizeof(*slots));
	frame->slots = slots;
	frame->slot_cnt = cnt;
	return 0;
}

static void *copy(struct vf_env *env, const void *src, size_t len)
{
	void *p;

	if (env->mem_used + len > env->mem_max)
		return NULL;
	p = mem_dup(src, len);
	if (p)
		env->mem_used += len;
	return p;
}

static struct vf_frame *copy_frame(struct vf_env *env, const struct vf_frame *src)
{
	struct vf_frame *dst = copy(env, src, sizeof(*src));

	if (!dst)
		return NULL;
	dst->slots = NULL;
	if (!src->slot_cnt)
		return dst;
	dst->slots = copy(env, src->slots, src->slot_cnt * sizeof(*src->slots));
	if (!dst->slots) {
		vf_free(env, dst, sizeof(*dst));
		return NULL;
	}
	return dst;
}

void vf_state_done(struct vf_env *env, struct vf_state *st)
{
	for (u32 f = 0; f < PROG_FRAME_MAX; f++) {
		vf_frame_free(env, st->frames[f]);
		st->frames[f] = NULL;
	}
	vf_free(env, st->hist, st->hist_cap * sizeof(*st->hist));
	st->hist = NULL;
	st->hist_cnt = st->hist_cap = 0;
	vf_free(env, st->refs, st->ref_cnt * sizeof(*st->refs));
	st->refs = NULL;
	st->ref_cnt = 0;
}

int vf_state_copy(struct vf_env *env, struct vf_state *dst, const struct vf_state *src)
{
	vf_state_done(env, dst);
	*dst = *src;
	dst->hist = NULL;
	dst->hist_cnt = dst->hist_cap = 0;
	dst->refs = NULL;
	dst->ref_cnt = 0;
	memset(dst->frames, 0, sizeof(dst->frames));
	if (src->ref_cnt) {
		dst->refs = vf_alloc(env, src->ref_cnt * sizeof(*dst->refs));
		if (!dst->refs)
			return -ENOMEM;
		memcpy(dst->refs, src->refs, src->ref_cnt * sizeof(*dst->refs));
		dst->ref_cnt = src->ref_cnt;
	}
	for (u32 f = 0; f <= src->top; f++) {
		dst->frames[f] = copy_frame(env, src->frames[f]);
		if (!dst->frames[f]) {
			vf_state_done(env, dst);
			return -ENOMEM;
		}
	}
	return 0;
}

static int grow_hist(struct vf_env *env, struct vf_state *st, u32 cap)
{
	struct vf_hist *hist = vf_alloc(env, cap * sizeof(*hist));

	if (!hist)
		return -ENOMEM;
	if (st->hist_cnt)
		memcpy(hist, st->hist, st->hist_cnt * sizeof(*hist));
	vf_free(env, st->hist, st->hist_cap * sizeof(*st->hist));
	st->hist = hist;
	st->hist_cap = cap;
	return 0;
}

int vf_hist_copy(struct vf_env *env, struct vf_state *dst, const struct vf_state *src)
{
	dst->hist_cnt = 0;
	if (!src->hist_cnt)
		return 0;
	if (dst->hist_cap < src->hist_cnt && grow_hist(env, dst, src->hist_cnt))
		return -ENOMEM;
	memcpy(dst->hist, src->hist, src->hist_cnt * sizeof(*dst->hist));
	dst->hist_cnt = src->hist_cnt;
	return 0;
}

int vf_hist_push(struct vf_env *env, u16 flags, u32 frame, u32 slot, u64 linked)
{
	struct vf_state *st = env->cur;
	struct vf_hist *entry;

	if (env->hist_at < 0) {
		if (st->hist_cnt == st->hist_cap &&
			grow_hist(env, st, st->hist_cap ? 2 * st->hist_cap : 8))
			return -ENOMEM;
		env->hist_at = st->hist_cnt++;
		st->hist[env->hist_at] = (struct vf_hist){
			.idx = env->insn_idx, .prev_idx = env->prev_idx};
	}
	entry = &st->hist[env->hist_at];
	entry->flags |= flags;
	if (flags & VF_HIST_STACK) {
		entry->frame = frame;
		entry->slot = slot;
	}
	entry->linked = linked;
	return 0;
}
