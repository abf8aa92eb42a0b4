/*
 * Object files: opening one through libbpf with errors that a reader can act on, and loading one of
 * its programs alone.
 */
#ifndef SKEP_OBJECT_H
#define SKEP_OBJECT_H

#include <bpf/libbpf.h>

#include "tool.h"

struct btf;

/*
 * Opens path, without loading. 0, or the exit status after an error that tells what is wrong with
 * the file: missing, not ELF, not for BPF, cut short, malformed, without programs.
 */
int object_open(struct tool *t, const char *path, struct bpf_object **ret);
/* The same without writing an error: its text goes to err. A negative errno. */
int object_try_open(const char *path, struct bpf_object **ret, struct port_text *err);
/*
 * The types of a file that is BTF or an ELF file with a section .BTF, checked; for btf__free().
 * A negative errno; -ENOENT: it has no types.
 */
int object_types(const char *path, struct btf **ret, struct port_text *err);
/*
 * bpf_object__load() but for what it cannot do: struct_ops maps without a program that makes it read
 * the kernel's types. -EOPNOTSUPP then, said where libbpf says its reasons.
 */
int object_load(struct bpf_object *object);
/*
 * Loads the maps and prog (NULL: the first program) and nothing else. Gives a descriptor of the
 * program for the caller to close.
 */
int object_load_one(struct tool *t, struct bpf_object *object, const char *path,
	struct bpf_program *prog, int *ret_fd);
/* After a failed load: an error with the verifier's last words, or what libbpf said. */
int object_load_failed(struct tool *t, const char *path, const char *prog, int err);
/* libbpf's last complaint, without its prefix and the newline; "" when it said nothing. */
const char *object_libbpf_reason(struct tool *t, char *buf, size_t len);

#endif
