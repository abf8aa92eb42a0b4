/*
 * CO-RE inside of the layer: the path to a member, enumerator or type as a record names it in the
 * program's BTF, and the same in the kernel's.
 *
 *	struct s { int a; struct { int b[4]; } inner; };	"0:1:0:2" of s:	s[0].inner.b[2]
 *
 * Steps through members without a name are in the text and not in `steps`, so that a path finds its member
 * in a target where anonymous structs are nested differently.
 */
#ifndef BTF_CORE_SPEC_H
#define BTF_CORE_SPEC_H

#include "btf/btf.h"
#include "btf/core_relo.h"

enum { CORE_STEPS_MAX = 64 };

struct core_step {
	u32 type_id; /* the struct of the member, the array's element, the enum */
	u32 idx;
	const char *name; /* NULL: an array's element */
};

struct core_spec {
	const struct btf_obj *btf;
	u32 root_id, kind; /* enum bpf_core_relo_kind */
	struct core_step steps[CORE_STEPS_MAX];
	u32 step_cnt, raw_cnt;
	u32 bit_off;
};

bool core_is_field(u32 kind);
bool core_is_type(u32 kind);
bool core_is_enumval(u32 kind);
/* The length of a name without its flavour: what follows "___". */
size_t core_name_len(const char *name);

/* From the text of a record. -EINVAL, -E2BIG. */
int core_spec_parse(
	const struct btf_obj *btf, const struct bpf_core_relo *relo, struct core_spec *ret_spec);
/* The same path from type id of btf: 1 found, 0 not there or of another kind, or an errno. */
int core_spec_match(const struct core_spec *local, const struct btf_obj *btf, u32 id,
	struct core_spec *ret_spec);

/* core_type.c: 1, 0 or an errno */
int core_types_compat(
	const struct btf_obj *a, u32 a_id, const struct btf_obj *b, u32 b_id, int level);
int core_types_match(const struct btf_obj *a, u32 a_id, const struct btf_obj *b, u32 b_id,
	bool behind_ptr, int level);

#endif
