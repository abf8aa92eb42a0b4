/*
 * The kernel's types: what programs typed by structures of the kernel are verified against. Read from a
 * file when first asked for, once an instance; never changed afterwards, so any thread may use it.
 */
#ifndef CORE_KBTF_H
#define CORE_KBTF_H

#include "base/types.h"

struct btf_obj; /* btf/btf.h */
struct core_kbtf;
struct skep;

#define CORE_KBTF_PATH "/sys/kernel/btf/vmlinux"

/* path NULL: CORE_KBTF_PATH. Nothing is read yet. -ENOMEM, -ENAMETOOLONG. */
int core_kbtf_new(const char *path, struct core_kbtf **ret_kbtf);
/* Takes NULL. */
void core_kbtf_free(struct core_kbtf *kbtf);
/*
 * The types, read if nobody asked before; they live as long as the instance. The errno of opening or
 * reading the file, -EINVAL if it holds no BTF, -ENOMEM: the same answer every time. Thread-safe.
 */
int core_kbtf_get(const struct skep *inst, const struct btf_obj **ret_btf);
/* The file's name. */
const char *core_kbtf_path(const struct skep *inst);

#endif
