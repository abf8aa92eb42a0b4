/*
 * The functions behind the rows of kfuncs.def: each has the type hlp_fn, declared from the rows.
 */
#ifndef HELPERS_KFNS_H
#define HELPERS_KFNS_H

#include "core/kfunc.h"
#include "helpers/fns.h"

#define KFUNC(name, fn, ...) u64 fn(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run);
#include "helpers/kfuncs.def"

#endif
