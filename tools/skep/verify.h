/*
 * One program's verdict, and how it is shown.
 */
#ifndef SKEP_VERIFY_H
#define SKEP_VERIFY_H

#include "tool.h"

enum verdict { VERDICT_ACCEPTED, VERDICT_REJECTED, VERDICT_UNSUPPORTED };

struct verdict_info {
	const char *file, *prog, *type;
	enum verdict verdict;
	int err; /* negative errno when not accepted */
	u64 insns, states, peak_states, time_us;
	const char *msg; /* not accepted: the complaint, one line */
	const char *log; /* all of it, "" when none */
	bool show_log, show_stats;
};

void verdict_print(struct tool *t, const struct verdict_info *v);

#endif
