/*
 * The words of a command line that are still to be read, and the few ways to read them. Keywords may
 * be cut short, as in bpftool: `prog sh` is `prog show`.
 */
#ifndef SKEP_ARGS_H
#define SKEP_ARGS_H

#include "base/types.h"

struct args {
	int cnt;
	char **words;
};

/* NULL at the end */
const char *args_peek(const struct args *a);
const char *args_next(struct args *a);
/* The next word is keyword, or its beginning. */
bool args_is(const struct args *a, const char *keyword);
/* Takes the next word if it is keyword, or its beginning. */
bool args_take(struct args *a, const char *keyword);
/* Takes the next word if it is exactly this: for options, and where data could look like a keyword. */
bool args_take_exact(struct args *a, const char *word);
bool args_is_prefix(const char *word, const char *of);
/* A whole number in decimal, 0x hexadecimal or 0 octal: 0, -EINVAL, or -ERANGE over max. */
int args_number(const char *word, u64 max, u64 *ret);

#endif
