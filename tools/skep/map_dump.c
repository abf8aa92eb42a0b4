/*
 * map dump, lookup, getnext, peek, pop: reading maps. Text output of maps with BTF is JSON too; it
 * goes through the tool's writer, made pretty for it.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "info.h"
#include "map_data.h"
#include "map_list.h"
#include "out.h"
#include "ref.h"

/* A map on the line, opened: what every verb here begins with. */
struct opened {
	struct ref ref;
	int fd;
	struct map_data data;
	void *key, *next_key, *value;
};

static void close_map(struct opened *o)
{
	mem_free(o->key);
	mem_free(o->next_key);
	mem_free(o->value);
	map_data_done(&o->data);
	ref_done(&o->ref);
}

static int open_fd(struct tool *t, int fd, struct opened *o)
{
	int err = map_data_open(t, fd, &o->data);

	if (err)
		return err;
	o->fd = fd;
	o->key = mem_zalloc(o->data.info.key_size);
	o->next_key = mem_zalloc(o->data.info.key_size);
	o->value = mem_zalloc(o->data.value_len);
	return o->key && o->next_key && o->value ? 0 : fail(t, "out of memory");
}

static int open_map(struct tool *t, struct args *a, struct opened *o)
{
	int err;

	*o = (struct opened){0};
	err = tool_engine_running(t);
	if (!err)
		err = ref_map(t, a, &o->ref);
	if (!err)
		err = open_fd(t, o->ref.fds[0], o);
	if (err)
		close_map(o);
	return err;
}

/* bpf(2) takes no key at all where a map has none. */
static void *key_of(const struct opened *o)
{
	return o->data.info.key_size ? o->key : NULL;
}

static bool writes_json(struct tool *t, const struct map_data *d)
{
	if (!t->json && d->btf)
		t->w.pretty = true;
	return t->json || d->btf;
}

/*
 * Types whose lookups fail by nature still list their keys; empty places of arrays that hold programs
 * or maps are left out.
 */
static int dump_entries(struct tool *t, struct opened *o, u64 *ret_cnt)
{
	void *prev = NULL;
	u64 cnt = 0;
	int err;

	while (!(err = bpf_map_get_next_key(o->fd, prev, o->next_key))) {
		err = bpf_map_lookup_elem(o->fd, o->next_key, o->value);
		if (!err)
			map_data_print_entry(t, &o->data, o->next_key, o->value);
		else if (err != -ENOENT || !info_holds_objects(o->data.info.type))
			map_data_print_error(t, &o->data, o->next_key, err);
		cnt += !err;
		memcpy(o->key, o->next_key, o->data.info.key_size);
		prev = o->key;
	}
	*ret_cnt = cnt;
	return err == -ENOENT ? 0 : err;
}

/* One map; among several each begins with a line, or fields, that tell which it is. */
static int dump_one(struct tool *t, struct opened *o, bool is_one_of_many)
{
	bool json = writes_json(t, &o->data);
	u64 cnt;
	int err;

	if (is_one_of_many && json) {
		json_start_object(&t->w);
		map_json_head(&t->w, &o->data.info);
		json_name(&t->w, "elements");
	} else if (is_one_of_many) {
		map_print_head(&o->data.info);
		printf("\n");
	}
	if (json)
		json_start_array(&t->w);
	err = dump_entries(t, o, &cnt);
	if (json)
		json_end_array(&t->w);
	else
		printf("Found %llu element%s\n", (unsigned long long)cnt, cnt == 1 ? "" : "s");
	if (is_one_of_many && json)
		json_end_object(&t->w);
	return err;
}

/* Text output of several maps goes by types only if all of them have types. */
static bool forget_types_unless_all(struct tool *t, struct opened *maps, size_t cnt)
{
	bool all = true;

	for (size_t i = 0; i < cnt; i++)
		all &= writes_json(t, &maps[i].data);
	for (size_t i = 0; i < cnt && !all; i++)
		map_data_done(&maps[i].data); /* bytes are all that is known from now on */
	return all;
}

static int dump_maps(struct tool *t, struct opened *maps, size_t cnt)
{
	bool json = forget_types_unless_all(t, maps, cnt), many = cnt > 1;
	int err = 0;

	if (many && json)
		json_start_array(&t->w);
	for (size_t i = 0; i < cnt && !err; i++) {
		err = dump_one(t, &maps[i], many);
		if (!json && i + 1 < cnt)
			printf("\n");
	}
	if (many && json)
		json_end_array(&t->w);
	if (!t->json)
		json_end_line(&t->w);
	return err;
}

int verb_map_dump(struct tool *t, struct args *a)
{
	struct opened *maps;
	struct ref ref;
	size_t opened = 0;
	int err = tool_engine_running(t);

	if (!err)
		err = ref_maps(t, a, &ref);
	if (err)
		return err;
	maps = mem_array(ref.cnt, sizeof(*maps));
	if (!maps)
		err = fail(t, "out of memory");
	else if (a->cnt)
		err = fail_extra(t, a);
	for (; opened < ref.cnt && !err; opened++)
		err = open_fd(t, ref.fds[opened], &maps[opened]);
	if (!err)
		err = dump_maps(t, maps, ref.cnt);
	while (opened)
		close_map(&maps[--opened]);
	mem_free(maps);
	ref_done(&ref);
	return err;
}

/* [key DATA]; maps without keys (queues, stacks) take none. */
static int parse_key(struct tool *t, struct args *a, struct opened *o, bool *ret_given)
{
	*ret_given = false;
	if (!a->cnt)
		return 0;
	if (!args_take(a, "key"))
		return fail(t, "expected 'key', got: %s", args_peek(a));
	*ret_given = true;
	return map_data_parse(t, &o->data, MAP_KEY, a, o->key);
}

static void print_found(struct tool *t, struct opened *o)
{
	writes_json(t, &o->data);
	map_data_print_entry(t, &o->data, o->key, o->value);
}

static void print_missing(struct tool *t, struct opened *o)
{
	if (t->json) {
		json_null(&t->w);
		return;
	}
	printf("key:\n");
	map_data_print_bytes(o->key, o->data.info.key_size);
	printf("\n\nNot found\n");
}

int verb_map_lookup(struct tool *t, struct args *a)
{
	struct opened o;
	bool given;
	int err = open_map(t, a, &o);

	if (err)
		return err;
	err = parse_key(t, a, &o, &given);
	if (!err && a->cnt)
		err = fail_extra(t, a);
	if (!err && !given && o.data.info.key_size)
		err = fail_missing(t, "'key'", "lookup MAP");
	if (!err) {
		err = bpf_map_lookup_elem(o.fd, key_of(&o), o.value);
		if (!err)
			print_found(t, &o);
		else if (err == -ENOENT)
			print_missing(t, &o);
		else
			err = fail_errno(t, err, "lookup failed: %s", errno_text(err));
	}
	close_map(&o);
	return err;
}

static void print_next(struct tool *t, struct opened *o, bool given)
{
	size_t len = o->data.info.key_size;

	if (t->json) {
		json_start_object(&t->w);
		json_name(&t->w, "key");
		if (given)
			json_hex_array(&t->w, o->key, len);
		else
			json_null(&t->w);
		json_name(&t->w, "next_key");
		json_hex_array(&t->w, o->next_key, len);
		json_end_object(&t->w);
		return;
	}
	printf("key:%c", given ? '\n' : ' ');
	if (given)
		map_data_print_bytes(o->key, len);
	else
		printf("None");
	printf("\nnext key:\n");
	map_data_print_bytes(o->next_key, len);
	printf("\n");
}

int verb_map_getnext(struct tool *t, struct args *a)
{
	struct opened o;
	bool given;
	int err = open_map(t, a, &o);

	if (err)
		return err;
	err = parse_key(t, a, &o, &given);
	if (!err && a->cnt)
		err = fail_extra(t, a);
	if (!err) {
		err = bpf_map_get_next_key(o.fd, given ? key_of(&o) : NULL, o.next_key);
		if (!err)
			print_next(t, &o, given);
		else
			err = fail_errno(t, err, "can't get next key: %s", errno_text(err));
	}
	close_map(&o);
	return err;
}

/* Queues and stacks have no keys: the value stands alone. */
static void print_element(struct tool *t, struct opened *o)
{
	if (t->json || o->data.btf)
		print_found(t, o);
	else
		map_data_print_entry(t, &o->data, o->key, o->value);
}

static int read_element(struct tool *t, struct args *a, const char *what,
	int (*take)(int fd, const void *key, void *value))
{
	struct opened o;
	int err = open_map(t, a, &o);

	if (err)
		return err;
	if (a->cnt) {
		err = fail_extra(t, a);
	} else {
		err = take(o.fd, NULL, o.value);
		if (!err)
			print_element(t, &o);
		else if (err == -ENOENT && t->json)
			json_null(&t->w);
		else if (err == -ENOENT)
			printf("Error: empty map\n");
		else
			err = fail_errno(t, err, "%s failed: %s", what, errno_text(err));
	}
	close_map(&o);
	return err;
}

int verb_map_peek(struct tool *t, struct args *a)
{
	return read_element(t, a, "peek", bpf_map_lookup_elem);
}

int verb_map_pop(struct tool *t, struct args *a)
{
	return read_element(t, a, "pop", bpf_map_lookup_and_delete_elem);
}
