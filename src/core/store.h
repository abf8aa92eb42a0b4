/*
 * A map's memory in a file, so that it outlives the process: what a map type would take from the heap as pages it
 * takes from here, and finds again when the file is opened by the next one.
 *
 *	file:  | head (a page) | journal | pages of the first call | of the second | …
 *
 * The same map type asks for the same pages in the same order, so a file needs no directory of them. The pages are a
 * shared mapping: what was stored is in the file's page cache when the process is killed, in the order of its stores.
 * (What a machine that loses power keeps is another matter; nothing is written through.)
 *
 * Invariants
 * 1. The head's description never changes once `is_made` is set, which is the last step of making; a file without it,
 *    or whose sum is wrong, is no map.
 * 2. Types link complete entries with one store each, or write values of more than a word through the journal: the value
 *    goes there, then `parts` is set, then it goes to its place, then parts is 0. Opening finishes what was begun.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "base/types.h"
#include "core/map.h"

enum { MAP_STORE_REGIONS = 4, MAP_STORE_PAGE = 4096, MAP_STORE_NAME_MAX = 256 };

struct map_store_head {
	u64 magic;
	u32 version, cpu_cnt;
	u32 type, key_size, value_size, max_entries, flags;
	u32 is_made;
	u64 extra;
	u64 seed; /* of a hash table */
	char name[MAP_NAME_LEN];
	u64 sum; /* over all before, is_made as 1 */

	u32 is_frozen;
	u32 parts; /* of the value in the journal; 0: none */
	u64 journal_len;
	u64 off, part_len, apart; /* where the parts go in the file, and how far apart */
};

struct map_store {
	int fd;
	struct map_store_head *head;   /* with the journal behind it */
	u64 used;		       /* bytes of the file given out */
	bool is_old;		       /* there is something to recover */
	u32 lock;		       /* over the journal */
	int dir_fd;		       /* the caller's */
	char file[MAP_STORE_NAME_MAX]; /* removed with the store; "" : stays */
	struct {
		u8 *mem;
		u64 len, off;
	} regions[MAP_STORE_REGIONS];
	u32 region_cnt;
};

/* A new file, removed again when the store is freed. cpu_cnt: values of a per-CPU map. -errno. */
int map_store_create(int dir_fd, const char *file, const struct map_attr *attr, u32 cpu_cnt,
	struct map_store **ret_store);
/* Opens what an instance left: *ret_attr is what the map was made of. -EINVAL: no map, or one for another number of
 * CPUs; -errno. */
int map_store_open(int dir_fd, const char *file, u32 cpu_cnt, struct map_attr *ret_attr,
	struct map_store **ret_store);
/* The map is complete. */
void map_store_made(struct map_store *store);
/* NULL is fine. Pages that were given out are freed by who got them. */
void map_store_free(struct map_store *store);

/* As mem_pages, from the store if there is one; freed with mem_pages_free. */
void *map_store_pages(struct map_store *store, u64 len, bool lazy);
/* Writes `parts` times len bytes to places `apart` bytes from each other, all or nothing for who opens the file. */
void map_store_put(
	struct map_store *store, void *to, const void *from, u64 len, u32 parts, u64 apart);

#endif
