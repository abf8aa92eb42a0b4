/*
 * A verifier's log, of skep or of the kernel, as libbpf passes it on: where it is, and its last complaint.
 */
#include "object/log.h"

#include <string.h>

/* A complaint may follow the instruction on its line: "8: (5d) if ... infinite loop detected". */
static const char *past_insn(const char *line, const char *end)
{
	static const char *const complaints[] = {"infinite loop detected"};

	for (size_t i = 0; i < ARRAY_SIZE(complaints); i++) {
		const char *at = memmem(
			line, (size_t)(end - line), complaints[i], strlen(complaints[i]));

		if (at)
			return at;
	}
	return line;
}

bool object_log_is_noise(const char *line)
{
	static const char *const noise[] = {"processed ", "verification time ", "stack depth ",
		"max_states", "-- END", "mark_precise", "peak_states", "cur state:", "old state:"};

	for (size_t i = 0; i < ARRAY_SIZE(noise); i++)
		if (!strncmp(line, noise[i], strlen(noise[i])))
			return true;
	return false;
}

const char *object_log_reason(const char *log, size_t *ret_len)
{
	const char *end = log + strlen(log), *line;

	for (; end > log; end = line) {
		while (end > log && end[-1] == '\n')
			end--;
		for (line = end; line > log && line[-1] != '\n';)
			line--;
		if (end > line && !object_log_is_noise(line)) {
			line = past_insn(line, end);
			*ret_len = (size_t)(end - line);
			return line;
		}
	}
	return NULL;
}

const char *object_log_find(const char *text, const char **ret_end)
{
	static const char begin[] = "-- BEGIN PROG LOAD LOG --\n",
			  end[] = "-- END PROG LOAD LOG --";
	const char *from = strstr(text, begin), *to;

	if (!from)
		return NULL;
	from += sizeof(begin) - 1;
	to = strstr(from, end);
	*ret_end = to ? to : from + strlen(from);
	return from;
}
