/*
 * Setting entries, for verbs that hold a map open.
 */
#ifndef SKEP_MAP_UPDATE_H
#define SKEP_MAP_UPDATE_H

#include "tool.h"

/* Reads [key DATA] [value VALUE] [any | exist | noexist] and sets the entry. */
int map_update_fd(struct tool *t, int fd, struct args *a);

#endif
