/*
 * Names of the kernel's addresses, for calls in dumps. Addresses are collected first and looked up in
 * one pass over /proc/kallsyms, which is long.
 */
#ifndef SKEP_SYMBOLS_H
#define SKEP_SYMBOLS_H

#include "base/types.h"

struct symbol {
	u64 addr;
	char name[128]; /* "" until symbols_find() found one */
};

struct symbols {
	struct symbol *items; /* by rising address after symbols_find() */
	size_t cnt;
	u64 call_base; /* what helper calls are relative to; 0 when hidden or not the kernel */
};

/* The address helper calls are relative to; also the first pass, needed before symbols_add. */
void symbols_init(struct symbols *s, bool is_kernel);
int symbols_add(struct symbols *s, u64 addr);
void symbols_find(struct symbols *s);
/* NULL when unknown */
const char *symbols_name(const struct symbols *s, u64 addr);
void symbols_done(struct symbols *s);

#endif
