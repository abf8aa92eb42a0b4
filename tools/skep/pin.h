/*
 * Pinning: the path is looked at first, so that the error says what is wrong with it.
 */
#ifndef SKEP_PIN_H
#define SKEP_PIN_H

#include "tool.h"

/* Pins fd at path. 0 or the exit status after an error; what is "program", "map" or "link". */
int pin_fd(struct tool *t, int fd, const char *path, const char *what);

#endif
