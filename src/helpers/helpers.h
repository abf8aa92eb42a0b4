/*
 * The table of helpers, indexed by BPF_FUNC_* number: every number of Linux 6.18 has a row, with its name;
 * rows without a function are known by name only.
 */
#ifndef HELPERS_HELPERS_H
#define HELPERS_HELPERS_H

#include "core/helper.h"

/* hlp_table[0] is NULL; hlp_table_cnt is one more than the last number. */
extern const struct hlp_proto *const hlp_table[];
extern const u32 hlp_table_cnt;

/* The kfuncs, in the order of their rows: an engine knows one by its place. */
struct kfunc_proto;
extern const struct kfunc_proto *const hlp_kfuncs[];
extern const u32 hlp_kfunc_cnt;

#endif
