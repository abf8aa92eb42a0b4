/*
 * Reading words. Numbers are read whole or not at all: "12x", "", "-1" and what is too large are
 * errors, so that no value is ever cut silently.
 */
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *args_peek(const struct args *a)
{
	return a->cnt ? a->words[0] : NULL;
}

const char *args_next(struct args *a)
{
	if (!a->cnt)
		return NULL;
	a->cnt--;
	return *a->words++;
}

bool args_is_prefix(const char *word, const char *of)
{
	return word && *word && !strncmp(of, word, strlen(word));
}

bool args_is(const struct args *a, const char *keyword)
{
	return args_is_prefix(args_peek(a), keyword);
}

bool args_take(struct args *a, const char *keyword)
{
	if (!args_is(a, keyword))
		return false;
	args_next(a);
	return true;
}

bool args_take_exact(struct args *a, const char *word)
{
	if (!a->cnt || strcmp(a->words[0], word))
		return false;
	args_next(a);
	return true;
}

int args_number(const char *word, u64 max, u64 *ret)
{
	unsigned long long value;
	char *end;

	if (!word || !isdigit((unsigned char)*word))
		return -EINVAL;
	errno = 0;
	value = strtoull(word, &end, 0);
	if (*end)
		return -EINVAL;
	if (errno == ERANGE || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}
