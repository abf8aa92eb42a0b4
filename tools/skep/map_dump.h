/*
 * Dumping a map that is already open, for verbs that hold one.
 */
#ifndef SKEP_MAP_DUMP_H
#define SKEP_MAP_DUMP_H

#include "tool.h"

/* As `map dump` prints it. 0 or the exit status. */
int map_dump_fd(struct tool *t, int fd);

#endif
