/*
 * The dispatcher of memory accesses: alignment first, then the region's own rule, then what the loaded
 * register holds.
 */
#include "verifier/access.h"

#include <errno.h>

#include "verifier/step.h"

/* Where Linux's drivers leave 2 bytes before the Ethernet header, so that what follows it is aligned. */
enum { PACKET_ALIGN = 2 };

static int check_alignment(struct vf_env *env, const struct vf_access *acc, const char *what)
{
	const struct vf_reg *reg = &vf_regs(env)[acc->regno];
	s64 off = (s64)reg->off + acc->off + (vf_is_packet(reg) ? PACKET_ALIGN : 0);
	struct tnum sum = tnum_add(reg->num.var_off, tnum_const(off));

	if (acc->size <= 1 || tnum_is_aligned(sum, acc->size))
		return 0;
	if (vf_is_packet(reg))
		return vf_complain(env, VF_C_ALIGN_PACKET, PACKET_ALIGN, vf_tnum_str(reg), reg->off,
			acc->off, acc->size);
	return vf_complain(env, VF_C_ALIGN, what, vf_tnum_str(reg), reg->off, acc->off, acc->size);
}

int vf_access_aligned(struct vf_env *env, const struct vf_access *acc)
{
	const struct vf_reg *reg = &vf_regs(env)[acc->regno];
	const char *what = "";

	switch (reg->kind) {
	case VF_MAP_KEY: what = "key "; break;
	case VF_MAP_VALUE: what = reg->may_be_null ? "" : "value "; break;
	case VF_CTX: what = "context "; break;
	case VF_STACK: what = "stack "; break;
	case VF_SOCKET: what = reg->may_be_null ? "" : "sock "; break;
	case VF_SOCK_COMMON: what = reg->may_be_null ? "" : "sock_common "; break;
	case VF_TCP_SOCK: what = reg->may_be_null ? "" : "tcp_sock "; break;
	case VF_XDP_SOCK: what = reg->may_be_null ? "" : "xdp_sock "; break;
	case VF_ARENA: return 0;
	}
	/* the stack is tracked slot by slot, so an access may never straddle two by accident */
	if (reg->kind != VF_STACK && !acc->is_aligned && !env->is_strict)
		return 0;
	return check_alignment(env, acc, what);
}

static void note_region(struct vf_env *env, u32 regno, s64 off, s32 size, u32 mem_size)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	switch (reg->kind) {
	case VF_MAP_VALUE:
		vf_note(env, "invalid access to map value, value_size=%d off=%d size=%d\n",
			mem_size, (int)off, size);
		break;
	case VF_MAP_KEY:
		vf_note(env, "invalid access to map key, key_size=%d off=%d size=%d\n", mem_size,
			(int)off, size);
		break;
	case VF_PACKET:
	case VF_PACKET_META:
		vf_note(env, "invalid access to packet, off=%d size=%d, R%d(id=%d,off=%d,r=%d)\n",
			(int)off, size, regno, reg->id, (int)off, mem_size);
		break;
	default:
		vf_note(env, "invalid access to memory, mem_size=%u off=%d size=%d\n", mem_size,
			(int)off, size);
		break;
	}
}

int vf_region_fixed(
	struct vf_env *env, u32 regno, s64 off, s32 size, u32 mem_size, bool may_be_empty)
{
	if (off >= 0 && (size > 0 || (!size && may_be_empty)) && (u64)off + size <= mem_size)
		return 0;
	note_region(env, regno, off, size, mem_size);
	return -EACCES;
}

int vf_region_check(
	struct vf_env *env, u32 regno, s32 off, s32 size, u32 mem_size, bool may_be_empty)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	s64 smin = reg->num.smin;

	if (smin < 0 && (smin == INT64_MIN || off + smin != (s32)(off + smin) || off + smin < 0))
		return vf_complain(env, VF_C_MIN_NEGATIVE, regno);
	if (vf_region_fixed(env, regno, off + smin, size, mem_size, may_be_empty))
		return vf_complain(env, VF_C_MIN_OUTSIDE, regno);
	if (reg->num.umax >= VF_VAR_OFF_MAX)
		return vf_complain(env, VF_C_UNBOUNDED, regno);
	if (vf_region_fixed(env, regno, off + (s64)reg->num.umax, size, mem_size, may_be_empty))
		return vf_complain(env, VF_C_MAX_OUTSIDE, regno);
	return 0;
}

static int access_mem(struct vf_env *env, const struct vf_access *acc)
{
	const struct vf_reg *reg = &vf_regs(env)[acc->regno];

	if (reg->may_be_null)
		return vf_complain(env, VF_C_MEM_KIND, acc->regno, vf_kind_str(reg));
	if (acc->is_write && reg->is_rdonly)
		return vf_complain(env, VF_C_MEM_RDONLY, acc->regno, vf_kind_str(reg));
	if (reg->is_rdonly && reg->flags & VF_UNTRUSTED) /* loads survive any address */
		return 0;
	return vf_region_check(env, acc->regno, acc->off, acc->size, reg->mem_size, false);
}

static int access_key(struct vf_env *env, const struct vf_access *acc)
{
	const struct map *map = vf_regs(env)[acc->regno].map;

	if (acc->is_write)
		return vf_complain(env, VF_C_KEY_WRITE, acc->regno);
	return vf_region_check(env, acc->regno, acc->off, acc->size, map->key_size, false);
}

static int access_packet(struct vf_env *env, const struct vf_access *acc)
{
	if (acc->is_write && !env->type->can_write_packet)
		return vf_complain(env, VF_C_PACKET_WRITE);
	return vf_packet_access(env, acc->regno, acc->off, acc->size, false);
}

/* The plain regions, where a load yields an unknown number. */
static int access_plain(struct vf_env *env, const struct vf_access *acc)
{
	struct vf_reg *regs = vf_regs(env);
	int err;

	switch (regs[acc->regno].kind) {
	case VF_MEM: err = access_mem(env, acc); break;
	case VF_MAP_KEY: err = access_key(env, acc); break;
	default: err = access_packet(env, acc); break;
	}
	if (!err && !acc->is_write && acc->value >= 0)
		vf_reg_unknown(&regs[acc->value]);
	return err;
}

static int access_region(struct vf_env *env, const struct vf_access *acc)
{
	const struct vf_reg *reg = &vf_regs(env)[acc->regno];

	if (reg->may_be_null && reg->kind != VF_MEM)
		return vf_complain(env, VF_C_MEM_KIND, acc->regno, vf_kind_str(reg));
	switch (reg->kind) {
	case VF_STACK: return vf_stack_access(env, acc);
	case VF_MAP_VALUE: return vf_map_load(env, acc);
	case VF_MAP_KEY: return access_plain(env, acc);
	case VF_SOCKET:
	case VF_SOCK_COMMON:
	case VF_TCP_SOCK:
	case VF_XDP_SOCK: return vf_sock_access(env, acc);
	case VF_CTX: return vf_ctx_access(env, acc);
	case VF_MEM:
	case VF_PACKET:
	case VF_PACKET_META: return access_plain(env, acc);
	case VF_MAP_PTR: return vf_map_ptr_access(env, acc);
	case VF_BTF: return vf_btf_access(env, acc);
	case VF_ARENA:
		if (!acc->is_write && acc->value >= 0)
			vf_reg_unknown(&vf_regs(env)[acc->value]);
		return 0;
	case VF_BUF:
	case VF_TP_BUFFER:
	case VF_FLOW_KEYS: return vf_buffer_access(env, acc);
	default: return vf_complain(env, VF_C_MEM_KIND, acc->regno, vf_kind_str(reg));
	}
}

int vf_access(struct vf_env *env, const struct vf_access *acc)
{
	struct vf_reg *regs = vf_regs(env), *value;
	struct vf_access at = *acc;
	int err = vf_access_aligned(env, acc);

	if (err)
		return err;
	at.off += regs[acc->regno].off;
	err = access_region(env, &at);
	if (err || acc->is_write || acc->value < 0 || acc->size == 8)
		return err;
	value = &regs[acc->value];
	if (!vf_is_scalar(value))
		return 0;
	if (acc->is_signed)
		vf_scalar_sext(&value->num, acc->size * 8, 64);
	else
		vf_scalar_truncate(&value->num, acc->size * 8);
	return 0;
}
