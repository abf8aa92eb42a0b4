/*
 * The engines this build does not have: what opens them says so. This file leaves the build when
 * local.c (an instance in this process) and remote.c (one behind its control socket) are in it.
 */
#include "port/port.h"

#include <errno.h>
#include <stdio.h>

static int absent(struct port_text *err)
{
	snprintf(err->text, sizeof(err->text),
		"this build has no engine of its own: use -K for the kernel's");
	return -ENOSYS;
}

int port_open_local(const struct port_opts *opts, struct port **ret, struct port_text *err)
{
	return absent(err);
}

int port_open_instance(const char *name, struct port **ret, struct port_text *err)
{
	return -ENOENT;
}

int port_instance_up(const char *name, const struct port_opts *opts, struct port_text *err)
{
	return absent(err);
}

int port_instance_down(const char *name, struct port_text *err)
{
	return absent(err);
}

int port_instance_each(int (*fn)(void *arg, const struct port_instance *inst), void *arg)
{
	return 0;
}
