/*
 * Sentences for the user.
 */
#include "port/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int port_fail(int err, struct port_text *ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
	return err;
}

const char *port_errno_text(int err)
{
	return strerror(err < 0 ? -err : err);
}
