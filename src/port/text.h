/*
 * Filling a struct port_text.
 */
#ifndef PORT_TEXT_H
#define PORT_TEXT_H

#include "port/port.h"

/* Returns err, so that a failing function ends with it. The text is cut at its room. */
__attribute__((format(printf, 3, 4))) int port_fail(
	int err, struct port_text *ret, const char *fmt, ...);
/* "-EEXIST" … in words for the end of a sentence. */
const char *port_errno_text(int err);

#endif
