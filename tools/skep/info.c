/*
 * GET_INFO is asked twice: once for the sizes of the arrays, and once with room for those wanted. A
 * program does not change once loaded, so the second answer fits the first.
 */
#include "info.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static u64 place(u64 *off, u64 bytes)
{
	u64 at = *off;

	*off += ROUND_UP(bytes, 8);
	return at;
}

/* An array of the info structure: how large it is, and where it goes. */
#define PLACE(ptr, bytes)                                                                          \
	do {                                                                                       \
		if ((bytes) != 0)                                                                  \
			want_info->ptr = base + place(&off, bytes);                                \
	} while (0)

/* Lays the wanted arrays out after base; returns the bytes they take. */
static u64 lay_out(const struct bpf_prog_info *has, unsigned int want, u64 base,
	struct bpf_prog_info *want_info)
{
	u64 off = 0;

	memset(want_info, 0, sizeof(*want_info));
	if (want & INFO_MAP_IDS) {
		want_info->nr_map_ids = has->nr_map_ids;
		PLACE(map_ids, (u64)has->nr_map_ids * sizeof(u32));
	}
	if (want & INFO_XLATED) {
		want_info->xlated_prog_len = has->xlated_prog_len;
		PLACE(xlated_prog_insns, has->xlated_prog_len);
	}
	if (want & INFO_JITED) {
		want_info->jited_prog_len = has->jited_prog_len;
		PLACE(jited_prog_insns, has->jited_prog_len);
	}
	if (want & (INFO_JITED | INFO_XLATED)) {
		want_info->nr_jited_ksyms = has->nr_jited_ksyms;
		PLACE(jited_ksyms, (u64)has->nr_jited_ksyms * sizeof(u64));
		want_info->nr_jited_func_lens = has->nr_jited_func_lens;
		PLACE(jited_func_lens, (u64)has->nr_jited_func_lens * sizeof(u32));
	}
	if (want & INFO_LINES) {
		want_info->nr_func_info = has->nr_func_info;
		want_info->func_info_rec_size = has->func_info_rec_size;
		PLACE(func_info, (u64)has->nr_func_info * has->func_info_rec_size);
		want_info->nr_line_info = has->nr_line_info;
		want_info->line_info_rec_size = has->line_info_rec_size;
		PLACE(line_info, (u64)has->nr_line_info * has->line_info_rec_size);
		want_info->nr_jited_line_info = has->nr_jited_line_info;
		want_info->jited_line_info_rec_size = has->jited_line_info_rec_size;
		PLACE(jited_line_info,
			(u64)has->nr_jited_line_info * has->jited_line_info_rec_size);
	}
	return off;
}

int info_prog_get(int fd, unsigned int want, struct info_prog *ret)
{
	struct bpf_prog_info has = {0}, with;
	u32 len = sizeof(has);
	void *mem;
	u64 bytes;
	int err;

	err = bpf_obj_get_info_by_fd(fd, &has, &len);
	if (err)
		return err;
	bytes = lay_out(&has, want, 0, &with);
	mem = mem_zalloc(bytes);
	if (!mem)
		return -ENOMEM;
	lay_out(&has, want, (u64)(uintptr_t)mem, &with);
	len = sizeof(with);
	err = bpf_obj_get_info_by_fd(fd, &with, &len);
	if (err) {
		mem_free(mem);
		return err;
	}
	ret->info = with;
	ret->mem = mem;
	return 0;
}

void info_prog_done(struct info_prog *p)
{
	mem_free(p->mem);
	p->mem = NULL;
}

int info_map_get(int fd, struct bpf_map_info *ret)
{
	u32 len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &len);
}

int info_link_get(int fd, struct bpf_link_info *ret)
{
	u32 len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &len);
}

struct btf *info_btf(u32 id)
{
	struct btf *btf = btf__load_from_kernel_by_id(id);

	return libbpf_get_error(btf) ? NULL : btf;
}

/* The name of the function that starts the program, when BTF has one that the short name begins. */
static bool name_of_btf(const struct bpf_prog_info *info, int fd, char *ret, size_t len)
{
	const struct bpf_func_info *func;
	const struct btf_type *type = NULL;
	const char *name = NULL;
	struct info_prog full;
	struct btf *btf;
	bool found;

	if (info_prog_get(fd, INFO_LINES, &full))
		return false;
	btf = info_btf(info->btf_id);
	func = full.info.nr_func_info ? info_ptr(full.info.func_info) : NULL;
	if (btf && func)
		type = btf__type_by_id(btf, func->type_id);
	if (type && btf_is_func(type))
		name = btf__name_by_offset(btf, type->name_off);
	found = name && !strncmp(name, info->name, strlen(info->name));
	if (found)
		snprintf(ret, len, "%s", name);
	btf__free(btf);
	info_prog_done(&full);
	return found;
}

void info_prog_name(const struct bpf_prog_info *info, int fd, char *ret, size_t len)
{
	if (strlen(info->name) == BPF_OBJ_NAME_LEN - 1 && info->btf_id && info->nr_func_info &&
		name_of_btf(info, fd, ret, len))
		return;
	snprintf(ret, len, "%s", info->name);
}

bool info_is_percpu(u32 map_type)
{
	return map_type == BPF_MAP_TYPE_PERCPU_HASH || map_type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       map_type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
	       map_type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

bool info_is_indexed(u32 map_type)
{
	return map_type == BPF_MAP_TYPE_ARRAY || map_type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       map_type == BPF_MAP_TYPE_ARRAY_OF_MAPS || map_type == BPF_MAP_TYPE_PROG_ARRAY;
}

bool info_is_map_of_maps(u32 map_type)
{
	return map_type == BPF_MAP_TYPE_ARRAY_OF_MAPS || map_type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

bool info_holds_objects(u32 map_type)
{
	return info_is_map_of_maps(map_type) || map_type == BPF_MAP_TYPE_PROG_ARRAY;
}

unsigned int info_cpu_cnt(void)
{
	int cnt = libbpf_num_possible_cpus();

	return cnt > 0 ? (unsigned int)cnt : 1;
}

size_t info_value_len(const struct bpf_map_info *info)
{
	if (info_is_percpu(info->type))
		return (size_t)ROUND_UP(info->value_size, 8) * info_cpu_cnt();
	return info->value_size;
}
