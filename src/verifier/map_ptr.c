/*
 * Reading the kernel's record of a map through a pointer to it: struct bpf_array, struct bpf_htab, … of the
 * kernel's BTF. What runs reads the few fields that this engine has too, and 0 for the others (rewrite.c).
 */
#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "core/kbtf.h"
#include "verifier/access.h"
#include "verifier/btf_walk.h"
#include "verifier/step.h"

static const struct {
	u32 type;
	const char *name;
} records[] = {
	{BPF_MAP_TYPE_HASH, "bpf_htab"},
	{BPF_MAP_TYPE_ARRAY, "bpf_array"},
	{BPF_MAP_TYPE_PROG_ARRAY, "bpf_array"},
	{BPF_MAP_TYPE_PERF_EVENT_ARRAY, "bpf_array"},
	{BPF_MAP_TYPE_PERCPU_HASH, "bpf_htab"},
	{BPF_MAP_TYPE_PERCPU_ARRAY, "bpf_array"},
	{BPF_MAP_TYPE_STACK_TRACE, "bpf_stack_map"},
	{BPF_MAP_TYPE_CGROUP_ARRAY, "bpf_array"},
	{BPF_MAP_TYPE_LRU_HASH, "bpf_htab"},
	{BPF_MAP_TYPE_LRU_PERCPU_HASH, "bpf_htab"},
	{BPF_MAP_TYPE_LPM_TRIE, "lpm_trie"},
	{BPF_MAP_TYPE_ARRAY_OF_MAPS, "bpf_array"},
	{BPF_MAP_TYPE_HASH_OF_MAPS, "bpf_htab"},
	{BPF_MAP_TYPE_DEVMAP, "bpf_dtab"},
	{BPF_MAP_TYPE_SOCKMAP, "bpf_stab"},
	{BPF_MAP_TYPE_CPUMAP, "bpf_cpu_map"},
	{BPF_MAP_TYPE_XSKMAP, "xsk_map"},
	{BPF_MAP_TYPE_SOCKHASH, "bpf_shtab"},
	{BPF_MAP_TYPE_CGROUP_STORAGE, "bpf_cgroup_storage_map"},
	{BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, "reuseport_array"},
	{BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, "bpf_cgroup_storage_map"},
	{BPF_MAP_TYPE_QUEUE, "bpf_queue_stack"},
	{BPF_MAP_TYPE_STACK, "bpf_queue_stack"},
	{BPF_MAP_TYPE_SK_STORAGE, "bpf_local_storage_map"},
	{BPF_MAP_TYPE_DEVMAP_HASH, "bpf_dtab"},
	{BPF_MAP_TYPE_STRUCT_OPS, "bpf_struct_ops_map"},
	{BPF_MAP_TYPE_RINGBUF, "bpf_ringbuf_map"},
	{BPF_MAP_TYPE_INODE_STORAGE, "bpf_local_storage_map"},
	{BPF_MAP_TYPE_TASK_STORAGE, "bpf_local_storage_map"},
	{BPF_MAP_TYPE_BLOOM_FILTER, "bpf_bloom_filter"},
	{BPF_MAP_TYPE_USER_RINGBUF, "bpf_ringbuf_map"},
	{BPF_MAP_TYPE_CGRP_STORAGE, "bpf_local_storage_map"},
	{BPF_MAP_TYPE_ARENA, "bpf_arena"},
};

/* Fields of struct bpf_map that this engine's maps have. */
static const struct {
	const char *name;
	u32 off, size;
} fields[] = {
	{"key_size", offsetof(struct map, key_size), sizeof(u32)},
	{"value_size", offsetof(struct map, value_size), sizeof(u32)},
	{"max_entries", offsetof(struct map, max_entries), sizeof(u32)},
	{"map_flags", offsetof(struct map, flags), sizeof(u32)},
};

static const char *record_of(u32 map_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		if (records[i].type == map_type)
			return records[i].name;
	return NULL;
}

int vf_map_ptr_access(struct vf_env *env, const struct vf_access *acc)
{
	const struct map *map = vf_regs(env)[acc->regno].map;
	const char *name = record_of(map->type->type);
	const struct btf_obj *btf;
	struct vf_walk to;
	struct vf_reg reg;
	u32 id;
	int err;

	if (core_kbtf_get(env->params->inst, &btf))
		return vf_complain(env, VF_C_MAP_PTR_BTF);
	if (!name || btf_find(btf, name, BTF_KIND_STRUCT, &id))
		return vf_complain(env, VF_C_MAP_PTR_TYPE, map->type->type);
	if (acc->off < 0)
		return vf_complain(env, VF_C_MAP_PTR_NEGATIVE, acc->regno, name, acc->off);
	if (acc->is_write)
		return vf_complain(env, VF_C_MAP_PTR_WRITE, name);
	vf_reg_pointer(&reg, VF_BTF);
	reg.btf = btf;
	reg.btf_id = id;
	err = vf_btf_walk(env, btf, id, acc->off, acc->size, true, &to);
	if (!err && acc->value >= 0)
		vf_btf_load(env, &reg, &to, &vf_regs(env)[acc->value]);
	return err;
}

bool vf_map_ptr_field(const struct vf_env *env, s32 off, u32 size, u32 *ret_off)
{
	const struct btf_type *t;
	const struct btf_obj *btf;
	u32 id;

	/* every record begins with struct bpf_map */
	if (core_kbtf_get(env->params->inst, &btf) ||
		btf_find(btf, "bpf_map", BTF_KIND_STRUCT, &id))
		return false;
	t = btf_type_at(btf, id);
	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		struct btf_field_ref member = btf_member_at(btf, t, i);

		if (member.bit_off != (u32)off * 8)
			continue;
		for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
			if (strcmp(fields[f].name, member.name) || fields[f].size != size)
				continue;
			*ret_off = fields[f].off;
			return true;
		}
	}
	return false;
}
