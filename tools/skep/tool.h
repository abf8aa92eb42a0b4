/*
 * What every verb gets: the general options, the port it works on and the words that follow it. A
 * verb is a function (struct tool *, struct args *) that returns the exit status, negative errno
 * values included, as bpftool does: the process exits with its low eight bits.
 */
#ifndef SKEP_TOOL_H
#define SKEP_TOOL_H

#include "args.h"
#include "base/types.h"
#include "json.h"
#include "port/port.h"

enum tool_engine { TOOL_ENGINE_ANY, TOOL_ENGINE_KERNEL, TOOL_ENGINE_INSTANCE };

struct tool {
	struct port *port; /* NULL until tool_engine_*() */
	enum tool_engine engine;
	const char *instance;	/* with TOOL_ENGINE_INSTANCE */
	const char *kernel_btf; /* file with the kernel's types; NULL: the host's */
	bool json, pretty;
	bool debug;    /* show libbpf's own words */
	bool pins;     /* list the pins of objects */
	bool live;     /* frames move: the engine's warnings are shown at once */
	bool dotted;   /* 4- and 16-byte values are addresses */
	struct json w; /* stands on stdout; used when json is set */
	bool failed;   /* an error was written */
};

/*
 * The engine of verbs that look at what already runs: -K, -i NAME, or the instance "default".
 * 0, or the exit status after an error was written.
 */
int tool_engine_running(struct tool *t);
/* The same for verbs that bring their own object: a fresh instance here when none runs. */
int tool_engine_fresh(struct tool *t);
/* -K and -i NAME as above; without them always a fresh instance here. */
int tool_engine_own(struct tool *t, const struct port_opts *opts);

#define TOOL_DEFAULT_INSTANCE "default"

/* One function a row of verbs.def. */
#define VERB(object, command, fn, grammar, text) int verb_##fn(struct tool *t, struct args *a);
#define NOTE(object, text)
#include "verbs.def"
#undef VERB
#undef NOTE

#endif
