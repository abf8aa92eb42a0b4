/*
 * What GET_INFO says of an object, with the arrays behind it fetched in as many calls as that takes.
 */
#ifndef SKEP_INFO_H
#define SKEP_INFO_H

#include "isa/uapi.h"

#include "tool.h"

struct btf; /* libbpf's */

enum info_want {
	INFO_MAP_IDS = 1 << 0,
	INFO_XLATED = 1 << 1,
	INFO_JITED = 1 << 2,
	INFO_LINES = 1 << 3, /* func_info, line_info, their jited addresses */
};

/* The pointers inside info point at memory that info_prog_done() frees. */
struct info_prog {
	struct bpf_prog_info info;
	void *mem;
};

/* want: bits of enum info_want. 0 or a negative errno. */
int info_prog_get(int fd, unsigned int want, struct info_prog *ret);
void info_prog_done(struct info_prog *p);

int info_map_get(int fd, struct bpf_map_info *ret);
int info_link_get(int fd, struct bpf_link_info *ret);

/* The name, from BTF where the 15 bytes of info.name cut it. Into ret, of len bytes. */
void info_prog_name(const struct bpf_prog_info *info, int fd, char *ret, size_t len);
/* A pointer that an info structure carries as a number. */
static inline void *info_ptr(u64 addr)
{
	return (void *)(uintptr_t)addr;
}

/* The BTF of an id, for the caller to free with btf__free(); NULL when there is none. */
struct btf *info_btf(u32 id);
/* Bytes of one value of a map as user space sees it: of all CPUs for per-CPU types. */
size_t info_value_len(const struct bpf_map_info *info);
bool info_is_percpu(u32 map_type);
/* Keys are indices, in the machine's byte order. */
bool info_is_indexed(u32 map_type);
bool info_is_map_of_maps(u32 map_type);
/* Values are descriptors going in and ids coming out: maps of maps, program arrays. */
bool info_holds_objects(u32 map_type);
/* The engine's CPUs, as libbpf counts them; 1 when that fails. */
unsigned int info_cpu_cnt(void);

#endif
