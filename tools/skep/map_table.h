/*
 * A map as a short table for people: one line an entry, per-CPU values added up.
 */
#ifndef SKEP_MAP_TABLE_H
#define SKEP_MAP_TABLE_H

#include "tool.h"

/*
 * Text: "map NAME (TYPE, N entries)" and "\tKEY  VALUE" lines by rising key. JSON: an array of
 * {"key", "value"} objects, after the caller wrote the name. Entries of arrays that are all zero are
 * left out. 0 or a negative errno.
 */
int map_table_print(struct tool *t, int fd, const char *name);

#endif
