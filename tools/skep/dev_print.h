/*
 * A device with its counters, as `net dev list` and `run` show it.
 */
#ifndef SKEP_DEV_PRINT_H
#define SKEP_DEV_PRINT_H

#include "tool.h"

/* Lines in text, an object in JSON. */
void dev_print(struct tool *t, const struct port_dev *dev);

#endif
