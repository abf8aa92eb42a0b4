/*
 * Short jumps: every jump is emitted with a distance of 32 bits; where 8 do, its instruction shrinks by 3 or
 * 4 bytes and what follows moves up. Shrinking never makes a distance longer, so going round until nothing
 * changes ends, and to stop earlier is right too.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "jit/x86/x86.h"

enum {
	ROUNDS_MAX = 8,
	JMP32 = 0xe9,
	JMP8 = 0xeb,
	JCC8 = 0x70,
	DIST_LEN = 4,
};

struct relax {
	struct jit *jit;
	u32 *saved; /* fixup_cnt + 1: bytes saved by the fixups before i */
	u32 *rank;  /* of the target: fixups before it */
};

/* Fixups at offsets below off. */
static u32 rank_of(const struct jit *jit, u32 off)
{
	u32 lo = 0, hi = jit->fixup_cnt;

	while (lo < hi) {
		const u32 mid = (lo + hi) / 2;

		if (jit->fixups[mid].at < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_jmp(const struct jit *jit, const struct jit_fixup *fixup)
{
	return (u8)jit->out.data[fixup->at - 1] == JMP32;
}

/* e9 + 4 becomes eb + 1; 0f 8x + 4 becomes 7x + 1. A jcc's second byte is never e9. */
static u32 saving_of(const struct jit *jit, const struct jit_fixup *fixup)
{
	return is_jmp(jit, fixup) ? 3 : 4;
}

static void sum_up(struct relax *rel)
{
	for (u32 i = 0; i < rel->jit->fixup_cnt; i++) {
		const struct jit_fixup *fixup = &rel->jit->fixups[i];

		rel->saved[i + 1] = rel->saved[i] +
				    (fixup->is_short ? saving_of(rel->jit, fixup) : 0);
	}
}

static bool shorten(struct relax *rel)
{
	bool is_changed = false;

	for (u32 i = 0; i < rel->jit->fixup_cnt; i++) {
		struct jit_fixup *fixup = &rel->jit->fixups[i];
		s64 dist;

		if (fixup->is_short || fixup->kind != JIT_FIX_JUMP)
			continue;
		dist = (s64)(fixup->target - rel->saved[rel->rank[i]]) -
		       (s64)(fixup->at + DIST_LEN - rel->saved[i]);
		if (dist != (s8)dist)
			continue;
		fixup->is_short = is_changed = true;
	}
	return is_changed;
}

/* Moves the code up and the fixups with it. */
static void compact(struct relax *rel)
{
	struct jit *jit = rel->jit;
	char *data = jit->out.data;
	u32 from = 0, to = 0;

	for (u32 i = 0; i < jit->fixup_cnt; i++) {
		struct jit_fixup *fixup = &jit->fixups[i];
		u32 op = fixup->at - (is_jmp(jit, fixup) ? 1 : 2);
		u8 code = data[fixup->at - 1];

		if (fixup->kind != JIT_FIX_ADDR)
			fixup->target -= rel->saved[rel->rank[i]];
		if (!fixup->is_short) {
			fixup->at -= rel->saved[i];
			continue;
		}
		memmove(data + to, data + from, op - from);
		to += op - from;
		from = fixup->at + DIST_LEN;
		data[to++] = (char)(code == JMP32 ? JMP8 : JCC8 | (code & 15));
		fixup->at = to++;
	}
	memmove(data + to, data + from, jit->out.len - from);
	jit->out.len -= from - to;
}

static void move_offsets(const struct relax *rel, const u32 *ats, u32 *offs, u32 cnt)
{
	u32 rank = 0;

	for (u32 i = 0; i < cnt; i++) {
		while (rank < rel->jit->fixup_cnt && ats[rank] < offs[i])
			rank++;
		offs[i] -= rel->saved[rank];
	}
}

static void fill_in(struct jit *jit)
{
	for (u32 i = 0; i < jit->fixup_cnt; i++) {
		const struct jit_fixup *fixup = &jit->fixups[i];

		if (fixup->kind == JIT_FIX_ADDR)
			x86_patch(
				&jit->out, fixup->at, (u32)(fixup->target - (uintptr_t)jit->base));
		else if (fixup->is_short)
			x86_patch8(&jit->out, fixup->at, fixup->target);
		else
			x86_patch(&jit->out, fixup->at, fixup->target);
	}
}

int x86_finish(struct jit *jit, u32 *offs[], const u32 cnts[], u32 array_cnt)
{
	const u32 cnt = jit->fixup_cnt;
	u32 *work = mem_array((size_t)cnt + 1, 3 * sizeof(*work)), *ats;
	struct relax rel = {.jit = jit, .saved = work};

	if (!work)
		return -ENOMEM;
	rel.rank = work + cnt + 1;
	ats = rel.rank + cnt + 1;
	for (u32 i = 0; i < cnt; i++) {
		ats[i] = jit->fixups[i].at;
		rel.rank[i] = jit->fixups[i].kind == JIT_FIX_ADDR
				      ? 0
				      : rank_of(jit, jit->fixups[i].target);
	}
	for (u32 i = 0; i < ROUNDS_MAX && shorten(&rel); i++)
		sum_up(&rel);
	sum_up(&rel);
	compact(&rel);
	for (u32 i = 0; i < array_cnt; i++)
		move_offsets(&rel, ats, offs[i], cnts[i]);
	fill_in(jit);
	mem_free(work);
	return 0;
}
