/*
 * Memory that is neither the program's nor an object: buffers whose size is known only when the program is
 * attached (elements of an iterator, records of a writable tracepoint), and the keys of a flow.
 *
 * A buffer may be accessed at constant offsets; how far, the attaching checks.
 */
#include <errno.h>

#include "verifier/access.h"
#include "verifier/step.h"

static int check_offset(struct vf_env *env, const struct vf_access *acc, const char *what)
{
	const struct vf_reg *reg = &vf_regs(env)[acc->regno];

	if (acc->off < 0)
		return vf_complain(
			env, VF_C_BUFFER_NEGATIVE, acc->regno, what, acc->off, acc->size);
	if (!tnum_equals_const(reg->num.var_off, 0))
		return vf_complain(
			env, VF_C_BUFFER_VARIABLE, acc->regno, acc->off, vf_tnum_str(reg));
	return 0;
}

int vf_buffer_check(struct vf_env *env, u32 regno, s32 off, u32 size, bool is_write)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	struct vf_access acc = {.regno = regno, .off = off, .size = size, .is_write = is_write};

	if (reg->kind == VF_TP_BUFFER)
		return check_offset(env, &acc, "tracepoint");
	if (is_write && reg->is_rdonly)
		return vf_complain(env, VF_C_MEM_RDONLY, regno, vf_kind_str(reg));
	return check_offset(env, &acc, reg->is_rdonly ? "rdonly" : "rdwr");
}

static int check_flow_keys(struct vf_env *env, const struct vf_access *acc)
{
	if (acc->off >= 0 && acc->off + (s64)acc->size <= (s64)sizeof(struct bpf_flow_keys))
		return 0;
	return vf_complain(env, VF_C_FLOW_KEYS, acc->off, acc->size);
}

int vf_buffer_access(struct vf_env *env, const struct vf_access *acc)
{
	struct vf_reg *regs = vf_regs(env);
	int err;

	if (regs[acc->regno].kind == VF_FLOW_KEYS)
		err = check_flow_keys(env, acc);
	else
		err = vf_buffer_check(env, acc->regno, acc->off, acc->size, acc->is_write);
	if (!err && !acc->is_write && acc->value >= 0)
		vf_reg_unknown(&regs[acc->value]);
	return err;
}
