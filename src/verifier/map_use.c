/*
 * Which maps programs of a type may use: special fields in values ask for a context that can be interrupted by
 * nothing that runs programs too.
 */
#include <errno.h>

#include "btf/fields.h"
#include "core/map.h"
#include "verifier/env.h"
#include "verifier/static.h"

/* Runs wherever the kernel happens to be. */
static bool is_tracing(u32 prog_type)
{
	switch (prog_type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE: return true;
	default: return false;
	}
}

int vf_map_usable(struct vf_env *env, const struct map *map)
{
	static const struct {
		u32 fields;
		const char *name;
	} rows[] = {
		{BTF_FIELD_GRAPH_ROOT, "bpf_{list_head,rb_root}"},
		{BTF_FIELD_SPIN_LOCK | BTF_FIELD_RES_SPIN_LOCK, "bpf_spin_lock"},
		{BTF_FIELD_TIMER, "bpf_timer"},
		{BTF_FIELD_WORKQUEUE, "bpf_wq"},
	};
	u32 type = env->type->type;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!map_has_field(map, rows[i].fields))
			continue;
		if (rows[i].fields & BTF_FIELD_SPIN_LOCK && type == BPF_PROG_TYPE_SOCKET_FILTER)
			return vf_complain(env, VF_C_MAP_FIELD_PROG, "socket filter", rows[i].name);
		if (is_tracing(type))
			return vf_complain(env, VF_C_MAP_FIELD_PROG, "tracing", rows[i].name);
	}
	return vf_sleepable_map(env, map);
}
