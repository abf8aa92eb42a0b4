/*
 * Filters of classic BPF as the command takes them: what `tcpdump -ddd` or `tcpdump -dd` prints.
 */
#ifndef SKEP_FILTER_H
#define SKEP_FILTER_H

#include "tool.h"

/*
 * Reads the filter in the file ("-": stdin), translates it and loads it as a socket filter, which sees
 * packets from the network header on in test runs, or as a classifier, which sees whole frames. Gives a
 * descriptor to close. The exit status after an error.
 */
int filter_load(struct tool *t, const char *path, bool as_classifier, int *ret_fd);

#endif
