/*
 * Showing a verdict. The explanation of a rejection is found in the log: the complaint is its last
 * line, the instruction the last one the verifier looked at, with the source line above it and the
 * registers it knew; hints.def has advice for the complaints people meet most.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "object.h"
#include "object/log.h"
#include "out.h"
#include "verify.h"

/* HINT(text, advice): what the complaint contains, and what to do about it. First match wins. */
static const struct {
	const char *text, *advice;
} hints[] = {
#define HINT(text, advice) {text, advice},
#include "hints.def"
#undef HINT
};

static const char *const verdict_names[] = {
	[VERDICT_ACCEPTED] = "accepted",
	[VERDICT_REJECTED] = "rejected",
	[VERDICT_UNSUPPORTED] = "unsupported",
};

struct span {
	const char *at;
	size_t len;
};

/* What a complaint says is in the lines after the last instruction: the last one, and those before. */
static const char *advice_for(const char *complaint)
{
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		if (strstr(complaint, hints[i].text))
			return hints[i].advice;
	return NULL;
}

/* "12: (71) r3 = *(u8 *)(r1 +12) ..." */
static bool is_insn(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && isdigit((unsigned char)line[i]))
		i++;
	return i && i + 3 < len && line[i] == ':' && line[i + 1] == ' ' && line[i + 2] == '(';
}

/* "; source text @ file.c:12" */
static bool is_source(const char *line, size_t len)
{
	return len > 2 && line[0] == ';' && line[1] == ' ';
}

/* The last instruction of the log, and the last source line before it. */
static void find_place(const char *log, struct span *insn, struct span *source)
{
	struct span last_source = {0};

	*insn = *source = (struct span){0};
	while (*log) {
		size_t len = strcspn(log, "\n");

		if (is_source(log, len)) {
			last_source = (struct span){log + 2, len - 2};
		} else if (is_insn(log, len)) {
			*insn = (struct span){log, len};
			*source = last_source;
		}
		log += len + (log[len] == '\n');
	}
}

/* The rest of the log after the last instruction; the message when the log has none. */
static const char *complaint_of(const struct verdict_info *v)
{
	struct span insn, source;

	find_place(v->log, &insn, &source);
	return insn.len ? insn.at : v->msg;
}

/* The lines between the last instruction and the message: they often say more than it does. */
static void print_said(const struct verdict_info *v)
{
	struct span insn, source;
	const char *line;

	find_place(v->log, &insn, &source);
	for (line = insn.len ? insn.at + insn.len : NULL; line && *line;) {
		size_t len;

		line += *line == '\n';
		len = strcspn(line, "\n");
		if (len == strlen(v->msg) && !memcmp(line, v->msg, len))
			return;
		if (len && !object_log_is_noise(line))
			printf("\tsaid %.*s\n", (int)len, line);
		line += len;
	}
}

/* The registers follow the instruction after " ; ". */
static void print_place(const char *log)
{
	struct span insn, source;
	const char *regs;

	find_place(log, &insn, &source);
	if (source.len)
		printf("\tat %.*s\n", (int)source.len, source.at);
	if (!insn.len)
		return;
	regs = memmem(insn.at, insn.len, "; ", 2);
	if (!regs) {
		printf("\tinsn %.*s\n", (int)insn.len, insn.at);
		return;
	}
	printf("\tinsn %.*s\n", (int)(regs - insn.at), insn.at);
	regs += 2;
	printf("\twith %.*s\n", (int)(insn.len - (size_t)(regs - insn.at)), regs);
}

static void print_text(const struct verdict_info *v)
{
	const char *name = errno_name(v->err), *advice;

	printf("%s: %s: %s", v->file, v->prog, verdict_names[v->verdict]);
	if (v->verdict == VERDICT_ACCEPTED) {
		printf(" (%s, %" PRIu64 " insns processed, %" PRIu64 " states", v->type, v->insns,
			v->states);
		if (v->show_stats)
			printf(", at most %" PRIu64 " at once, %" PRIu64 " us", v->peak_states,
				v->time_us);
		printf(")\n");
	} else {
		printf(" %s: %s\n", name ? name : "error", v->msg);
		if (v->show_stats)
			printf("\t%" PRIu64 " insns processed, %" PRIu64 " states, at most %" PRIu64
			       " at once, %" PRIu64 " us\n",
				v->insns, v->states, v->peak_states, v->time_us);
	}
	if (v->verdict == VERDICT_REJECTED) {
		print_place(v->log);
		print_said(v);
		advice = advice_for(complaint_of(v));
		if (advice)
			printf("\thint %s\n", advice);
	}
	if (v->show_log && v->log[0])
		printf("%s%s", v->log, v->log[strlen(v->log) - 1] == '\n' ? "" : "\n");
}

static void print_json(struct tool *t, const struct verdict_info *v)
{
	const char *name = errno_name(v->err), *advice = NULL;
	struct json *w = &t->w;

	json_start_object(w);
	json_string_field(w, "file", v->file);
	json_string_field(w, "prog", v->prog);
	json_string_field(w, "type", v->type);
	json_string_field(w, "verdict", verdict_names[v->verdict]);
	json_name(w, "errno");
	if (!v->err)
		json_null(w);
	else if (name)
		json_string(w, name);
	else
		json_int(w, -v->err);
	json_uint_field(w, "insns_processed", v->insns);
	json_uint_field(w, "states", v->states);
	json_uint_field(w, "peak_states", v->peak_states);
	json_uint_field(w, "time_us", v->time_us);
	json_string_field(w, "msg", v->msg);
	if (v->verdict == VERDICT_REJECTED)
		advice = advice_for(complaint_of(v));
	if (advice)
		json_string_field(w, "hint", advice);
	json_string_field(w, "log", v->show_log || v->err ? v->log : "");
	json_end_object(w);
}

void verdict_print(struct tool *t, const struct verdict_info *v)
{
	if (t->json)
		print_json(t, v);
	else
		print_text(v);
}
