/*
 * Whether the types a map is given for its keys and values fit it (BPF_MAP_CREATE with
 * btf_key_type_id, btf_value_type_id).
 */
#ifndef BTF_MAPKV_H
#define BTF_MAPKV_H

#include "base/types.h"

struct btf_obj;
struct btf_fields;

struct btf_map_want {
	u32 map_type;
	u32 map_flags;
	u32 max_entries;
	u32 key_size, value_size;
	u32 key_id, value_id; /* value_id is not 0; key_id may be */
};

/*
 * Sizes, the map type's own rule, and the special fields of the value (spin lock, timer, kptr …).
 * ret_fields: NULL when the value has none; else to be freed with btf_fields_free().
 * -EINVAL, -EACCES, -EOPNOTSUPP, -BTF_ENOTSUPP (a map type without BTF), -ENOMEM and whatever the
 * fields' own rules give, as Linux 6.18.
 */
int btf_map_check(
	const struct btf_obj *btf, const struct btf_map_want *want, struct btf_fields **ret_fields);

#endif
