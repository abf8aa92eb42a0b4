/*
 * up, down, status: instances in the background.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "tool.h"

static int parse_up(struct tool *t, struct args *a, struct port_opts *opts, const char **name)
{
	while (a->cnt) {
		if (args_take_exact(a, "--interp")) {
			opts->interp = true;
		} else if (args_take_exact(a, "--jitdump")) {
			opts->jitdump = args_next(a);
			if (!opts->jitdump || opts->jitdump[0] != '/')
				return fail(t, "--jitdump takes a folder's path from the root on");
		} else if (args_take_exact(a, "--state")) {
			opts->state_dir = args_next(a);
			if (!opts->state_dir || !opts->state_dir[0])
				return fail(
					t, "--state takes a folder, where pinned maps are kept");
		} else if (args_take_exact(a, "--clock")) {
			const char *word = args_next(a);

			opts->replay_clock = word && !strcmp(word, "replay");
			if (!word || (!opts->replay_clock && strcmp(word, "real")))
				return fail(t, "--clock takes real or replay");
		} else if (!*name && args_peek(a)[0] != '-') {
			*name = args_next(a);
		} else {
			return fail_extra(t, a);
		}
	}
	return 0;
}

static const char *name_or_default(struct tool *t, const char *name)
{
	if (name)
		return name;
	return t->engine == TOOL_ENGINE_INSTANCE ? t->instance : TOOL_DEFAULT_INSTANCE;
}

static int refuse_kernel(struct tool *t)
{
	if (t->engine == TOOL_ENGINE_KERNEL)
		return fail(t, "the kernel always runs: -K makes no sense here");
	return 0;
}

int verb_up(struct tool *t, struct args *a)
{
	struct port_text text = {0};
	struct port_opts opts = {0};
	const char *name = NULL;
	int err = refuse_kernel(t);

	if (!err)
		err = parse_up(t, a, &opts, &name);
	if (err)
		return err;
	name = name_or_default(t, name);
	opts.kernel_btf = t->kernel_btf;
	fflush(stdout); /* the instance is a child and must not write it again */
	err = port_instance_up(name, &opts, &text);
	if (err == -EEXIST && !text.text[0])
		return fail(t, "an instance named %s runs already", name);
	if (err)
		return fail(t, "%s: %s", name, text.text[0] ? text.text : errno_text(err));
	done_silently(t);
	return 0;
}

int verb_down(struct tool *t, struct args *a)
{
	struct port_text text = {0};
	const char *name;
	int err = refuse_kernel(t);

	if (err)
		return err;
	name = name_or_default(t, args_next(a));
	if (a->cnt)
		return fail_extra(t, a);
	err = port_instance_down(name, &text);
	if (err == -ENOENT)
		return fail(t, "no instance named %s is running", name);
	if (err)
		return fail(t, "%s: %s", name, text.text[0] ? text.text : errno_text(err));
	done_silently(t);
	return 0;
}

struct lister {
	struct tool *t;
	const char *only;
	size_t cnt;
};

static int show_one(void *arg, const struct port_instance *inst)
{
	struct lister *l = arg;
	struct tool *t = l->t;

	if (l->only && strcmp(l->only, inst->name))
		return 0;
	l->cnt++;
	if (!t->json) {
		printf("%s: pid %d  up %" PRIu64 "s  socket %s\n", inst->name, inst->pid,
			inst->uptime_ns / 1000000000, inst->socket);
		return 0;
	}
	json_start_object(&t->w);
	json_string_field(&t->w, "name", inst->name);
	json_int_field(&t->w, "pid", inst->pid);
	json_uint_field(&t->w, "uptime_ns", inst->uptime_ns);
	json_string_field(&t->w, "socket", inst->socket);
	json_end_object(&t->w);
	return 0;
}

int verb_status(struct tool *t, struct args *a)
{
	struct lister l = {.t = t, .only = args_next(a)};
	int err;

	if (a->cnt)
		return fail_extra(t, a);
	if (!l.only && t->engine == TOOL_ENGINE_INSTANCE)
		l.only = t->instance;
	if (t->json && !l.only)
		json_start_array(&t->w);
	err = port_instance_each(show_one, &l);
	if (t->json && !l.only)
		json_end_array(&t->w);
	if (err)
		return fail(t, "cannot list the instances: %s", errno_text(err));
	if (l.cnt || (t->json && !l.only))
		return 0;
	if (!l.only) {
		note(t, "no instance is running");
		return 0;
	}
	return fail(t, "no instance named %s is running", l.only);
}
