/*
 * The functions behind the rows of helpers.def: each has the type hlp_fn, declared from the rows.
 */
#ifndef HELPERS_FNS_H
#define HELPERS_FNS_H

#include "core/helper.h"

#define HELPER(id, name, fn, ...) u64 fn(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run);
#define ABSENT(...)
#define REFUSED(...)
#define VARIANT(...)
#include "helpers/helpers.def"

/* A program's register as the memory it points to. */
static inline void *hlp_ptr(u64 reg)
{
	return (void *)(uintptr_t)reg;
}

#endif
