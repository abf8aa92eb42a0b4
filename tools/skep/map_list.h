/*
 * The head of a map's description, which `map list` and a dump of several maps begin with.
 */
#ifndef SKEP_MAP_LIST_H
#define SKEP_MAP_LIST_H

#include "isa/uapi.h"

#include "json.h"

/* Fields id, type, name, flags of an object that is open. */
void map_json_head(struct json *w, const struct bpf_map_info *info);
/* "58: hash  name blocklist  flags 0x0", no newline. */
void map_print_head(const struct bpf_map_info *info);

#endif
