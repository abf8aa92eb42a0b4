/*
 * The test run of every program type whose context is struct __sk_buff.
 */
#ifndef PROGS_TEST_SKB_H
#define PROGS_TEST_SKB_H

#include "core/prog.h"

/* As prog_type's test_run. */
int prog_test_skb(struct prog *prog, struct run *run, struct prog_test_run *io);

#endif
