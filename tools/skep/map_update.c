/*
 * map update, delete, push, freeze, create: changing maps. A value for a per-CPU map is set on every
 * CPU; a map of maps takes a MAP and a program array a PROG as value.
 */
#include "map_update.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "info.h"
#include "map_data.h"
#include "out.h"
#include "pin.h"
#include "ref.h"

enum { LINE_WORDS_MAX = 1024 };

struct entry {
	struct map_data data;
	u8 *key, *value;
	bool has_key, has_value;
	u64 flags;
	struct ref ref; /* what a value that is an object refers to */
};

static int open_entry(struct tool *t, int fd, struct entry *e)
{
	int err;

	*e = (struct entry){0};
	err = map_data_open(t, fd, &e->data);
	if (err)
		return err;
	e->key = mem_zalloc(e->data.info.key_size);
	e->value = mem_zalloc(e->data.value_len);
	return e->key && e->value ? 0 : fail(t, "out of memory");
}

static void close_entry(struct entry *e)
{
	ref_done(&e->ref);
	mem_free(e->key);
	mem_free(e->value);
	map_data_done(&e->data);
}

static int parse_object_value(struct tool *t, struct entry *e, struct args *a)
{
	bool maps = info_is_map_of_maps(e->data.info.type);
	int err;

	if (e->data.info.value_size != sizeof(int))
		return fail(t, "the value of this map has %u bytes: it cannot hold a descriptor",
			e->data.info.value_size);
	err = maps ? ref_map(t, a, &e->ref) : ref_prog(t, a, &e->ref);
	if (!err)
		memcpy(e->value, &e->ref.fds[0], sizeof(int));
	return err;
}

static int parse_value(struct tool *t, struct entry *e, struct args *a)
{
	u32 type = e->data.info.type, size = e->data.info.value_size;
	int err;

	if (info_holds_objects(type))
		return parse_object_value(t, e, a);
	err = map_data_parse(t, &e->data, MAP_VALUE, a, e->value);
	for (unsigned int i = 1; i < e->data.cpu_cnt && !err; i++)
		memcpy(e->value + (size_t)i * ROUND_UP(size, 8), e->value, size);
	return err;
}

static bool take_flags(struct args *a, u64 *ret)
{
	static const struct {
		const char *word;
		u64 flags;
	} all[] = {{"any", BPF_ANY}, {"noexist", BPF_NOEXIST}, {"exist", BPF_EXIST}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (args_take(a, all[i].word)) {
			*ret = all[i].flags;
			return true;
		}
	}
	return false;
}

/* [key DATA] [value VALUE] [any | exist | noexist], in any order, each once. */
static int parse_entry(struct tool *t, struct entry *e, struct args *a, bool with_flags)
{
	bool has_flags = false;
	int err = 0;

	while (a->cnt && !err) {
		if (!e->has_key && args_take(a, "key")) {
			e->has_key = true;
			if (!e->data.info.key_size)
				return fail(t, "this map has no keys: leave 'key' out");
			err = map_data_parse(t, &e->data, MAP_KEY, a, e->key);
		} else if (!e->has_value && args_take(a, "value")) {
			e->has_value = true;
			if (!e->data.info.value_size)
				return fail(t, "this map has no values: leave 'value' out");
			err = parse_value(t, e, a);
		} else if (with_flags && !has_flags && take_flags(a, &e->flags)) {
			has_flags = true;
		} else {
			return fail(t, "expected key or value, got: %s", args_peek(a));
		}
	}
	return err;
}

static int check_entry(struct tool *t, const struct entry *e)
{
	if (e->data.info.key_size && !e->has_key)
		return fail(t, "the key is missing: add `key DATA`");
	if (e->data.info.value_size && !e->has_value)
		return fail(t, "the value is missing: add `value DATA`");
	return 0;
}

int map_update_fd(struct tool *t, int fd, struct args *a)
{
	struct entry e;
	int err = open_entry(t, fd, &e);

	if (!err)
		err = parse_entry(t, &e, a, true);
	if (!err)
		err = check_entry(t, &e);
	if (!err) {
		err = bpf_map_update_elem(fd, e.has_key ? e.key : NULL, e.value, e.flags);
		if (err)
			fail(t, "update failed: %s", errno_text(err));
	}
	close_entry(&e);
	return err;
}

static int on_map(struct tool *t, struct args *a, int (*fn)(struct tool *t, int fd, struct args *a))
{
	struct ref ref;
	int err = tool_engine_running(t);

	if (!err)
		err = ref_map(t, a, &ref);
	if (err)
		return err;
	err = fn(t, ref.fds[0], a);
	if (!err)
		done_silently(t);
	ref_done(&ref);
	return err;
}

int map_update_line(struct tool *t, const struct bpf_object *object, const char *line)
{
	char *copy = mem_dup(line, strlen(line) + 1), *save = NULL, *word;
	char **words = mem_array(LINE_WORDS_MAX, sizeof(char *));
	struct args a = {.words = words};
	struct bpf_map *map = NULL;
	int err = copy && words ? 0 : fail(t, "out of memory");

	for (word = err ? NULL : strtok_r(copy, " \t", &save); word;
		word = strtok_r(NULL, " \t", &save)) {
		if (a.cnt == LINE_WORDS_MAX) {
			err = fail(t, "--update has more than %d words", LINE_WORDS_MAX);
			break;
		}
		words[a.cnt++] = word;
	}
	if (!err && !a.cnt)
		err = fail(t, "--update takes \"MAP key DATA value DATA\"");
	if (!err) {
		map = bpf_object__find_map_by_name(object, args_next(&a));
		if (!map)
			err = fail(t, "--update: the object has no map named %s", copy);
	}
	if (!err)
		err = map_update_fd(t, bpf_map__fd(map), &a);
	mem_free(words);
	mem_free(copy);
	return err;
}

int verb_map_update(struct tool *t, struct args *a)
{
	return on_map(t, a, map_update_fd);
}

int verb_map_push(struct tool *t, struct args *a)
{
	return on_map(t, a, map_update_fd);
}

static int delete_fd(struct tool *t, int fd, struct args *a)
{
	struct entry e;
	int err = open_entry(t, fd, &e);

	if (!err && !args_take(a, "key"))
		err = fail(t, "expected 'key', got: %s", a->cnt ? args_peek(a) : "nothing");
	if (!err)
		err = map_data_parse(t, &e.data, MAP_KEY, a, e.key);
	if (!err && a->cnt)
		err = fail_extra(t, a);
	if (!err) {
		err = bpf_map_delete_elem(fd, e.key);
		if (err)
			fail(t, "delete failed: %s", errno_text(err));
	}
	close_entry(&e);
	return err;
}

int verb_map_delete(struct tool *t, struct args *a)
{
	return on_map(t, a, delete_fd);
}

static int freeze_fd(struct tool *t, int fd, struct args *a)
{
	int err = a->cnt ? fail_extra(t, a) : 0;

	if (err)
		return err;
	err = bpf_map_freeze(fd);
	return err ? fail(t, "failed to freeze map: %s", errno_text(err)) : 0;
}

int verb_map_freeze(struct tool *t, struct args *a)
{
	return on_map(t, a, freeze_fd);
}

/* What `map create` was told. */
struct creation {
	const char *path, *name, *type_word;
	u32 type, key_size, value_size, entries;
	struct bpf_map_create_opts opts;
	struct ref inner;
};

/* As libbpf names them; the number is taken as well. */
static int parse_type(struct tool *t, const char *word, u32 *ret)
{
	u64 number;

	for (u32 i = 1; libbpf_bpf_map_type_str((enum bpf_map_type)i); i++) {
		if (!strcmp(word, libbpf_bpf_map_type_str((enum bpf_map_type)i))) {
			*ret = i;
			return 0;
		}
	}
	if (args_number(word, UINT32_MAX, &number))
		return fail(t, "unrecognized map type: %s", word);
	*ret = (u32)number;
	return 0;
}

static int parse_u32(struct tool *t, struct args *a, const char *what, u32 *ret)
{
	const char *word = args_next(a);
	u64 number;

	if (!word)
		return fail_missing(t, "a number", what);
	if (args_number(word, UINT32_MAX, &number))
		return fail(t, "can't parse %s '%s' as a number of 32 bits", what, word);
	*ret = (u32)number;
	return 0;
}

static int parse_creation(struct tool *t, struct args *a, struct creation *c)
{
	const char *word;
	int err = 0;

	while (a->cnt && !err) {
		if (args_take(a, "type")) {
			c->type_word = args_next(a);
			err = c->type_word ? parse_type(t, c->type_word, &c->type)
					   : fail_missing(t, "a map type", "type");
		} else if (args_take(a, "name")) {
			c->name = args_next(a);
			err = c->name ? 0 : fail_missing(t, "a name", "name");
		} else if (args_take(a, "key")) {
			err = parse_u32(t, a, "key", &c->key_size);
		} else if (args_take(a, "value")) {
			err = parse_u32(t, a, "value", &c->value_size);
		} else if (args_take(a, "entries")) {
			err = parse_u32(t, a, "entries", &c->entries);
		} else if (args_take(a, "flags")) {
			err = parse_u32(t, a, "flags", &c->opts.map_flags);
		} else if (args_take(a, "inner_map")) {
			err = ref_map(t, a, &c->inner);
			if (!err)
				c->opts.inner_map_fd = (u32)c->inner.fds[0];
		} else {
			word = args_peek(a);
			return fail(t, "unknown arg %s", word);
		}
	}
	return err;
}

static int check_creation(struct tool *t, const struct creation *c)
{
	if (!c->type_word)
		return fail(t, "map type not specified: add `type TYPE`");
	if (!c->name)
		return fail(t, "map name not specified: add `name NAME`");
	if (strlen(c->name) >= BPF_OBJ_NAME_LEN)
		return fail(t, "the name '%s' is too long: a map's name has at most %d characters",
			c->name, BPF_OBJ_NAME_LEN - 1);
	if (info_is_map_of_maps(c->type) && !c->inner.cnt)
		return fail(t, "a map of maps needs to know its inner maps: add `inner_map MAP`");
	return 0;
}

int verb_map_create(struct tool *t, struct args *a)
{
	struct creation c = {.path = args_next(a), .opts.sz = sizeof(c.opts)};
	int err, fd;

	if (!c.path)
		return fail(t, "a path to pin the new map at is missing");
	err = tool_engine_running(t);
	if (!err)
		err = parse_creation(t, a, &c);
	if (!err)
		err = check_creation(t, &c);
	if (!err) {
		fd = bpf_map_create((enum bpf_map_type)c.type, c.name, c.key_size, c.value_size,
			c.entries, &c.opts);
		if (fd < 0) {
			err = fail(t, "map create failed: %s%s", errno_text(fd), ref_hint(t, fd));
		} else {
			err = pin_fd(t, fd, c.path, "map");
			close(fd);
		}
	}
	if (!err)
		done_silently(t);
	ref_done(&c.inner);
	return err;
}
