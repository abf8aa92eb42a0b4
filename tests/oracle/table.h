/*
 * The recorded verdicts of the running kernel: a CSV file with a header line, one row a program.
 */
#ifndef ORACLE_TABLE_H
#define ORACLE_TABLE_H

#include "base/types.h"

struct row {
	const char *object, *program;
	u32 prog_type, attach_type; /* prog_type ~0: not a type that we know the word of */
	const char *type;
	bool is_accepted;
	int err;
	s64 insns_processed, time_us;
	const char *env;      /* "" when the verdict speaks of the program alone */
	const char *expected; /* what the program's author says: "success", "failure", "" … */
	const char *msg;      /* all lines of complaint, joined by " | " */
};

struct table {
	char *text; /* the file; rows point into it */
	struct row *rows;
	u32 cnt;
};

/* 0, or a negative errno: the file cannot be read, or lacks a column (-EINVAL). */
int table_read(const char *path, struct table *ret);
void table_done(struct table *table);

#endif
