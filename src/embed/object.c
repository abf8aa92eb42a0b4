/*
 * Object files in an application. libbpf does the work; its bpf(2) calls come back to the caller's instance
 * because this thread says so for their duration (port_use_here), and what it prints is kept for the sentence
 * of a failure. Both are per thread, so objects may be opened on several threads at once.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "embed/embed.h"
#include "object/check.h"
#include "object/log.h"
#include "object/read.h"
#include "port/port.h"

struct named_prog {
	char *name;
	struct skep_prog *prog;
};

struct named_map {
	char *name;
	struct skep_map *map;
};

/* libbpf's object stays: a program array forgets its programs when the last descriptor goes. */
struct skep_object {
	struct bpf_object *bpf;
	struct named_prog *progs;
	struct named_map *maps;
	size_t prog_cnt, map_cnt;
};

/* The instance as a port: bpf(2) is all that libbpf asks of it here. */
struct door {
	struct port port;
	struct skep *skep;
};

static long door_bpf(struct port *port, int cmd, union bpf_attr *attr, unsigned int size)
{
	return skep_bpf(container_of(port, struct door, port)->skep, cmd, attr, size);
}

static const struct port_ops door_ops = {.name = "embedded", .bpf = door_bpf};

/* ---- what libbpf says ---- */

static _Thread_local struct buf *said;

static int keep_said(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (said && level != LIBBPF_DEBUG)
		buf_vprintf(said, fmt, ap);
	return 0;
}

/* The last line that says more than that it failed. */
static void last_words(const char *text, char *ret, size_t len)
{
	ret[0] = 0;
	while (*text) {
		size_t line = strcspn(text, "\n");

		if (line && (!ret[0] || !memmem(text, line, "failed to load", 14)))
			snprintf(ret, len, "%.*s", (int)line, text);
		text += line + (text[line] == '\n');
	}
}

static int say_why(struct skep_text *ret_why, int err, const char *path, const char *text)
{
	const char *end, *log = object_log_find(text, &end), *reason = NULL;
	size_t len = 0;
	char words[512];

	if (log) {
		char *copy = mem_dup(log, (size_t)(end - log) + 1);

		if (copy) {
			copy[end - log] = 0;
			reason = object_log_reason(copy, &len);
			embed_say(ret_why, err, "%s is rejected: %.*s", path, (int)len,
				reason ? reason : "");
			mem_free(copy);
		}
	}
	if (reason)
		return err;
	last_words(text, words, sizeof(words));
	return embed_say(
		ret_why, err, "%s cannot be loaded: %s", path, words[0] ? words : strerror(-err));
}

/* ---- opening ---- */

static int share_maps(struct bpf_object *bpf, const struct skep_object_options *opts,
	const char *path, struct skep_text *ret_why)
{
	for (size_t i = 0; i < opts->map_cnt; i++) {
		const struct skep_shared_map *shared = &opts->maps[i];
		struct bpf_map *map = bpf_object__find_map_by_name(bpf, shared->name);
		int fd, err;

		if (!map)
			return embed_say(
				ret_why, -ENOENT, "%s has no map named %s", path, shared->name);
		fd = skep_map_fd(shared->map);
		if (fd < 0)
			return embed_say(ret_why, fd, "no descriptor for map %s: %s", shared->name,
				strerror(-fd));
		err = bpf_map__reuse_fd(map, fd);
		close(fd);
		if (err)
			return embed_say(ret_why, err, "map %s of %s cannot be replaced: %s",
				shared->name, path, strerror(-err));
	}
	return 0;
}

static int pick_prog(
	struct bpf_object *bpf, const char *name, const char *path, struct skep_text *ret_why)
{
	struct bpf_program *wanted = name ? bpf_object__find_program_by_name(bpf, name) : NULL,
			   *prog;

	if (name && !wanted)
		return embed_say(ret_why, -ENOENT, "%s has no program named %s", path, name);
	if (!bpf_object__next_program(bpf, NULL))
		return embed_say(ret_why, -ENOENT, "%s has no programs", path);
	bpf_object__for_each_program(prog, bpf) if (name)
		bpf_program__set_autoload(prog, prog == wanted);
	return 0;
}

static size_t count_progs(struct bpf_object *bpf)
{
	struct bpf_program *prog;
	size_t cnt = 0;

	bpf_object__for_each_program(prog, bpf) cnt++;
	return cnt;
}

static size_t count_maps(struct bpf_object *bpf)
{
	struct bpf_map *map;
	size_t cnt = 0;

	bpf_object__for_each_map(map, bpf) cnt++;
	return cnt;
}

static int add_prog(struct skep *skep, struct skep_object *object, const struct bpf_program *prog)
{
	const char *name = bpf_program__name(prog);
	struct named_prog *to = &object->progs[object->prog_cnt];
	int err;

	if (bpf_program__fd(prog) < 0)
		return 0; /* not asked for */
	to->name = mem_dup(name, strlen(name) + 1);
	if (!to->name)
		return -ENOMEM;
	err = embed_prog_of_fd(skep, bpf_program__fd(prog), &to->prog);
	if (err)
		mem_free(to->name);
	else
		object->prog_cnt++;
	return err;
}

static int add_map(struct skep *skep, struct skep_object *object, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	struct named_map *to = &object->maps[object->map_cnt];
	int err;

	if (bpf_map__fd(map) < 0)
		return 0;
	to->name = mem_dup(name, strlen(name) + 1);
	if (!to->name)
		return -ENOMEM;
	err = embed_map_of_fd(skep, bpf_map__fd(map), &to->map);
	if (err)
		mem_free(to->name);
	else
		object->map_cnt++;
	return err;
}

/* Handles of what libbpf loaded; bpf becomes the object's. */
static int take_over(struct skep *skep, struct bpf_object *bpf, struct skep_object **ret_object)
{
	struct skep_object *object = mem_zalloc(sizeof(*object));
	struct bpf_program *prog;
	struct bpf_map *map;
	int err = 0;

	if (!object)
		return -ENOMEM;
	object->progs = mem_array(count_progs(bpf), sizeof(*object->progs));
	object->maps = mem_array(count_maps(bpf), sizeof(*object->maps));
	if (!object->progs || !object->maps)
		err = -ENOMEM;
	bpf_object__for_each_program(prog, bpf)
	{
		if (!err)
			err = add_prog(skep, object, prog);
	}
	bpf_object__for_each_map(map, bpf)
	{
		if (!err)
			err = add_map(skep, object, map);
	}
	if (err) {
		skep_object_close(object);
	} else {
		object->bpf = bpf;
		*ret_object = object;
	}
	return err;
}

struct opening {
	struct skep *skep;
	const char *path;
	const struct skep_object_options *opts;
	struct skep_text *why;
	struct buf said;
};

static int load(struct opening *o, struct bpf_object *bpf, struct skep_object **ret_object)
{
	struct port_text text = {0};
	int err = pick_prog(bpf, o->opts->prog, o->path, o->why);

	if (!err)
		err = share_maps(bpf, o->opts, o->path, o->why);
	if (err)
		return err;
	err = object_can_load(bpf, &text);
	if (err)
		return embed_say(o->why, err, "%s: %s", o->path, text.text);
	buf_reset(&o->said);
	err = bpf_object__load(bpf);
	if (err)
		return say_why(o->why, err, o->path, buf_text(&o->said));
	err = take_over(o->skep, bpf, ret_object);
	return err ? embed_say(o->why, err, "%s: %s", o->path, strerror(-err)) : 0;
}

static int open_bytes(
	struct opening *o, const u8 *data, size_t len, struct skep_object **ret_object)
{
	const char *slash = strrchr(o->path, '/'), *base = slash ? slash + 1 : o->path;
	char name[NAME_MAX + 1];
	const struct bpf_object_open_opts opts = {.sz = sizeof(opts), .object_name = name};
	struct bpf_object *bpf;
	int err;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(base, "."), base);
	bpf = bpf_object__open_mem(data, len, &opts);
	if (!bpf)
		return say_why(o->why, -errno, o->path, buf_text(&o->said));
	err = load(o, bpf, ret_object);
	if (err)
		bpf_object__close(bpf);
	return err;
}

int skep_object_open(struct skep *skep, const char *path, const struct skep_object_options *given,
	struct skep_object **ret_object, struct skep_text *ret_why)
{
	struct skep_object_options opts = {0};
	struct door door = {.port = {.ops = &door_ops}, .skep = skep};
	struct opening o = {
		.skep = skep, .path = path, .opts = &opts, .why = ret_why, .said = BUF_INIT};
	struct port_text text = {0};
	u8 *data = NULL;
	size_t len = 0;
	libbpf_print_fn_t print;
	int err = given ? embed_options(given, &opts, sizeof(opts)) : 0;

	if (err)
		return embed_say(ret_why, err, "options that this version does not know");
	err = object_read(path, &data, &len, &text);
	if (!err)
		err = object_check(path, data, len, &text);
	if (err) {
		mem_free(data);
		return embed_say(ret_why, err, "%s", text.text);
	}
	said = &o.said;
	print = libbpf_set_print(keep_said);
	port_use_here(&door.port);
	err = open_bytes(&o, data, len, ret_object);
	port_use_here(NULL);
	libbpf_set_print(print);
	said = NULL;
	buf_done(&o.said);
	mem_free(data);
	return err;
}

void skep_object_close(struct skep_object *object)
{
	if (!object)
		return;
	for (size_t i = 0; i < object->prog_cnt; i++) {
		mem_free(object->progs[i].name);
		skep_prog_close(object->progs[i].prog);
	}
	for (size_t i = 0; i < object->map_cnt; i++) {
		mem_free(object->maps[i].name);
		skep_map_close(object->maps[i].map);
	}
	bpf_object__close(object->bpf);
	mem_free(object->progs);
	mem_free(object->maps);
	mem_free(object);
}

struct skep_prog *skep_object_prog(const struct skep_object *object, const char *name)
{
	for (size_t i = 0; i < object->prog_cnt; i++)
		if (!name || !strcmp(object->progs[i].name, name))
			return object->progs[i].prog;
	return NULL;
}

struct skep_map *skep_object_map(const struct skep_object *object, const char *name)
{
	for (size_t i = 0; i < object->map_cnt; i++)
		if (!strcmp(object->maps[i].name, name))
			return object->maps[i].map;
	return NULL;
}
