/*
 * Reporting a broken invariant: the one place in the library that prints and stops, because nothing
 * that the caller could still do would be safe.
 */
#include "base/bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void bug_report(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "skep: bug at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
