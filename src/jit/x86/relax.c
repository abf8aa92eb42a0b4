/*
 * Short jumps: every jump is emitted with a distance of 32 bits; where 8 do, its instruction shrinks by 3 or
 * 4 bytes and what follows moves up. Shrinking never makes a distance longer, so going round until nothing
 * changes ends, and to stop earlier is right too.
 *
 * Loops begin at a multiple of LOOP_ALIGN: a short one that lies across more lines of the cache than it need takes
 * up to twice the time. A pad of the most bytes that may be needed stands before each; which of them are left
 * depends on where the code ended up, so it is decided last, and until then the pad counts whole.
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
	LOOP_ALIGN = 32,
	PAD_LEN = LOOP_ALIGN - 1,
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

void x86_loop(struct jit *jit)
{
	static const u8 pad[PAD_LEN];

	if (!(jit->features & JIT_FUSE))
		return;
	jit_add_fixup(jit, jit->out.len, 0, JIT_FIX_PAD);
	buf_add(&jit->out, pad, sizeof(pad));
}

static u32 pad_len(u32 at)
{
	return -at % LOOP_ALIGN;
}

static void sum_up(struct relax *rel, bool cut_pads)
{
	for (u32 i = 0; i < rel->jit->fixup_cnt; i++) {
		const struct jit_fixup *fixup = &rel->jit->fixups[i];
		u32 saved = 0;

		if (fixup->is_short)
			saved = saving_of(rel->jit, fixup);
		else if (cut_pads && fixup->kind == JIT_FIX_PAD)
			saved = PAD_LEN - pad_len(fixup->at - rel->saved[i]);
		rel->saved[i + 1] = rel->saved[i] + saved;
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

/* Where the instruction of a fixup begins. */
static u32 op_off(const struct jit *jit, const struct jit_fixup *fixup)
{
	if (fixup->kind == JIT_FIX_PAD)
		return fixup->at;
	return fixup->at - (is_jmp(jit, fixup) ? 1 : 2);
}

/* Is its target an offset in the code? */
static bool has_target(const struct jit_fixup *fixup)
{
	return fixup->kind != JIT_FIX_ADDR && fixup->kind != JIT_FIX_PAD;
}

/* Moves the code up and the fixups with it. */
static void compact(struct relax *rel)
{
	struct jit *jit = rel->jit;
	char *data = jit->out.data;
	u32 from = 0, to = 0;

	for (u32 i = 0; i < jit->fixup_cnt; i++) {
		struct jit_fixup *fixup = &jit->fixups[i];
		const u32 op = op_off(jit, fixup);
		u8 code;

		if (has_target(fixup))
			fixup->target -= rel->saved[rel->rank[i]];
		if (!fixup->is_short && fixup->kind != JIT_FIX_PAD) {
			fixup->at -= rel->saved[i];
			continue;
		}
		memmove(data + to, data + from, op - from);
		to += op - from;
		if (fixup->kind == JIT_FIX_PAD) {
			from = op + PAD_LEN;
			x86_nops((u8 *)data + to, pad_len(to));
			to += pad_len(to);
			continue;
		}
		code = data[fixup->at - 1];
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

		if (fixup->kind == JIT_FIX_PAD)
			continue;
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
		rel.rank[i] = has_target(&jit->fixups[i]) ? rank_of(jit, jit->fixups[i].target) : 0;
	}
	for (u32 i = 0; i < ROUNDS_MAX && shorten(&rel); i++)
		sum_up(&rel, false);
	sum_up(&rel, true);
	compact(&rel);
	for (u32 i = 0; i < array_cnt; i++)
		move_offsets(&rel, ats, offs[i], cnts[i]);
	fill_in(jit);
	mem_free(work);
	return 0;
}
