/*
 * verify: each program of each object is loaded alone, so that one bad program hides no other, and is
 * let go at once. Maps are made for it, nothing is attached.
 *
 * A first load asks for statistics only, which is what an accepted program costs. A rejected one is
 * loaded again with the whole log, from which the explanation is made.
 */
#include "verify.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/mem.h"
#include "object.h"
#include "object/log.h"
#include "out.h"

enum { STATUS_REJECTED = 1, STATUS_UNREADABLE = 2, LOG_STATS = 4, LOG_MAX = 64 << 20 };

struct options {
	const char *prog;
	u32 log; /* level to show; 0: none */
	bool has_log, stats;
	char *buf; /* of LOG_MAX bytes, touched only as far as logs reach */
};

static int take_log(struct tool *t, struct args *a, struct options *o)
{
	const char *word = args_next(a);
	u64 level;

	if (args_number(word, 7, &level))
		return fail(t, "--log takes 0, 1, 2 or 4 (or a sum): nothing, the path to the "
			       "error, every instruction, statistics");
	o->log = (u32)level;
	o->has_log = true;
	return 0;
}

static int parse_options(struct tool *t, struct args *a, struct options *o, struct args *files)
{
	int err = 0;

	*files = (struct args){.words = a->words};
	while (a->cnt && !err) {
		char **word = a->words;

		if (args_take_exact(a, "--prog")) {
			o->prog = args_next(a);
			err = o->prog ? 0 : fail_missing(t, "a program", "--prog");
		} else if (args_take_exact(a, "--log")) {
			err = take_log(t, a, o);
		} else if (args_take_exact(a, "--stats")) {
			o->stats = true;
		} else if ((*word)[0] == '-') {
			err = fail(t, "%s is no option of verify: `skep help verify` lists them",
				*word);
		} else {
			args_next(a);
			files->words[files->cnt++] = *word;
		}
	}
	if (!err && !files->cnt)
		err = fail(t, "an object file is missing: skep verify FILE.o");
	return err;
}

static u64 now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000 + (u64)ts.tv_nsec / 1000;
}

/* "processed 43 insns (limit 1000000) max_states_per_insn 0 total_states 4 peak_states 4 ..." */
static void read_stats(const char *log, struct verdict_info *v)
{
	static const char mark[] = "processed ";
	const char *at = NULL, *next = log, *field;

	while ((next = strstr(next, mark))) {
		at = next;
		next += sizeof(mark) - 1;
	}
	if (!at)
		return;
	v->insns = strtoull(at + sizeof(mark) - 1, NULL, 10);
	field = strstr(at, "total_states ");
	if (field)
		v->states = strtoull(field + 13, NULL, 10);
	field = strstr(at, "peak_states ");
	if (field)
		v->peak_states = strtoull(field + 12, NULL, 10);
}

/* Loads one program alone at a log level. The result of bpf_object__load(); time into the verdict. */
static int load_alone(struct options *o, const char *path, const char *name, u32 level,
	struct verdict_info *v, struct port_text *text)
{
	struct bpf_object *object;
	struct bpf_program *p, *prog;
	int err = object_try_open(path, &object, text);
	u64 start;

	if (err)
		return err;
	prog = bpf_object__find_program_by_name(object, name);
	bpf_object__for_each_program(p, object) bpf_program__set_autoload(p, p == prog);
	o->buf[0] = 0;
	bpf_program__set_log_buf(prog, o->buf, LOG_MAX - 1);
	bpf_program__set_log_level(prog, level);
	out_bpf_forget(NULL);
	start = now_us();
	err = object_load(object);
	v->time_us = now_us() - start;
	bpf_object__close(object);
	return err;
}

static int name_by_errno(int err)
{
	return err == -EPERM ? STATUS_UNREADABLE : STATUS_REJECTED;
}

/* What libbpf or the engine said when the verifier never began: no log, so it was not its verdict. */
static void explain_unsupported(struct tool *t, struct verdict_info *v, char *msg, size_t len)
{
	v->verdict = VERDICT_UNSUPPORTED;
	object_libbpf_reason(t, msg, len);
	if (v->err == -EPERM && t->port->ops->is_kernel)
		snprintf(msg, len,
			"the kernel does not let this user load programs: -K needs root, "
			"or CAP_BPF and CAP_NET_ADMIN");
	else if (!msg[0])
		snprintf(msg, len, "%s", errno_text(v->err));
}

static int verify_one(
	struct tool *t, struct options *o, const char *path, const char *name, const char *type)
{
	struct verdict_info v = {.file = path,
		.prog = name,
		.type = type,
		.show_log = o->has_log && o->log,
		.show_stats = o->stats};
	struct port_text text = {0};
	char msg[1024] = "";
	const char *reason;
	size_t len;

	v.err = load_alone(o, path, name, o->log ? o->log | LOG_STATS : LOG_STATS, &v, &text);
	if (v.err && !(o->log & 3)) {
		struct verdict_info again = {0};

		read_stats(o->buf, &v);
		load_alone(o, path, name, 1 | LOG_STATS, &again, &text);
	}
	read_stats(o->buf, &v);
	v.log = o->buf;
	v.verdict = v.err ? VERDICT_REJECTED : VERDICT_ACCEPTED;
	reason = v.err ? object_log_reason(o->buf, &len) : NULL;
	if (reason)
		snprintf(msg, sizeof(msg), "%.*s", (int)MIN(len, sizeof(msg) - 1), reason);
	else if (v.err)
		explain_unsupported(t, &v, msg, sizeof(msg));
	v.msg = msg;
	verdict_print(t, &v);
	return v.err ? name_by_errno(v.err) : 0;
}

static int report_unreadable(struct tool *t, const char *text)
{
	fail(t, "%s", text);
	return STATUS_UNREADABLE;
}

static int verify_file(struct tool *t, struct options *o, const char *path)
{
	struct port_text text = {0};
	struct bpf_object *object;
	struct bpf_program *p;
	bool found = false;
	int status = 0;

	if (object_try_open(path, &object, &text))
		return report_unreadable(t, text.text);
	bpf_object__for_each_program(p, object)
	{
		const char *type = libbpf_bpf_prog_type_str(bpf_program__type(p));
		int one;

		if (o->prog && strcmp(o->prog, bpf_program__name(p)))
			continue;
		found = true;
		one = verify_one(t, o, path, bpf_program__name(p), type ? type : "unknown");
		status = MAX(status, one);
	}
	bpf_object__close(object);
	if (!found) {
		snprintf(text.text, sizeof(text.text), "%s has no program named %s", path, o->prog);
		return report_unreadable(t, text.text);
	}
	return status;
}

int verb_verify(struct tool *t, struct args *a)
{
	struct options o = {0};
	struct args files;
	int status = 0, err;

	err = parse_options(t, a, &o, &files);
	if (!err)
		err = tool_engine_fresh(t);
	if (err)
		return STATUS_UNREADABLE;
	o.buf = mmap(NULL, LOG_MAX, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (o.buf == MAP_FAILED) {
		fail(t, "out of memory");
		return STATUS_UNREADABLE;
	}
	if (t->json)
		json_start_array(&t->w);
	while (files.cnt) {
		int one = verify_file(t, &o, args_next(&files));

		status = MAX(status, one);
	}
	if (t->json)
		json_end_array(&t->w);
	munmap(o.buf, LOG_MAX);
	return status;
}
