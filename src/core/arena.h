/*
 * The memory of BPF_MAP_TYPE_ARENA: pages that programs and user space share, by the same low 32 bits of an
 * address.
 *
 *	user:     start … start + len                     one mapping of the memfd, where user space put it
 *	window:   | guard | 4 GiB | guard |               ours; programs use window + low 32 bits + s16
 *	                    ^ window + (u32)start … + len: the memfd; all the rest: scratch
 *
 * Invariants
 * 1. Every address that a program can form lies in the window and can be read and written without a
 *    fault. What is not the arena's is scratch: SCRATCH_LEN bytes mapped again and again, so what a wrong
 *    program writes there stays small and hurts nobody. (Linux: such reads give 0, writes are dropped.)
 * 2. A page is taken when a program allocated it or when it holds data, that is, user space touched it.
 * 3. A freed page is a hole in the memfd: it reads as zero on both sides.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "base/types.h"

enum { ARENA_PAGE = 4096 };

struct arena;

/* user_start 0: not known yet. -ENOMEM, -EMFILE. */
int arena_new(u32 page_cnt, u64 user_start, struct arena **ret_arena);
/* Takes NULL. */
void arena_free(struct arena *arena);
int arena_mem_fd(const struct arena *arena);
/* User space mapped it there. -EBUSY: it is somewhere else already, or of another length; -ERANGE: it
 * crosses a 4 GiB border. */
int arena_mapped(struct arena *arena, u64 user_start, u64 len);
/* 0: not known yet; then programs cannot be loaded. */
u64 arena_user_start(const struct arena *arena);
u64 arena_user_end(const struct arena *arena);
/* What a program's low 32 bits are added to. */
u64 arena_window(const struct arena *arena);
/* bpf_arena_alloc_pages: the user address of cnt zero pages, at addr if it is not 0; 0: no room, or
 * what was asked for is impossible. */
u64 arena_alloc_pages(struct arena *arena, u64 addr, u32 cnt, int node);
/* bpf_arena_reserve_pages: nobody is given these pages. -EINVAL: not of the arena; -EBUSY: some are taken. */
int arena_reserve_pages(struct arena *arena, u64 addr, u32 cnt);
/* bpf_arena_free_pages. */
void arena_free_pages(struct arena *arena, u64 addr, u32 cnt);

#endif
