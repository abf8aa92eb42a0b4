/*
 * What other files take from XDP's helpers.
 */
#ifndef HELPERS_XDP_H
#define HELPERS_XDP_H

#include "core/run.h"

/* bpf_redirect of an XDP program: the action. */
u64 hlp_xdp_redirect(u64 ifindex, u64 flags, struct run *run);

#endif
