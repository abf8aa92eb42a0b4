/*
 * How a line names an object: PROG := id N | tag T | name N | pinned PATH | file FILE.o [NAME] |
 * filter FILE [classifier],
 * MAP := id N | name N | pinned PATH, LINK := id N | pinned PATH.
 */
#ifndef SKEP_REF_H
#define SKEP_REF_H

#include "isa/uapi.h"

#include "tool.h"

struct bpf_object;

/* Descriptors that a reference found; a `file` keeps its object open as well. */
struct ref {
	int *fds;
	size_t cnt;
	struct bpf_object *object;
	bool by_search; /* by name or tag: a list, even of one */
};

/* Reads a PROG. 0 and at least one descriptor, or the exit status after an error. */
int ref_progs(struct tool *t, struct args *a, struct ref *ret);
int ref_maps(struct tool *t, struct args *a, struct ref *ret);
void ref_done(struct ref *ref);
/* Exactly one; several are an error that lists what to do. */
int ref_prog(struct tool *t, struct args *a, struct ref *ret);
int ref_map(struct tool *t, struct args *a, struct ref *ret);
/* A descriptor of the link, or -1 after an error. */
int ref_link_fd(struct tool *t, struct args *a);

/* What to do about an errno of bpf(2) that says "not you"; "" for others. */
const char *ref_hint(const struct tool *t, int err);

/* The words a PROG or MAP begins with, so that a grammar can tell it from other words. */
bool ref_prog_follows(const struct args *a);
bool ref_map_follows(const struct args *a);

/* An object pinned at path; what is "prog", "map" or "link". */
int ref_pinned(struct tool *t, const char *path, const char *what);
/* Does PROG name a file, so that a fresh instance will do? */
bool ref_is_file(const struct args *a);

/* Walks all objects of a kind by id: fd of each until fn returns non-zero; fn does not close it. */
struct ref_kind {
	const char *name;  /* for errors: "program", "map", ... */
	const char *file;  /* what the descriptor's own name contains: "bpf-prog", ... */
	const char *by_id; /* the error of an id that is none, up to the number */
	const char *after_id;
	bool fails_with_errno; /* ... and whether the errno becomes the exit status */
	int (*next_id)(u32 start, u32 *ret_next);
	int (*fd_by_id)(u32 id);
};
extern const struct ref_kind ref_kind_prog, ref_kind_map, ref_kind_link, ref_kind_btf;
int ref_each(struct tool *t, const struct ref_kind *kind,
	int (*fn)(struct tool *t, int fd, void *arg), void *arg);

#endif
