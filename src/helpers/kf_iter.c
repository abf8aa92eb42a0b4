/*
 * Open-coded iterators on the program's stack: numbers, and the bits of memory. The verifier lets a program
 * touch their bytes through these functions only.
 * Source: kernel/bpf/bpf_iter.c and helpers.c of Linux 6.18.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "helpers/kfns.h"
#include "helpers/peek.h"

enum {
	NUMBERS_MAX = 8 * 1024 * 1024,
	BITS_WORDS_MAX = 511,
	WORD_BITS = 64,
};

/* struct bpf_iter_num */
struct num_iter {
	s32 cur, end;
};

/* (iterator, start, end) */
u64 hlp_kf_num_new(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct num_iter *it = hlp_ptr(r1);
	s32 start = (s32)r2, end = (s32)r3;

	*it = (struct num_iter){0};
	if (start > end)
		return (u64)-EINVAL;
	if ((s64)end - start > NUMBERS_MAX)
		return (u64)-E2BIG;
	it->cur = (s32)((u32)start - 1);
	it->end = end;
	return 0;
}

u64 hlp_kf_num_next(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct num_iter *it = hlp_ptr(r1);
	s32 next = (s32)((u32)it->cur + 1);

	if (next >= it->end) {
		*it = (struct num_iter){0};
		return 0;
	}
	it->cur = next;
	return (uintptr_t)&it->cur;
}

u64 hlp_kf_num_destroy(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	*(struct num_iter *)hlp_ptr(r1) = (struct num_iter){0};
	return 0;
}

/* struct bpf_iter_bits; one word stands in place of the pointer. */
struct bits_iter {
	union {
		u64 *words;
		u64 word;
	};
	u32 bit_cnt;
	s32 bit;
};

/* (iterator, address, words) */
u64 hlp_kf_bits_new(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct bits_iter *it = hlp_ptr(r1);
	u32 cnt = (u32)r3;
	u64 *words;

	*it = (struct bits_iter){.bit = -1};
	if (!r2 || !cnt)
		return (u64)-EINVAL;
	if (cnt > BITS_WORDS_MAX)
		return (u64)-E2BIG;
	if (cnt == 1) {
		if (hlp_peek(r2, &it->word, sizeof(it->word))) {
			it->word = 0;
			return (u64)-EFAULT;
		}
		it->bit_cnt = WORD_BITS;
		return 0;
	}
	words = mem_array(cnt, sizeof(*words));
	if (!words)
		return (u64)-ENOMEM;
	if (hlp_peek(r2, words, cnt * (u32)sizeof(*words))) {
		mem_free(words);
		return (u64)-EFAULT;
	}
	it->words = words;
	it->bit_cnt = cnt * WORD_BITS;
	return 0;
}

u64 hlp_kf_bits_next(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct bits_iter *it = hlp_ptr(r1);
	const u64 *words = it->bit_cnt > WORD_BITS ? it->words : &it->word;
	u32 bit = (u32)(it->bit + 1);

	while (bit < it->bit_cnt && !(words[bit / WORD_BITS] >> bit % WORD_BITS & 1))
		bit++;
	if (bit >= it->bit_cnt) {
		it->bit = (s32)it->bit_cnt;
		return 0;
	}
	it->bit = (s32)bit;
	return (uintptr_t)&it->bit;
}

u64 hlp_kf_bits_destroy(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct bits_iter *it = hlp_ptr(r1);

	if (it->bit_cnt > WORD_BITS)
		mem_free(it->words);
	*it = (struct bits_iter){0};
	return 0;
}
