/*
 * btf show, btf list: what type information is loaded, and which programs and maps use it. Users are
 * found by asking every program and map for its BTF, once, before the list.
 */
#include <bpf/bpf.h>
#include "isa/uapi.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "info.h"
#include "out.h"
#include "ref.h"

/* "program or map id uses BTF btf_id", by rising id. */
struct user {
	u32 btf_id, id;
};

struct users {
	struct user *items;
	size_t cnt;
};

struct lister {
	struct users progs, maps;
};

static int add_user(struct tool *t, struct users *users, u32 btf_id, u32 id)
{
	struct user *more;

	if (!btf_id)
		return 0;
	more = mem_realloc(users->items, users->cnt + 1, sizeof(*more));
	if (!more)
		return fail(t, "out of memory");
	users->items = more;
	more[users->cnt++] = (struct user){btf_id, id};
	return 0;
}

static int add_prog(struct tool *t, int fd, void *arg)
{
	struct info_prog prog;
	int err = info_prog_get(fd, 0, &prog);

	if (err)
		return fail(t, "can't get prog info: %s", errno_text(err));
	err = add_user(t, arg, prog.info.btf_id, prog.info.id);
	info_prog_done(&prog);
	return err;
}

static int add_map(struct tool *t, int fd, void *arg)
{
	struct bpf_map_info info;
	int err = info_map_get(fd, &info);

	if (err)
		return fail(t, "can't get map info: %s", errno_text(err));
	return add_user(t, arg, info.btf_id, info.id);
}

static void print_users(struct tool *t, const char *name, const struct users *users, u32 btf_id)
{
	size_t shown = 0;

	if (t->json) {
		json_name(&t->w, name);
		json_start_array(&t->w);
	}
	for (size_t i = 0; i < users->cnt; i++) {
		if (users->items[i].btf_id != btf_id)
			continue;
		if (t->json)
			json_uint(&t->w, users->items[i].id);
		else
			printf("%s%s%u", shown ? "," : "  ", shown ? "" : name, users->items[i].id);
		shown++;
	}
	if (t->json)
		json_end_array(&t->w);
}

static int show_one(struct tool *t, int fd, void *arg)
{
	const struct lister *l = arg;
	char name[64] = "";
	struct bpf_btf_info info = {.name = (u64)(uintptr_t)name, .name_len = sizeof(name)};
	u32 len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	if (err)
		return fail(t, "can't get BTF object info: %s", errno_text(err));
	if (t->json) {
		json_start_object(&t->w);
		json_uint_field(&t->w, "id", info.id);
		json_uint_field(&t->w, "size", info.btf_size);
	} else {
		printf("%u: name %s%s%s  size %uB", info.id, info.kernel_btf ? "[" : "",
			name[0] ? name : "<anon>", info.kernel_btf ? "]" : "", info.btf_size);
	}
	print_users(t, t->json ? "prog_ids" : "prog_ids ", &l->progs, info.id);
	print_users(t, t->json ? "map_ids" : "map_ids ", &l->maps, info.id);
	if (!t->json) {
		printf("\n");
		return 0;
	}
	json_bool_field(&t->w, "kernel", info.kernel_btf);
	if (name[0])
		json_string_field(&t->w, "name", name);
	json_end_object(&t->w);
	return 0;
}

static int show_id(struct tool *t, struct args *a, struct lister *l)
{
	const char *word;
	u64 id;
	int err, fd;

	if (!args_take(a, "id"))
		return fail(t, "expected 'id', got: '%s'?", args_peek(a));
	word = args_next(a);
	if (!word)
		return fail_missing(t, "a number", "id");
	if (args_number(word, UINT32_MAX, &id))
		return fail(t, "can't parse %s as ID", word);
	if (a->cnt)
		return fail_extra(t, a);
	fd = bpf_btf_get_fd_by_id((u32)id);
	if (fd < 0)
		return fail(t, "can't get BTF object by id (%u): %s", (u32)id, errno_text(fd));
	err = show_one(t, fd, l);
	close(fd);
	return err;
}

int verb_btf_list(struct tool *t, struct args *a)
{
	struct lister l = {0};
	int err = tool_engine_running(t);

	if (!err)
		err = ref_each(t, &ref_kind_prog, add_prog, &l.progs);
	if (!err)
		err = ref_each(t, &ref_kind_map, add_map, &l.maps);
	if (!err && a->cnt) {
		err = show_id(t, a, &l);
	} else if (!err) {
		if (t->json)
			json_start_array(&t->w);
		err = ref_each(t, &ref_kind_btf, show_one, &l);
		if (t->json)
			json_end_array(&t->w);
	}
	mem_free(l.progs.items);
	mem_free(l.maps.items);
	return err;
}
