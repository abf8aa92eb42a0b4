/*
 * Complaints: what may be wrong with a program. Each is a row of complaints.def with its errno, the
 * words of Linux's log, and words for people.
 */
#ifndef VERIFIER_COMPLAIN_H
#define VERIFIER_COMPLAIN_H

#include "base/types.h"

struct vf_env;

enum vf_complaint {
	VF_C_NONE,
#define COMPLAINT(id, ...) VF_C_##id,
#include "verifier/complaints.def"
	VF_COMPLAINT_CNT
};

struct vf_complaint_row {
	const char *id;
	int err;	  /* negative errno */
	const char *text; /* printf format */
	const char *human;
	const char *hint;
};

/* The row; NULL for numbers that are none. */
const struct vf_complaint_row *vf_complaint_row(u32 complaint);

/* Records the complaint at the running instruction, logs its text as the last line; its errno. */
int vf_complain(struct vf_env *env, enum vf_complaint complaint, ...);
/* The same with another errno, for complaints that pass on somebody's error. */
int vf_complain_err(struct vf_env *env, int err, enum vf_complaint complaint, ...);
/* A complaint whose text somebody else wrote (one or more lines). */
int vf_complain_text(struct vf_env *env, int err, enum vf_complaint complaint, const char *text);

#endif
