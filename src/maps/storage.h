/*
 * Limits and keys of local storage.
 */
#ifndef MAPS_STORAGE_H
#define MAPS_STORAGE_H

#include "core/map.h"

enum {
	MAP_STORAGE_VALUE_MAX = 65535 - 128, /* bytes; Linux: what its 16 bits of length leave */
};

/* The key of a thread. -ENOENT. */
int map_task_key(int tid, struct map_owner_key *ret_key);

#endif
