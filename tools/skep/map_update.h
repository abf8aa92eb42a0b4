/*
 * Setting entries, for verbs that hold a map open.
 */
#ifndef SKEP_MAP_UPDATE_H
#define SKEP_MAP_UPDATE_H

#include "tool.h"

struct bpf_object;

/* Reads [key DATA] [value VALUE] [any | exist | noexist] and sets the entry. */
int map_update_fd(struct tool *t, int fd, struct args *a);
/* The same for one of an object's maps, from one text: "MAP key DATA value DATA [any | …]". */
int map_update_line(struct tool *t, const struct bpf_object *object, const char *line);

#endif
