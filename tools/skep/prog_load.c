/*
 * prog load, prog loadall: an object through libbpf, its programs pinned. Maps can be given from
 * outside (map idx N MAP, map name NAME MAP), and the object's own be pinned as well (pinmaps DIR).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "object.h"
#include "out.h"
#include "pin.h"
#include "ref.h"

enum { PATH_LEN_MAX = 4096, REUSE_MAX = 64 };

/* A map from outside that takes the place of the object's own. */
struct reuse {
	const char *name; /* NULL: by index */
	u32 idx;
	struct ref ref;
};

struct load {
	const char *path, *pin, *pin_maps;
	bool has_type;
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
	struct reuse reuse[REUSE_MAX];
	size_t reuse_cnt;
	bool all;
	struct bpf_object *object;
};

/* A type is the beginning of a section name: xdp, classifier, kprobe, cgroup/skb ... */
static int parse_type(struct tool *t, struct args *a, struct load *l)
{
	const char *word = args_next(a);
	char section[128];

	if (l->has_type)
		return fail(t, "program type already specified");
	if (!word)
		return fail_missing(t, "a program type", "type");
	l->has_type = true;
	if (!libbpf_prog_type_by_name(word, &l->type, &l->attach_type))
		return 0;
	snprintf(section, sizeof(section), "%s/", word); /* kprobe/, tracepoint/ ... */
	if (!libbpf_prog_type_by_name(section, &l->type, &l->attach_type))
		return 0;
	return fail(t, "unknown program type '%s'", word);
}

static int parse_reuse(struct tool *t, struct args *a, struct load *l)
{
	struct reuse *r = &l->reuse[l->reuse_cnt];
	const char *word;
	u64 idx;
	int err;

	if (l->reuse_cnt == REUSE_MAX)
		return fail(t, "at most %d maps can be given", REUSE_MAX);
	if (args_take(a, "idx")) {
		word = args_next(a);
		if (args_number(word, UINT32_MAX, &idx))
			return fail(t, "can't parse '%s' as the number of a map", word ? word : "");
		r->idx = (u32)idx;
	} else if (args_take(a, "name")) {
		r->name = args_next(a);
		if (!r->name)
			return fail_missing(t, "a name", "name");
	} else {
		return fail(t, "expected 'idx' or 'name', got: '%s'?",
			a->cnt ? args_peek(a) : "nothing");
	}
	err = ref_map(t, a, &r->ref);
	l->reuse_cnt += !err;
	return err;
}

static int parse_load(struct tool *t, struct args *a, struct load *l)
{
	int err = 0;

	l->path = args_next(a);
	l->pin = args_next(a);
	if (!l->path || !l->pin)
		return fail(t, "an object file and a path to pin at are needed: `skep prog load "
			       "FILE.o PATH`");
	while (a->cnt && !err) {
		if (args_take(a, "type")) {
			err = parse_type(t, a, l);
		} else if (args_take(a, "map")) {
			err = parse_reuse(t, a, l);
		} else if (args_take(a, "pinmaps")) {
			l->pin_maps = args_next(a);
			err = l->pin_maps ? 0 : fail_missing(t, "a directory", "pinmaps");
		} else if (args_is(a, "dev")) {
			err = fail(t, "loading for a device's own engine is not supported: leave "
				      "'dev' out");
		} else {
			err = fail(t,
				"expected no more arguments, 'type', 'map' or 'pinmaps', got: "
				"'%s'?",
				args_peek(a));
		}
	}
	return err;
}

/*
 * Without `type`, libbpf guessed from the section; what it could not guess is an error here. All
 * programs are loaded whatever is pinned, as in bpftool: program arrays may name any of them.
 */
static int set_types(struct tool *t, struct load *l)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, l->object)
	{
		if (l->has_type) {
			bpf_program__set_type(p, l->type);
			bpf_program__set_expected_attach_type(p, l->attach_type);
		}
		if (bpf_program__type(p) == BPF_PROG_TYPE_UNSPEC)
			return fail(t,
				"%s: %s is in section '%s', which tells no program type: rename "
				"the "
				"section (SEC(\"xdp\")) or add `type TYPE`",
				l->path, bpf_program__name(p), bpf_program__section_name(p));
	}
	return 0;
}

static int reuse_maps(struct tool *t, struct load *l)
{
	for (size_t i = 0; i < l->reuse_cnt; i++) {
		struct reuse *r = &l->reuse[i];
		struct bpf_map *map = NULL, *m;
		u32 idx = 0;
		int err;

		bpf_object__for_each_map(m, l->object)
		{
			if (r->name ? !strcmp(bpf_map__name(m), r->name) : idx == r->idx)
				map = m;
			idx++;
		}
		if (!map && r->name)
			return fail(t, "%s has no map named %s", l->path, r->name);
		if (!map)
			return fail(t, "%s has %u maps, none numbered %u", l->path, idx, r->idx);
		err = bpf_map__reuse_fd(map, r->ref.fds[0]);
		if (err)
			return fail(t, "%s: map %s cannot be replaced: %s", l->path,
				bpf_map__name(map), errno_text(err));
	}
	return 0;
}

static int join_path(struct tool *t, const char *dir, const char *name, char *ret)
{
	if (snprintf(ret, PATH_LEN_MAX, "%s/%s", dir, name) >= PATH_LEN_MAX)
		return fail(t, "%s/%s: the path is too long", dir, name);
	for (char *c = ret + strlen(dir) + 1; *c; c++)
		if (*c == '.')
			*c = '_'; /* bpffs takes no dots; libbpf writes them so too */
	return 0;
}

static int pin_all_maps(struct tool *t, struct load *l)
{
	char path[PATH_LEN_MAX];
	struct bpf_map *map;

	bpf_object__for_each_map(map, l->object)
	{
		int err;

		/* Already pinned by its own declaration (LIBBPF_PIN_BY_NAME), or not made. */
		if (bpf_map__is_pinned(map) || bpf_map__fd(map) < 0)
			continue;
		err = join_path(t, l->pin_maps, bpf_map__name(map), path);
		if (!err)
			err = pin_fd(t, bpf_map__fd(map), path, "map");
		if (err)
			return err;
	}
	return 0;
}

static void unpin_maps(struct load *l)
{
	char path[PATH_LEN_MAX];
	struct bpf_map *map;

	bpf_object__for_each_map(map, l->object)
	{
		if (bpf_map__is_pinned(map))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", l->pin_maps, bpf_map__name(map)) <
			(int)sizeof(path))
			unlink(path);
	}
}

static int pin_programs(struct tool *t, struct load *l)
{
	char path[PATH_LEN_MAX];
	struct bpf_program *p;
	int err = 0;

	bpf_object__for_each_program(p, l->object)
	{
		if (!l->all)
			return pin_fd(t, bpf_program__fd(p), l->pin, "program");
		err = join_path(t, l->pin, bpf_program__name(p), path);
		if (!err)
			err = pin_fd(t, bpf_program__fd(p), path, "program");
		if (err)
			return err;
	}
	return err;
}

/* The program that failed, as libbpf names it: "prog 'NAME': BPF program load failed: ...". */
static const char *failed_program(struct tool *t, struct bpf_object *object)
{
	const char *text = out_bpf_text(t);
	struct bpf_program *p;
	char mark[256];

	bpf_object__for_each_program(p, object)
	{
		snprintf(mark, sizeof(mark), "prog '%s': BPF program load failed",
			bpf_program__name(p));
		if (strstr(text, mark))
			return bpf_program__name(p);
	}
	return NULL;
}

/* A path that is taken is found before any work: loading may take a while, and maps get pinned. */
static int check_pins(struct tool *t, struct load *l)
{
	struct port_text text = {0};
	int err = 0;

	if (!l->all && t->port->ops->pin_prepare)
		err = t->port->ops->pin_prepare(t->port, l->pin, &text);
	return err ? fail(t, "can't pin the program: %s", text.text) : 0;
}

static int load_and_pin(struct tool *t, struct load *l)
{
	int err = object_open(t, l->path, &l->object);

	if (!err)
		err = check_pins(t, l);
	if (!err)
		err = set_types(t, l);
	if (!err)
		err = reuse_maps(t, l);
	if (err)
		return err;
	out_bpf_forget(t);
	err = object_load(l->object);
	if (err)
		return object_load_failed(t, l->path, failed_program(t, l->object), err);
	if (l->pin_maps)
		err = pin_all_maps(t, l);
	if (err)
		return err;
	err = pin_programs(t, l);
	if (err && l->pin_maps && t->port->ops->is_kernel)
		unpin_maps(l);
	return err;
}

static int load(struct tool *t, struct args *a, bool all)
{
	struct load *l = mem_zalloc(sizeof(*l));
	int err;

	if (!l)
		return fail(t, "out of memory");
	l->all = all;
	err = tool_engine_running(t);
	if (!err)
		err = parse_load(t, a, l);
	if (!err)
		err = load_and_pin(t, l);
	if (!err)
		done_silently(t);
	for (size_t i = 0; i < l->reuse_cnt; i++)
		ref_done(&l->reuse[i].ref);
	bpf_object__close(l->object);
	mem_free(l);
	return err;
}

int verb_prog_load(struct tool *t, struct args *a)
{
	return load(t, a, false);
}

int verb_prog_loadall(struct tool *t, struct args *a)
{
	return load(t, a, true);
}
