/*
 * Arguments of helpers: kinds of registers that fit, and memory that is large enough.
 */
#include "verifier/call_arg.h"

#include <errno.h>
#include <string.h>

#include "verifier/access.h"
#include "verifier/precision.h"
#include "verifier/step.h"

/* What Linux names as expected; the log's words. Kinds that skep does not make are part of them. */
static const char *expected_words(enum hlp_arg kind)
{
	switch (kind) {
	case HLP_CONST_MAP_PTR: return "map_ptr";
	case HLP_CTX: return "ctx";
	case HLP_STACK: return "fp";
	case HLP_FUNC: return "func";
	case HLP_CONST_STR: return "map_value";
	case HLP_CONST_SIZE:
	case HLP_CONST_SIZE_OR_ZERO:
	case HLP_SCALAR_CONST: return "scalar";
	default:
		return "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_";
	}
}

static bool fits_kind(enum hlp_arg kind, const struct vf_reg *reg, u32 arg)
{
	if (reg->may_be_null && !(arg & HLP_MAYBE_NULL))
		return false;
	if (reg->is_rdonly && !(arg & HLP_RDONLY) && kind != HLP_MAP_KEY)
		return false;
	switch (kind) {
	case HLP_CONST_MAP_PTR: return reg->kind == VF_MAP_PTR;
	case HLP_CTX: return reg->kind == VF_CTX;
	case HLP_STACK: return reg->kind == VF_STACK;
	case HLP_CONST_STR: return reg->kind == VF_MAP_VALUE;
	case HLP_FUNC: return false; /* no register holds one yet */
	case HLP_CONST_SIZE:
	case HLP_CONST_SIZE_OR_ZERO:
	case HLP_SCALAR_CONST: return vf_is_scalar(reg);
	default: return (vf_kind_bits(reg->kind) & KIND_MEM) != 0;
	}
}

int vf_call_mem(struct vf_env *env, struct vf_call *call, u32 regno, u32 size, bool is_write,
	bool may_be_empty)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	bool is_raw = call && call->is_raw;
	int err;

	switch (reg->kind) {
	case VF_PACKET:
	case VF_PACKET_META: return vf_packet_access(env, regno, reg->off, size, may_be_empty);
	case VF_MAP_VALUE: return vf_map_access(env, regno, reg->off, size, is_write, may_be_empty);
	case VF_MEM:
		if (is_write && reg->is_rdonly)
			return vf_complain(env, VF_C_MEM_RDONLY, regno, vf_kind_str(reg));
		return vf_region_check(env, regno, reg->off, size, reg->mem_size, may_be_empty);
	case VF_STACK:
		err = vf_stack_range(env, regno, reg->off, size, may_be_empty, is_write, &is_raw);
		if (!err && is_raw) {
			call->raw_regno = regno;
			call->raw_size = size;
		}
		return err;
	default:
		if (may_be_empty && !size && vf_is_null(reg))
			return 0;
		return vf_complain(env, VF_C_ARG_KIND, regno, vf_kind_str(reg), "fp");
	}
}

static int check_size(
	struct vf_env *env, struct vf_call *call, u32 regno, u32 mem_arg, bool may_be_zero)
{
	const struct vf_scalar *size = &vf_regs(env)[regno].num;
	int err;

	if (size->smin < 0)
		return vf_complain(env, VF_C_SIZE_NEGATIVE, regno);
	if (!size->umin && !may_be_zero)
		return vf_complain(
			env, VF_C_SIZE_ZERO, regno, (long long)size->umin, (long long)size->umax);
	if (size->umax >= VF_MEM_SIZE_MAX)
		return vf_complain(env, VF_C_SIZE_UNBOUNDED, regno);
	/* only all of a buffer whose size is known counts as filled */
	err = vf_call_mem(env, tnum_is_const(size->var_off) ? call : NULL, regno - 1, size->umax,
		(mem_arg & HLP_WRITE) != 0, may_be_zero);
	return err ? err : vf_mark_precise(env, regno);
}

static int check_key(struct vf_env *env, struct vf_call *call, u32 regno)
{
	u32 size;
	int err;

	if (!call->map)
		return vf_complain(env, VF_C_HELPER_NO_MAP);
	size = call->map->key_size;
	err = vf_call_mem(env, NULL, regno, size, false, false);
	if (err || (call->map->type->type != BPF_MAP_TYPE_ARRAY &&
			   call->map->type->type != BPF_MAP_TYPE_PERCPU_ARRAY))
		return err;
	err = vf_stack_constant(env, regno, size, &call->key);
	call->has_key = !err;
	return err == -EOPNOTSUPP ? 0 : err;
}

/* A constant string: in a read-only map, ended inside the value. */
static int check_string(struct vf_env *env, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const struct map *map = reg->map;
	u32 off = reg->off + reg->num.var_off.value;
	u64 addr;
	int err;

	if (!map_is_rdonly(map))
		return vf_complain(env, VF_C_STR_RDONLY, regno);
	if (!tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_STR_CONST, regno);
	if (!map->ops->value_addr)
		return vf_complain(env, VF_C_STR_DIRECT);
	err = vf_map_access(env, regno, reg->off, map->value_size - off, false, false);
	if (err)
		return err;
	err = map->ops->value_addr(map, off, &addr);
	if (err)
		return vf_complain(env, VF_C_STR_DIRECT);
	if (!memchr((const void *)(uintptr_t)addr, 0, map->value_size - off))
		return vf_complain(env, VF_C_STR_END);
	return 0;
}

/* What the kind of argument asks for beyond the kind of register. */
static int check_meaning(struct vf_env *env, struct vf_call *call, u32 arg_no, u32 regno)
{
	u32 arg = call->hlp->args[arg_no];
	struct vf_reg *reg = &vf_regs(env)[regno];
	struct vf_access acc = {
		.regno = regno, .size = call->hlp->arg_size[arg_no], .is_aligned = true};
	int err;

	switch (HLP_KIND(arg)) {
	case HLP_CONST_MAP_PTR: call->map = reg->map; return 0;
	case HLP_MAP_KEY: return check_key(env, call, regno);
	case HLP_MAP_VALUE:
		if (arg & HLP_MAYBE_NULL && vf_is_null(reg))
			return 0;
		if (!call->map)
			return vf_complain(env, VF_C_HELPER_NO_MAP);
		if (call->map->ops->asks_value) /* the value is read, whatever the helper does */
			arg &= ~(HLP_UNINIT | HLP_WRITE);
		call->is_raw = arg & HLP_UNINIT;
		return vf_call_mem(
			env, call, regno, call->map->value_size, (arg & HLP_WRITE) != 0, false);
	case HLP_MEM:
		call->is_raw = arg & HLP_UNINIT;
		if (!(arg & HLP_FIXED_SIZE))
			return 0;
		err = vf_call_mem(env, call, regno, acc.size, (arg & HLP_WRITE) != 0, false);
		return err || !(arg & HLP_ALIGNED) ? err : vf_access_aligned(env, &acc);
	case HLP_CONST_SIZE:
		return check_size(env, call, regno, call->hlp->args[arg_no - 1], false);
	case HLP_CONST_SIZE_OR_ZERO:
		return check_size(env, call, regno, call->hlp->args[arg_no - 1], true);
	case HLP_SCALAR_CONST:
		if (!tnum_is_const(reg->num.var_off))
			return vf_complain(env, VF_C_ARG_CONST, regno);
		return vf_mark_precise(env, regno);
	case HLP_CONST_STR: return check_string(env, regno);
	default: return 0;
	}
}

int vf_call_arg(struct vf_env *env, struct vf_call *call, u32 arg_no)
{
	u32 arg = call->hlp->args[arg_no], regno = BPF_REG_1 + arg_no;
	const struct vf_reg *reg = &vf_regs(env)[regno];
	int err;

	if (HLP_KIND(arg) == HLP_NONE)
		return 0;
	err = vf_reg_read(env, regno);
	if (err || HLP_KIND(arg) == HLP_ANYTHING)
		return err;
	if (vf_is_packet(reg) && !(env->type->has_packet && call->hlp->pkt_access))
		return vf_complain(env, VF_C_HELPER_PACKET);
	if (!(vf_is_null(reg) && arg & HLP_MAYBE_NULL)) {
		if (!fits_kind(HLP_KIND(arg), reg, arg))
			return vf_complain(env, VF_C_ARG_KIND, regno, vf_kind_str(reg),
				expected_words(HLP_KIND(arg)));
		if (!(vf_kind_bits(reg->kind) & KIND_MOVED)) {
			err = vf_reg_unmoved(env, regno);
			if (err)
				return err;
		}
	}
	return check_meaning(env, call, arg_no, regno);
}
