/*
 * The BPF filters and actions that traffic control runs on the kernel's interfaces.
 */
#ifndef SKEP_NET_TC_H
#define SKEP_NET_TC_H

#include "tool.h"

/* Prints one row a program, for `net list`; ifindex 0 = all interfaces. 0 or a negative errno. */
int net_tc_list(struct tool *t, u32 ifindex);

#endif
