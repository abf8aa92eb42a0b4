/*
 * Whether an object file is what libbpf takes it for. libbpf trusts objects: an id out of range or a
 * type that contains itself makes it read where it must not, or never end. So an object is checked
 * before libbpf sees it, as far as libbpf relies on it and no further: what libbpf, the engine or
 * the kernel refuses by itself is left to them and their words.
 */
#ifndef OBJECT_CHECK_H
#define OBJECT_CHECK_H

#include "base/types.h"

struct port_text;

/*
 * len bytes of the file at path. 0, or -EINVAL, -E2BIG, -ENOMEM with one sentence in err: what is
 * wrong, where, what to do.
 */
int object_check(const char *path, const void *data, size_t len, struct port_text *err);

/*
 * The same for the types alone, of a file that is BTF or an ELF file of any machine: where they are
 * in data. -ENOENT, without a sentence: it has none.
 */
int object_check_types(const char *path, const void *data, size_t len, const void **ret_btf,
	u32 *ret_len, struct port_text *err);

#endif
