/*
 * bpf(2) calls on an instance in few words, for the unit tests of layers sys and port: each returns what
 * the call returns.
 */
#ifndef TEST_SYS_CALLS_H
#define TEST_SYS_CALLS_H

#include <stdint.h>
#include <string.h>

#include <skep/skep.h>

#include "sys/attr.h"

/* Where calls go: an instance, or anything else that serves bpf(2). */
struct target {
	long (*bpf)(void *arg, int cmd, union bpf_attr *attr, unsigned int size);
	void *arg;
};

static inline long call(const struct target *t, int cmd, union sys_attr *attr)
{
	return t->bpf(t->arg, cmd, &attr->uapi, SYS_ATTR_SIZE);
}

static inline long on_skep(void *arg, int cmd, union bpf_attr *attr, unsigned int size)
{
	return skep_bpf(arg, cmd, attr, size);
}

static inline struct target target_of(struct skep *skep)
{
	return (struct target){on_skep, skep};
}

static inline int make_map(const struct target *t, u32 type, u32 flags, const char *name)
{
	union sys_attr attr = {0};

	attr.map_create.map_type = type;
	attr.map_create.key_size = 4;
	attr.map_create.value_size = 8;
	attr.map_create.max_entries = 8;
	attr.map_create.map_flags = flags;
	strncpy(attr.map_create.map_name, name, BPF_OBJ_NAME_LEN - 1);
	return (int)call(t, BPF_MAP_CREATE, &attr);
}

static inline long elem(
	const struct target *t, int cmd, int fd, const void *key, void *value, u64 flags)
{
	union sys_attr attr = {0};

	attr.uapi.map_fd = fd;
	attr.uapi.key = (uintptr_t)key;
	attr.uapi.value = (uintptr_t)value;
	attr.uapi.flags = flags;
	return call(t, cmd, &attr);
}

static inline long set(const struct target *t, int fd, u32 key, u64 value)
{
	return elem(t, BPF_MAP_UPDATE_ELEM, fd, &key, &value, BPF_ANY);
}

/* The value, or the negative errno. */
static inline long get(const struct target *t, int fd, u32 key)
{
	u64 value = 0;
	long ret = elem(t, BPF_MAP_LOOKUP_ELEM, fd, &key, &value, 0);

	return ret < 0 ? ret : (long)value;
}

/* r0 = action; exit */
static inline int make_prog(const struct target *t, int action)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = action},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union sys_attr attr = {0};

	attr.prog_load.prog_type = BPF_PROG_TYPE_XDP;
	attr.prog_load.insns = (uintptr_t)insns;
	attr.prog_load.insn_cnt = 2;
	attr.prog_load.license = (uintptr_t) "GPL";
	return (int)call(t, BPF_PROG_LOAD, &attr);
}

/* r0 = 2 after naming the map, which the program then holds */
static inline int make_prog_with_map(const struct target *t, int map_fd)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = 1,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = map_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union sys_attr attr = {0};

	attr.prog_load.prog_type = BPF_PROG_TYPE_XDP;
	attr.prog_load.insns = (uintptr_t)insns;
	attr.prog_load.insn_cnt = 4;
	attr.prog_load.license = (uintptr_t) "GPL";
	return (int)call(t, BPF_PROG_LOAD, &attr);
}

static inline int make_link(const struct target *t, int prog_fd, u32 ifindex)
{
	union sys_attr attr = {0};

	attr.link_create.prog_fd = prog_fd;
	attr.link_create.target = ifindex;
	attr.link_create.attach_type = BPF_XDP;
	return (int)call(t, BPF_LINK_CREATE, &attr);
}

/* BPF_*_GET_NEXT_ID; 0 after the last. */
static inline u32 next_id(const struct target *t, int cmd, u32 id)
{
	union sys_attr attr = {.by_id.id = id};

	return call(t, cmd, &attr) ? 0 : attr.by_id.next_id;
}

static inline int by_id(const struct target *t, int cmd, u32 id)
{
	union sys_attr attr = {.by_id.id = id};

	return (int)call(t, cmd, &attr);
}

/* type, id and whatever follows, of any object */
static inline long info(const struct target *t, int fd, void *ret, u32 len)
{
	union sys_attr attr = {0};

	attr.uapi.info.bpf_fd = fd;
	attr.uapi.info.info_len = len;
	attr.uapi.info.info = (uintptr_t)ret;
	return call(t, BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static inline u32 id_of(const struct target *t, int fd)
{
	u32 head[2] = {0};

	return info(t, fd, head, sizeof(head)) ? 0 : head[1];
}

static inline long pin(const struct target *t, int fd, const char *path)
{
	union sys_attr attr = {0};

	attr.obj.pathname = (uintptr_t)path;
	attr.obj.bpf_fd = fd;
	return call(t, BPF_OBJ_PIN, &attr);
}

static inline int get_pin(const struct target *t, const char *path, u32 flags)
{
	union sys_attr attr = {0};

	attr.obj.pathname = (uintptr_t)path;
	attr.obj.file_flags = flags;
	return (int)call(t, BPF_OBJ_GET, &attr);
}

#endif
