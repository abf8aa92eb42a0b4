/*
 * Special fields: members of a struct that only the engine may touch, found by the names of their
 * types (struct bpf_spin_lock, struct bpf_timer, …) or by a type tag on a pointer (kptr).
 */
#ifndef BTF_FIELDS_H
#define BTF_FIELDS_H

#include "base/types.h"

struct btf_obj;

enum btf_field_kind {
	BTF_FIELD_SPIN_LOCK = 1 << 0,
	BTF_FIELD_TIMER = 1 << 1,
	BTF_FIELD_KPTR_UNREF = 1 << 2,
	BTF_FIELD_KPTR_REF = 1 << 3,
	BTF_FIELD_KPTR_PERCPU = 1 << 4,
	BTF_FIELD_LIST_HEAD = 1 << 5,
	BTF_FIELD_LIST_NODE = 1 << 6,
	BTF_FIELD_RB_ROOT = 1 << 7,
	BTF_FIELD_RB_NODE = 1 << 8,
	BTF_FIELD_REFCOUNT = 1 << 9,
	BTF_FIELD_WORKQUEUE = 1 << 10,
	BTF_FIELD_UPTR = 1 << 11,
	BTF_FIELD_RES_SPIN_LOCK = 1 << 12,
	BTF_FIELD_TASK_WORK = 1 << 13,

	BTF_FIELD_KPTR = BTF_FIELD_KPTR_UNREF | BTF_FIELD_KPTR_REF | BTF_FIELD_KPTR_PERCPU,
	BTF_FIELD_GRAPH_ROOT = BTF_FIELD_LIST_HEAD | BTF_FIELD_RB_ROOT,
	BTF_FIELD_GRAPH_NODE = BTF_FIELD_LIST_NODE | BTF_FIELD_RB_NODE,
};

enum { BTF_FIELD_CNT_MAX = 11 };

struct btf_field {
	enum btf_field_kind kind;
	u32 off, size;	/* bytes in the value */
	u32 type_id;	/* kptr: the struct pointed to; list or tree root: the struct it holds */
	u32 node_off;	/* root: where the node is in that struct, bytes */
	bool of_kernel; /* kptr: to a type of the engine's own, not of the program's */
};

struct btf_fields {
	u32 mask; /* of enum btf_field_kind */
	u32 cnt;
	struct btf_field items[BTF_FIELD_CNT_MAX]; /* by offset */
};

/*
 * The fields of the kinds in mask of a struct or DATASEC of `size` bytes. Errors as BPF_MAP_CREATE:
 * -EINVAL (also for other types), -E2BIG (two locks, too many), -EEXIST (overlap), -ENOENT, -ENOMEM.
 * Finding none is 0 with ret_fields NULL.
 */
int btf_fields_find(
	const struct btf_obj *btf, u32 id, u32 mask, u32 size, struct btf_fields **ret_fields);
void btf_fields_free(struct btf_fields *fields);
/* A copy; of NULL it is NULL. -ENOMEM. */
int btf_fields_dup(const struct btf_fields *fields, struct btf_fields **ret_fields);
/* The same fields at the same places; either may be NULL. */
bool btf_fields_equal(const struct btf_fields *a, const struct btf_fields *b);
/* What must hold between fields and the types they hold, once all structs are known. */
int btf_fields_fixup(const struct btf_obj *btf, const struct btf_fields *fields);
/* Linux's word for a kind: "bpf_timer", "kptr". */
const char *btf_field_name(enum btf_field_kind kind);
/* NULL when the value has no such field. */
const struct btf_field *btf_fields_at(const struct btf_fields *fields, enum btf_field_kind kind);

#endif
