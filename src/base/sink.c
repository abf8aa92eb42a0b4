/*
 * Formatting for sinks, on the stack so that a message about missing memory needs none.
 */
#include "base/sink.h"

#include <stdio.h>
#include <string.h>

void sink_emit(const struct sink *sink, enum sink_level level, const char *fmt, ...)
{
	char text[SINK_TEXT_MAX];
	va_list ap;

	if (!sink || !sink->emit)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) >= (int)sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	va_end(ap);
	sink->emit(sink->arg, level, text);
}
