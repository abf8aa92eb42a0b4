/*
 * Reading a verifier's log. Pure functions on text.
 */
#ifndef OBJECT_LOG_H
#define OBJECT_LOG_H

#include "base/types.h"

/* Statistics and states: lines of a log that are no complaint. */
bool object_log_is_noise(const char *line);
/*
 * The verifier's last complaint: the last line of a log that is not statistics. Not terminated: its
 * length goes to ret_len. NULL when the log is empty.
 */
const char *object_log_reason(const char *log, size_t *ret_len);
/*
 * The log that libbpf printed between its BEGIN and END marks, or NULL. The text is not changed; the log
 * runs up to ret_end.
 */
const char *object_log_find(const char *text, const char **ret_end);

#endif
