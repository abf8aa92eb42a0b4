/*
 * The help texts of objects and verbs.
 */
#ifndef SKEP_HELP_H
#define SKEP_HELP_H

#include "tool.h"

/* Help on one object, "" for the whole command. Returns 0. */
int help_print(struct tool *t, const char *object);
/* The same after a line that made no sense; returns the exit status of that. */
int help_usage(struct tool *t, const char *object);

#endif
