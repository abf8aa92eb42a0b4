/*
 * prog pin, map pin, link pin. The engine says beforehand whether a path can be a pin, because the
 * errno of BPF_OBJ_PIN alone tells a missing bpffs, a missing directory and a taken path badly apart.
 */
#include "pin.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include "out.h"
#include "ref.h"

int pin_fd(struct tool *t, int fd, const char *path, const char *what)
{
	struct port_text text = {0};
	int err = 0;

	if (t->port->ops->pin_prepare)
		err = t->port->ops->pin_prepare(t->port, path, &text);
	if (!err)
		err = bpf_obj_pin(fd, path);
	if (!err)
		return 0;
	if (text.text[0])
		return fail(t, "can't pin the %s: %s", what, text.text);
	return fail(t, "can't pin the %s at %s: %s", what, path, errno_text(err));
}

static int pin_ref(struct tool *t, struct args *a, int fd, const char *what)
{
	const char *path = args_next(a);
	int err;

	if (!path)
		return fail(t, "a path to pin the %s at is missing", what);
	if (a->cnt)
		return fail_extra(t, a);
	err = pin_fd(t, fd, path, what);
	if (!err)
		done_silently(t);
	return err;
}

int verb_prog_pin(struct tool *t, struct args *a)
{
	struct ref ref;
	int err = tool_engine_running(t);

	if (!err)
		err = ref_prog(t, a, &ref);
	if (err)
		return err;
	err = pin_ref(t, a, ref.fds[0], "program");
	ref_done(&ref);
	return err;
}

int verb_map_pin(struct tool *t, struct args *a)
{
	struct ref ref;
	int err = tool_engine_running(t);

	if (!err)
		err = ref_map(t, a, &ref);
	if (err)
		return err;
	err = pin_ref(t, a, ref.fds[0], "map");
	ref_done(&ref);
	return err;
}

int verb_link_pin(struct tool *t, struct args *a)
{
	int err = tool_engine_running(t), fd;

	if (err)
		return err;
	fd = ref_link_fd(t, a);
	if (fd < 0)
		return fd;
	err = pin_ref(t, a, fd, "link");
	close(fd);
	return err;
}
