/*
 * Arguments of helpers: kinds of registers that fit, and memory that is large enough.
 */
#include "verifier/call_arg.h"
#include "verifier/dynptr.h"
#include "verifier/kptr.h"

#include <errno.h>
#include <string.h>

#include "btf/fields.h"
#include "verifier/access.h"
#include "verifier/lock.h"
#include "verifier/object.h"
#include "verifier/precision.h"
#include "verifier/step.h"

/* Types whose contexts Linux does not convert. */
static const u64 plain_ctx_progs =
	1ull << BPF_PROG_TYPE_SYSCALL | 1ull << BPF_PROG_TYPE_KPROBE |
	1ull << BPF_PROG_TYPE_TRACEPOINT | 1ull << BPF_PROG_TYPE_RAW_TRACEPOINT |
	1ull << BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE | 1ull << BPF_PROG_TYPE_TRACING |
	1ull << BPF_PROG_TYPE_LSM | 1ull << BPF_PROG_TYPE_STRUCT_OPS |
	1ull << BPF_PROG_TYPE_NETFILTER | 1ull << BPF_PROG_TYPE_LIRC_MODE2;

/* A context that is plain memory: as far as its last byte. */
static int call_ctx_mem(struct vf_env *env, u32 regno, u32 size, bool is_write, bool may_be_empty)
{
	const struct vf_access acc = {
		.regno = regno,
		.off = (s32)size - 1,
		.size = 1,
		.is_write = is_write,
		.value = VF_NO_REG,
	};

	if (!size)
		return may_be_empty ? 0 : -EACCES;
	return vf_access(env, &acc);
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
	case VF_MAP_KEY:
		if (is_write)
			return vf_complain(env, VF_C_MEM_RDONLY, regno, vf_kind_str(reg));
		return vf_region_check(
			env, regno, reg->off, size, reg->map->key_size, may_be_empty);
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
	case VF_BUF: return vf_buffer_check(env, regno, reg->off, size, is_write);
	case VF_BTF: return vf_call_btf_mem(env, regno, size);
	case VF_CTX:
		if (plain_ctx_progs & 1ull << env->type->type)
			return call_ctx_mem(env, regno, size, is_write, may_be_empty);
		break;
	default: break;
	}
	if (may_be_empty && !size && vf_is_null(reg))
		return 0;
	return vf_complain(env, VF_C_ARG_KIND, regno, vf_kind_str(reg), "fp");
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
	if (call)
		call->size_max = size->umax;
	/* only all of a buffer whose size is known counts as filled */
	err = vf_call_mem(env, tnum_is_const(size->var_off) ? call : NULL, regno - 1, size->umax,
		(mem_arg & HLP_WRITE) != 0, may_be_zero);
	return err ? err : vf_mark_precise(env, regno);
}

int vf_call_size(struct vf_env *env, u32 regno, bool is_write)
{
	struct vf_call call = {0};

	return check_size(env, &call, regno, is_write ? HLP_WRITE : 0, true);
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
int vf_call_string(struct vf_env *env, u32 regno)
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

static int check_map_arg(struct vf_env *env, struct vf_call *call, const struct vf_reg *reg)
{
	/* a timer lies in a value of this very map */
	if (call->map && (call->map != reg->map || call->map_uid != reg->map_uid))
		return vf_complain(env, VF_C_TIMER_MAP, call->map_uid, reg->map_uid);
	call->map = reg->map;
	call->map_uid = reg->map_uid;
	return 0;
}

static int check_alloc_size(struct vf_env *env, struct vf_call *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (!tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_ARG_CONST, regno);
	call->mem_size = reg->num.var_off.value;
	return vf_mark_precise(env, regno);
}

static int check_dynptr(struct vf_env *env, struct vf_call *call, u32 regno, u32 arg)
{
	const struct vf_dynptr_want want = {
		.is_uninit = arg & HLP_UNINIT,
		.is_rdonly = arg & HLP_RDONLY,
		.type = arg & HLP_DYNPTR_LOCAL	   ? VF_DYNPTR_LOCAL
			: arg & HLP_DYNPTR_RINGBUF ? VF_DYNPTR_RINGBUF
						   : VF_DYNPTR_NONE,
	};
	int err = vf_dynptr_arg(env, regno, &want);

	if (!err && !want.is_uninit && !call->dynptr_regno)
		call->dynptr_regno = regno;
	return err;
}

/* What the kind of argument asks for beyond the kind of register. */
static int check_meaning(struct vf_env *env, struct vf_call *call, u32 arg_no, u32 arg)
{
	u32 regno = BPF_REG_1 + arg_no;
	struct vf_reg *reg = &vf_regs(env)[regno];
	struct vf_access acc = {
		.regno = regno, .size = call->hlp->arg_size[arg_no], .is_aligned = true};
	int err;

	switch (HLP_KIND(arg)) {
	case HLP_CONST_MAP_PTR: return check_map_arg(env, call, reg);
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
	case HLP_CONST_ALLOC_SIZE_OR_ZERO: return check_alloc_size(env, call, regno);
	case HLP_FUNC: call->sub = reg->sub; return 0;
	case HLP_SPIN_LOCK:
		if (vf_graph_in_less(env))
			return vf_complain(env, VF_C_LOCK_IN_LESS);
		return vf_lock(env, regno, call->hlp->id == BPF_FUNC_spin_lock ? VF_LOCK_TAKE : 0);
	case HLP_TIMER:
		err = vf_map_field(env, regno, BTF_FIELD_TIMER, "bpf_timer");
		call->map = err ? NULL : reg->map;
		call->map_uid = reg->map_uid;
		return err;
	case HLP_PERCPU_BTF_ID: vf_call_percpu_arg(env, call, regno); return 0;
	case HLP_CONST_STR: return vf_call_string(env, regno);
	case HLP_DYNPTR: return check_dynptr(env, call, regno, arg);
	case HLP_KPTR_XCHG_DEST: return vf_kptr_dest(env, call, regno);
	default: return 0;
	}
}

/* Values of maps of sockets are sockets. */
static u32 resolve_value(const struct vf_call *call, u32 arg)
{
	if (HLP_KIND(arg) != HLP_MAP_VALUE || !call->map)
		return arg;
	switch (call->map->type->type) {
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH: return HLP_BTF_ID_SOCK_COMMON | (arg & ~0xffu);
	default: return arg;
	}
}

int vf_call_arg_kind(struct vf_env *env, u32 regno, u32 arg)
{
	struct buf words = BUF_INIT;
	int err;

	if (vf_arg_fits(arg, &vf_regs(env)[regno], 0))
		return 0;
	vf_arg_words(arg, &words);
	err = vf_complain(
		env, VF_C_ARG_KIND, regno, vf_kind_str(&vf_regs(env)[regno]), buf_text(&words));
	buf_done(&words);
	return err;
}

/* What is released is named by its own address; other objects that are no memory, too. */
static int check_offset(struct vf_env *env, u32 regno, u32 arg)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (arg & HLP_OBJ_RELEASE) {
		if (HLP_KIND(arg) == HLP_DYNPTR && reg->kind == VF_STACK)
			return 0;
		if (reg->off)
			return vf_complain(env, VF_C_REF_ARG_OFF, regno);
		return vf_reg_unmoved(env, regno);
	}
	if (reg->kind == VF_BTF)
		return vf_reg_fixed(env, regno);
	return vf_kind_bits(reg->kind) & KIND_MOVED ? 0 : vf_reg_unmoved(env, regno);
}

/* References among the arguments: at most one, and it must be there where one is released. */
static int note_reference(struct vf_env *env, struct vf_call *call, u32 regno, u32 arg)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (arg & HLP_OBJ_RELEASE) {
		if (HLP_KIND(arg) == HLP_DYNPTR) {
			if (reg->kind != VF_STACK)
				return vf_complain(env, VF_C_DYNPTR_UNOWNED);
			if (!vf_dynptr_has_ref(env, regno))
				return vf_complain(env, VF_C_DYNPTR_NO_REF, regno);
		} else if (!reg->ref_id && !vf_is_null(reg)) {
			return vf_complain(env, VF_C_REF_ARG, regno);
		}
		call->release_regno = regno;
	}
	if (!reg->ref_id || HLP_KIND(arg) == HLP_KPTR_XCHG_DEST)
		return 0;
	if (call->ref_id)
		return vf_complain(env, VF_C_REF_ARGS, regno, reg->ref_id, call->ref_id);
	call->ref_id = reg->ref_id;
	return 0;
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
	arg = resolve_value(call, arg);
	if (vf_is_null(reg) && arg & HLP_MAYBE_NULL) {
		/* that it is null was relied upon */
		err = vf_mark_precise(env, regno);
	} else {
		/* what goes into a kptr may be an object of the program's own */
		if (!call->kptr || !vf_arg_fits(arg, reg, VF_ALLOC | VF_PERCPU))
			err = vf_call_arg_kind(env, regno, arg);
		if (!err && call->kptr)
			err = vf_kptr_source(env, call, regno);
		else if (!err && reg->kind == VF_BTF && HLP_KIND(arg) != HLP_KPTR_XCHG_DEST)
			err = vf_call_btf_arg(env, call, arg_no, arg);
		if (!err)
			err = check_offset(env, regno, arg);
	}
	if (!err)
		err = note_reference(env, call, regno, arg);
	return err ? err : check_meaning(env, call, arg_no, arg);
}
