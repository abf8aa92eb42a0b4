/*
 * An instance that knows the map types, for the tests of this folder.
 */
#ifndef UNIT_MAPS_FIXTURE_H
#define UNIT_MAPS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/inst.h"
#include "core/map.h"
#include "maps/maps.h"

enum { FIXTURE_CPUS = 4 };

static inline void inst_start(struct skep *inst)
{
	struct inst_options opts = {.cpu_cnt = FIXTURE_CPUS};

	assert_int_equal(inst_init(inst, &opts), 0);
	inst->map_types = map_types;
	inst->map_type_cnt = map_types_cnt;
}

/* A map of the type with the flags it cannot do without. */
static inline struct map *map_make(
	struct skep *inst, u32 type, u32 key_size, u32 value_size, u32 max_entries, u32 flags)
{
	struct map_attr attr = {.type = type,
		.key_size = key_size,
		.value_size = value_size,
		.max_entries = max_entries,
		.flags = flags | (type == BPF_MAP_TYPE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0)};
	struct map *map;

	assert_int_equal(map_new(inst, &attr, &map), 0);
	return map;
}

#endif
