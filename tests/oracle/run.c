/*
 * The verifier held against the recorded verdicts of Linux 6.18 (see README.md for where they come from):
 * every program whose recorded verdict speaks of the program alone is loaded by libbpf into skep's own
 * engine, and verdict, errno and last log line are compared.
 *
 * usage: run [--out FILE] [--only OBJECT[:PROGRAM]] [--log] [--annotated] [--seconds N] VERDICTS.csv OBJECT_DIR
 *	--out FILE	one line a program, tab-separated, for a closer look
 *	--only		these programs alone, each printed
 *	--log		and their logs of level 2
 *	--annotated	instead the programs that the kernel refuses by policy (functions, security hooks) and
 *			whose author says what the verifier must answer: the verdict alone counts
 * Exit: 0 nothing is accepted that the kernel rejects and nothing crashed, 1 else, 2 wrong input,
 * 77 no recorded verdicts given or no objects there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "table.h"

enum { SKIP = 77, GROUPS_MAX = 1024, GROUPS_SHOWN = 30 };

struct group {
	char text[MSG_LEN];
	u32 cnt;
	const struct row *first;
};

struct run {
	const char *dir, *only;
	bool log, annotated;
	u32 seconds;
	FILE *out;
	u32 asked, outcomes[OUTCOME_CNT], same;
	/* both reject; and of these, skep for want of support */
	u32 both_rejected, errno_same, msg_same, unsupported, unsupported_errno;
	u32 unsound, exceptions, refused;
	u32 group_cnt;
	struct group groups[GROUPS_MAX];
	u64 ns, kernel_us;
};

/* ---- one program -------------------------------------------------------------------------------- */

/* Registers, offsets and names differ from program to program: numbers count as one. */
static void group_key(const char *msg, char ret[MSG_LEN])
{
	size_t len = 0;

	for (; *msg && len + 1 < MSG_LEN; msg++) {
		bool is_digit = *msg >= '0' && *msg <= '9';

		if (is_digit && len && ret[len - 1] == '#')
			continue;
		ret[len++] = is_digit ? '#' : *msg;
	}
	ret[len] = 0;
}

static void add_to_group(struct run *r, const struct row *row, const char *msg)
{
	char key[MSG_LEN];
	u32 g = 0;

	group_key(msg, key);
	while (g < r->group_cnt && strcmp(r->groups[g].text, key))
		g++;
	if (g == GROUPS_MAX)
		return;
	if (g == r->group_cnt) {
		r->group_cnt++;
		r->groups[g].first = row;
		memcpy(r->groups[g].text, key, sizeof(key));
	}
	r->groups[g].cnt++;
}

/* What skep does not have it refuses with words of its own. */
static bool is_unsupported(const struct answer *answer)
{
	return !strncmp(answer->msg, "skep: ", strlen("skep: "));
}

static bool is_exception(const struct row *row)
{
	static const struct {
		const char *object, *program, *proof;
	} exceptions[] = {
#define EXCEPTION(object, program, proof) {object, program, proof},
#include "exceptions.def"
#undef EXCEPTION
	};

	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
		if (strcmp(exceptions[i].object, row->object) ||
			strcmp(exceptions[i].program, row->program))
			continue;
		printf("accepted by exception: %s:%s: %s\n", row->object, row->program,
			exceptions[i].proof);
		return true;
	}
	return false;
}

static void judge(struct run *r, const struct row *row, const struct answer *answer)
{
	char words[MSG_LEN];

	r->outcomes[answer->outcome]++;
	if (answer->outcome == OUT_CRASH || answer->outcome == OUT_TIMEOUT)
		printf("%s: %s:%s (%d)\n", outcome_names[answer->outcome], row->object,
			row->program, answer->err);
	if (answer->outcome != OUT_ACCEPTED && answer->outcome != OUT_REJECTED)
		return;
	r->ns += answer->ns;
	r->kernel_us += MAX(row->time_us, 0);
	if (row->is_accepted == (answer->outcome == OUT_ACCEPTED)) {
		r->same++;
		if (row->is_accepted)
			return;
		last_words(row->msg, " | ", words);
		r->both_rejected++;
		r->unsupported += is_unsupported(answer);
		r->unsupported_errno += is_unsupported(answer) && row->err == answer->err;
		r->errno_same += row->err == answer->err;
		r->msg_same += !strcmp(words, answer->msg);
	} else if (row->is_accepted) {
		r->refused++;
		add_to_group(r, row, answer->msg);
	} else if (is_exception(row)) {
		r->exceptions++;
	} else {
		r->unsound++;
		printf("ACCEPTED, and the kernel rejects: %s:%s: %s\n", row->object, row->program,
			row->msg);
	}
}

static void write_line(struct run *r, const struct row *row, const struct answer *answer)
{
	fprintf(r->out, "%s\t%s\t%s\t%s\t%d\t%s\t%d\t%lld\t%lld\t%lld\t%lld\t%s\t%s\n", row->object,
		row->program, row->type, row->is_accepted ? "accepted" : "rejected", row->err,
		outcome_names[answer->outcome], answer->err, (long long)row->insns_processed,
		(long long)answer->insns_processed, (long long)row->time_us,
		(long long)answer->ns / 1000, row->msg, answer->msg);
}

/* The kernel never looked at it, and its author says what the kernel would answer. */
static bool is_annotated(const struct row *row)
{
	return !strcmp(row->env, "eperm-trampoline") &&
	       (!strcmp(row->expected, "success") || !strcmp(row->expected, "failure") ||
		       !strcmp(row->expected, "implied-success"));
}

static bool is_chosen(const struct run *r, const struct row *row)
{
	size_t len = strlen(row->object);

	if (row->prog_type == ~0u)
		return false;
	if (r->annotated ? !is_annotated(row) : row->env[0] != 0)
		return false;
	if (!r->only)
		return true;
	if (strncmp(r->only, row->object, len))
		return false;
	return !r->only[len] || (r->only[len] == ':' && !strcmp(r->only + len + 1, row->program));
}

static int ask_row(struct run *r, struct row *row)
{
	struct question q = {.program = row->program,
		.prog_type = row->prog_type,
		.attach_type = row->attach_type,
		.seconds = r->seconds};
	struct answer answer;
	char path[4096];
	int err;

	snprintf(path, sizeof(path), "%s/%s", r->dir, row->object);
	q.path = path;
	err = ask(&q, r->log, &answer);
	if (err)
		return err;
	r->asked++;
	if (r->annotated)
		row->is_accepted = strcmp(row->expected, "failure") != 0;
	judge(r, row, &answer);
	if (r->only)
		printf("%s:%s: kernel: %s errno %d: %s\n  skep: %s errno %d: %s\n", row->object,
			row->program, row->is_accepted ? "accepted" : "rejected", row->err,
			row->msg, outcome_names[answer.outcome], answer.err, answer.msg);
	if (r->out)
		write_line(r, row, &answer);
	return 0;
}

/* ---- the report --------------------------------------------------------------------------------- */

static int by_count(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return (int)y->cnt - (int)x->cnt;
}

static double percent(u32 part, u32 whole)
{
	return whole ? 100.0 * part / whole : 0;
}

static void report(struct run *r)
{
	u32 compared = r->outcomes[OUT_ACCEPTED] + r->outcomes[OUT_REJECTED];
	u32 supported = r->both_rejected - r->unsupported;

	qsort(r->groups, r->group_cnt, sizeof(r->groups[0]), by_count);
	if (r->refused)
		printf("\nthe kernel accepts, skep rejects:\n");
	for (u32 g = 0; g < r->group_cnt && g < GROUPS_SHOWN; g++)
		printf("%5u  %s  (%s:%s)\n", r->groups[g].cnt, r->groups[g].text,
			r->groups[g].first->object, r->groups[g].first->program);
	printf("\n%u programs, %u compared\n", r->asked, compared);
	for (u32 o = OUT_NO_PROG_TYPE; o < OUTCOME_CNT; o++)
		if (r->outcomes[o])
			printf("  %-24s %5u\n", outcome_names[o], r->outcomes[o]);
	printf("same verdict             %5u of %u: %.1f %%; of all %u: %.1f %%\n", r->same,
		compared, percent(r->same, compared), r->asked, percent(r->same, r->asked));
	printf("skep accepts, kernel not %5u\n", r->unsound);
	printf("  and by named exception %5u\n", r->exceptions);
	printf("kernel accepts, skep not %5u\n", r->refused);
	printf("both reject              %5u: errno equal %.1f %%, last line equal %.1f %%\n",
		r->both_rejected, percent(r->errno_same, r->both_rejected),
		percent(r->msg_same, r->both_rejected));
	printf("  but for want of support %5u: errno equal %.1f %%, last line equal %.1f %%\n",
		supported, percent(r->errno_same - r->unsupported_errno, supported),
		percent(r->msg_same, supported));
	printf("time in BPF_PROG_LOAD    %.2f s; the kernel's verification time %.2f s\n",
		r->ns / 1e9, r->kernel_us / 1e6);
}

static int read_options(struct run *r, int argc, char **argv)
{
	int i = 1;

	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		bool has_value = i + 1 < argc;

		if (!strcmp(argv[i], "--log")) {
			r->log = true;
		} else if (!strcmp(argv[i], "--annotated")) {
			r->annotated = true;
		} else if (!strcmp(argv[i], "--only") && has_value) {
			r->only = argv[++i];
		} else if (!strcmp(argv[i], "--seconds") && has_value) {
			r->seconds = atoi(argv[++i]);
		} else if (!strcmp(argv[i], "--out") && has_value) {
			r->out = fopen(argv[++i], "we");
			if (!r->out) {
				fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
				return -1;
			}
		} else {
			fprintf(stderr, "%s: not an option, or its value is missing\n", argv[i]);
			return -1;
		}
	}
	return i;
}

static int run_all(struct run *r, const char *csv)
{
	struct table table;
	int err = table_read(csv, &table);

	if (err) {
		fprintf(stderr, "%s: %s\n", csv, strerror(-err));
		return 2;
	}
	for (u32 i = 0; i < table.cnt && !err; i++)
		if (is_chosen(r, &table.rows[i]))
			err = ask_row(r, &table.rows[i]);
	if (err)
		fprintf(stderr, "cannot start a process: %s\n", strerror(-err));
	else
		report(r);
	table_done(&table);
	if (err)
		return 2;
	return r->unsound || r->outcomes[OUT_CRASH] || r->outcomes[OUT_TIMEOUT];
}

int main(int argc, char **argv)
{
	static struct run r = {.seconds = ASK_SECONDS};
	int first = read_options(&r, argc, argv), ret;

	if (first < 0)
		return 2;
	if (argc - first < 2) {
		printf("no recorded verdicts and no objects given: make oracle CORPUS=DIR\n");
		return SKIP;
	}
	r.dir = argv[first + 1];
	if (access(r.dir, R_OK)) {
		printf("%s: no objects here: %s\n", r.dir, strerror(errno));
		return SKIP;
	}
	ret = run_all(&r, argv[first]);
	if (r.out)
		fclose(r.out);
	return ret;
}
