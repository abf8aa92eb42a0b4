/*
 * Key and value types against a map. A value whose special fields are wrong in themselves (two locks,
 * a list without its tag) does not keep a map from being made, in Linux either: it then counts as
 * having none, and what needs such a field is refused when a program uses it.
 */
#include "btf/mapkv.h"

#include <errno.h>
#include <linux/bpf.h>

#include "btf/fields.h"
#include "btf/obj.h"

enum rule { RULE_UNKNOWN, ANY, NONE, ARRAY, LPM, KEYLESS, STORAGE, CGROUP };

enum {
	LOCK = BTF_FIELD_SPIN_LOCK | BTF_FIELD_RES_SPIN_LOCK,
	TIMER = BTF_FIELD_TIMER | BTF_FIELD_WORKQUEUE | BTF_FIELD_TASK_WORK,
	KPTR = BTF_FIELD_KPTR | BTF_FIELD_REFCOUNT,
	ROOT = BTF_FIELD_GRAPH_ROOT,
	UPTR = BTF_FIELD_UPTR,
	VALUE_FIELDS = LOCK | TIMER | KPTR | ROOT | UPTR,
};

static const struct {
	enum rule rule;
	u32 fields;
} rows[] = {
#define MAPKV(number, name, rule, fields) [number] = {rule, fields},
#include "btf/mapkv.def"
#undef MAPKV
};

static bool is_int_of(const struct btf_type *t, u32 bits)
{
	return btf_type_is(t, BTF_KIND_INT) && BTF_INT_BITS(btf_type_int(t)) == bits &&
	       !BTF_INT_OFFSET(btf_type_int(t));
}

/* A plain int member of `bytes` bytes at byte_off. */
static bool is_plain_member(
	const struct btf_obj *btf, const struct btf_type *st, u32 i, u32 byte_off, u32 bytes)
{
	struct btf_field_ref m = btf_member_at(btf, st, i);
	u32 id = m.type_id;
	const struct btf_type *t = btf_sized(btf, &id, NULL);

	return t && is_int_of(t, bytes * 8) && !m.bit_size && m.bit_off == byte_off * 8;
}

static bool is_cgroup_key(const struct btf_obj *btf, const struct btf_type *key, u32 key_size)
{
	if (key_size == sizeof(u64))
		return is_int_of(key, 64);
	return btf_type_is(key, BTF_KIND_STRUCT) && btf_type_vlen(key) == 2 &&
	       key->size == sizeof(struct bpf_cgroup_storage_key) &&
	       is_plain_member(
		       btf, key, 0, offsetof(struct bpf_cgroup_storage_key, cgroup_inode_id), 8) &&
	       is_plain_member(
		       btf, key, 1, offsetof(struct bpf_cgroup_storage_key, attach_type), 4);
}

/* The map type's own rule; key is void when the map names no key type. */
static int check_rule(const struct btf_obj *btf, const struct btf_map_want *want,
	const struct btf_type *key, const struct btf_type *value)
{
	bool has_key = !btf_type_is(key, BTF_KIND_UNKN), fits = true;

	switch (rows[want->map_type].rule) {
	case NONE: return -BTF_ENOTSUPP;
	case ARRAY:
		if (has_key)
			fits = is_int_of(key, 32);
		else
			fits = want->map_type == BPF_MAP_TYPE_ARRAY && want->max_entries == 1 &&
			       btf_type_is(value, BTF_KIND_DATASEC);
		break;
	case LPM: fits = btf_type_is(key, BTF_KIND_STRUCT); break;
	case KEYLESS: fits = !has_key; break;
	case STORAGE: fits = is_int_of(key, 32); break;
	case CGROUP: fits = is_cgroup_key(btf, key, want->key_size); break;
	default: break;
	}
	return fits ? 0 : -EINVAL;
}

/* *ret_fields NULL when there are none, or none that count. */
static int find_fields(const struct btf_obj *btf, u32 value_id, const struct btf_map_want *want,
	struct btf_fields **ret_fields)
{
	struct btf_fields *fields = NULL;
	int err = btf_fields_find(btf, value_id, VALUE_FIELDS, want->value_size, &fields);

	if (err == -ENOMEM)
		return err;
	err = 0;
	if (fields && want->map_flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG))
		err = -EACCES;
	else if (fields && fields->mask & ~rows[want->map_type].fields)
		err = -EOPNOTSUPP;
	else
		err = btf_fields_fixup(btf, fields);
	if (err) {
		btf_fields_free(fields);
		return err;
	}
	*ret_fields = fields;
	return 0;
}

int btf_map_check(
	const struct btf_obj *btf, const struct btf_map_want *want, struct btf_fields **ret_fields)
{
	u32 key_id = want->key_id, value_id = want->value_id, size;
	const struct btf_type *key, *value;
	struct btf_fields *fields;
	int err;

	if (want->map_type >= ARRAY_SIZE(rows) || !rows[want->map_type].rule)
		return -EINVAL;
	if (key_id) {
		key = btf_sized(btf, &key_id, &size);
		if (!key || size != want->key_size)
			return -EINVAL;
	} else {
		key = btf_type_at(btf, 0);
		if (rows[want->map_type].rule == ANY || rows[want->map_type].rule == STORAGE)
			return -EINVAL;
	}
	value = btf_sized(btf, &value_id, &size);
	if (!value || size != want->value_size)
		return -EINVAL;
	err = find_fields(btf, value_id, want, &fields);
	if (err)
		return err;
	err = check_rule(btf, want, key, value);
	if (err) {
		btf_fields_free(fields);
		return err;
	}
	*ret_fields = fields;
	return 0;
}
