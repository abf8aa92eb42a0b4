/*
 * From words to descriptors. Names and tags are searched among all loaded objects and may find
 * several; ids, pins and files name one. An object that goes away during a search is passed over.
 */
#include "ref.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "filter.h"
#include "info.h"
#include "object.h"
#include "out.h"

enum { NAME_MAX_LEN = 128 };

/* The words of errors are bpftool's, which differ from kind to kind. */
const struct ref_kind ref_kind_prog = {
	.name = "program",
	.file = "bpf-prog",
	.by_id = "get by id (",
	.after_id = ")",
	.next_id = bpf_prog_get_next_id,
	.fd_by_id = bpf_prog_get_fd_by_id,
};

const struct ref_kind ref_kind_map = {
	.name = "map",
	.file = "bpf-map",
	.by_id = "get map by id (",
	.after_id = ")",
	.next_id = bpf_map_get_next_id,
	.fd_by_id = bpf_map_get_fd_by_id,
};

const struct ref_kind ref_kind_link = {
	.name = "link",
	.file = "link", /* bpf_link in older kernels, bpf-link in newer ones */
	.by_id = "failed to get link with ID ",
	.after_id = "",
	.fails_with_errno = true,
	.next_id = bpf_link_get_next_id,
	.fd_by_id = bpf_link_get_fd_by_id,
};

const struct ref_kind ref_kind_btf = {
	.name = "BTF",
	.file = "btf",
	.by_id = "get btf by id (",
	.after_id = ")",
	.next_id = bpf_btf_get_next_id,
	.fd_by_id = bpf_btf_get_fd_by_id,
};

const char *ref_hint(const struct tool *t, int err)
{
	if (err == -EPERM && t->port && t->port->ops->is_kernel)
		return ": -K needs root, or CAP_BPF and CAP_SYS_ADMIN";
	return "";
}

int ref_each(struct tool *t, const struct ref_kind *kind,
	int (*fn)(struct tool *t, int fd, void *arg), void *arg)
{
	u32 id = 0;
	int fd, err;

	for (;;) {
		err = kind->next_id(id, &id);
		if (err == -ENOENT)
			return 0;
		if (err)
			return fail(t, "can't get next %s: %s%s", kind->name, errno_text(err),
				ref_hint(t, err));
		fd = kind->fd_by_id(id);
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fail(t, "can't get %s by id (%u): %s%s", kind->name, id,
				errno_text(fd), ref_hint(t, fd));
		err = fn(t, fd, arg);
		close(fd);
		if (err)
			return err;
	}
}

static int add_fd(struct tool *t, struct ref *ref, int fd)
{
	int *more = mem_realloc(ref->fds, ref->cnt + 1, sizeof(int));

	if (!more) {
		close(fd);
		return fail(t, "out of memory");
	}
	ref->fds = more;
	ref->fds[ref->cnt++] = fd;
	return 0;
}

struct search {
	struct ref *ref;
	const char *name; /* NULL: by tag */
	u8 tag[BPF_TAG_SIZE];
};

static int keep(struct tool *t, int fd, struct search *s)
{
	int copy = dup(fd);

	return copy < 0 ? fail(t, "can't keep a descriptor: %s", errno_text(errno))
			: add_fd(t, s->ref, copy);
}

static int match_prog(struct tool *t, int fd, void *arg)
{
	struct search *s = arg;
	struct bpf_prog_info info = {0};
	u32 len = sizeof(info);
	char name[NAME_MAX_LEN];
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	if (err)
		return fail(t, "can't get prog info: %s", errno_text(err));
	if (s->name) {
		info_prog_name(&info, fd, name, sizeof(name));
		if (strcmp(s->name, name) && strcmp(s->name, info.name))
			return 0;
	} else if (memcmp(s->tag, info.tag, sizeof(s->tag))) {
		return 0;
	}
	return keep(t, fd, s);
}

static int match_map(struct tool *t, int fd, void *arg)
{
	struct search *s = arg;
	struct bpf_map_info info;
	int err = info_map_get(fd, &info);

	if (err)
		return fail(t, "can't get map info: %s", errno_text(err));
	/* The kernel keeps 15 bytes of a name: a longer one is found by its beginning. */
	return strncmp(s->name, info.name, BPF_OBJ_NAME_LEN - 1) ? 0 : keep(t, fd, s);
}

static int search_name(struct tool *t, struct args *a, const struct ref_kind *kind,
	int (*match)(struct tool *t, int fd, void *arg), struct ref *ref)
{
	struct search s = {.ref = ref, .name = args_next(a)};
	int err;

	if (!s.name)
		return fail_missing(t, "a name", "name");
	ref->by_search = true;
	err = ref_each(t, kind, match, &s);
	if (!err && !ref->cnt)
		return fail(t, "no %s is named %s: `skep %s list` shows what there is", kind->name,
			s.name, kind == &ref_kind_map ? "map" : "prog");
	return err;
}

static int search_tag(struct tool *t, struct args *a, struct ref *ref)
{
	struct search s = {.ref = ref};
	const char *word = args_next(a);
	unsigned int byte;
	int err;

	if (!word)
		return fail_missing(t, "a tag", "tag");
	if (strlen(word) != 2 * BPF_TAG_SIZE || word[strspn(word, "0123456789abcdefABCDEF")])
		return fail(t, "can't parse tag '%s': it has 16 hexadecimal digits", word);
	for (size_t i = 0; i < BPF_TAG_SIZE; i++) {
		sscanf(word + 2 * i, "%2x", &byte);
		s.tag[i] = (u8)byte;
	}
	ref->by_search = true;
	err = ref_each(t, &ref_kind_prog, match_prog, &s);
	if (!err && !ref->cnt)
		return fail(t, "no program has the tag %s", word);
	return err;
}

static int fd_of_id(struct tool *t, struct args *a, const struct ref_kind *kind)
{
	const char *word = args_next(a);
	u64 id;
	int fd;

	if (!word)
		return fail_missing(t, "a number", "id");
	if (args_number(word, UINT32_MAX, &id))
		return fail(t, "can't parse %s as ID", word);
	fd = kind->fd_by_id((u32)id);
	if (fd < 0)
		return fail_errno(t, kind->fails_with_errno ? fd : -1, "%s%u%s: %s%s", kind->by_id,
			(u32)id, kind->after_id, errno_text(fd), ref_hint(t, fd));
	return fd;
}

/* The descriptor's name in /proc tells the kind; descriptors without one are taken as they are. */
static bool is_other_kind(int fd, const struct ref_kind *kind)
{
	static const struct ref_kind *const all[] = {&ref_kind_prog, &ref_kind_map, &ref_kind_link};
	char path[64], link[256] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] != kind && strstr(link, all[i]->file))
			return true;
	return false;
}

static int fd_of_pin(struct tool *t, const char *path, const struct ref_kind *kind)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return fail(t, "bpf obj get (%s): %s%s", path, errno_text(fd), ref_hint(t, fd));
	if (is_other_kind(fd, kind)) {
		close(fd);
		return fail(t, "%s is pinned, but is no %s", path, kind->name);
	}
	return fd;
}

static int fd_of_pinned(struct tool *t, struct args *a, const struct ref_kind *kind)
{
	const char *path = args_next(a);

	return path ? fd_of_pin(t, path, kind) : fail_missing(t, "a path", "pinned");
}

int ref_pinned(struct tool *t, const char *path, const char *what)
{
	return fd_of_pin(t, path,
		!strcmp(what, "map")	? &ref_kind_map
		: !strcmp(what, "link") ? &ref_kind_link
					: &ref_kind_prog);
}

/* FILE.o and, when the word after it is a program of it, that program; else its only or first one. */
static int load_file(struct tool *t, struct args *a, struct ref *ref)
{
	const char *path = args_next(a), *name = args_peek(a);
	struct bpf_program *prog;
	int err, fd;

	if (!path)
		return fail_missing(t, "an object file", "file");
	err = object_open(t, path, &ref->object);
	if (err)
		return err;
	prog = name ? bpf_object__find_program_by_name(ref->object, name) : NULL;
	if (prog)
		args_next(a);
	err = object_load_one(t, ref->object, path, prog, &fd);
	if (err)
		return err;
	return add_fd(t, ref, fd);
}

/* FILE, and "classifier" if that is what it shall be. */
static int load_filter(struct tool *t, struct args *a, struct ref *ref)
{
	const char *path = args_next(a);
	int err, fd;

	if (!path)
		return fail_missing(t, "a file", "filter");
	err = filter_load(t, path, args_take(a, "classifier"), &fd);
	return err ? err : add_fd(t, ref, fd);
}

static int one(struct tool *t, struct ref *ref, int fd)
{
	return fd < 0 ? fd : add_fd(t, ref, fd);
}

static int find_progs(struct tool *t, struct args *a, struct ref *ref)
{
	if (args_take(a, "id"))
		return one(t, ref, fd_of_id(t, a, &ref_kind_prog));
	if (args_take(a, "tag"))
		return search_tag(t, a, ref);
	if (args_take(a, "name"))
		return search_name(t, a, &ref_kind_prog, match_prog, ref);
	if (args_take(a, "pinned"))
		return one(t, ref, fd_of_pinned(t, a, &ref_kind_prog));
	if (args_take(a, "file"))
		return load_file(t, a, ref);
	if (args_take(a, "filter"))
		return load_filter(t, a, ref);
	return fail(t, "expected 'id', 'tag', 'name', 'pinned', 'file' or 'filter', got: '%s'?",
		a->cnt ? a->words[0] : "nothing");
}

static int find_maps(struct tool *t, struct args *a, struct ref *ref)
{
	if (args_take(a, "id"))
		return one(t, ref, fd_of_id(t, a, &ref_kind_map));
	if (args_take(a, "name"))
		return search_name(t, a, &ref_kind_map, match_map, ref);
	if (args_take(a, "pinned"))
		return one(t, ref, fd_of_pinned(t, a, &ref_kind_map));
	return fail(t, "expected 'id', 'name' or 'pinned', got: '%s'?",
		a->cnt ? a->words[0] : "nothing");
}

static int or_undo(struct ref *ref, int err)
{
	if (err)
		ref_done(ref);
	return err;
}

int ref_progs(struct tool *t, struct args *a, struct ref *ret)
{
	*ret = (struct ref){0};
	return or_undo(ret, find_progs(t, a, ret));
}

int ref_maps(struct tool *t, struct args *a, struct ref *ret)
{
	*ret = (struct ref){0};
	return or_undo(ret, find_maps(t, a, ret));
}

void ref_done(struct ref *ref)
{
	for (size_t i = 0; i < ref->cnt; i++)
		close(ref->fds[i]);
	mem_free(ref->fds);
	bpf_object__close(ref->object);
	*ref = (struct ref){0};
}

int ref_prog(struct tool *t, struct args *a, struct ref *ret)
{
	int err = ref_progs(t, a, ret);

	if (!err && ret->cnt > 1)
		err = fail(t, "several programs match this handle: name one by its id "
			      "(`skep prog list` shows them)");
	return or_undo(ret, err);
}

int ref_map(struct tool *t, struct args *a, struct ref *ret)
{
	int err = ref_maps(t, a, ret);

	if (!err && ret->cnt > 1)
		err = fail(t, "several maps match this handle: name one by its id "
			      "(`skep map list` shows them)");
	return or_undo(ret, err);
}

int ref_link_fd(struct tool *t, struct args *a)
{
	if (args_take(a, "id"))
		return fd_of_id(t, a, &ref_kind_link);
	if (args_take(a, "pinned"))
		return fd_of_pinned(t, a, &ref_kind_link);
	return fail(t, "expected 'id' or 'pinned', got: '%s'?", a->cnt ? a->words[0] : "nothing");
}

bool ref_prog_follows(const struct args *a)
{
	return args_is(a, "id") || args_is(a, "tag") || args_is(a, "name") || args_is(a, "pinned");
}

bool ref_map_follows(const struct args *a)
{
	return args_is(a, "id") || args_is(a, "name") || args_is(a, "pinned");
}

bool ref_is_file(const struct args *a)
{
	return args_is(a, "file") || args_is(a, "filter");
}
