/*
 * Where a library's words go. A library never prints: whoever made the instance says what becomes of
 * a message. Called from any thread that uses the instance; the function must be thread-safe.
 */
#ifndef BASE_SINK_H
#define BASE_SINK_H

#include <stdarg.h>

#include "base/types.h"

enum sink_level { SINK_WARN, SINK_INFO, SINK_DEBUG };

struct sink {
	/* text has no newline at its end and is valid during the call only */
	void (*emit)(void *arg, enum sink_level level, const char *text);
	void *arg;
};

/* A sink without emit swallows. Texts are cut at SINK_TEXT_MAX, with "..." at the cut. */
enum { SINK_TEXT_MAX = 1024 };
__attribute__((format(printf, 3, 4))) void sink_emit(
	const struct sink *sink, enum sink_level level, const char *fmt, ...);

#endif
