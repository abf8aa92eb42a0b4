/*
 * Which engine a verb works on. -K and -i decide; without them the instance "default" when it runs.
 * A verb that brings its own object needs none of these: it gets a fresh instance in this process.
 */
#include <errno.h>
#include <string.h>

#include "out.h"
#include "tool.h"

static int open_failed(struct tool *t, int err, const char *what, const struct port_text *text)
{
	if (text->text[0])
		return fail_errno(t, err, "%s: %s", what, text->text);
	return fail_errno(t, err, "%s: %s", what, errno_text(err));
}

/* The engine's words are kept like libbpf's: shown when they explain a failure, or with -d. */
static void use(struct tool *t)
{
	t->port->say = out_say;
	t->port->say_arg = t;
	port_use(t->port);
}

static int open_kernel(struct tool *t)
{
	int err = port_open_kernel(&t->port);

	if (err)
		return fail_errno(t, err, "cannot open the kernel's port: %s", errno_text(err));
	use(t);
	return 0;
}

static int open_instance(struct tool *t, const char *name, bool must)
{
	struct port_text text = {0};
	int err = port_open_instance(name, &t->port, &text);

	if (!err) {
		use(t);
		return 0;
	}
	if (err != -ENOENT)
		return open_failed(t, err, name, &text);
	if (!must)
		return err;
	return fail(t, "no instance named %s is running: start one with `skep up %s`", name, name);
}

int tool_engine_running(struct tool *t)
{
	int err;

	if (t->port)
		return 0;
	if (t->engine == TOOL_ENGINE_KERNEL)
		return open_kernel(t);
	if (t->engine == TOOL_ENGINE_INSTANCE)
		return open_instance(t, t->instance, true);
	err = open_instance(t, TOOL_DEFAULT_INSTANCE, false);
	if (err == -ENOENT && !t->failed)
		return fail(t, "no instance is running: start one with `skep up`, name one with "
			       "-i NAME, or use -K for the kernel");
	return err;
}

int tool_engine_own(struct tool *t, const struct port_opts *opts)
{
	struct port_opts want = *opts;
	struct port_text text = {0};
	int err;

	if (t->engine != TOOL_ENGINE_ANY)
		return tool_engine_running(t);
	want.kernel_btf = t->kernel_btf;
	port_kernel_btf(t->kernel_btf);
	err = port_open_local(&want, &t->port, &text);
	if (err)
		return open_failed(t, err, "cannot make an instance", &text);
	use(t);
	return 0;
}

int tool_engine_fresh(struct tool *t)
{
	static const struct port_opts none;
	int err;

	if (t->port)
		return 0;
	if (t->engine != TOOL_ENGINE_ANY)
		return tool_engine_running(t);
	err = open_instance(t, TOOL_DEFAULT_INSTANCE, false);
	if (!err || t->failed)
		return err;
	return tool_engine_own(t, &none);
}
