/*
 * run: one program on devices, from its object file to the counters, in one command. What it makes it
 * takes away again: an instance of its own ends with it, and in a running instance or on the kernel
 * (-i, -K) it detaches the program and removes the devices it added.
 *
 * Without -i and -K the instance is always a fresh one, also when "default" runs: captures are named
 * as this process sees them, and a run must not depend on what else is loaded.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "dev_print.h"
#include "map_table.h"
#include "map_update.h"
#include "object.h"
#include "out.h"
#include "tool.h"

enum { DEVS_MAX = 64, UPDATES_MAX = 256 };

/* HOOK:DEV as given, and the device it became. */
struct on {
	const char *dev;
	u32 flags; /* XDP_FLAGS_* of the hook */
	u32 ifindex;
	bool is_made, is_attached;
};

struct run {
	const char *path, *prog_name, *name;
	struct on on[DEVS_MAX];
	size_t on_cnt;
	const char *joins[DEVS_MAX];
	size_t join_cnt;
	const char *updates[UPDATES_MAX];
	size_t update_cnt;
	u64 count;
	bool maps;
	struct port_opts opts;
	struct bpf_object *object;
	int prog_fd;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = stop};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* HOOK:DEV; the hook ends at the first colon. */
static int parse_on(struct tool *t, struct run *r, const char *word)
{
	static const struct {
		const char *name;
		u32 flags;
	} hooks[] = {
		{"xdp", 0}, {"xdpdrv", XDP_FLAGS_DRV_MODE}, {"xdpgeneric", XDP_FLAGS_SKB_MODE}};
	const char *colon = word ? strchr(word, ':') : NULL;

	if (!word)
		return fail_missing(t, "HOOK:DEV", "--on");
	if (!colon || !colon[1])
		return fail(t,
			"--on %s: HOOK:DEV is expected, as in xdp:pcap:in.pcap,out.pcap or "
			"xdp:tap:tap0",
			word);
	if (r->on_cnt == DEVS_MAX)
		return fail(t, "at most %d devices can be named", DEVS_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		size_t len = strlen(hooks[i].name);

		if (len != (size_t)(colon - word) || memcmp(word, hooks[i].name, len))
			continue;
		r->on[r->on_cnt++] = (struct on){.dev = colon + 1, .flags = hooks[i].flags};
		return 0;
	}
	return fail(
		t, "%.*s is no hook of run: xdp, xdpdrv or xdpgeneric", (int)(colon - word), word);
}

static int parse_clock(struct tool *t, struct run *r, const char *word)
{
	if (word && !strcmp(word, "replay"))
		r->opts.replay_clock = true;
	else if (!word || strcmp(word, "real"))
		return fail(t, "--clock takes real or replay");
	return 0;
}

static int parse_count(struct tool *t, struct run *r, const char *word)
{
	if (args_number(word, UINT64_MAX, &r->count) || !r->count)
		return fail(t, "--count takes a number of frames, at least 1, not '%s'",
			word ? word : "");
	return 0;
}

static int keep(struct tool *t, const char **list, size_t *cnt, size_t max, const char *word,
	const char *option)
{
	if (!word)
		return fail_missing(t, "a value", option);
	if (*cnt == max)
		return fail(t, "%s can be given %zu times at most", option, max);
	list[(*cnt)++] = word;
	return 0;
}

static int parse_word(struct tool *t, struct args *a, struct run *r)
{
	const char *word = args_next(a);

	if (!strcmp(word, "--on"))
		return parse_on(t, r, args_next(a));
	if (!strcmp(word, "--join"))
		return keep(t, r->joins, &r->join_cnt, DEVS_MAX, args_next(a), word);
	if (!strcmp(word, "--update"))
		return keep(t, r->updates, &r->update_cnt, UPDATES_MAX, args_next(a), word);
	if (!strcmp(word, "--clock"))
		return parse_clock(t, r, args_next(a));
	if (!strcmp(word, "--count"))
		return parse_count(t, r, args_next(a));
	if (!strcmp(word, "--prog") || !strcmp(word, "--name")) {
		const char **ret = word[2] == 'p' ? &r->prog_name : &r->name;

		*ret = args_next(a);
		return *ret ? 0 : fail_missing(t, "a name", word);
	}
	if (!strcmp(word, "--jitdump")) {
		r->opts.jitdump = args_next(a);
		return r->opts.jitdump ? 0 : fail_missing(t, "a folder", word);
	}
	if (!strcmp(word, "--maps"))
		r->maps = true;
	else if (!strcmp(word, "--interp"))
		r->opts.interp = true;
	else if (word[0] == '-')
		return fail(t, "%s is no option of run: `skep help run` lists them", word);
	else if (r->path)
		return fail(t, "'%s' is one word too many here: run takes one object", word);
	else
		r->path = word;
	return 0;
}

static int parse_run(struct tool *t, struct args *a, struct run *r)
{
	int err = 0;

	while (a->cnt && !err)
		err = parse_word(t, a, r);
	if (err)
		return err;
	if (!r->path)
		return fail(t, "an object file is missing: skep run FILE.o --on HOOK:DEV");
	if (!r->on_cnt)
		return fail(t, "a device is missing: add --on xdp:DEV, as in "
			       "--on xdp:pcap:in.pcap,out.pcap");
	return 0;
}

static int load(struct tool *t, struct run *r)
{
	struct bpf_program *prog;
	int err = object_open(t, r->path, &r->object);

	if (err)
		return err;
	prog = r->prog_name ? bpf_object__find_program_by_name(r->object, r->prog_name)
			    : bpf_object__next_program(r->object, NULL);
	if (!prog)
		return fail(t, "%s has no program named %s", r->path, r->prog_name);
	if (bpf_program__type(prog) != BPF_PROG_TYPE_XDP)
		return fail(t, "%s: %s is in section '%s': run takes XDP programs (SEC(\"xdp\"))",
			r->path, bpf_program__name(prog), bpf_program__section_name(prog));
	return object_load_one(t, r->object, r->path, prog, &r->prog_fd);
}

static int device_failed(struct tool *t, int err, const char *dev, const struct port_text *text)
{
	if (strstr(text->text, dev)) /* it names the device itself */
		return fail(t, "%s", text->text);
	return fail(t, "%s: %s", dev, text->text[0] ? text->text : errno_text(err));
}

/* The kernel's interfaces are there already; their kind may be written or left out. */
static int find_kernel_dev(struct tool *t, const char *spec, u32 *ret)
{
	const char *colon = strchr(spec, ':');
	int ifindex = t->port->ops->if_index(t->port, spec);

	if (ifindex <= 0 && colon)
		ifindex = t->port->ops->if_index(t->port, colon + 1);
	if (ifindex <= 0)
		return fail(t, "there is no interface named %s: `ip link` lists them",
			colon ? colon + 1 : spec);
	*ret = (u32)ifindex;
	return 0;
}

static int make_dev(struct tool *t, struct run *r, struct on *on)
{
	struct port_text text = {0};
	int err;

	if (t->port->ops->is_kernel)
		return find_kernel_dev(t, on->dev, &on->ifindex);
	if (t->engine == TOOL_ENGINE_INSTANCE && strstr(on->dev, "pcap:"))
		return fail(t,
			"%s: a running instance would read the capture before the program "
			"is attached: leave -i out (--name NAME makes this run reachable)",
			on->dev);
	err = t->port->ops->dev_add(t->port, on->dev, &on->ifindex, &text);
	if (err)
		return device_failed(t, err, on->dev, &text);
	on->is_made = true;
	return 0;
}

static int attach(struct tool *t, struct run *r, struct on *on)
{
	struct port_text text = {0};
	int err = t->port->ops->xdp_attach(
		t->port, on->ifindex, r->prog_fd, on->flags | XDP_FLAGS_UPDATE_IF_NOEXIST, &text);

	if (err)
		return device_failed(t, err, on->dev, &text);
	on->is_attached = true;
	return 0;
}

/*
 * One side of --join: a device named as in --on, by its own name, or one that only passes frames on
 * and is made here.
 */
static int find_joined(struct tool *t, struct run *r, const char *word, u32 *ret)
{
	const char *colon = strchr(word, ':');
	struct on *on;
	int ifindex, err;

	for (size_t i = 0; i < r->on_cnt; i++) {
		if (!strcmp(r->on[i].dev, word)) {
			*ret = r->on[i].ifindex;
			return 0;
		}
	}
	ifindex = t->port->ops->if_index(t->port, word);
	if (ifindex <= 0 && colon)
		ifindex = t->port->ops->if_index(t->port, colon + 1);
	if (ifindex > 0) {
		*ret = (u32)ifindex;
		return 0;
	}
	if (!colon)
		return fail(t, "--join: there is no device named %s", word);
	if (r->on_cnt == DEVS_MAX)
		return fail(t, "at most %d devices can be named", DEVS_MAX);
	on = &r->on[r->on_cnt];
	*on = (struct on){.dev = word};
	err = make_dev(t, r, on);
	if (err)
		return err;
	r->on_cnt++;
	*ret = on->ifindex;
	return 0;
}

static int join(struct tool *t, struct run *r, const char *word)
{
	char *copy = mem_dup(word, strlen(word) + 1), *comma;
	struct port_text text = {0};
	u32 one, other;
	int err;

	if (!copy)
		return fail(t, "out of memory");
	comma = strchr(copy, ',');
	if (!comma || strchr(comma + 1, ',')) {
		mem_free(copy);
		return fail(t,
			"--join %s: DEV,DEV is expected, each tap:NAME, packet:IFACE or the "
			"name of a device (a capture's is pcap0, pcap1, ...)",
			word);
	}
	*comma = 0;
	err = find_joined(t, r, copy, &one);
	if (!err)
		err = find_joined(t, r, comma + 1, &other);
	if (!err) {
		err = t->port->ops->dev_join(t->port, one, other, &text);
		if (err)
			err = device_failed(t, err, word, &text);
	}
	/* A device made here keeps its name in r->on until the end: the text must live as long. */
	for (size_t i = 0; i < r->on_cnt; i++)
		if (r->on[i].dev == copy || r->on[i].dev == comma + 1)
			r->on[i].dev = word;
	mem_free(copy);
	return err;
}

static int prepare(struct tool *t, struct run *r)
{
	size_t attached = r->on_cnt;
	int err = load(t, r);

	for (size_t i = 0; i < r->update_cnt && !err; i++)
		err = map_update_line(t, r->object, r->updates[i]);
	for (size_t i = 0; i < attached && !err; i++)
		err = make_dev(t, r, &r->on[i]);
	for (size_t i = 0; i < r->join_cnt && !err; i++)
		err = join(t, r, r->joins[i]);
	for (size_t i = 0; i < attached && !err; i++)
		err = attach(t, r, &r->on[i]);
	return err;
}

static int serve(struct tool *t, struct run *r)
{
	struct port_text text = {0};
	int err;

	if (!r->name)
		return 0;
	if (!t->port->ops->serve)
		return fail(t, "--name is for an instance of run's own: leave out %s",
			t->engine == TOOL_ENGINE_KERNEL ? "-K" : "-i");
	err = t->port->ops->serve(t->port, r->name, &text);
	return err ? fail(t, "%s: %s", r->name, text.text[0] ? text.text : errno_text(err)) : 0;
}

struct reporter {
	struct tool *t;
	const struct run *run;
};

/* All devices of an instance of our own, else those named on the line. */
static int report_dev(void *arg, const struct port_dev *dev)
{
	struct reporter *p = arg;
	bool named = p->t->engine == TOOL_ENGINE_ANY;

	for (size_t i = 0; i < p->run->on_cnt; i++)
		named |= p->run->on[i].ifindex == dev->ifindex;
	if (named)
		dev_print(p->t, dev);
	return 0;
}

static int report_maps(struct tool *t, struct run *r)
{
	struct bpf_map *map;
	int err = 0;

	if (t->json) {
		json_name(&t->w, "maps");
		json_start_object(&t->w);
	}
	bpf_object__for_each_map(map, r->object)
	{
		int one;

		if (bpf_map__is_internal(map) || bpf_map__fd(map) < 0)
			continue;
		if (t->json)
			json_name(&t->w, bpf_map__name(map));
		one = map_table_print(t, bpf_map__fd(map), bpf_map__name(map));
		err = err ? err : one;
	}
	if (t->json)
		json_end_object(&t->w);
	return err;
}

static int report(struct tool *t, struct run *r)
{
	struct reporter p = {.t = t, .run = r};
	int err = 0, dev_err;

	if (t->json)
		json_start_object(&t->w);
	if (r->maps)
		err = report_maps(t, r);
	if (t->json) {
		json_name(&t->w, "devices");
		json_start_array(&t->w);
	}
	dev_err = t->port->ops->dev_each(t->port, report_dev, &p);
	if (t->json) {
		json_end_array(&t->w);
		json_end_object(&t->w);
	}
	return err ? err : dev_err;
}

/* The counters are shown however the run ended; what went wrong on the way is told after them. */
static int move_frames(struct tool *t, struct run *r)
{
	const struct port_run run = {.count = r->count, .stop = &stopped};
	struct port_text text = {0};
	int err, shown;

	t->live = true;
	err = t->port->ops->run(t->port, &run, &text);
	t->live = false;
	shown = report(t, r);
	if (err && err != -EINTR)
		return fail(t, "%s", text.text[0] ? text.text : errno_text(err));
	if (text.text[0])
		note(t, "Warning: %s", text.text);
	return shown ? fail(t, "cannot show the result: %s", errno_text(shown)) : 0;
}

static void take_away(struct tool *t, struct run *r)
{
	struct port_text text;

	for (size_t i = 0; i < r->on_cnt && t->port; i++) {
		const struct on *on = &r->on[i];

		if (on->is_attached)
			t->port->ops->xdp_attach(t->port, on->ifindex, -1, on->flags, &text);
		if (on->is_made)
			t->port->ops->dev_del(t->port, on->ifindex, &text);
	}
	if (r->prog_fd >= 0)
		close(r->prog_fd);
	bpf_object__close(r->object);
}

int verb_run(struct tool *t, struct args *a)
{
	struct run *r = mem_zalloc(sizeof(*r));
	int err;

	if (!r)
		return fail(t, "out of memory");
	r->prog_fd = -1;
	err = parse_run(t, a, r);
	if (!err)
		err = tool_engine_own(t, &r->opts);
	if (!err) {
		catch_signals();
		err = prepare(t, r);
	}
	if (!err)
		err = serve(t, r);
	if (!err)
		err = move_frames(t, r);
	if (t->port)
		take_away(t, r);
	mem_free(r);
	return err;
}
