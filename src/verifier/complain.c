/*
 * Recording what is wrong: the last line of the log, and the same in the verdict for callers without
 * a log.
 */
#include "verifier/complain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "verifier/env.h"

#ifndef ENOTSUPP
#define ENOTSUPP 524 /* not in errno.h */
#endif

static const struct vf_complaint_row rows[VF_COMPLAINT_CNT] = {
#define COMPLAINT(ID, ERR, TEXT, HUMAN, HINT)                                                      \
	[VF_C_##ID] = {.id = #ID, .err = -(ERR), .text = TEXT, .human = HUMAN, .hint = HINT},
#include "verifier/complaints.def"
};

const struct vf_complaint_row *vf_complaint_row(u32 complaint)
{
	return complaint > VF_C_NONE && complaint < VF_COMPLAINT_CNT ? &rows[complaint] : NULL;
}

static int record(struct vf_env *env, int err, enum vf_complaint complaint)
{
	env->verdict.cause = env->verdict.complaint;
	env->verdict.complaint = complaint;
	env->verdict.insn_idx = env->insn_idx;
	vf_note(env, "%s\n", env->verdict.msg);
	return err;
}

__attribute__((format(printf, 2, 0))) static void set_msg(
	struct vf_env *env, const char *fmt, va_list ap)
{
	int len = vsnprintf(env->verdict.msg, sizeof(env->verdict.msg), fmt, ap);

	if (len >= (int)sizeof(env->verdict.msg))
		memcpy(env->verdict.msg + sizeof(env->verdict.msg) - 4, "...", 4);
}

int vf_complain(struct vf_env *env, enum vf_complaint complaint, ...)
{
	va_list ap;

	va_start(ap, complaint);
	set_msg(env, rows[complaint].text, ap);
	va_end(ap);
	return record(env, rows[complaint].err, complaint);
}

int vf_complain_err(struct vf_env *env, int err, enum vf_complaint complaint, ...)
{
	va_list ap;

	va_start(ap, complaint);
	set_msg(env, rows[complaint].text, ap);
	va_end(ap);
	return record(env, err, complaint);
}

int vf_complain_text(struct vf_env *env, int err, enum vf_complaint complaint, const char *text)
{
	size_t len = strlen(text);
	const char *line;

	while (len && text[len - 1] == '\n')
		len--;
	line = text + len;
	while (line > text && line[-1] != '\n')
		line--;
	snprintf(
		env->verdict.msg, sizeof(env->verdict.msg), "%.*s", (int)(text + len - line), line);
	env->verdict.complaint = complaint;
	env->verdict.insn_idx = env->insn_idx;
	vf_note(env, "%.*s\n", (int)len, text);
	return err;
}
