/*
 * Map values: memory of a known size, unless the map was made unreadable or unwritable for programs. A
 * frozen map that programs cannot write is constant: loads at known places yield known numbers.
 */
#include <errno.h>
#include <string.h>

#include "btf/fields.h"
#include "verifier/access.h"
#include "verifier/kptr.h"
#include "verifier/step.h"

/* May any byte in [off, off + size) of the register's value be of a special field? Kptrs may be loaded and stored
 * to, but not by helpers (ret_kptr NULL). */
static int check_fields(struct vf_env *env, const struct vf_reg *reg, s32 off, s32 size,
	const struct btf_field **ret_kptr)
{
	const struct btf_fields *fields = reg->map->fields;
	s64 first = reg->num.smin + off;
	u64 end = reg->num.umax + (u64)(s64)off + (u64)size;

	for (u32 i = 0; fields && i < fields->cnt; i++) {
		const struct btf_field *field = &fields->items[i];

		if (first >= (s64)field->off + field->size || field->off >= end)
			continue;
		if (!(field->kind & (BTF_FIELD_KPTR | BTF_FIELD_UPTR)))
			return vf_complain(env, VF_C_MAP_FIELD, btf_field_name(field->kind));
		if (!ret_kptr)
			return vf_complain(env, VF_C_KPTR_HELPER, btf_field_name(field->kind));
		*ret_kptr = field;
	}
	return 0;
}

static int check_access(struct vf_env *env, u32 regno, s32 off, s32 size, bool is_write,
	bool may_be_empty, const struct btf_field **ret_kptr)
{
	const struct map *map = vf_regs(env)[regno].map;
	u32 access = map_prog_access(map);
	int err;

	if (is_write && !(access & MAP_PROG_WRITE))
		return vf_complain(env, VF_C_MAP_WRITE, map->value_size, off, size);
	if (!is_write && !(access & MAP_PROG_READ))
		return vf_complain(env, VF_C_MAP_READ, map->value_size, off, size);
	err = vf_region_check(env, regno, off, size, map->value_size, may_be_empty);
	return err ? err : check_fields(env, &vf_regs(env)[regno], off, size, ret_kptr);
}

int vf_map_access(
	struct vf_env *env, u32 regno, s32 off, s32 size, bool is_write, bool may_be_empty)
{
	return check_access(env, regno, off, size, is_write, may_be_empty, NULL);
}

/* The constant at a place that has been checked. */
static bool read_constant(const struct vf_reg *reg, const struct vf_access *acc, u64 *ret_value)
{
	const struct map *map = reg->map;
	u64 addr, value = 0;

	if (!tnum_is_const(reg->num.var_off) || !map_is_rdonly(map) || !map->ops->value_addr)
		return false;
	if (map->ops->value_addr(map, acc->off + reg->num.var_off.value, &addr))
		return false;
	memcpy(&value, (const void *)(uintptr_t)addr, acc->size);
	*ret_value = value;
	return true;
}

int vf_map_load(struct vf_env *env, const struct vf_access *acc)
{
	const struct btf_field *kptr = NULL;
	struct vf_reg *regs = vf_regs(env);
	u64 value;
	int err;

	err = check_access(env, acc->regno, acc->off, acc->size, acc->is_write, false, &kptr);
	if (!err && kptr)
		return vf_kptr_access(env, acc, kptr);
	if (err || acc->is_write || acc->value < 0)
		return err;
	if (read_constant(&regs[acc->regno], acc, &value))
		vf_reg_known(&regs[acc->value], value);
	else
		vf_reg_unknown(&regs[acc->value]);
	return 0;
}
