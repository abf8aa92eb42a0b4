/*
 * The context: only whole fields (or aligned parts of fields that allow it) at constant offsets, as the
 * rows of the program type say. The access is rewritten later, so one instruction may not see both a
 * context and something else.
 */
#include <errno.h>

#include "btf/btf.h"
#include "core/kbtf.h"
#include "verifier/access.h"
#include "verifier/step.h"

static bool is_allowed(const struct vf_env *env, const struct ctx_field *field, bool is_write)
{
	if (field->attach_types &&
		(env->params->expected_attach_type > 63 ||
			!(field->attach_types & 1ull << env->params->expected_attach_type)))
		return false;
	return (field->access & (is_write ? CTX_WR : CTX_RD)) != 0;
}

/* Two neighbours as one; each has a place of its own, side by side as in the program's view. */
static bool is_wide(const struct ctx_field *field, const struct ctx_field *next, s32 off, u32 size)
{
	return field->access & next->access & CTX_WIDE && off == field->off &&
	       next->off == field->off + field->size && size == field->size + next->size;
}

const struct ctx_field *vf_ctx_field(const struct vf_env *env, s32 off, u32 size, bool is_write)
{
	const struct ctx_field *fields = env->type->fields;

	for (u32 i = 0; i < env->type->field_cnt; i++) {
		const struct ctx_field *field = &fields[i];
		s64 end = field->off + field->size;

		if (off < field->off || off >= end)
			continue;
		/* another row may have the same field for this attach type */
		if (!is_allowed(env, field, is_write) || off % size)
			continue;
		if (off + (s64)size > end)
			return i + 1 < env->type->field_cnt && is_wide(field, field + 1, off, size)
				       ? field
				       : NULL;
		if (size == field->size || field->access & CTX_RAW)
			return field;
		/* a part of a field: loads only */
		return !is_write && field->access & CTX_NARROW ? field : NULL;
	}
	return NULL;
}

/* A field that points to an object of the kernel, by the name of its struct. */
static int load_object(struct vf_env *env, const struct ctx_field *field, struct vf_reg *value)
{
	if (core_kbtf_get(env->params->inst, &value->btf) ||
		btf_find(value->btf, field->btf_name, BTF_KIND_STRUCT, &value->btf_id)) {
		vf_reg_unknown(value);
		return vf_complain(env, VF_C_CTX_ACCESS, field->off, field->size);
	}
	value->flags = VF_TRUSTED;
	return 0;
}

int vf_ctx_access(struct vf_env *env, const struct vf_access *acc)
{
	static const u8 kinds[] = {
		[CTX_SCALAR] = VF_SCALAR,
		[CTX_PACKET] = VF_PACKET,
		[CTX_PACKET_END] = VF_PACKET_END,
		[CTX_PACKET_META] = VF_PACKET_META,
		[CTX_BTF] = VF_BTF,
		[CTX_TP_BUFFER] = VF_TP_BUFFER,
		[CTX_FLOW_KEYS] = VF_FLOW_KEYS,
		[CTX_SOCKET] = VF_SOCKET,
		[CTX_SOCKET_OR_NULL] = VF_SOCKET,
		[CTX_SOCK_COMMON_OR_NULL] = VF_SOCK_COMMON,
	};
	const struct ctx_field *field;
	struct vf_reg *value;
	int err = vf_reg_unmoved(env, acc->regno);

	if (err)
		return err;
	if (env->type->ctx_model == CTX_BY_BTF)
		return vf_btf_ctx_access(env, acc);
	field = vf_ctx_field(env, acc->off, acc->size, acc->is_write);
	if (!field || (acc->is_signed && field->reg != CTX_SCALAR)) {
		err = vf_complain(env, VF_C_CTX_ACCESS, acc->off, acc->size);
		return err;
	}
	if (field->reg == CTX_OTHER)
		return vf_complain(env, VF_C_UNSUPPORTED_CTX_FIELD, field->name);
	if (acc->is_write && field->step_cnt != 1)
		return vf_complain(env, VF_C_UNSUPPORTED_CTX_WRITE, field->name);
	env->ctx_len = MAX(env->ctx_len, (u32)acc->off + acc->size);
	if (acc->is_write || acc->value < 0)
		return 0;
	value = &vf_regs(env)[acc->value];
	if (field->reg == CTX_SCALAR)
		vf_reg_unknown(value);
	else
		vf_reg_pointer(value, kinds[field->reg]);
	if (field->reg == CTX_BTF)
		return load_object(env, field, value);
	if (field->reg == CTX_SOCKET_OR_NULL || field->reg == CTX_SOCK_COMMON_OR_NULL) {
		value->may_be_null = true;
		value->id = ++env->id_gen;
	}
	return 0;
}
